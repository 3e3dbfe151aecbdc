use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

/// So long a message that is no event is told of. Whoever sent it to a queue that goes on to get others
/// sends again within that time; one that came once, long ago, is nobody's concern any more.
const TOLD_FOR: Duration = Duration::from_secs(60 * 60);
/// Messages of one minute are counted together, so that no more than an hour's minutes are kept.
const TOGETHER: Duration = Duration::from_secs(60);

/// How many messages of a queue are no events.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    all: u64,
    /// When each minute that had some began, and how many it had.
    minutes: VecDeque<(SystemTime, u64)>,
}

impl Foreign {
    pub(super) fn count(&mut self, now: SystemTime) {
        self.all = self.all.saturating_add(1);
        self.forget(now);
        let is_within =
            |since: SystemTime| now.duration_since(since).is_ok_and(|age| age < TOGETHER);
        match self.minutes.back_mut() {
            Some((since, count)) if is_within(*since) => *count += 1,
            _ => self.minutes.push_back((now, 1)),
        }
    }

    pub(super) fn all(&self) -> u64 {
        self.all
    }

    pub(super) fn of_the_last_hour(&mut self, now: SystemTime) -> u64 {
        self.forget(now);
        self.minutes.iter().map(|(_, count)| count).sum()
    }

    /// What is too old, and what a clock that was set back has put into the future.
    fn forget(&mut self, now: SystemTime) {
        self.minutes.retain(|(since, _)| {
            now.duration_since(*since).is_ok_and(|age| age < TOLD_FOR + TOGETHER)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn an_hour_is_told_and_no_more_is_kept() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let mut foreign = Foreign::default();
        for second in 0..3 * 3_600 {
            foreign.count(start + Duration::from_secs(second));
            assert!(foreign.minutes.len() <= 61);
        }
        let end = start + MINUTE * 180;
        assert_eq!(foreign.all(), 3 * 3_600);
        assert!((3_600..=3_660).contains(&foreign.of_the_last_hour(end)));
        assert_eq!(foreign.of_the_last_hour(end + MINUTE * 59), 60);
        assert_eq!(foreign.of_the_last_hour(end + MINUTE * 61), 0);
        assert_eq!(foreign.all(), 3 * 3_600);
    }

    #[test]
    fn a_clock_that_is_set_back_lengthens_nothing() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let mut foreign = Foreign::default();
        foreign.count(start);
        assert_eq!(foreign.of_the_last_hour(start - MINUTE * 60 * 24), 0);
        foreign.count(start - MINUTE * 60 * 24);
        assert_eq!(foreign.of_the_last_hour(start - MINUTE * 60 * 24), 1);
    }
}
