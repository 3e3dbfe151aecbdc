//! AWS Secrets Manager.

mod batch;
mod beside;
mod capabilities;
mod content;
mod create;
mod delete;
mod health;
mod labels;
mod list;
mod metadata;
mod names;
mod policies;
mod read;
mod replication;
mod rotation;
mod session;
mod staging;
mod versions;
mod write;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrets_core::{
    Capabilities, ChangeStream, Clock, DeleteMode, Deleted, Error, GetOptions, Health,
    IdempotencyKey, MetadataPatch, NameRules, Operation, Page, PageRequest, Precondition, Promoted,
    ProviderId, Result, Secret, SecretFilter, SecretInfo, SecretProvider, SecretRef, SecretValue,
    SetOptions, Support, SystemClock, VersionId, VersionInfo, VersionState, async_trait,
};

#[cfg(feature = "sqs")]
use crate::changes::ChangeQueue;
#[cfg(feature = "changes")]
use crate::changes::{ChangeFeed, Hearing};
use crate::wire::AwsClients;
pub use beside::PasswordRules;
pub use create::NewSecret;
pub use policies::{PolicyProblem, PublicAccess};
pub use replication::{Overwrite, Replica, ReplicaRegion, ReplicaStatus};
pub use rotation::{
    RotationOutcome, RotationPlan, RotationSchedule, RotationStart, RotationStatus,
};

use batch::Batching;
use names::Target;
#[cfg(fuzzing)]
pub(crate) use names::fuzz_native;
#[cfg(feature = "changes")]
pub(crate) use names::listed;
use session::{Patience, Session};

/// How long a read that contradicts what is known is asked again.
const READ_PATIENCE: Duration = Duration::from_secs(1);

/// Secrets in AWS Secrets Manager. Clones are the same provider.
///
/// A [`SecretRef`] is a name, or, as a native id, the name of an entry that is no neutral name, an
/// ARN, or an ARN without its last seven characters. An ARN is asked for in its own region and
/// account, where the configuration has a way there.
///
/// | contract | Secrets Manager |
/// |---|---|
/// | current, previous, pending | `AWSCURRENT`, `AWSPREVIOUS`, `AWSPENDING` |
/// | token | `ClientRequestToken`, which becomes the version's id |
/// | `Precondition::Absent` | `CreateSecret` |
/// | `Precondition::CurrentIs` | a version under the label `mainstay-staged`, then `AWSCURRENT` moved from the base |
/// | text, bytes | `SecretString`, `SecretBinary` |
///
/// The copies of a value that the SDK makes of requests and answers are not wiped.
///
/// ```no_run
/// use secrets_aws::secrets_core::{GetOptions, NativeId, SecretProvider};
/// use secrets_aws::{AwsClients, AwsConfig, SecretsManagerProvider};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let clients = AwsClients::connect(AwsConfig::in_region("eu-west-1")).await?;
/// let secrets = SecretsManagerProvider::builder(&clients).with_kms_key("alias/secrets").build();
/// let shared = "arn:aws:secretsmanager:eu-central-1:444455556666:secret:shared/db-AbC123";
/// let read = secrets.get_secret(&NativeId::new(shared)?.into(), GetOptions::default()).await?;
/// # let _ = read;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SecretsManagerProvider(Arc<Inner>);

struct Inner {
    clients: AwsClients,
    id: ProviderId,
    capabilities: Capabilities,
    clock: Arc<dyn Clock>,
    kms_key: Option<Box<str>>,
    read_patience: Duration,
    batching: Batching,
    #[cfg(feature = "changes")]
    hearing: Option<Hearing>,
}

impl SecretsManagerProvider {
    /// Over these clients.
    pub fn new(clients: &AwsClients) -> Self {
        Self::builder(clients).build()
    }

    /// Over these clients, with choices.
    pub fn builder(clients: &AwsClients) -> SecretsManagerBuilder {
        SecretsManagerBuilder {
            clients: clients.clone(),
            clock: Arc::new(SystemClock),
            kms_key: None,
            read_patience: READ_PATIENCE,
            #[cfg(feature = "changes")]
            hearing: None,
        }
    }

    fn clients(&self) -> &AwsClients {
        &self.0.clients
    }

    #[cfg(feature = "changes")]
    fn hearing(&self) -> Option<&Hearing> {
        self.0.hearing.as_ref()
    }

    fn kms_key(&self) -> Option<&str> {
        self.0.kms_key.as_deref()
    }

    fn batching(&self) -> &Batching {
        &self.0.batching
    }

    fn now(&self) -> SystemTime {
        self.0.clock.now()
    }

    fn patience(&self) -> Patience {
        Patience::new(self.0.read_patience)
    }

    /// What a reference means here.
    fn target(&self, reference: &SecretRef) -> Result<Target> {
        let target = Target::of(reference)?;
        target.check_partition(self.clients().partition())?;
        Ok(target)
    }

    /// What an operation of the contract works with.
    fn session(&self, reference: &SecretRef, operation: Operation) -> Result<Session> {
        self.session_for(reference, Some(operation))
    }

    fn session_for(&self, reference: &SecretRef, operation: Option<Operation>) -> Result<Session> {
        let named = |error| session::named(error, operation);
        let target = self.target(reference).map_err(named)?;
        let client = self.clients().secrets_manager(target.route()).map_err(named)?;
        Ok(Session::new(client, target, operation))
    }
}

impl fmt::Debug for SecretsManagerProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsManagerProvider").field("id", &self.0.id).finish_non_exhaustive()
    }
}

/// Choices of a [`SecretsManagerProvider`].
#[derive(Debug, Clone)]
#[must_use]
pub struct SecretsManagerBuilder {
    clients: AwsClients,
    clock: Arc<dyn Clock>,
    kms_key: Option<Box<str>>,
    read_patience: Duration,
    #[cfg(feature = "changes")]
    hearing: Option<Hearing>,
}

impl SecretsManagerBuilder {
    /// The KMS key of secrets that are created: an id, an ARN or an alias. The account's
    /// `aws/secretsmanager` unless it is said. A secret that other accounts read needs one.
    pub fn with_kms_key(mut self, key: &str) -> Self {
        self.kms_key = Some(key.into());
        self
    }

    /// How long a read that contradicts what is known is asked again before it is believed: one
    /// second unless it is said. A version staged a moment ago may not show to the next read.
    pub fn with_read_patience(mut self, patience: Duration) -> Self {
        self.read_patience = patience;
        self
    }

    /// Where the time of a write comes from, which AWS does not tell.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where word of changes comes from that were made elsewhere: events that the application hears of.
    #[cfg(feature = "changes")]
    pub fn with_changes(mut self, feed: ChangeFeed) -> Self {
        self.hearing = Some(Hearing::Feed(feed));
        self
    }

    /// The same from a queue. It is asked while somebody listens to
    /// [`changes`](SecretProvider::changes), as a manager's run future does.
    #[cfg(feature = "sqs")]
    pub fn with_change_queue(mut self, queue: ChangeQueue) -> Self {
        self.hearing = Some(Hearing::Queue(queue));
        self
    }

    /// The provider.
    pub fn build(self) -> SecretsManagerProvider {
        let id =
            ProviderId::new("aws-secrets-manager", &self.clients.scope(), &self.clients.acts_as());
        #[cfg(feature = "changes")]
        let changes = if self.hearing.is_some() { Support::Native } else { Support::No };
        #[cfg(not(feature = "changes"))]
        let changes = Support::No;
        SecretsManagerProvider(Arc::new(Inner {
            clients: self.clients,
            id,
            capabilities: capabilities::capabilities(changes),
            clock: self.clock,
            kms_key: self.kms_key,
            read_patience: self.read_patience,
            batching: Batching::default(),
            #[cfg(feature = "changes")]
            hearing: self.hearing,
        }))
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl SecretProvider for SecretsManagerProvider {
    fn id(&self) -> &ProviderId {
        &self.0.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    fn name_rules(&self) -> &NameRules {
        &names::RULES
    }

    async fn get_secret(&self, reference: &SecretRef, options: GetOptions) -> Result<Secret> {
        self.get(reference, &options, Operation::GetSecret).await
    }

    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        Ok(self.get_all(wanted).await)
    }

    async fn set_secret(
        &self,
        reference: &SecretRef,
        value: SecretValue,
        options: SetOptions,
    ) -> Result<VersionInfo> {
        self.set(reference, value, options, &NewSecret::default()).await
    }

    async fn promote(
        &self,
        reference: &SecretRef,
        pending: &VersionId,
        base: &VersionId,
        _: &IdempotencyKey,
    ) -> Result<Promoted> {
        self.promote_pending(reference, pending, base).await
    }

    async fn discard_pending(&self, reference: &SecretRef, pending: &VersionId) -> Result<()> {
        self.discard(reference, pending).await
    }

    async fn update_metadata(
        &self,
        reference: &SecretRef,
        version: Option<&VersionId>,
        patch: MetadataPatch,
        precondition: Precondition,
    ) -> Result<()> {
        self.update(reference, version, &patch, &precondition).await
    }

    async fn set_version_state(&self, _: &SecretRef, _: &VersionId, _: VersionState) -> Result<()> {
        let message = "versions cannot be disabled or destroyed here";
        Err(Error::unsupported(Operation::SetVersionState, message))
    }

    async fn describe_secret(&self, reference: &SecretRef) -> Result<SecretInfo> {
        self.describe(reference).await
    }

    async fn list_versions(
        &self,
        reference: &SecretRef,
        page: PageRequest,
    ) -> Result<Page<VersionInfo>> {
        self.versions(reference, &page).await
    }

    async fn list_secrets(
        &self,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        self.list(filter, &page).await
    }

    async fn delete_secret(&self, reference: &SecretRef, mode: DeleteMode) -> Result<Deleted> {
        self.delete(reference, mode).await
    }

    async fn restore_secret(&self, reference: &SecretRef) -> Result<()> {
        self.restore(reference).await
    }

    async fn purge_secret(&self, reference: &SecretRef) -> Result<()> {
        self.purge(reference).await
    }

    fn changes(&self) -> Option<ChangeStream> {
        #[cfg(feature = "changes")]
        return self.0.hearing.as_ref().map(Hearing::listen);
        #[cfg(not(feature = "changes"))]
        None
    }

    async fn health(&self) -> Result<Health> {
        self.probe().await
    }
}
