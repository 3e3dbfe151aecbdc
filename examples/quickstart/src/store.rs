//! Where the secrets are: first a `.env` file, then an encrypted store beside its key file.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use secrets_core::{SecretName, SecretProviderExt, SecretValue};
use secrets_local::dotenv::{DotenvConfig, DotenvProvider};
use secrets_local::store::{FileStore, KeyFile};

use crate::{Failure, names};

/// The `.env` file as many services have one.
const DEMO_ENV: &str = include_str!("../demo.env");
/// The variable in it.
const VARIABLE: &str = "APP_PASSWORD";

/// Writes the `.env` file and reads the password out of it.
pub(crate) async fn read_env_file(path: &Path) -> Result<SecretValue, Failure> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(DEMO_ENV.as_bytes())?;
    let name = SecretName::new(names::STORED_PASSWORD)?;
    let file = DotenvProvider::new(DotenvConfig::new(path).map(name, VARIABLE))?;
    Ok(file.read(names::STORED_PASSWORD).await?.value)
}

/// What the settings say of it.
pub(crate) const SETTINGS: &str = include_str!("../file.toml");

/// Creates the store with a new key file beside it, as the settings name them.
pub(crate) async fn create(folder: &Path) -> Result<FileStore, Failure> {
    let key = KeyFile::generate(folder.join("secrets.store.key"))?;
    Ok(FileStore::at(folder.join("secrets.store")).create(key).await?)
}
