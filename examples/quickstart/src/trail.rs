//! The end of the audit trail: what it holds, and whether somebody touched it.

use std::fs;
use std::path::Path;

use secrets_manager::audit_log::{ChainKey, Entries, FileAnchors, Finding, Report, Verifier};

use crate::rotator::ROTATOR;
use crate::{Failure, settings};

/// What a verifier says of the trail.
pub(crate) struct Checked {
    pub(crate) records: u64,
    pub(crate) writers: usize,
    /// Loads by handle that the records tell of, in sums.
    pub(crate) loads: u64,
    /// Nothing was altered, taken out or cut off.
    pub(crate) verified: bool,
    /// The first fault of a copy that was tampered with.
    pub(crate) tampered: Option<Finding>,
}

/// Verifies the trail, and a copy that was tampered with: a verifier that finds nothing there would
/// show nothing.
pub(crate) fn check(folder: &Path, key: &ChainKey) -> Result<Checked, Failure> {
    let trail = folder.join(settings::TRAIL);
    let report = verify(folder, &trail, key)?;
    let copy = folder.join("tampered");
    tamper(&trail, &copy)?;
    let tampered = verify(folder, &copy, key)?;
    Ok(Checked {
        records: report.records(),
        writers: report.writers.len(),
        loads: loads(&trail)?,
        verified: report.is_intact(),
        tampered: tampered.writers.iter().flat_map(|writer| &writer.findings).next().cloned(),
    })
}

fn loads(trail: &Path) -> Result<u64, Failure> {
    let mut sum = 0;
    for entry in Entries::read(trail)? {
        let event: serde_json::Value = serde_json::from_str(&entry?.json)?;
        if event.pointer("/metadata/event_code").is_some_and(|code| code == "loads") {
            sum += event.get("count").and_then(serde_json::Value::as_u64).unwrap_or_default();
        }
    }
    Ok(sum)
}

fn verify(folder: &Path, trail: &Path, key: &ChainKey) -> Result<Report, Failure> {
    let anchors = FileAnchors::new(folder.join(settings::ANCHORS)).read_all()?;
    Ok(Verifier::new([key.clone()]).with_anchors(anchors).verify(trail)?)
}

/// Copies the trail, with a write of the rotator passed off as a read.
fn tamper(trail: &Path, copy: &Path) -> Result<(), Failure> {
    fs::create_dir(copy)?;
    for entry in fs::read_dir(trail)? {
        let entry = entry?;
        fs::copy(entry.path(), copy.join(entry.file_name()))?;
    }
    let file = copy.join(format!("{ROTATOR}.00000001.jsonl"));
    let text = fs::read_to_string(&file)?;
    let changed = text.replacen(r#""activity_name":"Update""#, r#""activity_name":"Read""#, 1);
    if changed == text {
        return Err("the rotator recorded no write".into());
    }
    Ok(fs::write(file, changed)?)
}
