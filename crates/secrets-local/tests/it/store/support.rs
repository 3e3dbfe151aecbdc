//! What the tests of the store share.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrets_core::{SecretProvider, SetOptions, VersionInfo};
use secrets_local::store::{FileStore, KeyFile, Passphrase, PassphraseCost};
use tempfile::TempDir;

pub(crate) use crate::support::{block_on, name, named as reference, value};

pub(crate) fn passphrase(text: &str) -> Passphrase {
    Passphrase::from_string(text.to_owned()).expect("a passphrase")
}

/// The cheapest passphrases that are allowed: tests derive many.
pub(crate) fn cheap() -> PassphraseCost {
    PassphraseCost::MINIMUM
}

/// Writers wait for each other as long as it takes, on a slow disk as well.
const PATIENCE: Duration = Duration::from_secs(600);

/// A folder with a key file and a path for a store.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) key: KeyFile,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::inside(&std::env::temp_dir())
    }

    /// Where syncing costs nothing, for many writes; an ordinary place where there is no such.
    pub(crate) fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { Self::inside(memory) } else { Self::new() }
    }

    fn inside(parent: &Path) -> Self {
        let folder = TempDir::new_in(parent).expect("a folder");
        let key = KeyFile::generate(folder.path().join("key")).expect("a key file");
        Self { folder, key }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) async fn create(&self) -> FileStore {
        let builder = FileStore::at(self.path()).lock_timeout(PATIENCE);
        builder.create(self.key.clone()).await.expect("a new store")
    }

    pub(crate) async fn open(&self) -> FileStore {
        open(&self.path(), &self.key).await
    }
}

pub(crate) async fn open(path: &Path, key: &KeyFile) -> FileStore {
    let builder = FileStore::at(path).lock_timeout(PATIENCE);
    builder.open(key.clone()).await.expect("a store that opens")
}

pub(crate) async fn set(store: &FileStore, name: &str, text: &str) -> VersionInfo {
    store.set_secret(&reference(name), value(text), SetOptions::new()).await.expect("a write")
}

/// The current value as text.
pub(crate) async fn get(store: &FileStore, name: &str) -> secrets_core::Result<String> {
    let secret = store.get_secret(&reference(name), Default::default()).await?;
    Ok(secret.value.expose_secret_text()?.to_owned())
}
