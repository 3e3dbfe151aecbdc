//! From the settings file, and a variable that names the process, to secrets and an audit trail.

use std::path::Path;

use secrets_manager::audit_log::{AuditSink as _, Code, Product};
use secrets_manager::{AlreadyRunning, Registry, SecretManager, SecretManagerSettings, Started};
use serde::Deserialize;
use service_settings::{Layers, Problem, Rules};
use tokio::task::JoinHandle;

use crate::Failure;

/// The settings file, in the folder that all processes work in.
pub(crate) const FILE: &str = "service.toml";
/// Where it says that the trail lies.
pub(crate) const TRAIL: &str = "audit";
/// And its anchors.
pub(crate) const ANCHORS: &str = "anchors";
/// What it holds.
const TEXT: &str = include_str!("../service.toml");
/// The variable by which a process gives itself a name in the trail.
pub(crate) const WRITER: &str = "QUICKSTART__SECRETS__AUDIT__WRITER";

const PRODUCT: Product = Product::new(Code::new("mainstay"), Code::new("quickstart"));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    secrets: SecretManagerSettings,
}

impl Rules for Settings {
    fn problems(&self) -> Vec<Problem> {
        self.secrets.problems()
    }
}

/// Writes the settings file, and the folder of the anchors, which would lie elsewhere.
pub(crate) fn write(folder: &Path) -> Result<(), Failure> {
    std::fs::write(folder.join(FILE), TEXT)?;
    Ok(std::fs::create_dir(folder.join(ANCHORS))?)
}

/// The secrets of a process, and what keeps them fresh and writes the trail.
pub(crate) struct Secrets {
    started: Started,
    running: JoinHandle<Result<(), AlreadyRunning>>,
}

impl Secrets {
    /// Reads the settings and starts what they say.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let layers =
            Layers::<Settings>::new().file(FILE).variables("QUICKSTART", std::env::vars_os());
        let settings = layers.load()?.settings;
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
