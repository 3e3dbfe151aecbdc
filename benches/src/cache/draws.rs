use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_executor::block_on;

use crate::harness::Case;
use crate::names::{Random, names, value};

/// How many draws are made beforehand; then they come again.
const LENGTH: usize = 65_536;

/// The names of a number of secrets, and which of them are read one after the other.
#[derive(Clone)]
pub(super) struct Draws(Arc<Inner>);

struct Inner {
    names: Vec<String>,
    numbers: Vec<usize>,
    /// The names of these numbers in one text, one behind the other: reading them costs everybody
    /// the same, and little, since it is foreseen. Each in a box of its own would lie wherever an
    /// earlier run left room, and be most of what is measured.
    drawn: String,
    /// Where each of them begins, and where the last ends.
    begins: Vec<usize>,
    /// Where the next thread begins, so that no two go in step.
    start: AtomicUsize,
}

/// The next secret to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw<'a> {
    pub(super) number: usize,
    pub(super) name: &'a str,
}

/// What is read of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Glimpse {
    len: usize,
    first: u8,
}

/// Reads length and first byte.
pub(super) fn glimpse(value: &[u8]) -> Glimpse {
    Glimpse { len: value.len(), first: value[0] }
}

impl Draws {
    pub(super) fn new(secrets: usize) -> Self {
        let names = names(secrets);
        let mut random = Random(2);
        let numbers: Vec<_> = (0..LENGTH).map(|_| random.below(secrets)).collect();
        let drawn: String = numbers.iter().map(|number| names[*number].as_str()).collect();
        let ends = numbers.iter().scan(0, |end, number| {
            *end += names[*number].len();
            Some(*end)
        });
        let begins = std::iter::once(0).chain(ends).collect();
        Self(Arc::new(Inner { names, numbers, drawn, begins, start: AtomicUsize::new(0) }))
    }

    pub(super) fn names(&self) -> &[String] {
        &self.0.names
    }

    #[inline]
    fn draw(&self, at: usize) -> Draw<'_> {
        let at = at % LENGTH;
        let name = &self.0.drawn[self.0.begins[at]..self.0.begins[at + 1]];
        Draw { number: self.0.numbers[at], name }
    }

    fn start(&self) -> usize {
        self.0.start.fetch_add(LENGTH / 2 + 4_001, Ordering::Relaxed)
    }

    /// A case that reads by `read`.
    pub(super) fn case<R>(&self, read: R) -> Case
    where
        R: Fn(Draw<'_>) -> Glimpse + Send + Sync + 'static,
    {
        (0..LENGTH).step_by(LENGTH / 128).for_each(|at| self.check(at, read(self.draw(at))));
        let (draws, read) = (self.clone(), Arc::new(read));
        Case::new(move || {
            let (draws, read) = (draws.clone(), Arc::clone(&read));
            let mut at = draws.start();
            draws.warm_up(|draw| {
                black_box(read(draw));
            });
            move |operations| {
                for _ in 0..operations {
                    black_box(read(draws.draw(at)));
                    at = at.wrapping_add(1);
                }
            }
        })
    }

    /// A case that reads by `read`, a batch at a time in one executor.
    pub(super) fn async_case<R>(&self, read: R) -> Case
    where
        R: AsyncFn(Draw<'_>) -> Glimpse + Send + Sync + 'static,
    {
        let checks = async {
            for at in (0..LENGTH).step_by(LENGTH / 128) {
                self.check(at, read(self.draw(at)).await);
            }
        };
        block_on(checks);
        let (draws, read) = (self.clone(), Arc::new(read));
        Case::new(move || {
            let (draws, read) = (draws.clone(), Arc::clone(&read));
            let mut at = draws.start();
            draws.warm_up(|draw| {
                black_box(block_on(read(draw)));
            });
            move |operations| {
                block_on(async {
                    for _ in 0..operations {
                        black_box(read(draws.draw(at)).await);
                        at = at.wrapping_add(1);
                    }
                });
            }
        })
    }

    /// As many reads for everybody before a sample, so that nobody finds the processor's caches
    /// colder than another because a sample of it has fewer reads.
    fn warm_up(&self, read: impl Fn(Draw<'_>)) {
        let begin = self.start();
        let reads = (4 * self.names().len()).min(LENGTH / 2);
        (begin..begin + reads).for_each(|at| read(self.draw(at)));
    }

    fn check(&self, at: usize, seen: Glimpse) {
        let number = self.draw(at).number;
        assert_eq!(seen, glimpse(&value(number)), "a cache gave another value than was put in");
    }
}
