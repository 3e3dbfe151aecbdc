//! From the settings file, and a variable that names the process, to secrets and an audit trail.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use obs::settings::ObservabilitySettings;
use secrets_manager::audit_log::{AuditSink as _, Code, Product};
use secrets_manager::{AlreadyRunning, Registry, SecretManager, SecretManagerSettings, Started};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use service_settings::{Layers, Problem, Rules, Subtree};
use tokio::task::JoinHandle;

use crate::Failure;

/// The settings files, in the folder that all processes work in: what all share, where the secrets are,
/// and what only this run knows.
const FILES: [&str; 3] = ["service.toml", "store.toml", "run.toml"];
/// Where it says that the trail lies.
pub(crate) const TRAIL: &str = "audit";
/// And its anchors.
pub(crate) const ANCHORS: &str = "anchors";
/// What the first of them holds.
const SERVICE: &str = include_str!("../service.toml");
/// The variable by which a process gives itself a name in the trail.
pub(crate) const WRITER: &str = "QUICKSTART__SECRETS__AUDIT__WRITER";
/// The variable by which it has a log of its own.
pub(crate) const LOG: &str = "QUICKSTART__OBSERVABILITY__OUTPUTS__LOG__FILE__PATH";

const PRODUCT: Product = Product::new(Code::new("mainstay"), Code::new("quickstart"));

/// What all settings are together.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    secrets: SecretManagerSettings,
    pub(crate) observability: ObservabilitySettings,
}

impl Rules for Settings {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = self.secrets.problems();
        problems.extend(self.observability.problems());
        problems
    }
}

/// Writes the settings files, and the folder of the anchors, which would lie elsewhere.
pub(crate) fn write(folder: &Path, store: &str, run: &str) -> Result<(), Failure> {
    for (file, text) in FILES.into_iter().zip([SERVICE, store, run]) {
        // One of them may hold the keys of a double.
        let mut options = File::options();
        let mut file = options.write(true).create_new(true).mode(0o600).open(folder.join(file))?;
        file.write_all(text.as_bytes())?;
    }
    Ok(std::fs::create_dir(folder.join(ANCHORS))?)
}

fn layers<T: DeserializeOwned + Rules>(folder: &Path) -> Layers<T> {
    layers_of(FILES.map(|file| folder.join(file)))
}

fn layers_of<T: DeserializeOwned + Rules>(files: [PathBuf; 3]) -> Layers<T> {
    files.into_iter().fold(Layers::new(), Layers::file)
}

/// The providers alone: nothing is required of the secrets, and nothing is recorded. What is wrong with
/// `theirs` is told of that file, not of the copy of it that the other processes read.
pub(crate) async fn providers(folder: &Path, theirs: Option<&Path>) -> Result<Started, Failure> {
    let [service, store, run] = FILES.map(|file| folder.join(file));
    let store = theirs.map_or(store, Path::to_owned);
    let secrets = layers_of::<Bare>([service, store, run]).load()?.settings.secrets;
    let secrets = secrets.without("secret").without("audit");
    let settings: SecretManagerSettings = secrets.read()?;
    Ok(settings.start(&Registry::new()).await?)
}

/// Settings that are looked at in part.
#[derive(Deserialize)]
struct Bare {
    secrets: Subtree,
    #[expect(dead_code, reason = "it is known, and not read here")]
    observability: Subtree,
}

impl Rules for Bare {
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}

/// Reads what the settings say of this process.
pub(crate) fn load() -> Result<Settings, Failure> {
    let layers = layers(Path::new("")).variables("QUICKSTART", std::env::vars_os());
    Ok(layers.load()?.settings)
}

/// The secrets of a process, and what keeps them fresh and writes the trail.
pub(crate) struct Secrets {
    started: Started,
    running: JoinHandle<Result<(), AlreadyRunning>>,
}

impl Secrets {
    /// Starts what the settings say.
    pub(crate) async fn start(settings: &Settings) -> Result<Self, Failure> {
        let started = settings.secrets.start(&Registry::new().with_product(PRODUCT)).await?;
        let running = tokio::spawn(started.run());
        Ok(Self { started, running })
    }

    pub(crate) fn manager(&self) -> &SecretManager {
        &self.started.manager
    }

    /// Writes what the trail still has in memory, in this order: what keeps the secrets fresh tells how
    /// often they were loaded when it is dropped.
    pub(crate) async fn end(self) -> Result<(), Failure> {
        self.running.abort();
        let _ = self.running.await;
        if let Some(trail) = &self.started.trail {
            trail.flush().await?;
        }
        Ok(())
    }
}
