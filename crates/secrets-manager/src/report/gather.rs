use std::collections::BTreeSet;

use secrets_core::{HealthStatus, ProviderId, SecretRef};

use crate::cache::held::{Held, Kind};
use crate::cache::inner::{Inner, Setting};
use crate::cache::line::Line;
use crate::cache::store::Desk;
use crate::report::health::{
    HealthReason, HealthReport, HeldSecret, ManagerStatus, NearExpiry, ProviderHealth, RunState,
    StateCounts,
};

impl Inner {
    /// Asks the providers how they are, and looks at what is held meanwhile known of it.
    pub(crate) async fn report(&self) -> HealthReport {
        let setting = &self.setting;
        let providers = setting.probes.ask(setting).await;
        let mut report = self.with(gather);
        report.providers = providers;
        let witness = setting.sources.first().and_then(|source| source.witness.as_ref());
        report.audit_events_lost = witness.map(|witness| witness.failures());
        report.judge();
        let most = setting.health.most_listed;
        report.not_fresh.truncate(most);
        report.near_expiry.truncate(most);
        report
    }
}

impl HealthReport {
    fn judge(&mut self) {
        let reasons: BTreeSet<_> = self.found().collect();
        self.reasons = reasons.into_iter().collect();
        let worst = self.reasons.iter().map(|reason| reason.status()).max();
        self.status = worst.unwrap_or(ManagerStatus::Healthy);
    }

    fn found(&self) -> impl Iterator<Item = HealthReason> {
        let is_held = self.handles.total() > 0;
        let whole = [
            (self.run == RunState::Stalled, HealthReason::RunStalled),
            (self.run == RunState::NotRunning && is_held, HealthReason::NotRunning),
            (self.usage.restored > 0, HealthReason::FromSnapshot),
            (self.near_expiry_count > 0, HealthReason::ExpiresSoon),
            (self.audit_events_lost.is_some_and(|lost| lost > 0), HealthReason::AuditLost),
        ];
        let whole = whole.into_iter().filter(|(is_so, _)| *is_so).map(|(_, reason)| reason);
        let secrets = self.not_fresh.iter().filter_map(HeldSecret::reason);
        whole.chain(secrets).chain(self.providers.iter().filter_map(ProviderHealth::reason))
    }
}

impl HeldSecret {
    fn reason(&self) -> Option<HealthReason> {
        use crate::report::HandleState;
        match self.state {
            HandleState::Gone => Some(HealthReason::SecretGone),
            HandleState::Invalid => Some(HealthReason::SecretInvalid),
            HandleState::Stale | HandleState::Orphaned if !self.is_usable => {
                Some(HealthReason::SecretTooStale)
            }
            HandleState::Stale => Some(HealthReason::SecretStale),
            // That nobody runs the manager is a reason of its own.
            HandleState::Orphaned | HandleState::Fresh => None,
        }
    }
}

impl ProviderHealth {
    fn reason(&self) -> Option<HealthReason> {
        match self.status {
            _ if self.error.is_some() => Some(HealthReason::ProviderFailing),
            HealthStatus::Unhealthy => Some(HealthReason::ProviderUnhealthy),
            HealthStatus::Degraded => Some(HealthReason::ProviderDegraded),
            _ => None,
        }
    }
}

/// What the store knows. Providers and status are still missing.
fn gather(desk: &mut Desk<'_>) -> HealthReport {
    let (moment, setting) = (desk.moment, desk.setting);
    let mut handles = StateCounts::default();
    let (mut not_fresh, mut near_expiry) = (Vec::new(), Vec::new());
    for line in desk.store.lines.values() {
        let (Some(held), Some(provider)) = (line.held(), provider(setting, line)) else { continue };
        for (kind, secret) in held_secrets(desk, line, held, provider) {
            handles.count(kind);
            not_fresh.extend((kind != Kind::Fresh).then_some(secret));
        }
        near_expiry.extend(expiry(desk, line, held, provider));
    }
    // The worst first, and always in the same order.
    not_fresh.sort_by_cached_key(|held| (held.is_usable, held.state, held.reference.to_string()));
    near_expiry.sort_by_cached_key(|near| (near.expires, near.reference.to_string()));
    let stale = not_fresh.iter().filter(|held| !held.staleness.is_zero());
    HealthReport {
        status: ManagerStatus::Healthy,
        reasons: Vec::new(),
        at: moment.wall,
        providers: Vec::new(),
        run: match (desk.store.is_running, moment.is_beating) {
            (false, _) => RunState::NotRunning,
            (true, false) => RunState::Stalled,
            (true, true) => RunState::Running,
        },
        usage: desk.store.usage(),
        handles,
        oldest_staleness: stale.map(|held| held.staleness).max(),
        not_fresh,
        near_expiry_count: near_expiry.len(),
        near_expiry,
        audit_events_lost: None,
    }
}

fn provider<'a>(setting: &'a Setting, line: &Line) -> Option<&'a ProviderId> {
    setting.sources.get(line.key.source).map(|source| source.provider.id())
}

/// What handles show of a line, under each of its names.
fn held_secrets(
    desk: &Desk<'_>,
    line: &Line,
    held: &Held,
    provider: &ProviderId,
) -> Vec<(Kind, HeldSecret)> {
    let (moment, rule) = (&desk.moment, &desk.setting.rule);
    let shown = line.shown(held, (moment, rule)).map(|(outlet, display)| {
        let reference = outlet.alias().map_or_else(|| line.key.reference.clone(), SecretRef::from);
        let is_whole = !matches!(display.kind, Kind::Gone | Kind::Invalid);
        let secret = HeldSecret {
            provider: provider.clone(),
            reference,
            version: display.secret.version.id.clone(),
            state: display.kind.into(),
            is_usable: is_whole && moment.now < display.usable_until,
            staleness: display.staleness(moment),
            error: display.error.map(|error| error.kind()),
        };
        (display.kind, secret)
    });
    shown.collect()
}

fn expiry(desk: &Desk<'_>, line: &Line, held: &Held, provider: &ProviderId) -> Option<NearExpiry> {
    let version = &held.secret.version;
    let expires = version.expires?;
    // In the past it is no time at all.
    let left = expires.duration_since(desk.moment.wall).unwrap_or_default();
    (left <= desk.setting.health.horizon).then(|| NearExpiry {
        provider: provider.clone(),
        reference: line.key.reference.clone(),
        version: version.id.clone(),
        expires,
        is_held: line.is_pinned(),
    })
}
