//! What the tests share.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use service_settings::{Format, Layers, Problem, ProblemKind, Rules, SecretSetting};
use tempfile::TempDir;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) port: u16,
    #[serde(default)]
    pub(crate) debug: bool,
    pub(crate) ratio: Option<f64>,
    pub(crate) database: Database,
    #[serde(default)]
    pub(crate) mode: Mode,
    #[serde(default)]
    pub(crate) hosts: Vec<String>,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) password: SecretSetting,
    #[serde(default)]
    pub(crate) pool: Pool,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Pool {
    pub(crate) least: u32,
    pub(crate) most: u32,
}

impl Default for Pool {
    fn default() -> Self {
        Self { least: 1, most: 10 }
    }
}

#[derive(Debug, Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    #[default]
    ReadWrite,
    ReadOnly,
    Replica {
        of: String,
    },
}

impl Rules for Settings {
    fn problems(&self) -> Vec<Problem> {
        let Pool { least, most } = self.database.pool;
        let mut problems = Vec::new();
        if least > most {
            problems.push(Problem::invalid("database.pool.least", "is more than `most`"));
        }
        if self.database.url.is_empty() {
            problems.push(Problem::invalid("database.url", "is empty"));
        }
        if self.name.is_empty() {
            problems.push(Problem::invalid("name", "is empty"));
        }
        problems
    }
}

pub(crate) const GOOD: &str = "\
name = \"billing\"
port = 8080

[database]
url = \"postgres://localhost/billing\"
password = \"secret://billing/db#password\"
";

pub(crate) fn layers() -> Layers<Settings> {
    Layers::new().defaults(Format::Toml, GOOD)
}

pub(crate) fn variables<const N: usize>(all: [(&str, &str); N]) -> Vec<(OsString, OsString)> {
    all.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

/// A file in a folder of its own.
pub(crate) fn file(name: &str, text: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    (folder, path)
}

/// All that is wrong: path, kind, and where it stands, the name of a file without its folder.
pub(crate) fn wrong<T: serde::de::DeserializeOwned + Rules>(
    layers: &Layers<T>,
) -> Vec<(String, ProblemKind, String)> {
    let problems = layers.load().err().expect("problems");
    let shown = |problem: &Problem| {
        let origin = problem.origin.as_ref().map(ToString::to_string).unwrap_or_default();
        let origin = origin.rsplit('/').next().unwrap_or_default().to_owned();
        (problem.path.clone(), problem.kind, origin)
    };
    problems.iter().map(shown).collect()
}

pub(crate) fn message<T: serde::de::DeserializeOwned + Rules>(layers: &Layers<T>) -> String {
    layers.load().err().expect("problems").to_string()
}
