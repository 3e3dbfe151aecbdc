use std::fmt;
use std::sync::Arc;

use secrets_core::{
    Capabilities, ChangeStream, Consistency, GetOptions, Health, Limits, NameRules, Operation,
    Page, PageRequest, ProviderId, Result, Secret, SecretFilter, SecretInfo, SecretProvider,
    SecretRef, Support, async_trait,
};

use crate::config::ConfigError;
use crate::identity::Identity;
use crate::newline::TrailingNewline;
use crate::version::VersionIds;
use crate::{blocking, listing, options, watch};

use super::backend::Backend;
use super::config::DirectoryConfig;
use super::entry_path::{EntryPath, FILE_RULES};

pub(super) const KIND: &str = "directory";

/// Reads secrets from a folder with one file each. See the [module](super) for the rules.
///
/// ```
/// use secrets_core::SecretProviderExt;
/// use secrets_local::directory::{DirectoryConfig, DirectoryProvider};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let mount = folder.path();
/// std::fs::write(mount.join("db-password"), "correct horse")?;
/// let provider = DirectoryProvider::new(DirectoryConfig::new(mount))?;
/// let secret = provider.read("db-password").await?;
/// assert_eq!(secret.value.expose_secret_text()?, "correct horse");
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DirectoryProvider {
    id: ProviderId,
    capabilities: Capabilities,
    backend: Arc<Backend>,
}

impl DirectoryProvider {
    /// A provider over a folder. Nothing is read yet, and the folder need not be there.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem of the configuration.
    pub fn new(config: DirectoryConfig) -> Result<Self, ConfigError> {
        ConfigError::unless_empty(KIND, config.problems())?;
        let limits = Limits::new(config.value_limit).with_batch(usize::MAX);
        let mut capabilities = Capabilities::read_only(Consistency::Strong, limits);
        capabilities.list = Support::Native;
        capabilities.batch = Support::Native;
        capabilities.describe = Support::Native;
        capabilities.changes = Support::Emulated;
        Ok(Self {
            id: ProviderId::new(KIND, &config.root.to_string_lossy(), &identity(&config)),
            capabilities,
            backend: Arc::new(Backend { versions: VersionIds::random(KIND)?, config }),
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        operation: Operation,
        work: impl FnOnce(&Backend) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let backend = Arc::clone(&self.backend);
        let result = blocking::run(move || work(&backend)).await;
        result.map_err(|error| error.with_operation(operation))
    }

    async fn read(&self, reference: &SecretRef, operation: Operation) -> Result<Secret> {
        let path = entry(reference, operation)?;
        self.run(operation, move |backend| backend.secret(&path)).await
    }
}

fn identity(config: &DirectoryConfig) -> String {
    let trims = config.trailing_newline == TrailingNewline::Trim;
    Identity::default().with_path(&config.root).with_choice("trim", !trims).text()
}

fn entry(reference: &SecretRef, operation: Operation) -> Result<EntryPath> {
    let path = EntryPath::of(reference).map_err(secrets_core::Error::from);
    path.map_err(|error| error.with_operation(operation))
}

#[async_trait]
impl SecretProvider for DirectoryProvider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn name_rules(&self) -> &NameRules {
        &FILE_RULES
    }

    async fn get_secret(&self, reference: &SecretRef, options: GetOptions) -> Result<Secret> {
        options::only_current(&options.version)?;
        self.read(reference, Operation::GetSecret).await
    }

    /// All of them from one side of a swap of the mount.
    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        let paths: Vec<Result<EntryPath>> = wanted
            .iter()
            .map(|(reference, asked)| {
                options::only_current(&asked.version)?;
                entry(reference, Operation::GetSecret)
            })
            .collect();
        self.run(Operation::GetSecrets, move |backend| {
            let answers = backend.secrets(&paths)?.into_iter();
            let named = |answer: Result<Secret>| {
                answer.map_err(|error| error.with_operation(Operation::GetSecret))
            };
            Ok(answers.map(named).collect())
        })
        .await
    }

    async fn describe_secret(&self, reference: &SecretRef) -> Result<SecretInfo> {
        let version = self.read(reference, Operation::DescribeSecret).await?.version;
        let mut info = SecretInfo::new(reference.clone());
        info.updated = Some(version.created);
        info.current = Some(version.id);
        Ok(info)
    }

    async fn list_secrets(
        &self,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        let filter = filter.clone();
        self.run(Operation::ListSecrets, move |backend| {
            listing::page(backend.list()?, &filter, &page)
        })
        .await
    }

    fn changes(&self) -> Option<ChangeStream> {
        let backend = Arc::clone(&self.backend);
        Some(watch::poll(backend.config.poll_interval, move || backend.look()))
    }

    async fn health(&self) -> Result<Health> {
        self.run(Operation::Health, |backend| Ok(backend.health())).await
    }
}

impl fmt::Debug for DirectoryProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryProvider")
            .field("id", &self.id)
            .field("config", &self.backend.config)
            .finish_non_exhaustive()
    }
}
