//! Which providers are asked, in which order.

use service_settings::{Placed, Problem, nearest};

use super::Outline;

pub(super) fn problems(outline: &Placed<Outline>) -> Vec<Problem> {
    let Outline { provider, fallback, .. } = &outline.value;
    let mut problems: Vec<_> = unknown(outline, provider)
        .map(|message| outline.problem("provider", message))
        .into_iter()
        .collect();
    for (number, name) in fallback.iter().enumerate() {
        let before = fallback.iter().take(number);
        let message = match unknown(outline, name) {
            Some(message) => message,
            None if name == provider => "is the provider that is asked first".to_owned(),
            None if before.into_iter().any(|other| other == name) => "stands here twice".to_owned(),
            None => continue,
        };
        problems.push(outline.problem(&format!("fallback[{number}]"), message));
    }
    if fallback.is_empty() && outline.value.fall_back_on_unavailable {
        let message = "there is no `fallback`";
        problems.push(outline.problem("fall_back_on_unavailable", message));
    }
    problems
}

/// What to say of a provider that is not among those that have a name.
pub(super) fn unknown(outline: &Placed<Outline>, name: &str) -> Option<String> {
    let providers = &outline.value.providers;
    if providers.contains_key(name) {
        return None;
    }
    let known: Vec<_> = providers.keys().map(|name| format!("`{name}`")).collect();
    Some(match nearest(name, providers.keys().map(String::as_str)) {
        Some(near) => format!("there is no such provider; is `{near}` meant?"),
        None if known.is_empty() => "there are no `providers`".to_owned(),
        None => format!("there is no such provider; there are {}", known.join(", ")),
    })
}
