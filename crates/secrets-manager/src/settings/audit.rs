use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use audit_log::{
    AuditLog, ChainKey, Class, FileAnchors, FileTrail, OnFailure, Product, WriterName,
};
use secrets_core::SecretResolver;
use serde::de::{Deserialize, Deserializer, Error as _};
use service_settings::{DurationSetting, Placed, Problem, Rules, SecretSetting};

use super::Outline;
use super::chain::unknown;
use super::error::AuditFailure;

/// Where the audit trail is written, and what happens when it cannot be: the table `audit` of the
/// manager's settings.
///
/// ```toml
/// [secrets.audit]
/// folder = "/var/log/billing/audit"   # shared by all writers
/// writer = "billing-1"                # a name for each process: usually from a variable
/// key = "secret://audit/chain-key"    # 64 hexadecimal digits, at random
/// credentials_from = "bootstrap"      # the provider that has the key; the manager itself unless set
/// previous_keys = []                  # those before it, the newest first
/// on_failure = "refuse"               # what is not recorded is not done; `proceed` unless set
/// anchors = "/mnt/anchors"            # a folder elsewhere; none unless set
/// flush_interval = "200ms"            # how long what nobody waits for stays in memory
/// ```
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AuditSettings {
    /// The folder of the trail.
    pub folder: PathBuf,
    /// The name of this process among those that write there.
    #[serde(deserialize_with = "writer")]
    pub writer: WriterName,
    /// The key that chains the records: 64 lower-case hexadecimal digits.
    pub key: SecretSetting,
    /// The keys before it, the newest first.
    #[serde(default)]
    pub previous_keys: Vec<SecretSetting>,
    /// The name of the provider that has the keys, which is asked directly; otherwise they are read
    /// by the application's names, from the provider or the chain.
    pub credentials_from: Option<String>,
    /// What happens to reads and writes of secrets that cannot be recorded.
    #[serde(default)]
    pub on_failure: AuditFailureSetting,
    /// A folder for anchors, out of reach for who can write the trail.
    pub anchors: Option<PathBuf>,
    /// How often events that nobody waits for are written.
    #[serde(default = "flush_interval")]
    pub flush_interval: DurationSetting,
}

/// What happens when an event cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuditFailureSetting {
    /// The secret is read or written all the same, and the loss is counted.
    #[default]
    Proceed,
    /// It is not.
    Refuse,
}

fn flush_interval() -> DurationSetting {
    DurationSetting::new(Duration::from_millis(200))
}

fn writer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<WriterName, D::Error> {
    let text = String::deserialize(deserializer)?;
    // The error says the rule, and not what stands there.
    WriterName::new(&text).map_err(D::Error::custom)
}

impl Rules for AuditSettings {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut refuse = |path: &str, message: &str| problems.push(Problem::invalid(path, message));
        if self.folder.file_name().is_none() {
            refuse("folder", "names no folder");
        }
        if let Some(anchors) = &self.anchors {
            if anchors.as_os_str().is_empty() {
                refuse("anchors", "names no folder");
            } else if anchors.starts_with(&self.folder) {
                refuse("anchors", "lies within the trail: who can write that can write these");
            }
        }
        for (path, key) in self.keys() {
            if let SecretSetting::Inline(key) = key
                && ChainKey::from_hex(key.expose_secret()).is_err()
            {
                refuse(&path, KEY_FORM);
            }
        }
        let (least, most) = (Duration::from_millis(1), Duration::from_secs(60));
        if let Some(message) = self.flush_interval.outside(least, most) {
            refuse("flush_interval", &message);
        }
        problems
    }
}

impl AuditSettings {
    /// The keys with their paths, the newest first.
    fn keys(&self) -> impl Iterator<Item = (String, &SecretSetting)> {
        let before = self.previous_keys.iter().enumerate();
        let before = before.map(|(number, key)| (format!("previous_keys[{number}]"), key));
        std::iter::once(("key".to_owned(), &self.key)).chain(before)
    }

    /// The setting of a key that is a reference to a secret.
    fn reference(&self) -> Option<String> {
        self.keys().find(|(_, key)| !key.is_inline()).map(|(path, _)| path)
    }
}

pub(super) fn problems(outline: &Placed<Outline>) -> Vec<Problem> {
    let Some(audit) = &outline.value.audit else { return Vec::new() };
    let mut problems = audit.problems();
    let from = audit.value.credentials_from.as_deref();
    let unknown = from.and_then(|from| unknown(outline, from));
    problems.extend(unknown.map(|message| audit.problem("credentials_from", message)));
    // The trail is opened before anything is read by the manager, and so before the snapshot helps.
    let is_of_provider = match from {
        Some(from) => from == outline.value.provider,
        None => !outline.value.fall_back_on_unavailable,
    };
    if outline.value.snapshot.is_some()
        && is_of_provider
        && let Some(path) = audit.value.reference()
    {
        let message = "no start without the provider, which the `snapshot` is for, has this key; \
            set `credentials_from` to the name of another provider";
        problems.push(audit.problem(&path, message));
    }
    problems
}

const KEY_FORM: &str = "is not 64 lower-case hexadecimal digits";

/// A trail that is open, and what events are recorded by.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) trail: FileTrail,
    pub(super) log: AuditLog,
}

impl AuditSettings {
    /// Opens the trail. Its keys are read before there is one, so that is not recorded.
    pub(super) async fn open(
        &self,
        product: Product,
        secrets: &dyn SecretResolver,
    ) -> Result<Opened, AuditFailure> {
        let key = chain_key("key", &self.key, secrets).await?;
        let mut builder = FileTrail::at(&self.folder, self.writer.clone(), product, key);
        for (number, key) in self.previous_keys.iter().enumerate() {
            let path = format!("previous_keys[{number}]");
            builder = builder.previous_key(chain_key(&path, key, secrets).await?);
        }
        if let Some(folder) = &self.anchors {
            builder = builder.anchors(Arc::new(FileAnchors::new(folder)));
        }
        let trail = builder.open().await.map_err(AuditFailure::Trail)?;
        let log = AuditLog::new(Arc::new(trail.clone()));
        let log = match self.on_failure {
            AuditFailureSetting::Proceed => log,
            AuditFailureSetting::Refuse => {
                log.on_failure(Class::EntityManagement, OnFailure::Refuse)
            }
        };
        Ok(Opened { trail, log })
    }
}

async fn chain_key(
    path: &str,
    setting: &SecretSetting,
    secrets: &dyn SecretResolver,
) -> Result<ChainKey, AuditFailure> {
    let unread = |error| AuditFailure::Key { path: path.to_owned(), error };
    let value = setting.resolve(secrets).await.map_err(unread)?;
    let unfit = |error| AuditFailure::KeyForm { path: path.to_owned(), error };
    ChainKey::from_hex(value.expose_secret()).map_err(unfit)
}
