use std::fmt;
use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use secrets_core::{
    Capabilities, Cas, CasSupport, Consistency, Effect, Error, ErrorKind, KeyCapabilities, Limits,
    NameRules, ProviderId, Scope, SecretName, SecretValue, SetOptions, Staging, Support,
};
use tokio::sync::OwnedMutexGuard;

use super::builder::{Settings, StoreBuilder};
use super::engine::Engine;
use super::error::{Result, StoreError, StoreErrorKind};
use super::format::StoreId;
use super::index::Generation;
use super::index_codec::{MAX_TAGS, MAX_VALUE_LEN};
use super::inspect::SlotInfo;
use super::key_file::Warning;
use super::runtime::{Patience, blocking};
use super::timer::Timer;
use super::transaction::Transaction;
use super::unlock::Unlock;
use super::verify::{Verification, verify};
use super::wrapping::MAX_WRAPPED_LEN;

/// How many secrets one call of `get_secrets` reads off the executor at once.
const BATCH: usize = 1000;

/// A store of secrets in one encrypted file, for development and single machines.
///
/// Clones share the open store. Every read looks at the file's properties and takes what other
/// processes wrote; every write replaces the file as a whole, under a lock.
///
/// ```
/// use secrets_core::{SecretName, SecretProvider, SecretProviderExt, SecretValue};
/// use secrets_local::store::{FileStore, KeyFile};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let folder = tempfile::tempdir()?;
/// let key = KeyFile::generate(folder.path().join("store.key"))?;
/// let store = FileStore::at(folder.path().join("secrets.store")).create(key).await?;
///
/// let name = SecretName::new("db/password")?;
/// let value = SecretValue::from_string("correct horse".to_owned());
/// store.set_secret(&(&name).into(), value, Default::default()).await?;
///
/// let secret = store.get_secret(&(&name).into(), Default::default()).await?;
/// assert_eq!(secret.value.expose_secret_text()?, "correct horse");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct FileStore(Arc<Inner>);

struct Inner {
    engine: Arc<Engine>,
    /// What to ask for a new data key. A passphrase is not kept: the keys of its slots are.
    provider: Option<Unlock>,
    warnings: Vec<Warning>,
    turn: Arc<tokio::sync::Mutex<()>>,
    timer: Timer,
    settings: Settings,
    id: ProviderId,
    capabilities: Capabilities,
    key_capabilities: KeyCapabilities,
    name_rules: NameRules,
}

impl FileStore {
    /// Begins to open or create the store at `path`. A link is followed, and stays when the store
    /// is written. A relative path is one from the folder that the process is in now.
    pub fn at(path: impl AsRef<Path>) -> StoreBuilder {
        StoreBuilder::new(path.as_ref())
    }

    pub(crate) fn new(engine: Engine, unlock: Unlock, settings: Settings) -> Self {
        let scope = format!("{}#{}", engine.path().display(), engine.current().header.store);
        Self(Arc::new(Inner {
            id: ProviderId::new("file", &scope, ""),
            warnings: unlock.warnings().iter().chain(engine.warnings()).cloned().collect(),
            engine: Arc::new(engine),
            provider: unlock.is_provider().then_some(unlock),
            turn: Arc::default(),
            timer: Timer::default(),
            settings,
            capabilities: capabilities(),
            key_capabilities: KeyCapabilities::native(MAX_WRAPPED_LEN),
            name_rules: NameRules::new(is_name_byte, b'%', 256),
        }))
    }

    /// The store's id.
    pub fn store_id(&self) -> StoreId {
        self.0.engine.current().header.store
    }

    /// The newest generation that this process has seen.
    pub fn generation(&self) -> Generation {
        self.0.engine.current().index.generation
    }

    /// The key slots of the newest state that this process has seen.
    pub fn slots(&self) -> Vec<SlotInfo> {
        self.0.engine.current().header.slots.iter().map(SlotInfo::from).collect()
    }

    /// What deserves attention about the way the store was opened.
    pub fn warnings(&self) -> Vec<Warning> {
        self.0.warnings.clone()
    }

    /// Reads the file anew and opens every record.
    ///
    /// # Errors
    /// When the header or the index does not open; a record that does not is listed in the answer.
    pub async fn verify(&self) -> Result<Verification> {
        self.run(verify).await
    }

    /// Writes many secrets by one replacement of the file: all of them, or none.
    ///
    /// # Errors
    /// As [`set_secret`](secrets_core::SecretProvider::set_secret), for the first that fails.
    pub async fn set_secrets(
        &self,
        secrets: Vec<(SecretName, SecretValue)>,
    ) -> secrets_core::Result<()> {
        let policy = self.0.settings.policy;
        self.change(move |transaction| {
            for (name, value) in &secrets {
                transaction.set(name, value, &SetOptions::new(), &policy)?;
            }
            Ok(())
        })
        .await
    }

    /// Replaces secrets with all that is known of them (older versions, tags, deletions), or takes them
    /// out where there is no value, by one replacement of the file: all of them, or none. Nothing of
    /// what they were stays in the file. For copies of what is kept elsewhere.
    ///
    /// # Errors
    /// As [`set_secret`](secrets_core::SecretProvider::set_secret), for the first that fails.
    pub async fn replace_secrets(
        &self,
        changes: Vec<(SecretName, Option<SecretValue>)>,
    ) -> secrets_core::Result<()> {
        let policy = self.0.settings.policy;
        self.change(move |transaction| {
            for (name, value) in &changes {
                transaction.forget(name);
                if let Some(value) = value {
                    transaction.set(name, value, &SetOptions::new(), &policy)?;
                }
            }
            Ok(())
        })
        .await
    }

    pub(crate) fn timer(&self) -> &Timer {
        &self.0.timer
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.0.engine
    }

    pub(crate) fn provider_id(&self) -> &ProviderId {
        &self.0.id
    }

    pub(crate) fn all_capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    pub(crate) fn wrapping_capabilities(&self) -> &KeyCapabilities {
        &self.0.key_capabilities
    }

    pub(crate) fn rules(&self) -> &NameRules {
        &self.0.name_rules
    }

    /// Runs work off the executor. When another process gave the store a new data key and this one
    /// was opened by a provider, asks that provider and tries once more.
    pub(crate) async fn run<T, E>(
        &self,
        work: impl Fn(&Engine) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + NeedsKey + Send + 'static,
    {
        let work = Arc::new(work);
        let (engine, first) = (Arc::clone(&self.0.engine), Arc::clone(&work));
        let answer = blocking(move || first(&engine)).await;
        match (&self.0.provider, answer) {
            (Some(provider), Err(error)) if error.needs_key() => {
                self.follow_rekey(provider).await?;
            }
            (_, answer) => return answer,
        }
        let engine = Arc::clone(&self.0.engine);
        blocking(move || work(&engine)).await
    }

    /// Changes the store off the executor. Writers of this process queue here, not on the threads
    /// that may block; each counts its time to wait from now on. A change whose future is dropped
    /// before it began is not made.
    pub(crate) async fn change<T, E>(
        &self,
        change: impl Fn(&mut Transaction<'_>) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + NeedsKey + Send + 'static,
    {
        let patience = Patience::of(self.0.engine.lock_timeout());
        let _wanted = patience.while_held();
        let turn = self.turn(&patience).await?;
        self.run(move |engine| {
            let _turn = &turn;
            engine.transact(&patience, &change)
        })
        .await
    }

    /// As [`change`](Self::change), for what can be tried only once.
    pub(crate) async fn change_once<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let patience = Patience::of(self.0.engine.lock_timeout());
        let _wanted = patience.while_held();
        let turn = self.turn(&patience).await?;
        let engine = Arc::clone(&self.0.engine);
        blocking(move || {
            let _turn = turn;
            engine.transact(&patience, change)
        })
        .await
    }

    /// The turn of one writer; the work holds it, so that it outlasts a future that is dropped. A
    /// writer that hangs keeps it for good, and the others out no longer than they want to wait.
    async fn turn(&self, patience: &Patience) -> Result<OwnedMutexGuard<()>> {
        if let Ok(turn) = Arc::clone(&self.0.turn).try_lock_owned() {
            return Ok(turn);
        }
        let mut turn = pin!(Arc::clone(&self.0.turn).lock_owned());
        let Some(deadline) = patience.deadline() else { return Ok(turn.await) };
        let mut over = pin!(self.0.timer.at(deadline));
        poll_fn(|context| match turn.as_mut().poll(context) {
            Poll::Ready(turn) => Poll::Ready(Ok(turn)),
            Poll::Pending => over.as_mut().poll(context).map(|waited| Err(still_writing(waited))),
        })
        .await
    }

    async fn follow_rekey(&self, provider: &Unlock) -> Result<()> {
        let engine = Arc::clone(&self.0.engine);
        let header =
            blocking(move || Engine::read_header(engine.environment(), engine.path())).await?;
        let unlocked = provider.find_data_key(header.clone()).await?;
        let engine = Arc::clone(&self.0.engine);
        blocking(move || engine.adopt(&header, unlocked.data_key)).await
    }
}

fn still_writing(waited: Result<()>) -> StoreError {
    let message = "another write of this process has not ended yet";
    waited.map_or_else(|error| error, |()| StoreError::new(StoreErrorKind::Busy, message))
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("id", &self.0.id).finish_non_exhaustive()
    }
}

/// Errors that a new data key would cure.
pub(crate) trait NeedsKey {
    fn needs_key(&self) -> bool;
}

impl NeedsKey for StoreError {
    fn needs_key(&self) -> bool {
        self.kind() == StoreErrorKind::WrongKey
    }
}

impl NeedsKey for Error {
    fn needs_key(&self) -> bool {
        self.kind() == ErrorKind::Unauthenticated && self.effect() == Effect::NotApplied
    }
}

/// Names stand in the index as they are; the escape byte is one that no name has.
fn is_name_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/' | b'%')
}

fn capabilities() -> Capabilities {
    let limits = Limits::new(MAX_VALUE_LEN).with_tags(MAX_TAGS).with_batch(BATCH);
    let mut capabilities = Capabilities::read_only(Consistency::Strong, limits);
    capabilities.write = Support::Native;
    capabilities.staging = Staging::Labels;
    capabilities.previous = Support::Native;
    capabilities.versions = Support::Native;
    capabilities.cas = CasSupport::new(Cas::Enforced, Cas::Enforced, Cas::Enforced);
    capabilities.idempotency = Support::Native;
    capabilities.list = Support::Native;
    capabilities.batch = Support::Native;
    capabilities.describe = Support::Native;
    capabilities.tags = Support::Native;
    capabilities.tags_scope = Scope::Secret;
    capabilities.validity = Support::Native;
    capabilities.validity_scope = Scope::Version;
    capabilities.delete = Support::Native;
    capabilities.recover = Support::Native;
    capabilities.disable = Support::Native;
    capabilities.destroy = Support::Native;
    capabilities.changes = Support::Native;
    capabilities
}
