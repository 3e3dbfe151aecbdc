//! The application's names for secrets, and what is wrong with them.

use std::collections::BTreeMap;

#[cfg(feature = "snapshot")]
use secrets_core::SecretName;
use secrets_core::VersionSelector;
use service_settings::{Placed, Problem, Rules};

use super::Outline;
use super::circle::{Circle, circles};
use super::secret::{AppName, SecretConfig};

/// More names between one and its secret are a mistake.
const MOST_NAMES: usize = 16;

pub(super) fn problems(outline: &Placed<Outline>) -> Vec<Problem> {
    let secrets: BTreeMap<&str, &Placed<SecretConfig>> = outline
        .value
        .secret
        .iter()
        .map(|(AppName(name), config)| (name.as_str(), config))
        .collect();
    let next = |name: &str| {
        let reference = secrets.get(name).and_then(|config| config.value.reference.as_ref());
        reference.map(|reference| reference.as_str())
    };
    let mut problems = Vec::new();
    for (name, config) in &secrets {
        problems.extend(config.problems());
        if next(name) == Some(name) {
            problems.push(config.problem("reference", "is this name itself"));
        }
    }
    let circles = circles(secrets.keys().copied(), next);
    if circles.is_empty() {
        let others = secrets.iter().filter_map(|(name, config)| on_the_way(name, config, &secrets));
        problems.extend(others);
    }
    for Circle { name, way } in circles {
        let message = format!("comes back to this name: {way}");
        problems.extend(secrets.get(name).map(|config| config.problem("reference", message)));
    }
    problems
}

/// A name that stands for another name and for a version of its own, and a way that is too long.
fn on_the_way(
    name: &str,
    config: &Placed<SecretConfig>,
    secrets: &BTreeMap<&str, &Placed<SecretConfig>>,
) -> Option<Problem> {
    let (mut at, mut name) = (config, name);
    for _ in 0..MOST_NAMES {
        let next = at.value.reference.as_ref()?.as_str();
        if next == name {
            return None;
        }
        (at, name) = (secrets.get(next)?, next);
        let (own, other) = (&config.value.version, &at.value.version);
        if *own != VersionSelector::Current && *other != VersionSelector::Current && own != other {
            let message = format!("what it stands for, `{next}`, is another version");
            return Some(config.problem("version", message));
        }
    }
    let message = format!("there are more than {MOST_NAMES} names between this and its secret");
    Some(config.problem("reference", message))
}

/// The name of the secret that a name stands for in the end, if that has one.
#[cfg(feature = "snapshot")]
pub(super) fn end(outline: &Placed<Outline>, name: &SecretName) -> Option<SecretName> {
    let secrets = &outline.value.secret;
    let mut name = name.clone();
    loop {
        let Some(config) = secrets.get(&AppName(name.clone())) else { return Some(name) };
        match (&config.value.reference, &config.value.native) {
            // Circles are problems of the settings, which are looked for before.
            (Some(reference), _) => name = reference.clone(),
            (None, Some(_)) => return None,
            (None, None) => return Some(name),
        }
    }
}
