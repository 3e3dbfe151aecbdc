use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::capability::Capabilities;
use crate::change::{ChangeHint, ChangeStream};
use crate::codec::NameRules;
use crate::error::{Operation, Result};
use crate::health::Health;
use crate::memory::adapter::{Adapter, Place, listed};
use crate::memory::aws::AwsAdapter;
use crate::memory::azure::AzureAdapter;
use crate::memory::builder::MemoryBuilder;
use crate::memory::fault::{Faults, Schedule};
use crate::memory::google::GoogleAdapter;
use crate::memory::guard;
use crate::memory::hint::Announcer;
use crate::memory::log::LogEntry;
use crate::memory::outside::Outside;
use crate::memory::personality::Personality;
use crate::memory::session::{Client, Session};
use crate::memory::settings::{MemoryConfigError, Settings};
use crate::metadata::{Deleted, MetadataPatch, SecretInfo};
use crate::options::{DeleteMode, GetOptions, IdempotencyKey, Precondition, Promoted, SetOptions};
use crate::page::{Page, PageRequest, SecretFilter};
use crate::provider::{ProviderId, SecretProvider};
use crate::reference::SecretRef;
use crate::value::{Secret, SecretValue};
use crate::version::{VersionId, VersionInfo, VersionState};

/// A provider that keeps its secrets in memory and behaves like one of three clouds, for tests.
///
/// Clones share the store, the faults and the log; [`as_identity`](Self::as_identity) makes another
/// user of the same store. See the [module](super) for what it can do.
#[derive(Clone)]
pub struct MemoryProvider {
    shared: Arc<Shared>,
    client: Arc<Client>,
    id: ProviderId,
}

pub(crate) struct Shared {
    pub(crate) adapter: Box<dyn Adapter>,
    announcer: Announcer,
    settings: Settings,
}

impl Shared {
    /// Tells the listeners of a change, by the neutral name where the secret has one, however the
    /// writer referred to it.
    pub(crate) fn announce(&self, reference: &SecretRef) {
        let rules = self.adapter.rules();
        let place = Place::find(rules, reference).ok();
        let listed = place.and_then(|place| listed(rules, &place.main));
        let hint = ChangeHint::secret(listed.unwrap_or_else(|| reference.clone()));
        self.announcer.announce(&hint);
    }
}

impl MemoryProvider {
    /// An empty store, without delays and faults, on the system's clock.
    pub fn new(personality: Personality) -> Self {
        let builder = MemoryBuilder::new(personality);
        let (settings, client) = builder.into_plain_parts();
        Self::assemble(settings, client, personality.as_str(), "")
    }

    /// A store that differs from the usual one.
    pub fn builder(personality: Personality) -> MemoryBuilder {
        MemoryBuilder::new(personality)
    }

    pub(crate) fn assemble(
        settings: Settings,
        client: Client,
        scope: &str,
        identity: &str,
    ) -> Self {
        let adapter: Box<dyn Adapter> = match settings.personality {
            Personality::Aws => Box::new(AwsAdapter::new(&settings)),
            Personality::Azure => Box::new(AzureAdapter::new(&settings)),
            Personality::Google => Box::new(GoogleAdapter::new(&settings)),
        };
        let id = ProviderId::new("memory", scope, identity);
        let shared = Shared { adapter, announcer: Announcer::default(), settings };
        Self { shared: Arc::new(shared), client: Arc::new(client), id }
    }

    /// Another user of the same store, with its own faults and log: a second writer.
    #[must_use]
    pub fn as_identity(&self, identity: &str) -> Self {
        let client = Client::new(
            self.client.clock.clone(),
            self.client.sleeper.clone(),
            self.client.propagation,
        );
        let id = ProviderId::new(self.id.kind(), self.id.scope(), identity);
        Self { shared: self.shared.clone(), client: Arc::new(client), id }
    }

    /// Which cloud this is.
    pub fn personality(&self) -> Personality {
        self.shared.settings.personality
    }

    /// From now on these faults strike, instead of those before; their counts of calls start anew.
    ///
    /// # Errors
    /// [`MemoryConfigError`] when a fault cannot be had here.
    pub fn inject(&self, faults: Faults) -> Result<(), MemoryConfigError> {
        self.shared.settings.check_faults(&faults, self.client.sleeper.is_some())?;
        self.client.install(Schedule::new(faults));
        Ok(())
    }

    /// How often the faults injected last have struck.
    pub fn faults_struck(&self) -> u64 {
        self.client.schedule().struck()
    }

    /// How often an operation was called.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.client.log().calls(operation)
    }

    /// What was called and which requests that made, oldest first, without values. A call that was
    /// dropped shows by its requests alone. The last 10,000 entries are kept.
    pub fn log(&self) -> Vec<LogEntry> {
        self.client.log().entries()
    }

    /// The same store as somebody else sees it who knows nothing of this library.
    pub fn outside(&self) -> Outside {
        Outside::new(self.shared.clone(), self.client.clock.clone())
    }

    fn place(&self, operation: Operation, reference: &SecretRef) -> Result<Place> {
        let place = Place::find(self.shared.adapter.rules(), reference);
        place.map_err(|error| error.with_operation(operation))
    }

    fn hint<'c>(&'c self, session: &'c Session<'_>, reference: &'c SecretRef) -> Hint<'c> {
        Hint { shared: &self.shared, session, reference }
    }
}

/// Tells of what a call changed when it is over, also when it is dropped half-way: events of a cloud
/// do not wait for the caller.
struct Hint<'c> {
    shared: &'c Shared,
    session: &'c Session<'c>,
    reference: &'c SecretRef,
}

impl Drop for Hint<'_> {
    fn drop(&mut self) {
        if self.session.wrote() {
            self.shared.announce(self.reference);
        }
    }
}

impl fmt::Debug for MemoryProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryProvider")
            .field("id", &self.id)
            .field("personality", &self.personality())
            .finish_non_exhaustive()
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl SecretProvider for MemoryProvider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        self.shared.adapter.capabilities()
    }

    fn name_rules(&self) -> &NameRules {
        self.shared.adapter.rules()
    }

    async fn get_secret(&self, reference: &SecretRef, options: GetOptions) -> Result<Secret> {
        let session = self.client.begin(Operation::GetSecret, Some(reference)).await?;
        let result = async {
            let asked = session.wrong_answer().unwrap_or(reference);
            let place = self.place(Operation::GetSecret, asked)?;
            self.shared.adapter.get(&session, &place, &options.version).await
        };
        session.end(result.await)
    }

    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        let session = self.client.begin(Operation::GetSecrets, None).await?;
        let operation = Operation::GetSecrets;
        let places = wanted.iter().map(|(r, o)| (self.place(operation, r), o.version.clone()));
        let result = self.shared.adapter.get_many(&session, places.collect()).await;
        let named = |answer: Result<Secret>| answer.map_err(|e| e.with_operation(operation));
        session.end(result.map(|answers| answers.into_iter().map(named).collect()))
    }

    async fn set_secret(
        &self,
        reference: &SecretRef,
        value: SecretValue,
        options: SetOptions,
    ) -> Result<VersionInfo> {
        guard::set(self.capabilities(), &options)?;
        let place = self.place(Operation::SetSecret, reference)?;
        let session = self.client.begin(Operation::SetSecret, Some(reference)).await?;
        let _hint = self.hint(&session, reference);
        let result = self.shared.adapter.set(&session, &place, value, options).await;
        session.end(result)
    }

    async fn promote(
        &self,
        reference: &SecretRef,
        pending: &VersionId,
        base: &VersionId,
        token: &IdempotencyKey,
    ) -> Result<Promoted> {
        let place = self.place(Operation::Promote, reference)?;
        let session = self.client.begin(Operation::Promote, Some(reference)).await?;
        let _hint = self.hint(&session, reference);
        let result = self.shared.adapter.promote(&session, &place, pending, base, token).await;
        session.end(result)
    }

    async fn discard_pending(&self, reference: &SecretRef, pending: &VersionId) -> Result<()> {
        let place = self.place(Operation::DiscardPending, reference)?;
        let session = self.client.begin(Operation::DiscardPending, Some(reference)).await?;
        let _hint = self.hint(&session, reference);
        let result = self.shared.adapter.discard(&session, &place, pending).await;
        session.end(result)
    }

    async fn update_metadata(
        &self,
        reference: &SecretRef,
        version: Option<&VersionId>,
        patch: MetadataPatch,
        precondition: Precondition,
    ) -> Result<()> {
        guard::update(self.capabilities(), version, &patch, &precondition)?;
        let place = self.place(Operation::UpdateMetadata, reference)?;
        let session = self.client.begin(Operation::UpdateMetadata, Some(reference)).await?;
        let _hint = self.hint(&session, reference);
        let result =
            self.shared.adapter.update(&session, &place, version, patch, precondition).await;
        session.end(result)
    }

    async fn set_version_state(
        &self,
        reference: &SecretRef,
        version: &VersionId,
        state: VersionState,
    ) -> Result<()> {
        guard::state(self.capabilities(), state)?;
        let place = self.place(Operation::SetVersionState, reference)?;
        let session = self.client.begin(Operation::SetVersionState, Some(reference)).await?;
        let _hint = self.hint(&session, reference);
        let result = self.shared.adapter.set_state(&session, &place, version, state).await;
        session.end(result)
    }

    async fn describe_secret(&self, reference: &SecretRef) -> Result<SecretInfo> {
        let place = self.place(Operation::DescribeSecret, reference)?;
        let session = self.client.begin(Operation::DescribeSecret, Some(reference)).await?;
        let result = self.shared.adapter.describe(&session, &place).await;
        session.end(result)
    }

    async fn list_versions(
        &self,
        reference: &SecretRef,
        page: PageRequest,
    ) -> Result<Page<VersionInfo>> {
        let place = self.place(Operation::ListVersions, reference)?;
        let session = self.client.begin(Operation::ListVersions, Some(reference)).await?;
        let result = self.shared.adapter.versions(&session, &place, page).await;
        session.end(result)
    }

    async fn list_secrets(
        &self,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        let session = self.client.begin(Operation::ListSecrets, None).await?;
        let result = self.shared.adapter.list(&session, filter, page).await;
        session.end(result)
    }

    async fn delete_secret(&self, reference: &SecretRef, mode: DeleteMode) -> Result<Deleted> {
        guard::delete(self.capabilities(), mode)?;
        let place = self.place(Operation::DeleteSecret, reference)?;
        let session = self.client.begin(Operation::DeleteSecret, Some(reference)).await?;
        let _hint = self.hint(&session, reference);
        let result = self.shared.adapter.delete(&session, &place, mode).await;
        session.end(result)
    }

    async fn restore_secret(&self, reference: &SecretRef) -> Result<()> {
        guard::recovery(self.capabilities(), Operation::RestoreSecret)?;
        let place = self.place(Operation::RestoreSecret, reference)?;
        let session = self.client.begin(Operation::RestoreSecret, Some(reference)).await?;
        let _hint = self.hint(&session, reference);
        let result = self.shared.adapter.restore(&session, &place).await;
        session.end(result)
    }

    async fn purge_secret(&self, reference: &SecretRef) -> Result<()> {
        guard::recovery(self.capabilities(), Operation::PurgeSecret)?;
        let place = self.place(Operation::PurgeSecret, reference)?;
        let session = self.client.begin(Operation::PurgeSecret, Some(reference)).await?;
        let result = self.shared.adapter.purge(&session, &place).await;
        session.end(result)
    }

    fn changes(&self) -> Option<ChangeStream> {
        self.capabilities().changes.is_available().then(|| self.shared.announcer.listen())
    }

    async fn health(&self) -> Result<Health> {
        let session = self.client.begin(Operation::Health, None).await?;
        let result = self.shared.adapter.health(&session).await;
        session.end(result)
    }
}
