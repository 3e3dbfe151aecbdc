use std::sync::Arc;
use std::time::Duration;

use audit_log::Code;

use crate::cache::held::Kind;
use crate::telemetry::call::Route;
use crate::telemetry::names::{label, name};

/// How a manager stands at one moment.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) held: usize,
    pub(crate) absent: usize,
    /// How many names of secrets handles hold, by state.
    pub(crate) handles: [usize; Kind::ALL.len()],
    pub(crate) staleness: Duration,
}

impl Gauges {
    pub(crate) fn tell(&self, manager: Code) {
        let manager = manager.as_str();
        for (kind, count) in Kind::ALL.iter().zip(self.handles) {
            let state = kind.as_str();
            metrics::gauge!(name::HANDLES, label::MANAGER => manager, label::STATE => state)
                .set(count as f64);
        }
        for (state, count) in [("held", self.held), ("absent", self.absent)] {
            metrics::gauge!(name::ENTRIES, label::MANAGER => manager, label::STATE => state)
                .set(count as f64);
        }
        metrics::gauge!(name::STALENESS, label::MANAGER => manager)
            .set(self.staleness.as_secs_f64());
    }
}

/// Whether the run future is alive.
pub(crate) fn running(manager: Code, is_running: bool) {
    metrics::gauge!(name::RUNNING, label::MANAGER => manager.as_str())
        .set(f64::from(u8::from(is_running)));
}

/// So many loads by handle since the last time.
pub(crate) fn loaded(route: &Route, loads: u64) {
    let (manager, provider) = (route.manager.as_str(), Arc::clone(&route.provider));
    metrics::counter!(
        name::HANDLE_LOADS,
        label::MANAGER => manager,
        label::PROVIDER => provider
    )
    .increment(loads);
}

/// So many audit events were lost in all.
pub(crate) fn lost(manager: Code, events: u64) {
    metrics::counter!(name::AUDIT_LOST, label::MANAGER => manager.as_str()).absolute(events);
}
