use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use audit_log::Code;
use secrets_core::{
    GetOptions, ProviderId, Result, Secret, SecretProvider, SecretRef, SecretReference,
    SecretResolver, SecretValue,
};

use crate::access::AccessRow;
use crate::builder::SecretManagerBuilder;
use crate::cache::cached::CachedProvider;
use crate::cache::handle::SecretHandle;
use crate::cache::hit::Hit;
use crate::cache::runner::{self, AlreadyRunning};
use crate::cache::usage::Usage;
use crate::report::HealthReport;
use crate::subscription::SecretChanges;

/// Providers behind one cache, with handles that follow what changes. Clones share it.
///
/// ```
/// use secrets_core::{SecretProviderExt, memory::{MemoryProvider, Personality}};
/// use secrets_manager::SecretManager;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let provider = MemoryProvider::new(Personality::Aws);
/// provider.put_text("billing/db-password", "correct horse").await?;
///
/// let manager = SecretManager::builder(provider).build()?;
/// tokio::spawn(manager.run());
///
/// let password = manager.handle("billing/db-password").await?;
/// manager.cached().put_text("billing/db-password", "battery staple").await?;
///
/// let state = password.load();
/// assert_eq!(state.secret().unwrap().value.expose_secret(), b"battery staple");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SecretManager {
    main: CachedProvider,
}

impl SecretManager {
    /// Builds a manager over a provider. Reads by name go to this one; more can be added.
    pub fn builder(provider: impl SecretProvider) -> SecretManagerBuilder {
        SecretManagerBuilder::new(Arc::new(provider))
    }

    pub(crate) fn new(main: CachedProvider) -> Self {
        Self { main }
    }

    /// The current value of a secret, if it is in the cache and may be served. See
    /// [`CachedProvider::try_get`].
    #[inline]
    #[must_use]
    pub fn try_get(&self, name: &str) -> Option<Hit> {
        self.main.try_get(name)
    }

    /// The current value of a secret. See [`CachedProvider::get`].
    ///
    /// # Errors
    /// See [`CachedProvider::get`].
    pub async fn get(&self, name: &str) -> Result<Secret> {
        self.main.get(name).await
    }

    /// A handle on the current value of a secret. See [`CachedProvider::handle`].
    ///
    /// # Errors
    /// See [`CachedProvider::handle`].
    pub async fn handle(&self, name: &str) -> Result<SecretHandle> {
        self.main.handle(name).await
    }

    /// A handle whose loads are counted under a label. See [`CachedProvider::handle_for`].
    ///
    /// # Errors
    /// See [`CachedProvider::handle`].
    pub async fn handle_for(&self, name: &str, label: Code) -> Result<SecretHandle> {
        self.main.handle_for(name, label).await
    }

    /// Who loaded what by handle until now, in the order in which handles were first taken: one row
    /// for each reader of each secret. Takes the lock of these sums, and counts.
    ///
    /// The reader is the label under which a handle was taken, or the actor of the task that took it,
    /// or the service itself. Readers by name are not among them: the audit log tells of each.
    #[must_use]
    pub fn access(&self) -> Vec<AccessRow> {
        let setting = &self.main.inner().setting;
        setting.ledger.report(|source| Some(setting.sources.get(source)?.provider.id().clone()))
    }

    /// The provider that reads by name go to, behind the cache: for writes, for other versions, and
    /// for whatever takes a provider.
    #[must_use]
    pub fn cached(&self) -> &CachedProvider {
        &self.main
    }

    /// One of several providers, behind the cache.
    #[must_use]
    pub fn provider(&self, id: &ProviderId) -> Option<CachedProvider> {
        let sources = &self.main.inner().setting.sources;
        let source = sources.iter().find(|source| source.provider.id() == id)?;
        let tenancy = Arc::clone(&self.main.tenancy);
        Some(CachedProvider { tenancy, source: Arc::clone(source) })
    }

    /// Forgets a secret of the main provider. See [`CachedProvider::invalidate`].
    pub fn invalidate(&self, reference: &SecretRef) {
        self.main.invalidate(reference);
    }

    /// Forgets all secrets of all providers, as [`invalidate`](Self::invalidate) does one.
    pub fn invalidate_all(&self) {
        self.main.inner().invalidate_all();
    }

    /// What refreshes ahead of time, moves states on and follows change hints, for the application
    /// to spawn. It begins when it is first polled. When it is dropped all handles say orphaned;
    /// another one may then take over.
    ///
    /// It ends by itself once nobody has a manager, a cached provider or a handle any more. It must
    /// run on a tokio runtime with time enabled, and stalls with it.
    ///
    /// # Errors
    /// [`AlreadyRunning`] when another one of this manager is alive.
    pub fn run(&self) -> impl Future<Output = Result<(), AlreadyRunning>> + Send + 'static + use<> {
        runner::run(Arc::clone(self.main.inner()))
    }

    /// How the manager is: providers, handles, what expires soon, whether it is run. For a readiness
    /// probe, and for people: it can be displayed. No value is read, and none is in it.
    ///
    /// Providers are asked how they are at the same time, each for a limited time, and what they say
    /// stands for some seconds: see [`HealthPolicy`](crate::HealthPolicy).
    pub async fn report(&self) -> HealthReport {
        self.main.inner().report().await
    }

    /// Word of all that changes in what handles hold: versions and states, no values. At most `room`
    /// changes wait for a subscriber; one who is slower is told how many it missed, oldest first.
    ///
    /// Changes are told in the order in which the manager learnt of them. A handle shows what is told
    /// at the same moment, give or take some microseconds. Whoever only wants the newest value of one
    /// secret waits with [`SecretHandle::changed`].
    ///
    /// ```
    /// # use secrets_core::{SecretProviderExt, memory::{MemoryProvider, Personality}};
    /// use secrets_manager::{ChangeNotice, SecretManager};
    /// use std::num::NonZeroUsize;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let provider = MemoryProvider::new(Personality::Aws);
    /// # provider.put_text("billing/db-password", "correct horse").await?;
    /// let manager = SecretManager::builder(provider).build()?;
    /// let mut changes = manager.subscribe(NonZeroUsize::new(100).unwrap());
    /// let password = manager.handle("billing/db-password").await?;
    ///
    /// manager.cached().put_text("billing/db-password", "battery staple").await?;
    /// let Some(ChangeNotice::Change(change)) = changes.next().await else { panic!() };
    /// assert_eq!(change.reference, *password.reference());
    /// assert!(change.is_new && change.from != change.to);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn subscribe(&self, room: NonZeroUsize) -> SecretChanges {
        self.main.inner().with(|desk| desk.store.subscribers.add(room))
    }

    /// What the manager holds now, for a health report. Takes the lock, and counts.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.main.inner().with(|desk| desk.store.usage())
    }
}

/// Reads `secret://name#field` through the cache.
#[async_trait]
impl SecretResolver for SecretManager {
    async fn resolve(&self, reference: &SecretReference) -> Result<SecretValue> {
        let name = SecretRef::from(reference.name());
        let secret = self.main.get_secret(&name, GetOptions::default()).await?;
        match reference.field() {
            None => Ok(secret.value),
            Some(field) => secret.value.json_field(field),
        }
    }
}

/// Shows the providers and what is held.
impl fmt::Debug for SecretManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources = self.main.inner().setting.sources.iter();
        let providers: Vec<_> = sources.map(|source| source.provider.id()).collect();
        f.debug_struct("SecretManager").field("providers", &providers).finish_non_exhaustive()
    }
}
