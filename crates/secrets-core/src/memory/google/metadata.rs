use std::time::{Duration, SystemTime};

use crate::error::{Error, ErrorKind, Result};
use crate::memory::google::project::{MAX_LABELS, SecretMeta, label_fits};
use crate::metadata::{Change, MetadataPatch, Tags};

const DESCRIPTION: &str = "mainstay-description";
/// Seconds since 1970, a dot, nanoseconds. The secret's own `expire_time` would delete it.
const NOT_BEFORE: &str = "mainstay-not-before";
const EXPIRES: &str = "mainstay-expires";

/// Refuses labels that the service would refuse, before anything is written.
pub(super) fn check(labels: &Tags, patch: &MetadataPatch) -> Result<()> {
    let mut after = labels.clone();
    patch.apply_tags(&mut after);
    if after.len() > MAX_LABELS || !patch.set_tags.iter().all(|(name, v)| label_fits(name, v)) {
        let message = "a secret has 64 labels at most, of 63 lower-case letters, digits, `_`, `-`";
        return Err(Error::new(ErrorKind::InvalidValue, message));
    }
    Ok(())
}

/// Carries a patch out: tags are labels, all else is annotations.
pub(super) fn apply(patch: &MetadataPatch, meta: &mut SecretMeta) {
    patch.apply_tags(&mut meta.labels);
    annotate(meta, DESCRIPTION, &patch.description, String::clone);
    annotate(meta, NOT_BEFORE, &patch.not_before, |time| written(*time));
    annotate(meta, EXPIRES, &patch.expires, |time| written(*time));
}

fn annotate<T>(
    meta: &mut SecretMeta,
    name: &str,
    change: &Change<T>,
    text: impl FnOnce(&T) -> String,
) {
    match change {
        Change::Keep => {}
        Change::Set(value) => drop(meta.annotations.insert(name.to_owned(), text(value))),
        Change::Clear => drop(meta.annotations.remove(name)),
    }
}

pub(super) fn description(meta: &SecretMeta) -> Option<String> {
    meta.annotations.get(DESCRIPTION).cloned()
}

/// The bounds of validity: of the secret, as versions have no metadata.
pub(super) fn validity(meta: &SecretMeta) -> (Option<SystemTime>, Option<SystemTime>) {
    let time = |name| meta.annotations.get(name).and_then(|text| read(text));
    (time(NOT_BEFORE), time(EXPIRES))
}

fn written(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:09}", since.as_secs(), since.subsec_nanos())
}

fn read(text: &str) -> Option<SystemTime> {
    let (seconds, nanos) = text.split_once('.')?;
    let since = Duration::new(seconds.parse().ok()?, nanos.parse().ok()?);
    SystemTime::UNIX_EPOCH.checked_add(since)
}
