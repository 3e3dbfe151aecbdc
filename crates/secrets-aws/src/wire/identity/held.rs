use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use tokio::time::Instant;

/// How long before their end credentials are refreshed.
const AHEAD: Duration = Duration::from_secs(5 * 60);
/// How long before their end they are no longer handed out: a request takes a while to arrive.
const MARGIN: Duration = Duration::from_secs(5);
/// When credentials that never end are asked for again, as the SDK does: their source may have
/// others by then.
const RECHECK: Duration = Duration::from_secs(15 * 60);

/// Both clocks at once: the wall clock tells expiry and may jump; the other one only goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) wall: SystemTime,
    pub(super) steady: Instant,
}

/// What credentials are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Fresh,
    /// Good, and others should be fetched.
    Due,
    /// Not good any more.
    Ended,
}

/// Credentials and when they came.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) credentials: Credentials,
    since: Moment,
    /// When they are due, before their end: spread, so that instances of a service that started
    /// together do not come to STS together for ever.
    ahead: Duration,
    margin: Duration,
}

impl Held {
    /// `spread` is a part of the whole, from 0 to 1.
    pub(super) fn new(credentials: Credentials, since: Moment, spread: f64) -> Self {
        let life = life(&credentials, since);
        let ahead = life.map_or(Duration::ZERO, |life| {
            let ahead = AHEAD.min(life / 3);
            ahead + (ahead / 5).mul_f64(spread.clamp(0.0, 1.0))
        });
        let margin = life.map_or(Duration::ZERO, |life| MARGIN.min(life / 10));
        Self { credentials, since, ahead, margin }
    }

    /// By whichever clock says less: one that is set back does not lengthen credentials, and one
    /// that was asleep with the machine does not either.
    pub(super) fn standing(&self, now: Moment) -> Standing {
        let steady = now.steady.saturating_duration_since(self.since.steady);
        let Some(expires) = self.credentials.expiry() else {
            let wall = now.wall.duration_since(self.since.wall).unwrap_or_default();
            return if steady.max(wall) >= RECHECK { Standing::Due } else { Standing::Fresh };
        };
        let by_wall = expires.duration_since(now.wall).unwrap_or_default();
        let life = life(&self.credentials, self.since).unwrap_or_default();
        let left = by_wall.min(life.saturating_sub(steady));
        if left <= self.margin {
            Standing::Ended
        } else if left <= self.ahead {
            Standing::Due
        } else {
            Standing::Fresh
        }
    }

    /// How long ago they came.
    pub(super) fn age(&self, now: Moment) -> Duration {
        now.steady.saturating_duration_since(self.since.steady)
    }
}

fn life(credentials: &Credentials, since: Moment) -> Option<Duration> {
    let expires = credentials.expiry()?;
    Some(expires.duration_since(since.wall).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const MINUTE: Duration = Duration::from_secs(60);

    fn start() -> Moment {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Moment { wall, steady: Instant::now() }
    }

    fn held(since: Moment, life: Option<Duration>) -> Held {
        let expires = life.map(|life| since.wall + life);
        Held::new(Credentials::new("AKID", "secret", None, expires, "test"), since, 0.0)
    }

    fn after(since: Moment, wall: Duration, steady: Duration) -> Moment {
        Moment { wall: since.wall + wall, steady: since.steady + steady }
    }

    #[test]
    fn credentials_are_due_five_minutes_before_their_end_or_a_third() {
        let since = start();
        let at = |life: Duration, time: Duration| {
            held(since, Some(life)).standing(after(since, time, time))
        };
        assert_eq!(at(HOUR, MINUTE * 54), Standing::Fresh);
        assert_eq!(at(HOUR, MINUTE * 55), Standing::Due);
        assert_eq!(at(HOUR, HOUR - Duration::from_secs(6)), Standing::Due);
        assert_eq!(at(HOUR, HOUR - Duration::from_secs(5)), Standing::Ended);
        assert_eq!(at(MINUTE * 6, MINUTE * 3), Standing::Fresh);
        assert_eq!(at(MINUTE * 6, MINUTE * 4), Standing::Due);
        assert_eq!(at(Duration::ZERO, Duration::ZERO), Standing::Ended);
    }

    #[test]
    fn the_spread_comes_before_the_five_minutes_never_after() {
        let since = start();
        let expires = Some(since.wall + HOUR);
        let credentials = Credentials::new("AKID", "secret", None, expires, "test");
        let early = Held::new(credentials, since, 1.0);
        assert_eq!(early.standing(after(since, MINUTE * 54, MINUTE * 54)), Standing::Due);
        assert_eq!(early.standing(after(since, MINUTE * 53, MINUTE * 53)), Standing::Fresh);
    }

    #[test]
    fn either_clock_ends_them() {
        let since = start();
        let held = held(since, Some(HOUR));
        // The wall clock was set back; an hour has passed all the same.
        let back = Moment { wall: since.wall - HOUR * 24, steady: since.steady + HOUR };
        assert_eq!(held.standing(back), Standing::Ended);
        // The machine slept, and with it the other clock.
        assert_eq!(held.standing(after(since, HOUR, MINUTE)), Standing::Ended);
        assert_eq!(held.standing(after(since, MINUTE, MINUTE)), Standing::Fresh);
    }

    #[test]
    fn those_that_never_end_are_asked_for_again() {
        let since = start();
        let held = held(since, None);
        assert_eq!(held.standing(after(since, MINUTE * 14, MINUTE * 14)), Standing::Fresh);
        assert_eq!(held.standing(after(since, MINUTE * 15, MINUTE * 15)), Standing::Due);
        assert_eq!(held.standing(after(since, HOUR * 9999, HOUR * 9999)), Standing::Due);
    }
}
