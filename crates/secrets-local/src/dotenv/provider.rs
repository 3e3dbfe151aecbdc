use std::fmt;
use std::sync::Arc;

use secrets_core::{
    Capabilities, Cas, ChangeStream, Consistency, DeleteMode, Deleted, Error, GetOptions, Health,
    Limits, NameRules, Operation, Page, PageRequest, ProviderId, Result, Secret, SecretFilter,
    SecretInfo, SecretProvider, SecretRef, SecretValue, SetOptions, Support, VersionInfo,
    async_trait,
};

use crate::config::ConfigError;
use crate::identity::Identity;
use crate::variable::{VARIABLE_RULES, VariableNames};
use crate::version::VersionIds;
use crate::{blocking, listing, options, watch};

use super::backend::{Backend, VALUE_LIMIT};
use super::config::{DotenvConfig, Substitution};

const KIND: &str = "dotenv";

/// Reads and writes secrets in a `.env` file. See the [module](super) for the rules.
///
/// ```
/// use secrets_core::SecretProviderExt;
/// use secrets_local::dotenv::{DotenvConfig, DotenvProvider};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join(".env");
/// std::fs::write(&path, "# for development\nTOKEN=abc # old\n")?;
/// let provider = DotenvProvider::new(DotenvConfig::new(&path))?;
///
/// provider.put_text("token", "it's new").await?;
/// assert_eq!(provider.read("token").await?.value.expose_secret_text()?, "it's new");
/// let file = std::fs::read_to_string(&path)?;
/// assert_eq!(file, "# for development\nTOKEN='it'\\''s new' # old\n");
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DotenvProvider {
    id: ProviderId,
    capabilities: Capabilities,
    backend: Arc<Backend>,
}

impl DotenvProvider {
    /// A provider over a file. Nothing is read yet.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem of the configuration.
    pub fn new(config: DotenvConfig) -> Result<Self, ConfigError> {
        ConfigError::unless_empty(KIND, config.problems())?;
        let limits = Limits::new(VALUE_LIMIT).with_batch(usize::MAX);
        let mut capabilities = Capabilities::read_only(Consistency::Strong, limits);
        capabilities.write = Support::Native;
        capabilities.cas.set = Cas::Enforced;
        capabilities.list = Support::Native;
        capabilities.batch = Support::Native;
        capabilities.describe = Support::Native;
        capabilities.delete = Support::Native;
        capabilities.changes = Support::Emulated;
        Ok(Self {
            id: ProviderId::new(KIND, &config.path.to_string_lossy(), &identity(&config)),
            capabilities,
            backend: Arc::new(Backend {
                names: VariableNames::new(config.prefix.clone(), config.mapping.clone()),
                versions: VersionIds::random(KIND)?,
                config,
            }),
        })
    }

    fn key(&self, reference: &SecretRef, operation: Operation) -> Result<String> {
        self.backend.key(reference).map_err(|error| error.with_operation(operation))
    }

    /// Runs `work` off the executor and names the operation in its errors.
    async fn run<T: Send + 'static>(
        &self,
        operation: Operation,
        work: impl FnOnce(&Backend) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let backend = Arc::clone(&self.backend);
        let result = blocking::run(move || work(&backend)).await;
        result.map_err(|error| error.with_operation(operation))
    }
}

fn identity(config: &DotenvConfig) -> String {
    Identity::default()
        .with_path(&config.path)
        .with_choice(&format!("prefix {}", config.prefix), config.prefix.is_empty())
        .with_mapping(&config.mapping)
        .with_choice("no substitution", config.substitution == Substitution::WithinFile)
        .text()
}

#[async_trait]
impl SecretProvider for DotenvProvider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn name_rules(&self) -> &NameRules {
        &VARIABLE_RULES
    }

    async fn get_secret(&self, reference: &SecretRef, options: GetOptions) -> Result<Secret> {
        options::only_current(&options.version)?;
        let key = self.key(reference, Operation::GetSecret)?;
        self.run(Operation::GetSecret, move |backend| {
            backend.with_values(|values| values.secret(&key))
        })
        .await
    }

    /// All of them from one look at the file.
    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        let wanted: Vec<Result<String>> = wanted
            .iter()
            .map(|(reference, asked)| {
                options::only_current(&asked.version)?;
                self.key(reference, Operation::GetSecret)
            })
            .collect();
        self.run(Operation::GetSecrets, move |backend| {
            backend.with_values(|values| {
                let answers = wanted.into_iter().map(|key| values.secret(&key?));
                let named = |error: Error| error.with_operation(Operation::GetSecret);
                Ok(answers.map(|answer| answer.map_err(named)).collect())
            })
        })
        .await
    }

    async fn set_secret(
        &self,
        reference: &SecretRef,
        value: SecretValue,
        options: SetOptions,
    ) -> Result<VersionInfo> {
        let operation = Operation::SetSecret;
        let precondition = options::only_value(options)?;
        let key = self.key(reference, operation)?;
        self.run(operation, move |backend| backend.set(&key, &value, &precondition)).await
    }

    async fn describe_secret(&self, reference: &SecretRef) -> Result<SecretInfo> {
        let operation = Operation::DescribeSecret;
        let key = self.key(reference, operation)?;
        let mut info = SecretInfo::new(reference.clone());
        let secret =
            self.run(operation, move |backend| backend.with_values(|values| values.secret(&key)));
        let version = secret.await?.version;
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

    async fn delete_secret(&self, reference: &SecretRef, mode: DeleteMode) -> Result<Deleted> {
        let operation = Operation::DeleteSecret;
        if mode != DeleteMode::Immediate {
            let message = "a .env file has no deletion that can be taken back";
            return Err(Error::unsupported(operation, message));
        }
        let key = self.key(reference, operation)?;
        self.run(operation, move |backend| backend.delete(&key)).await?;
        Ok(Deleted::Gone)
    }

    fn changes(&self) -> Option<ChangeStream> {
        let backend = Arc::clone(&self.backend);
        Some(watch::poll(backend.config.poll_interval, move || backend.look()))
    }

    async fn health(&self) -> Result<Health> {
        self.run(Operation::Health, |backend| Ok(backend.health())).await
    }
}

impl fmt::Debug for DotenvProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DotenvProvider")
            .field("id", &self.id)
            .field("config", &self.backend.config)
            .finish_non_exhaustive()
    }
}
