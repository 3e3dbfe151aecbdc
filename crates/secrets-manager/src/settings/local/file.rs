use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use secrets_core::{Result, SecretResolver};
use secrets_local::store::{FileStore, KeyFile, Passphrase, StoreBuilder, Unlock};
use serde::Deserialize;
use service_settings::{DurationSetting, Problem, Problems, Rules, SecretSetting, Subtree};

use crate::settings::plan::{Connected, ProviderPlan};

/// The options of the encrypted file store.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileOptions {
    path: PathBuf,
    /// One of these two opens it.
    passphrase: Option<SecretSetting>,
    key_file: Option<PathBuf>,
    /// Whether a store is made where there is none.
    #[serde(default)]
    create: bool,
    /// Where a high-water mark is kept, against older copies of the file.
    state_folder: Option<PathBuf>,
    lock_timeout: Option<DurationSetting>,
    poll_interval: Option<DurationSetting>,
    deletion_window: Option<DurationSetting>,
    unlabelled_versions: Option<NonZeroUsize>,
}

impl Rules for FileOptions {
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
            (None, None) => refuse("", "a `passphrase` or a `key_file` has to open the store"),
            (None, Some(key)) if key.file_name().is_none() => refuse("key_file", "names no file"),
            _ => {}
        }
        if let Some(SecretSetting::Inline(passphrase)) = &self.passphrase
            && passphrase.expose_secret().is_empty()
        {
            refuse("passphrase", "is empty");
        }
        let spans = [
            ("lock_timeout", self.lock_timeout, (1, 5 * 60 * 1_000)),
            ("poll_interval", self.poll_interval, (10, 60 * 60 * 1_000)),
            ("deletion_window", self.deletion_window, (1, 3_660 * 86_400_000)),
        ];
        for (path, span, (least, most)) in spans {
            let bounds = (Duration::from_millis(least), Duration::from_millis(most));
            if let Some(message) = span.and_then(|span| span.outside(bounds.0, bounds.1)) {
                refuse(path, &message);
            }
        }
        problems
    }
}

pub(super) fn plan(options: &Subtree) -> std::result::Result<ProviderPlan, Problems> {
    let options: FileOptions = options.read_checked()?;
    let passphrase = options.passphrase.clone();
    let plan = ProviderPlan::new(|secrets| async move { options.open(&*secrets).await });
    Ok(match passphrase {
        Some(passphrase) => plan.needing("passphrase", &passphrase),
        None => plan,
    })
}

impl FileOptions {
    async fn open(self, secrets: &dyn SecretResolver) -> Result<Connected> {
        let unlock = match (&self.passphrase, &self.key_file) {
            (Some(passphrase), _) => {
                Unlock::from(Passphrase::new(passphrase.resolve(secrets).await?)?)
            }
            (None, key) => Unlock::from(KeyFile::read(key.clone().unwrap_or_default())?),
        };
        let builder = self.builder();
        let store = match self.create {
            true => builder.open_or_create(unlock).await?,
            false => builder.open(unlock).await?,
        };
        let warnings = store.warnings();
        let connected = Connected::new(store);
        let told = warnings.iter().map(ToString::to_string);
        Ok(told.fold(connected, Connected::with_warning))
    }

    fn builder(&self) -> StoreBuilder {
        let mut builder = FileStore::at(&self.path);
        if let Some(folder) = &self.state_folder {
            builder = builder.state_folder(folder);
        }
        if let Some(time) = self.lock_timeout {
            builder = builder.lock_timeout(time.get());
        }
        if let Some(time) = self.poll_interval {
            builder = builder.poll_interval(time.get());
        }
        if let Some(time) = self.deletion_window {
            builder = builder.deletion_window(time.get());
        }
        match self.unlabelled_versions {
            Some(count) => builder.unlabelled_versions(count),
            None => builder,
        }
    }
}
