mod sites;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing_core::Level;

use self::sites::{About, Site, Sites};
use crate::record::Record;

/// How many records are taken from one place: some at once, then one each so often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Nanoseconds between two records.
    every: u64,
    /// How far ahead of the clock a place may be.
    ahead: u64,
}

impl Quota {
    /// `burst` records at once; one that was used comes back after `every`.
    ///
    /// ```
    /// # use std::{num::NonZeroU32, time::Duration};
    /// use obs::log::Quota;
    ///
    /// // 20 at once, then 2 a second.
    /// let burst = NonZeroU32::new(20).ok_or("none at all")?;
    /// let quota = Quota::new(burst, Duration::from_millis(500));
    /// # let _ = quota; Ok::<(), &str>(())
    /// ```
    #[must_use]
    pub fn new(burst: NonZeroU32, every: Duration) -> Self {
        let every = u64::try_from(every.as_nanos()).unwrap_or(u64::MAX).max(1);
        Self { every, ahead: every.saturating_mul(burst.get().into()) }
    }
}

/// Limits how often each place in the program that logs is heard, so that one in a loop does not drown
/// the others. The first record of a place is always taken.
///
/// A place is a file, a line and a level. How many of its records were suppressed is said when it
/// is heard again, or once it has been silent until its quota is whole again. It limits one output:
/// others get everything.
///
/// Each place has a token bucket of two atomic numbers, shared by all threads without a lock; places are
/// remembered for the life of the limit, in 40 bytes each. Those beyond 65,280 share one bucket.
#[derive(Debug)]
pub struct RateLimit {
    quotas: Quotas,
}

/// How often a place is heard that logs errors, and any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quotas {
    quota: Quota,
    errors: Option<Quota>,
}

/// The places that log. They stay when quotas change: what was suppressed is said whatever comes then.
#[derive(Debug, Default)]
pub(crate) struct Places {
    sites: Sites,
    has_suppressed: AtomicBool,
}

/// What a limit says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is taken; so many others of its place were not, and nobody has said so.
    Take {
        suppressed: u64,
    },
    Suppress,
}

impl RateLimit {
    /// The same quota for each place, errors among them.
    #[must_use]
    pub const fn new(quota: Quota) -> Self {
        Self { quotas: Quotas { quota, errors: Some(quota) } }
    }

    /// Another quota for places that log errors.
    #[must_use]
    pub const fn errors(mut self, quota: Quota) -> Self {
        self.quotas.errors = Some(quota);
        self
    }

    /// Takes all errors.
    #[must_use]
    pub const fn all_errors(mut self) -> Self {
        self.quotas.errors = None;
        self
    }

    pub(crate) const fn quotas(&self) -> Quotas {
        self.quotas
    }
}

impl Places {
    pub(crate) fn judge(&self, record: &Record<'_>, quotas: Quotas) -> Verdict {
        let is_error = record.level == Level::ERROR;
        let quota = if is_error { quotas.errors } else { Some(quotas.quota) };
        let Some(quota) = quota else { return Verdict::Take { suppressed: 0 } };
        let site = self.sites.of(record);
        if takes(site, quota, nanoseconds(record.time)) {
            return Verdict::Take { suppressed: site.take_suppressed() };
        }
        site.suppress(record);
        self.has_suppressed.store(true, Ordering::Release);
        Verdict::Suppress
    }

    /// Calls `say` for each place of which records were suppressed, and which has been silent since its
    /// quota was whole again; for the others, too, if `all`.
    pub(crate) fn each_suppressed(
        &self,
        now: SystemTime,
        which: Which,
        mut say: impl FnMut(&About, u64),
    ) {
        if !self.has_suppressed.swap(false, Ordering::AcqRel) {
            return;
        }
        let now = nanoseconds(now);
        self.sites.each(|site| {
            let is_silent = site.ahead_until.load(Ordering::Relaxed) <= now;
            if which == Which::Silent && !is_silent {
                if site.has_suppressed() {
                    self.has_suppressed.store(true, Ordering::Release);
                }
            } else if let Some(about) = site.about() {
                let suppressed = site.take_suppressed();
                if suppressed > 0 {
                    say(about, suppressed);
                }
            }
        });
    }
}

/// Of which places it is said that records were suppressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Silent,
    All,
}

/// A token bucket as one number (GCRA, ITU-T I.371): when it would be full again.
fn takes(site: &Site, quota: Quota, now: u64) -> bool {
    let update = |until: u64| {
        // Never further ahead than that, unless the clock was set back.
        let was_set_back = until > now.saturating_add(quota.ahead);
        let from = if was_set_back { now } else { until.max(now) };
        let next = from.saturating_add(quota.every);
        (next - now <= quota.ahead).then_some(next)
    };
    site.ahead_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update).is_ok()
}

/// Nanoseconds from 1970, up to the year 2554.
fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
