use std::time::Duration;

use serde::Deserialize;
use service_settings::{DurationSetting, Problem, Rules};

use crate::report::HealthPolicy;

/// The health report, as settings have it. What is left out is as in [`HealthPolicy::new`].
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HealthSettings {
    expiry_horizon: Option<DurationSetting>,
    timeout: Option<DurationSetting>,
    probe_ttl: Option<DurationSetting>,
    most_listed: Option<usize>,
}

impl HealthSettings {
    pub(super) fn policy(self) -> HealthPolicy {
        let usual = HealthPolicy::new();
        let time = |set: Option<DurationSetting>, usual| set.map_or(usual, DurationSetting::get);
        HealthPolicy {
            horizon: time(self.expiry_horizon, usual.horizon),
            timeout: time(self.timeout, usual.timeout),
            probe_ttl: time(self.probe_ttl, usual.probe_ttl),
            most_listed: self.most_listed.unwrap_or(usual.most_listed),
        }
    }
}

impl Rules for HealthSettings {
    fn problems(&self) -> Vec<Problem> {
        let (minute, year) = (Duration::from_secs(60), Duration::from_secs(366 * 24 * 60 * 60));
        let spans = [
            ("expiry_horizon", self.expiry_horizon, Duration::ZERO, year),
            ("timeout", self.timeout, Duration::from_millis(10), minute),
            ("probe_ttl", self.probe_ttl, Duration::ZERO, minute * 60),
        ];
        let outside = spans.into_iter().filter_map(|(path, span, least, most)| {
            Some(Problem::invalid(path, span?.outside(least, most)?))
        });
        outside.collect()
    }
}
