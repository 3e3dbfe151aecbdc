use std::num::NonZeroUsize;
use std::time::Duration;

/// Longer times than this are taken for a mistake, and would overflow the clock.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The most entries: the index takes 21 to 43 bytes for each up front.
const MOST_ENTRIES: usize = 1 << 24;

/// How long values are good for, when they are asked for again, and how many are kept.
///
/// The words are those of HTTP caching (RFC 9111, RFC 5861), so a value's life after it was
/// confirmed by its provider is, with the defaults:
///
/// ```text
/// 0 ─────────── 3:36..4 min ──── 5 min ─────────── 5:30 ───────────────── 1 h 5 min
/// │ fresh         refreshed        │ stale: served while    │ served only where │ nothing is served,
/// │               ahead (kept up)  │ it is asked for again  │ asking fails      │ handles keep it
/// └────────────── ttl ─────────────┴ stale_while_revalidate ┘                   │
///                                  └────────────── stale_if_error ──────────────┘
/// ```
///
/// ```
/// use secrets_manager::CachePolicy;
/// use std::time::Duration;
///
/// let policy = CachePolicy::new()
///     .with_ttl(Duration::from_secs(60))
///     .with_stale_if_error(Duration::from_secs(15 * 60));
/// assert!(policy.problems().is_empty());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CachePolicy {
    pub(crate) ttl: Duration,
    pub(crate) refresh_at: f64,
    pub(crate) jitter: f64,
    pub(crate) stale_while_revalidate: Duration,
    pub(crate) stale_if_error: Duration,
    pub(crate) negative_ttl: Duration,
    pub(crate) call_timeout: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) stall_after: Duration,
    pub(crate) upkeep: Upkeep,
    pub(crate) max_entries: NonZeroUsize,
    pub(crate) max_absent: NonZeroUsize,
    pub(crate) concurrent_refreshes: NonZeroUsize,
}

/// Pauses after failures: the first is `first`, each further one twice as long, `longest` at most;
/// each is shortened at random by up to a half. What a provider asks for goes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

/// Which values the manager refreshes ahead of time, whether they are read or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Upkeep {
    /// Those that a handle holds. What is read by name only is asked for again when it is read, so
    /// that nobody pays for calls about secrets that nobody uses any more.
    #[default]
    Held,
    /// All that are in the cache: no reader by name ever meets a stale value while the provider
    /// answers, for one call per entry and time to live.
    All,
}

impl Default for CachePolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl CachePolicy {
    /// The defaults, which stand at each setting.
    #[must_use]
    pub const fn new() -> Self {
        const fn nonzero(number: usize) -> NonZeroUsize {
            NonZeroUsize::MIN.saturating_add(number - 1)
        }
        Self {
            ttl: Duration::from_secs(5 * 60),
            refresh_at: 0.8,
            jitter: 0.1,
            stale_while_revalidate: Duration::from_secs(30),
            stale_if_error: Duration::from_secs(60 * 60),
            negative_ttl: Duration::from_secs(10),
            call_timeout: Duration::from_secs(10),
            backoff: Backoff {
                first: Duration::from_millis(250),
                longest: Duration::from_secs(30),
            },
            stall_after: Duration::from_secs(30),
            upkeep: Upkeep::Held,
            max_entries: nonzero(10_000),
            max_absent: nonzero(1_000),
            concurrent_refreshes: nonzero(16),
        }
    }

    /// How long a value is fresh after its provider confirmed it. 5 minutes.
    #[must_use]
    pub const fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// At which part of the time to live a value that is kept up is asked for again, between 0 and
    /// 1, and by which part of that time it may happen earlier at random. 0.8 and 0.1.
    #[must_use]
    pub const fn with_refresh_at(mut self, part: f64, jitter: f64) -> Self {
        self.refresh_at = part;
        self.jitter = jitter;
        self
    }

    /// How long past its time to live a value is still served by name while it is asked for again
    /// in the background (RFC 5861, section 3). 30 seconds.
    #[must_use]
    pub const fn with_stale_while_revalidate(mut self, window: Duration) -> Self {
        self.stale_while_revalidate = window;
        self
    }

    /// How long past its time to live a value is served when its provider fails, for whatever reason:
    /// throttling and denied access among them (RFC 5861, section 4). This bounds for how long a
    /// revoked credential can stay in use. 1 hour.
    #[must_use]
    pub const fn with_stale_if_error(mut self, window: Duration) -> Self {
        self.stale_if_error = window;
        self
    }

    /// For how long "there is no such secret" is believed. 10 seconds.
    #[must_use]
    pub const fn with_negative_ttl(mut self, ttl: Duration) -> Self {
        self.negative_ttl = ttl;
        self
    }

    /// How long one call of a provider may take. 10 seconds.
    #[must_use]
    pub const fn with_call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// Pauses after failures. 250 milliseconds to 30 seconds.
    #[must_use]
    pub const fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// How late the run future may be before checked reads say that it is stalled. 30 seconds.
    #[must_use]
    pub const fn with_stall_after(mut self, bound: Duration) -> Self {
        self.stall_after = bound;
        self
    }

    /// What is refreshed ahead of time. [`Upkeep::Held`].
    #[must_use]
    pub const fn with_upkeep(mut self, upkeep: Upkeep) -> Self {
        self.upkeep = upkeep;
        self
    }

    /// How many values are kept at most; beyond, the one that was fetched longest ago goes. What a
    /// handle holds never goes, so handles alone can exceed this. 10,000; the index takes 21 to
    /// 43 bytes for each up front.
    #[must_use]
    pub const fn with_max_entries(mut self, entries: NonZeroUsize) -> Self {
        self.max_entries = entries;
        self
    }

    /// How many failures and absences are remembered at most. 1,000.
    #[must_use]
    pub const fn with_max_absent(mut self, entries: NonZeroUsize) -> Self {
        self.max_absent = entries;
        self
    }

    /// How many refreshes of one provider run at a time. First reads are not counted: their callers
    /// wait. 16.
    #[must_use]
    pub const fn with_concurrent_refreshes(mut self, calls: NonZeroUsize) -> Self {
        self.concurrent_refreshes = calls;
        self
    }

    /// What makes this policy unusable; empty when it is sound.
    #[must_use]
    pub fn problems(&self) -> Vec<&'static str> {
        self.faults().into_iter().map(|(_, problem)| problem).collect()
    }

    /// What is wrong with it, by the setting.
    pub(crate) fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let part = |part: f64| (0.0..=1.0).contains(&part);
        let spans = [
            ("ttl", self.ttl),
            ("stale_while_revalidate", self.stale_while_revalidate),
            ("stale_if_error", self.stale_if_error),
            ("negative_ttl", self.negative_ttl),
            ("call_timeout", self.call_timeout),
            ("backoff.longest", self.backoff.longest),
            ("stall_after", self.stall_after),
        ];
        let too_long = spans.into_iter().filter(|(_, span)| *span > LONGEST);
        let rules = [
            (!self.ttl.is_zero(), "ttl", "the time to live is zero"),
            (!self.call_timeout.is_zero(), "call_timeout", "the time limit of a call is zero"),
            (
                !self.backoff.first.is_zero(),
                "backoff.first",
                "the first pause after a failure is zero",
            ),
            (
                self.backoff.first <= self.backoff.longest,
                "backoff.first",
                "the first pause is longer than the longest",
            ),
            (
                part(self.refresh_at) && self.refresh_at > 0.0,
                "refresh_at",
                "`refresh_at` is not between 0 and 1",
            ),
            (part(self.jitter), "jitter", "the jitter is not between 0 and 1"),
            (
                self.stale_while_revalidate <= self.stale_if_error,
                "stale_while_revalidate",
                "`stale_while_revalidate` is longer than `stale_if_error`",
            ),
            (
                self.max_entries.get() <= MOST_ENTRIES,
                "max_entries",
                "`max_entries` is larger than 16,777,216",
            ),
        ];
        let broken = rules.into_iter().filter(|(holds, ..)| !holds);
        let broken = broken.map(|(_, setting, problem)| (setting, problem));
        broken
            .chain(too_long.map(|(setting, _)| (setting, "the time is longer than a year")))
            .collect()
    }
}
