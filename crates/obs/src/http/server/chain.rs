use std::iter;
use std::sync::OnceLock;

/// What is added and never taken out. Who looks waits for nobody, and writes to nothing that others read.
#[derive(Debug)]
pub(super) struct Chain<T>(OnceLock<Box<Link<T>>>);

#[derive(Debug)]
struct Link<T> {
    value: T,
    rest: Chain<T>,
}

impl<T> Chain<T> {
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// What was added, the first first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let links = iter::successors(self.0.get(), |link| link.rest.0.get());
        links.map(|link| &link.value)
    }

    /// What is wanted: what is there, else what `make` makes of it. Of several that want the same at once one makes it.
    pub(super) fn get_or_add(&self, is_wanted: impl Fn(&T) -> bool, make: impl Fn() -> T) -> &T {
        let mut chain = self;
        loop {
            let link = chain.0.get_or_init(|| Box::new(Link { value: make(), rest: Self::new() }));
            if is_wanted(&link.value) {
                return &link.value;
            }
            chain = &link.rest;
        }
    }
}

impl<T> Drop for Chain<T> {
    /// One after the other: each within the one before it would take as much stack as there are.
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(mut link) = next {
            next = link.rest.0.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::Chain;

    #[test]
    fn what_many_add_at_once_is_there_once_each_and_stays_where_it_is() {
        let (chain, made) = (Chain::new(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for thread in 0..4 {
                let (chain, made) = (&chain, &made);
                scope.spawn(move || {
                    for number in 0..200 {
                        // Some go up and some go down, so that they meet.
                        let number = if thread % 2 == 0 { number } else { 199 - number };
                        let make = || {
                            made.fetch_add(1, Ordering::Relaxed);
                            number
                        };
                        let added = chain.get_or_add(|known| *known == number, make);
                        assert_eq!(*added, number);
                        let again = chain.iter().find(|known| **known == number);
                        assert!(again.is_some_and(|again| std::ptr::eq(again, added)));
                    }
                });
            }
        });
        let mut all: Vec<usize> = chain.iter().copied().collect();
        all.sort_unstable();
        assert_eq!(all, (0..200).collect::<Vec<_>>());
        assert_eq!(made.into_inner(), 200);
    }

    #[test]
    fn a_long_one_is_dropped_on_a_small_stack() {
        let mut chain = Chain::new();
        for number in 0..1_000_000 {
            // From behind: looking for the end of each would take for ever.
            let rest = std::mem::replace(&mut chain, Chain::new());
            chain.get_or_add(|_| true, || number);
            if let Some(first) = chain.0.get_mut() {
                first.rest = rest;
            }
        }
        let thread = thread::Builder::new().stack_size(64 << 10).spawn(move || drop(chain));
        assert!(thread.unwrap().join().is_ok());
    }
}
