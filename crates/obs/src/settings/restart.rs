//! What of settings that were read again takes effect at the next start only.

use std::collections::BTreeSet;

use service_settings::Problem;

use super::output::OutputSettings;
use super::{Outline, below};

/// The settings that differ from those of the start and are not taken while the service runs.
pub(super) fn needed(new: &Outline, started: &Outline) -> Vec<String> {
    let whole = [
        ("profile", new.profile == started.profile),
        ("format", new.format == started.format),
        ("read_environment", new.read_environment == started.read_environment),
        ("self_test", new.self_test == started.self_test),
        ("panics", new.panics == started.panics),
        ("log_bridge", new.log_bridge == started.log_bridge),
        ("shutdown_timeout", new.shutdown_timeout == started.shutdown_timeout),
        ("service", new.service == started.service),
        ("redaction", new.redaction == started.redaction),
        ("limits", new.limits == started.limits),
        ("metrics", new.metrics == started.metrics),
        ("admin", new.admin == started.admin),
    ];
    let differ = whole.into_iter().filter(|(_, is_same)| !is_same);
    let outputs: BTreeSet<_> = new.outputs.keys().chain(started.outputs.keys()).collect();
    let outputs = outputs.into_iter().flat_map(|name| {
        let parts = match (open(new, name), open(started, name)) {
            (Some(new), Some(started)) => new.differences(started).1,
            (None, None) => Vec::new(),
            // One more, or one less.
            _ => vec![""],
        };
        paths(name, &parts)
    });
    differ.map(|(name, _)| name.to_owned()).chain(outputs).collect()
}

/// An output that is turned on.
pub(super) fn open<'a>(outline: &'a Outline, name: &str) -> Option<&'a OutputSettings> {
    outline.outputs.get(name).filter(|output| output.is_on())
}

/// Parts of an output, by their paths.
pub(super) fn paths(output: &str, parts: &[&str]) -> Vec<String> {
    let parts = parts.iter().map(|part| Problem::invalid(*part, "")).collect();
    below("outputs", below(output, parts).collect()).map(|problem| problem.path).collect()
}
