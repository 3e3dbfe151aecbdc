use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::log::writer::batch::Batch;
use crate::log::writer::shared::{Next, Shared, TICK};
use crate::log::writer::target::Target;

/// How long a target that failed is left alone: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// While the writer closes there is no time for long pauses.
const CLOSING_PAUSE: Duration = Duration::from_millis(20);

/// How long a stream that takes nothing now, and does not block, is left alone.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(5);

/// Writes until the writer is shut down.
pub(crate) fn run(shared: &Shared, mut target: Box<dyn Target>, mut batch: Batch) {
    let mut line = Vec::new();
    let mut ticks = Ticks { shared, last: Instant::now() };
    loop {
        let next = shared.next(&mut batch);
        if next == Next::Write && !write(&mut ticks, &mut *target, &mut batch) {
            break;
        }
        if shared.say_drops(&mut batch, &mut line) && !write(&mut ticks, &mut *target, &mut batch) {
            break;
        }
        if next == Next::End {
            break;
        }
        if next == Next::Tick {
            ticks.tick();
        } else {
            ticks.tick_if_due();
        }
    }
    // Whoever waits for the end may count on it that the target is closed.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(target)));
    shared.end();
}

/// What is due about once a second, and when it ran last.
struct Ticks<'a> {
    shared: &'a Shared,
    last: Instant,
}

impl Ticks<'_> {
    fn tick(&mut self) {
        self.last = Instant::now();
        self.shared.tick();
    }

    fn tick_if_due(&mut self) {
        if self.last.elapsed() >= TICK {
            self.tick();
        }
    }
}

/// Writes all of a batch, however often that fails; `false` when it was given up.
fn write(ticks: &mut Ticks<'_>, target: &mut dyn Target, batch: &mut Batch) -> bool {
    let is_done = Writing::new(ticks, target, batch).run();
    batch.clear();
    is_done
}

/// One batch on its way into a target.
struct Writing<'a, 's> {
    shared: &'s Shared,
    ticks: &'a mut Ticks<'s>,
    target: &'a mut dyn Target,
    batch: &'a Batch,
    /// How far it is: bytes, and records that are written as a whole.
    at: usize,
    done: usize,
    pause: Duration,
}

impl<'a, 's> Writing<'a, 's> {
    fn new(ticks: &'a mut Ticks<'s>, target: &'a mut dyn Target, batch: &'a Batch) -> Self {
        Self { shared: ticks.shared, ticks, target, batch, at: 0, done: 0, pause: FIRST_PAUSE }
    }

    fn run(mut self) -> bool {
        loop {
            let step = catch_unwind(AssertUnwindSafe(|| self.step()));
            let error = match step {
                Ok(Ok(Step::More)) => continue,
                Ok(Ok(Step::Done)) => return true,
                Ok(Ok(Step::GivenUp)) => return false,
                Ok(Err(error)) => error,
                Err(_) => io::Error::other("the target panicked"),
            };
            let goes_on = match error.kind() {
                io::ErrorKind::Interrupted => true,
                io::ErrorKind::WouldBlock => self.shared.pause(NO_ROOM_PAUSE),
                _ => self.failed(&error),
            };
            if !goes_on {
                return false;
            }
            // A full disk keeps filters and metrics waiting no longer than lines; the end is not kept waiting.
            if !self.shared.is_closing() {
                self.ticks.tick_if_due();
            }
        }
    }

    fn step(&mut self) -> io::Result<Step> {
        self.shared.begin_write();
        let length = self.batch.length_of(self.done, self.at);
        let is_between = self.at == self.batch.begin_of(self.done);
        let room = if is_between { self.target.ready(length)? } else { length };
        if let Some(problem) = self.target.problem() {
            self.shared.note(&problem);
        }
        let bytes = self.batch.whole_records(self.done, self.at, room);
        let taken = self.target.write(bytes)?.min(bytes.len());
        if taken == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.at += taken;
        self.pause = FIRST_PAUSE;
        let done = self.batch.records_until(self.at);
        let is_last = done == self.batch.records();
        if is_last {
            self.target.flush()?;
        }
        let newly = done - std::mem::replace(&mut self.done, done);
        Ok(match self.shared.wrote(newly) {
            false => Step::GivenUp,
            true if is_last => Step::Done,
            true => Step::More,
        })
    }

    /// Waits, each time longer; whether to go on.
    fn failed(&mut self, error: &io::Error) -> bool {
        let pause = if self.shared.is_closing() { CLOSING_PAUSE } else { self.pause };
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.shared.failed(error, pause)
    }
}

enum Step {
    More,
    Done,
    GivenUp,
}
