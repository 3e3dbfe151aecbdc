use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use service_settings::{DurationSetting, Placed, Problem, Rules, SecretSetting};

use super::Outline;
use super::chain::unknown;

/// What is kept for a start without the provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(feature = "snapshot"), expect(dead_code, reason = "read, and refused"))]
pub(super) struct SnapshotSettings {
    /// The file.
    path: PathBuf,
    /// One of these two opens it.
    passphrase: Option<SecretSetting>,
    key_file: Option<PathBuf>,
    pub(super) credentials_from: Option<String>,
    /// Where a high-water mark is kept, against older copies of the file.
    state_folder: Option<PathBuf>,
    /// For how long after its provider confirmed it a value may be served.
    max_age: Option<DurationSetting>,
    /// For how long a reader waits for the file to be opened.
    open_timeout: Option<DurationSetting>,
    #[serde(default)]
    coverage: CoverageSetting,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CoverageSetting {
    #[default]
    Held,
    All,
}

impl Rules for SnapshotSettings {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut refuse = |path: &str, message: &str| problems.push(Problem::invalid(path, message));
        if self.path.file_name().is_none() {
            refuse("path", "names no file");
        }
        match (&self.passphrase, &self.key_file) {
            (Some(_), Some(_)) => {
                refuse("key_file", "there is a `passphrase` as well: one opens it")
            }
            (None, None) => refuse("", "a `passphrase` or a `key_file` has to open the snapshot"),
            (None, Some(key)) if key.file_name().is_none() => refuse("key_file", "names no file"),
            (Some(SecretSetting::Reference(_)), None) if self.credentials_from.is_none() => refuse(
                "passphrase",
                "a reference to a secret needs `credentials_from`, the name of the provider that has it",
            ),
            (Some(SecretSetting::Inline(passphrase)), None)
                if passphrase.expose_secret().is_empty() =>
            {
                refuse("passphrase", "is empty");
            }
            _ => {}
        }
        let (least, most) = (Duration::from_secs(1), Duration::from_secs(30 * 24 * 60 * 60));
        if let Some(message) = self.max_age.and_then(|age| age.outside(least, most)) {
            refuse("max_age", &message);
        }
        let (least, most) = (Duration::from_millis(1), Duration::from_secs(60 * 60));
        if let Some(message) = self.open_timeout.and_then(|time| time.outside(least, most)) {
            refuse("open_timeout", &message);
        }
        problems
    }
}

pub(super) fn problems(outline: &Placed<Outline>) -> Vec<Problem> {
    let Some(snapshot) = &outline.value.snapshot else { return Vec::new() };
    if cfg!(not(feature = "snapshot")) {
        let message =
            "snapshots are not compiled in; turn on the feature `snapshot` of secrets-manager";
        return vec![snapshot.problem("", message)];
    }
    let mut problems = snapshot.problems();
    let from = snapshot.value.credentials_from.as_deref();
    let unknown = from.and_then(|from| unknown(outline, from));
    problems.extend(unknown.map(|message| snapshot.problem("credentials_from", message)));
    let provider = &outline.value.provider;
    if from.is_some_and(|from| from == provider) {
        let message =
            "is the provider that the snapshot stands in for: it may be out together with it";
        problems.push(snapshot.problem("credentials_from", message));
    }
    problems
}

#[cfg(feature = "snapshot")]
mod making {
    use secrets_core::{Result, SecretName, SecretResolver};

    use super::{CoverageSetting, SnapshotSettings};
    use crate::snapshot::{Coverage, FileStore, KeyFile, Passphrase, Snapshot, Unlock};

    impl SnapshotSettings {
        /// The snapshot, its key read; of what is required too.
        pub(in super::super) async fn snapshot(
            &self,
            secrets: &dyn SecretResolver,
            required: impl IntoIterator<Item = SecretName>,
        ) -> Result<Snapshot> {
            let unlock = match (&self.passphrase, &self.key_file) {
                (Some(passphrase), _) => {
                    Unlock::from(Passphrase::new(passphrase.resolve(secrets).await?)?)
                }
                (None, key) => Unlock::from(KeyFile::read(key.clone().unwrap_or_default())?),
            };
            let mut store = FileStore::at(&self.path);
            if let Some(folder) = &self.state_folder {
                store = store.state_folder(folder);
            }
            let coverage = match self.coverage {
                CoverageSetting::Held => Coverage::Held,
                CoverageSetting::All => Coverage::All,
            };
            let snapshot = Snapshot::in_store(store, unlock).with_coverage(coverage);
            let mut snapshot = snapshot.with_required(required);
            if let Some(timeout) = self.open_timeout {
                snapshot = snapshot.with_open_timeout(timeout.get());
            }
            Ok(match self.max_age {
                Some(age) => snapshot.with_max_age(age.get()),
                None => snapshot,
            })
        }
    }
}
