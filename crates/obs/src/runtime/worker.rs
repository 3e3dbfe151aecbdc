use std::time::{Duration, Instant};

/// What a worker says of itself, as tokio keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) busy: Duration,
    /// It sleeps if this is odd.
    pub(super) parks_and_unparks: u64,
    /// Whether there is anything that could keep it from coming back.
    pub(super) may_work: bool,
}

/// What was seen of a worker. It tells how long it was busy only when it comes back to its scheduler: one that is
/// stuck would look idle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Worker {
    last: Reading,
    /// Since when it says the same.
    since: Instant,
    /// What was shown: a counter does not fall.
    shown: Duration,
}

/// How busy a worker was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) busy: Duration,
    /// How long at least it has been with one stretch of work.
    pub(super) stall: Duration,
}

impl Worker {
    pub(super) const fn new(reading: Reading, now: Instant) -> Self {
        Self { last: reading, since: now, shown: reading.busy }
    }

    pub(super) fn see(&mut self, reading: Reading, now: Instant) -> Seen {
        if reading != self.last {
            (self.last, self.since) = (reading, now);
        }
        let works = reading.may_work && reading.parks_and_unparks.is_multiple_of(2);
        let stall = if works { now.saturating_duration_since(self.since) } else { Duration::ZERO };
        self.shown = self.shown.max(reading.busy + stall);
        Seen { busy: self.shown, stall }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn reading(busy: u32, parks_and_unparks: u64) -> Reading {
        Reading { busy: SECOND * busy, parks_and_unparks, may_work: true }
    }

    #[test]
    fn one_that_does_not_come_back_is_busy_and_one_that_sleeps_is_not() {
        let start = Instant::now();
        let mut worker = Worker::new(reading(5, 3), start);
        let asleep = worker.see(reading(5, 3), start + SECOND * 100);
        assert_eq!(asleep, Seen { busy: SECOND * 5, stall: Duration::ZERO });
        // It was woken just before it was looked at, or long before.
        let awake = worker.see(reading(5, 4), start + SECOND * 110);
        assert_eq!(awake, Seen { busy: SECOND * 5, stall: Duration::ZERO });
        let stuck = worker.see(reading(5, 4), start + SECOND * 117);
        assert_eq!(stuck, Seen { busy: SECOND * 12, stall: SECOND * 7 });
        // What it tells then is more than what could be known, or as good as that.
        let back = worker.see(reading(14, 5), start + SECOND * 120);
        assert_eq!(back, Seen { busy: SECOND * 14, stall: Duration::ZERO });
    }

    #[test]
    fn one_that_has_nothing_to_do_is_not_stuck() {
        let start = Instant::now();
        let idle = Reading { may_work: false, ..reading(5, 4) };
        let mut worker = Worker::new(idle, start);
        let nothing = Seen { busy: SECOND * 5, stall: Duration::ZERO };
        assert_eq!(worker.see(idle, start + SECOND * 100), nothing);
        // The time before there was something is none of its work.
        assert_eq!(worker.see(reading(5, 4), start + SECOND * 110), nothing);
        assert_eq!(worker.see(reading(5, 4), start + SECOND * 112).stall, SECOND * 2);
        assert_eq!(worker.see(idle, start + SECOND * 120).stall, Duration::ZERO);
    }

    #[test]
    fn what_is_shown_does_not_fall() {
        let start = Instant::now();
        let mut worker = Worker::new(reading(0, 0), start);
        assert_eq!(worker.see(reading(0, 0), start + SECOND * 9).busy, SECOND * 9);
        // It polled its drivers, which is no work.
        assert_eq!(worker.see(reading(8, 0), start + SECOND * 10).busy, SECOND * 9);
        assert_eq!(worker.see(reading(8, 0), start + SECOND * 10).stall, Duration::ZERO);
    }
}
