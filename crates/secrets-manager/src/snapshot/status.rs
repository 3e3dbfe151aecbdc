use std::time::SystemTime;

use crate::manager::SecretManager;
use crate::snapshot::error::SnapshotError;

/// How a snapshot is, for a health report.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SnapshotStatus {
    /// Whether its file is in use.
    pub file: SnapshotFile,
    /// How many values are in the file.
    pub entries: usize,
    /// When this process last wrote it.
    pub written: Option<SystemTime>,
    /// How many values this process has served from it.
    pub served: u64,
    /// What went wrong last; `None` once it was written again.
    pub last_error: Option<SnapshotError>,
}

/// Whether the file of a snapshot is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SnapshotFile {
    /// It was not needed so far, is not there yet, or cannot be opened for now.
    Closed,
    /// It is open.
    Open,
    /// It was refused, and is left alone: nothing is served from it and nothing written.
    Refused,
}

impl SecretManager {
    /// How the snapshot is; `None` when there is to be none.
    #[must_use]
    pub fn snapshot(&self) -> Option<SnapshotStatus> {
        self.cached().inner().setting.last_known.as_ref().map(|last_known| last_known.status())
    }
}
