use std::num::NonZeroUsize;

use serde::Deserialize;
use service_settings::{DurationSetting, Problem, Rules};

use crate::cache::policy::{Backoff, CachePolicy, Upkeep};

/// The cache, as settings have it. What is left out is as in [`CachePolicy::new`].
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CacheSettings {
    ttl: Option<DurationSetting>,
    refresh_at: Option<f64>,
    jitter: Option<f64>,
    stale_while_revalidate: Option<DurationSetting>,
    stale_if_error: Option<DurationSetting>,
    negative_ttl: Option<DurationSetting>,
    call_timeout: Option<DurationSetting>,
    backoff: BackoffSettings,
    stall_after: Option<DurationSetting>,
    upkeep: Option<UpkeepSetting>,
    max_entries: Option<NonZeroUsize>,
    max_absent: Option<NonZeroUsize>,
    concurrent_refreshes: Option<NonZeroUsize>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BackoffSettings {
    first: Option<DurationSetting>,
    longest: Option<DurationSetting>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum UpkeepSetting {
    Held,
    All,
}

impl CacheSettings {
    pub(crate) fn policy(&self) -> CachePolicy {
        let usual = CachePolicy::new();
        let time = |set: Option<DurationSetting>, usual| set.map_or(usual, DurationSetting::get);
        CachePolicy {
            ttl: time(self.ttl, usual.ttl),
            refresh_at: self.refresh_at.unwrap_or(usual.refresh_at),
            jitter: self.jitter.unwrap_or(usual.jitter),
            stale_while_revalidate: time(self.stale_while_revalidate, usual.stale_while_revalidate),
            stale_if_error: time(self.stale_if_error, usual.stale_if_error),
            negative_ttl: time(self.negative_ttl, usual.negative_ttl),
            call_timeout: time(self.call_timeout, usual.call_timeout),
            backoff: Backoff {
                first: time(self.backoff.first, usual.backoff.first),
                longest: time(self.backoff.longest, usual.backoff.longest),
            },
            stall_after: time(self.stall_after, usual.stall_after),
            upkeep: match self.upkeep {
                Some(UpkeepSetting::Held) => Upkeep::Held,
                Some(UpkeepSetting::All) => Upkeep::All,
                None => usual.upkeep,
            },
            max_entries: self.max_entries.unwrap_or(usual.max_entries),
            max_absent: self.max_absent.unwrap_or(usual.max_absent),
            concurrent_refreshes: self.concurrent_refreshes.unwrap_or(usual.concurrent_refreshes),
        }
    }
}

impl Rules for CacheSettings {
    fn problems(&self) -> Vec<Problem> {
        let faults = self.policy().faults().into_iter();
        faults.map(|(setting, message)| Problem::invalid(setting, message)).collect()
    }
}
