//! What an output leaves out: by share, and by how often a place is heard.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;
use service_settings::{DurationSetting, Problem, Rules};
use tracing_core::Level;

use super::below;
use super::filter::{NO_TARGET, is_target};
use crate::log::{Quota, RateLimit, Ratio, Sampling};

/// Of which records only some are written: [`Sampling`].
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SamplingSettings {
    levels: Shares,
    targets: BTreeMap<String, Shares>,
}

/// From 0, none, to 1, all; what is not said is all, or for a target what its level says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Shares {
    error: Option<f64>,
    warn: Option<f64>,
    info: Option<f64>,
    debug: Option<f64>,
    trace: Option<f64>,
}

impl Shares {
    fn each(&self) -> impl Iterator<Item = (&'static str, Level, f64)> {
        let all = [
            ("error", Level::ERROR, self.error),
            ("warn", Level::WARN, self.warn),
            ("info", Level::INFO, self.info),
            ("debug", Level::DEBUG, self.debug),
            ("trace", Level::TRACE, self.trace),
        ];
        all.into_iter().filter_map(|(name, level, share)| Some((name, level, share?)))
    }
}

impl Rules for Shares {
    fn problems(&self) -> Vec<Problem> {
        let wrong = self.each().filter(|(.., share)| Ratio::new(*share).is_err());
        wrong
            .map(|(name, ..)| Problem::invalid(name, "is no share: those go from 0 to 1"))
            .collect()
    }
}

impl SamplingSettings {
    /// The sampling, unless all is taken anyway.
    pub(super) fn sampling(&self) -> Option<Sampling> {
        let levels = self.levels.each().map(|(_, level, share)| ("", level, share));
        let targets = self.targets.iter().flat_map(|(target, shares)| {
            shares.each().map(move |(_, level, share)| (target.as_str(), level, share))
        });
        let rules = levels
            .chain(targets)
            .filter_map(|(target, level, share)| Some((target, level, Ratio::new(share).ok()?)));
        let add = |sampling: Option<Sampling>, (target, level, ratio): (&str, _, _)| {
            Some(sampling.unwrap_or_default().target(target, level, ratio))
        };
        rules.fold(None, add)
    }
}

impl Rules for SamplingSettings {
    fn problems(&self) -> Vec<Problem> {
        let targets = self.targets.iter().flat_map(|(target, shares)| {
            let mut problems = shares.problems();
            if !is_target(target) {
                problems.push(Problem::invalid("", NO_TARGET));
            }
            below(target, problems)
        });
        let targets = targets.collect();
        below("levels", self.levels.problems()).chain(below("targets", targets)).collect()
    }
}

/// How often each place in the program is heard: [`RateLimit`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RateLimitSettings {
    #[serde(default = "yes")]
    enabled: bool,
    burst: NonZeroU32,
    every: DurationSetting,
    errors: Option<QuotaSettings>,
    #[serde(default)]
    all_errors: bool,
}

/// So many at once; one of them comes back after each `every`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuotaSettings {
    burst: NonZeroU32,
    every: DurationSetting,
}

const fn yes() -> bool {
    true
}

impl QuotaSettings {
    fn quota(self) -> Quota {
        Quota::new(self.burst, self.every.get())
    }
}

impl Rules for QuotaSettings {
    fn problems(&self) -> Vec<Problem> {
        let (least, most) = (Duration::from_millis(1), Duration::from_secs(24 * 60 * 60));
        let outside = self.every.outside(least, most);
        outside.map(|message| Problem::invalid("every", message)).into_iter().collect()
    }
}

impl RateLimitSettings {
    fn own(&self) -> QuotaSettings {
        QuotaSettings { burst: self.burst, every: self.every }
    }

    /// The limit, if it is not turned off.
    pub(super) fn limit(&self) -> Option<RateLimit> {
        let limit = RateLimit::new(self.own().quota());
        let limit = match self.errors {
            Some(errors) => limit.errors(errors.quota()),
            None if self.all_errors => limit.all_errors(),
            None => limit,
        };
        self.enabled.then_some(limit)
    }
}

impl Rules for RateLimitSettings {
    fn problems(&self) -> Vec<Problem> {
        let mut found = self.own().problems();
        if let Some(errors) = &self.errors {
            found.extend(below("errors", errors.problems()));
            if self.all_errors {
                let message =
                    "errors have a limit of their own in `errors`: one of the two is meant";
                found.push(Problem::invalid("all_errors", message));
            }
        }
        found
    }
}
