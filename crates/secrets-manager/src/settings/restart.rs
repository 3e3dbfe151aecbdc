//! What of settings that were read again takes effect at the next start only.

use std::collections::BTreeSet;

use service_settings::Placed;

use super::{Outline, SecretManagerSettings};

impl SecretManagerSettings {
    /// The settings, by their paths, that differ from those that a manager was started from, and that
    /// it does not take while it runs: all but `start_timeout`, which is over, and `required` and
    /// `rules`, which [`check_required`](crate::SecretManager::check_required) is given. The snapshot
    /// keeps what was required at the start. None where a restart would change nothing. What a
    /// variable holds is a text, which is never the same as a number or a list in a file.
    #[must_use]
    pub fn needs_restart(&self, started_from: &Self) -> Vec<String> {
        let (new, old) = (&self.outline.value, &started_from.outline.value);
        let mut found = Vec::new();
        let mut note = |is_same: bool, path: &str| {
            if !is_same {
                found.push(path.to_owned());
            }
        };
        note(new.provider == old.provider, "provider");
        note(new.fallback == old.fallback, "fallback");
        let on_unavailable = new.fall_back_on_unavailable == old.fall_back_on_unavailable;
        note(on_unavailable, "fall_back_on_unavailable");
        note(new.access_period == old.access_period, "access_period");
        note(new.cache.is_same(&old.cache), "cache");
        note(new.health.is_same(&old.health), "health");
        note(is_same(new.audit.as_ref(), old.audit.as_ref()), "audit");
        let is_kept = new.snapshot.is_none() || required(new).eq(required(old));
        note(is_kept && is_same(new.snapshot.as_ref(), old.snapshot.as_ref()), "snapshot");
        found.extend(providers(new, old).into_iter().map(|name| format!("providers.{name}")));
        found.extend(names(new, old).into_iter().map(|name| format!("secret.{name}")));
        let whole = self.outline.path();
        let path = |path| if whole.is_empty() { path } else { format!("{whole}.{path}") };
        found.into_iter().map(path).collect()
    }
}

fn is_same<T>(one: Option<&Placed<T>>, other: Option<&Placed<T>>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => one.is_same(other),
        _ => false,
    }
}

fn required(outline: &Outline) -> impl Iterator<Item = &super::AppName> {
    outline.secret.iter().filter(|(_, config)| config.value.required).map(|(name, _)| name)
}

fn providers<'s>(new: &'s Outline, old: &'s Outline) -> BTreeSet<&'s str> {
    let all = new.providers.keys().chain(old.providers.keys());
    let differs = |name: &&String| match (new.providers.get(*name), old.providers.get(*name)) {
        (Some(new), Some(old)) => !new.is_same(old),
        _ => true,
    };
    all.filter(differs).map(String::as_str).collect()
}

/// The application's names that stand for something else than before.
fn names<'s>(new: &'s Outline, old: &'s Outline) -> BTreeSet<&'s str> {
    let all = new.secret.keys().chain(old.secret.keys());
    let differs = |name: &&super::AppName| {
        let alias = |outline: &Outline| outline.secret.get(*name)?.value.alias();
        alias(new) != alias(old)
    };
    all.filter(differs).map(|name| name.0.as_str()).collect()
}
