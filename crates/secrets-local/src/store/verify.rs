use std::io;
use std::path::Path;
use std::sync::Arc;

use super::crypto::StoreKeys;
use super::engine::Engine;
use super::error::{Result, StoreError};
use super::fs::{FileKind, FileStat, Stamp, StoredFile};
use super::index::Generation;
use super::runtime::blocking;
use super::snapshot::{Locked, Snapshot};
use super::unlock::Unlock;

/// What [`FileStore::verify`](super::FileStore::verify) found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Verification {
    /// The generation that was read.
    pub generation: Generation,
    /// Secrets, those that are deleted and not yet purged included.
    pub secrets: usize,
    /// Wrapping keys.
    pub wrapping_keys: usize,
    /// Records that opened.
    pub sound_records: usize,
    /// One error for each record that did not open; it names the secret and the version.
    pub damaged: Vec<StoreError>,
}

impl Verification {
    /// True when every record opened.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty()
    }
}

/// Reads the file anew, not what is in memory, and opens all of it.
pub(crate) fn verify(engine: &Engine) -> Result<Verification> {
    engine.reread().map(|snapshot| verify_snapshot(&snapshot))
}

/// Opens all of a store that is in memory, such as a backup, without restoring it.
///
/// ```
/// use secrets_local::store::{FileStore, KeyFile, verify_bytes};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("store");
/// let key = KeyFile::generate(folder.path().join("key"))?;
/// FileStore::at(&path).create(key.clone()).await?;
/// let backup = std::fs::read(&path)?;
/// assert!(verify_bytes(backup.into(), key).await?.is_sound());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`StoreBuilder::open`](super::StoreBuilder::open); a record that does not open is listed in
/// the answer.
pub async fn verify_bytes(file: Arc<[u8]>, unlock: impl Into<Unlock>) -> Result<Verification> {
    let stat = stat_of(&file);
    let locked =
        Locked::of_file(Arc::new(InMemory(file)), stat, stat.stamp, Path::new("(in memory)"))?;
    let header = locked.header().clone();
    let store = header.store;
    let unlocked = unlock.into().find_data_key(header).await?;
    blocking(move || {
        let keys = StoreKeys::derive(store, unlocked.data_key)?;
        locked.unlock(Arc::new(keys)).map(|snapshot| verify_snapshot(&snapshot))
    })
    .await
}

fn verify_snapshot(snapshot: &Snapshot) -> Verification {
    let mut verification = Verification {
        generation: snapshot.index.generation,
        secrets: snapshot.index.secrets.len(),
        wrapping_keys: snapshot.index.keys.len(),
        sound_records: 0,
        damaged: Vec::new(),
    };
    for (place, record) in snapshot.index.records() {
        match snapshot.read(place, record) {
            Ok(_) => verification.sound_records += 1,
            Err(error) => verification.damaged.push(error),
        }
    }
    verification
}

/// A file that is bytes in memory.
#[derive(Debug)]
struct InMemory(Arc<[u8]>);

impl StoredFile for InMemory {
    fn stat(&self) -> io::Result<FileStat> {
        Ok(stat_of(&self.0))
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = self.0.get(begin..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

fn stat_of(bytes: &[u8]) -> FileStat {
    let len = bytes.len() as u64;
    let stamp = Stamp { device: 0, inode: 0, len, modified: None, changed_nanos: 0 };
    FileStat { stamp, kind: FileKind::Regular, mode: 0o600, owner: 0, group: 0 }
}
