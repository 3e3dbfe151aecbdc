use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use secrets_core::{
    Capabilities, Clock, Consistency, Effect, Error, ErrorKind, GetOptions, Health, Limits,
    NameRules, Operation, Page, PageRequest, ProviderId, Result, Secret, SecretFilter, SecretInfo,
    SecretProvider, SecretRef, SecretValue, Support, SystemClock, VersionInfo, async_trait,
};

use crate::blocking;
use crate::config::ConfigError;
use crate::file;
use crate::identity::Identity;
use crate::listing;
use crate::mount;
use crate::newline::TrailingNewline;
use crate::options;
use crate::variable::{VARIABLE_RULES, VariableNames};
use crate::version::VersionIds;

use super::config::{EnvConfig, EnvListing, FileVariables, is_variable_name};
use super::source::{ProcessVariables, Variables, to_path};

const KIND: &str = "env";
const FILE_SUFFIX: &str = "_FILE";

/// Reads secrets from environment variables. See the [module](super) for the rules.
///
/// ```
/// use secrets_core::SecretProviderExt;
/// use secrets_local::env::{EnvConfig, EnvProvider, FixedVariables};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let variables = FixedVariables::from_iter([("APP_DB_2FPASSWORD", "correct horse")]);
/// let provider = EnvProvider::new(EnvConfig::new().with_prefix("APP_"), variables)?;
/// let secret = provider.read("db/password").await?;
/// assert_eq!(secret.value.expose_secret_text()?, "correct horse");
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct EnvProvider {
    id: ProviderId,
    capabilities: Capabilities,
    config: EnvConfig,
    names: VariableNames,
    source: Arc<dyn Variables>,
    clock: Arc<dyn Clock>,
    versions: VersionIds,
    /// The last version of each variable that was read, with the time when it was first seen.
    seen: Mutex<HashMap<String, VersionInfo>>,
}

impl EnvProvider {
    /// A provider over these variables.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem of the configuration.
    pub fn new(config: EnvConfig, source: impl Variables) -> Result<Self, ConfigError> {
        ConfigError::unless_empty(KIND, config.problems())?;
        let limits = Limits::new(config.value_limit);
        let mut capabilities = Capabilities::read_only(Consistency::Strong, limits);
        capabilities.list = Support::Native;
        capabilities.describe = Support::Native;
        Ok(Self {
            id: ProviderId::new(KIND, &config.prefix, &identity(&config)),
            capabilities,
            names: VariableNames::new(config.prefix.clone(), config.mapping.clone()),
            source: Arc::new(source),
            clock: Arc::new(SystemClock),
            versions: VersionIds::random(KIND)?,
            seen: Mutex::default(),
            config,
        })
    }

    /// A provider over the variables of this process, as they are at each read.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_process(config: EnvConfig) -> Result<Self, ConfigError> {
        Self::new(config, ProcessVariables)
    }

    /// Takes the time from another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    async fn read(&self, reference: &SecretRef) -> Result<Secret> {
        let variable = self.names.variable(reference)?;
        if !is_variable_name(&variable) {
            let message = "the native id is not the name of a variable";
            return Err(Error::new(ErrorKind::InvalidName, message));
        }
        let direct = self.source.get(&variable)?;
        let file = match self.file_variable(&variable) {
            Some(name) => self.source.get(&name)?.map(|path| (name, path)),
            None => None,
        };
        match (direct, file) {
            (Some(_), Some(_)) => Err(both_set(&variable)),
            (Some(value), None) => self.secret(variable, value, None),
            (None, Some((name, path))) => {
                let (value, modified) = self.read_file(name, &path).await?;
                self.secret(variable, value, Some(modified))
            }
            (None, None) => {
                let message = format!("the variable `{variable}` is not set");
                Err(Error::new(ErrorKind::NotFound, message))
            }
        }
    }

    async fn read_file(
        &self,
        variable: String,
        path: &SecretValue,
    ) -> Result<(SecretValue, SystemTime)> {
        let path = to_path(path)?;
        let (limit, newline) = (self.config.value_limit, self.config.trailing_newline);
        blocking::run(move || {
            let contents =
                mount::read(&path, limit).map_err(|error| named_by(&variable, error, limit))?;
            let bytes = newline.apply(contents.bytes);
            Ok((SecretValue::copy_from_slice(&bytes), contents.modified))
        })
        .await
    }

    fn secret(
        &self,
        variable: String,
        value: SecretValue,
        written: Option<SystemTime>,
    ) -> Result<Secret> {
        let created = written.unwrap_or_else(|| self.clock.now());
        let version = self.versions.current(&variable, value.expose_secret(), created)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let version = match seen.get(&variable) {
            Some(known) if known.id == version.id => known.clone(),
            _ => {
                seen.insert(variable, version.clone());
                version
            }
        };
        Ok(Secret::new(value, version))
    }

    /// The variables that are listed: `NAME_FILE` counts as `NAME`.
    fn variables(&self) -> BTreeSet<String> {
        let all =
            !self.config.prefix.is_empty() || self.config.listing == EnvListing::WholeEnvironment;
        let names = self.source.names().into_iter();
        let bases = names.map(|name| self.base(&name).unwrap_or(&name).to_owned());
        bases.filter(|name| all || self.names.is_mapped(name)).collect()
    }

    /// `NAME_FILE` for `NAME`, where that names a file.
    fn file_variable(&self, variable: &str) -> Option<String> {
        Some(format!("{variable}{FILE_SUFFIX}")).filter(|name| self.names_a_file(name))
    }

    /// `NAME` for `NAME_FILE`, where that names a file.
    fn base<'v>(&self, variable: &'v str) -> Option<&'v str> {
        let base = variable.strip_suffix(FILE_SUFFIX).filter(|base| !base.is_empty());
        base.filter(|_| self.names_a_file(variable))
    }

    /// False for a variable that is itself the form of a name: it holds a secret, not a path.
    fn names_a_file(&self, variable: &str) -> bool {
        self.config.file_variables == FileVariables::Follow && !self.names.is_form(variable)
    }
}

fn identity(config: &EnvConfig) -> String {
    Identity::default()
        .with_mapping(&config.mapping)
        .with_choice("ignore files", config.file_variables == FileVariables::Follow)
        .with_choice("trim", config.trailing_newline == TrailingNewline::Keep)
        .text()
}

fn both_set(variable: &str) -> Error {
    let message = format!("`{variable}` and `{variable}{FILE_SUFFIX}` are both set: unset one");
    Error::new(ErrorKind::InvalidValue, message)
}

/// The path is not shown: somebody may have put the secret itself into the variable. The file has to
/// be there: when it is not, the secret is out of reach and not gone.
fn named_by(variable: &str, error: file::ReadError, limit: usize) -> Error {
    let what = format!("the file that `{variable}` names");
    if error.is_absent() {
        let error = Error::new(ErrorKind::Unavailable, format!("{what} does not exist"));
        return error.with_effect(Effect::NotApplied);
    }
    error.of(&what, limit)
}

#[async_trait]
impl SecretProvider for EnvProvider {
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
        self.read(reference).await.map_err(|error| error.with_operation(Operation::GetSecret))
    }

    async fn describe_secret(&self, reference: &SecretRef) -> Result<SecretInfo> {
        let secret = self.read(reference).await;
        let secret = secret.map_err(|error| error.with_operation(Operation::DescribeSecret))?;
        let mut info = SecretInfo::new(reference.clone());
        info.current = Some(secret.version.id);
        Ok(info)
    }

    async fn list_secrets(
        &self,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        let variables = self.variables();
        let references = variables.iter().flat_map(|variable| self.names.references(variable));
        listing::page(references.map(SecretInfo::new), filter, &page)
            .map_err(|error| error.with_operation(Operation::ListSecrets))
    }

    async fn health(&self) -> Result<Health> {
        let names: BTreeSet<String> = self.source.names().into_iter().collect();
        let both: Vec<String> = self
            .variables()
            .into_iter()
            .filter(|name| names.contains(name))
            .filter(|name| self.file_variable(name).is_some_and(|file| names.contains(&file)))
            .filter(|name| !self.names.references(name).is_empty())
            .map(|name| format!("`{name}` and `{name}{FILE_SUFFIX}` are both set"))
            .collect();
        match &*both {
            [] => Ok(Health::healthy()),
            both => Ok(Health::degraded(both.join("; "))),
        }
    }
}

impl fmt::Debug for EnvProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvProvider")
            .field("id", &self.id)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
