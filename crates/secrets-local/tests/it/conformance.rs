//! The conformance suite of the contract, on each of these providers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrets_core::conformance::{self, Harness, PlainReader, PlainWriter, RunId, ValueClass};
use secrets_core::{Error, ErrorKind, Result, SecretProvider, SecretValue, async_trait};
use secrets_local::directory::{DirectoryConfig, DirectoryProvider};
use secrets_local::dotenv::{DotenvConfig, DotenvProvider};
use secrets_local::env::{EnvConfig, EnvListing, EnvProvider, Variables};
use tempfile::TempDir;

use super::support::block_on;

/// What is behind a provider, as somebody else sees it who does not know it.
trait Backend: Send + Sync + 'static {
    fn read(&self, native: &str) -> Option<SecretValue>;
    fn write(&self, native: &str, value: &SecretValue) -> Result<()>;
    fn remove(&self, native: &str);
    fn takes(&self, class: ValueClass) -> bool;
}

struct Local<B> {
    run: RunId,
    provider: Arc<dyn SecretProvider>,
    backend: B,
}

impl<B: Backend> Local<B> {
    fn check(provider: impl SecretProvider, backend: B) {
        let harness = Self { run: RunId::random(), provider: Arc::new(provider), backend };
        let report = block_on(conformance::run(&harness));
        assert!(report.is_conformant(), "{report}");
    }
}

#[async_trait]
impl<B: Backend> Harness for Local<B> {
    fn provider(&self) -> Arc<dyn SecretProvider> {
        Arc::clone(&self.provider)
    }

    fn run_id(&self) -> &RunId {
        &self.run
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn time_limit(&self) {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }

    fn plain_reader(&self) -> Option<&dyn PlainReader> {
        Some(self)
    }

    fn plain_writer(&self) -> Option<&dyn PlainWriter> {
        Some(self)
    }

    fn takes(&self, class: ValueClass) -> bool {
        self.backend.takes(class)
    }
}

#[async_trait]
impl<B: Backend> PlainReader for Local<B> {
    async fn read(&self, native: &str) -> Result<Option<SecretValue>> {
        Ok(self.backend.read(native))
    }
}

#[async_trait]
impl<B: Backend> PlainWriter for Local<B> {
    async fn write(&self, native: &str, value: SecretValue) -> Result<()> {
        self.backend.write(native, &value)
    }

    async fn remove(&self, native: &str) -> Result<()> {
        self.backend.remove(native);
        Ok(())
    }
}

/// An environment that the suite can write to, with what one takes: no 0x00.
#[derive(Debug, Clone, Default)]
struct Environment(Arc<Mutex<BTreeMap<String, SecretValue>>>);

impl Variables for Environment {
    fn get(&self, name: &str) -> Result<Option<SecretValue>> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }

    fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }
}

/// An environment with a prefix that the provider puts before every name.
struct Prefixed(Environment, &'static str);

impl Backend for Prefixed {
    fn read(&self, native: &str) -> Option<SecretValue> {
        self.0.get(&format!("{}{native}", self.1)).unwrap()
    }

    fn write(&self, native: &str, value: &SecretValue) -> Result<()> {
        if value.expose_secret().contains(&0) {
            return Err(Error::new(ErrorKind::InvalidValue, "a variable has no 0x00"));
        }
        let variable = format!("{}{native}", self.1);
        self.0.0.lock().unwrap().insert(variable, value.clone());
        Ok(())
    }

    fn remove(&self, native: &str) {
        self.0.0.lock().unwrap().remove(&format!("{}{native}", self.1));
    }

    fn takes(&self, class: ValueClass) -> bool {
        class != ValueClass::ZeroBytes
    }
}

#[test]
fn the_environment_provider_conforms() {
    let variables = Environment::default();
    let config = EnvConfig::new().with_listing(EnvListing::WholeEnvironment);
    let provider = EnvProvider::new(config, variables.clone()).unwrap();
    Local::check(provider, Prefixed(variables, ""));
}

#[test]
fn the_environment_provider_with_a_prefix_conforms() {
    let variables = Environment::default();
    let config = EnvConfig::new().with_prefix("APP_");
    let provider = EnvProvider::new(config, variables.clone()).unwrap();
    Local::check(provider, Prefixed(variables, "APP_"));
}

/// A folder; entries are the paths under it.
struct Folder(PathBuf);

impl Backend for Folder {
    fn read(&self, native: &str) -> Option<SecretValue> {
        std::fs::read(self.0.join(native)).ok().map(SecretValue::from_vec)
    }

    fn write(&self, native: &str, value: &SecretValue) -> Result<()> {
        let path = self.0.join(native);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // In one step, as whoever cares for readers does.
        let new = self.0.join("..new");
        std::fs::write(&new, value.expose_secret()).unwrap();
        std::fs::rename(new, path).unwrap();
        Ok(())
    }

    fn remove(&self, native: &str) {
        let _ = std::fs::remove_file(self.0.join(native));
    }

    fn takes(&self, _: ValueClass) -> bool {
        true
    }
}

#[test]
fn the_directory_provider_conforms() {
    let folder = TempDir::new().unwrap();
    let config = DirectoryConfig::new(folder.path()).with_poll_interval(Duration::from_millis(20));
    let provider = DirectoryProvider::new(config).unwrap();
    Local::check(provider, Folder(folder.path().to_owned()));
}

/// A `.env` file that somebody writes anew as a whole, in double quotes, and reads with dotenvy.
struct DotenvFile {
    path: PathBuf,
    prefix: &'static str,
}

impl DotenvFile {
    fn entries(&self) -> BTreeMap<String, String> {
        let Ok(entries) = dotenvy::from_path_iter(&self.path) else { return BTreeMap::new() };
        entries.map(|entry| entry.expect("a file that dotenvy reads")).collect()
    }

    fn save(&self, entries: BTreeMap<String, String>) {
        let mut text = String::new();
        for (key, value) in entries {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
            text.push_str(&format!("{key}=\"{value}\"\n"));
        }
        std::fs::write(&self.path, text).unwrap();
    }
}

impl Backend for DotenvFile {
    fn read(&self, native: &str) -> Option<SecretValue> {
        let value = self.entries().remove(&format!("{}{native}", self.prefix));
        value.map(SecretValue::from_string)
    }

    fn write(&self, native: &str, value: &SecretValue) -> Result<()> {
        let mut entries = self.entries();
        let key = format!("{}{native}", self.prefix);
        entries.insert(key, value.expose_secret_text()?.to_owned());
        self.save(entries);
        Ok(())
    }

    fn remove(&self, native: &str) {
        let mut entries = self.entries();
        entries.remove(&format!("{}{native}", self.prefix));
        self.save(entries);
    }

    fn takes(&self, class: ValueClass) -> bool {
        class != ValueClass::NotUtf8
    }
}

fn check_dotenv(prefix: &'static str) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(".env");
    let config =
        DotenvConfig::new(&path).with_prefix(prefix).with_poll_interval(Duration::from_millis(20));
    let provider = DotenvProvider::new(config).unwrap();
    Local::check(provider, DotenvFile { path, prefix });
}

#[test]
fn the_dotenv_provider_conforms() {
    check_dotenv("");
}

#[test]
fn the_dotenv_provider_with_a_prefix_conforms() {
    check_dotenv("APP_");
}
