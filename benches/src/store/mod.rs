//! Suite `store`: the encrypted file is opened with a key file, and one secret in it is changed.
//! Sizes are secrets of 64 bytes. The file lies in memory (`/dev/shm`), where syncing does nothing,
//! so what is shown is the time over it: computing, and the system calls for reading and writing.
//!
//! The peer keeps all secrets in one sealed piece, has it as long as our file, and does the least
//! that such a store must do: it does not even look at what is in it.

mod one_piece;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_executor::block_on;
use rustix::fs::statfs;
use secrets_core::{SecretName, SecretProvider, SecretRef, SecretValue, SetOptions};
use secrets_local::store::{FileStore, KeyFile};
use tempfile::TempDir;

use crate::harness::{Case, Peer, Row};
use crate::names::{names, value};

const SIZES: [usize; 4] = [10, 1_000, 10_000, 100_000];
/// What both operations are to take at most with this many secrets.
const BOUNDED: usize = 1_000;
const OPEN: Duration = Duration::from_millis(2);
const WRITE: Duration = Duration::from_millis(5);

pub(crate) fn rows() -> Vec<Row> {
    let stores = SIZES.map(|secrets| Arc::new(Store::new(secrets)));
    let row = |path, store: &Store, ours, bound, peer| Row {
        path,
        threads: 1,
        size: store.secrets,
        unit: "secrets",
        ours,
        within: (store.secrets == BOUNDED).then_some(bound),
        peers: vec![Peer::new("one sealed piece, unparsed", peer)],
    };
    let open =
        |store: &Arc<Store>| row("store/open", store, open(store), OPEN, one_piece::open(store));
    let write = |store: &Arc<Store>| {
        row("store/change a secret", store, write(store), WRITE, one_piece::write(store))
    };
    stores.iter().map(open).chain(stores.iter().map(write)).collect()
}

/// A store in a folder of its own.
struct Store {
    secrets: usize,
    folder: TempDir,
}

impl Store {
    fn new(secrets: usize) -> Self {
        let folder = tempfile::tempdir_in(in_memory()).unwrap();
        let this = Self { secrets, folder };
        let key = KeyFile::generate(this.key_path()).unwrap();
        let store = block_on(FileStore::at(this.path()).create(key)).unwrap();
        let secret = |(number, name): (usize, String)| {
            (SecretName::new(&name).unwrap(), SecretValue::copy_from_slice(&value(number)))
        };
        let all = names(secrets).into_iter().enumerate().map(secret).collect();
        block_on(store.set_secrets(all)).unwrap();
        this
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn key_path(&self) -> PathBuf {
        self.folder.path().join("key")
    }

    fn open(&self) -> FileStore {
        let key = KeyFile::read(self.key_path()).unwrap();
        block_on(FileStore::at(self.path()).open(key)).unwrap()
    }
}

/// A folder whose files are kept in memory only.
fn in_memory() -> &'static Path {
    // `TMPFS_MAGIC` of linux/magic.h.
    let is_tmpfs = |folder| statfs(folder).is_ok_and(|found| found.f_type == 0x0102_1994);
    let folder = Path::new("/dev/shm");
    assert!(is_tmpfs(folder), "the suite `store` needs a tmpfs at /dev/shm");
    folder
}

/// Reads the key file and opens the store. Outside of a runtime all of it happens in this thread.
fn open(store: &Arc<Store>) -> Case {
    let store = Arc::clone(store);
    Case::new(move || {
        let store = Arc::clone(&store);
        move |operations| {
            for _ in 0..operations {
                black_box(store.open());
            }
        }
    })
}

/// Writes another value to a secret again and again, in a store that is open.
fn write(store: &Arc<Store>) -> Case {
    let name = SecretName::new(&names(store.secrets)[store.secrets / 2]).unwrap();
    let reference = SecretRef::from(&name);
    let open = Arc::new(store.open());
    let store = Arc::clone(store);
    Case::new(move || {
        let (open, reference) = (Arc::clone(&open), reference.clone());
        // Keeps the folder.
        let _store = Arc::clone(&store);
        let mut number = 0;
        move |operations| {
            for _ in 0..operations {
                number += 1;
                let value = SecretValue::copy_from_slice(&value(number));
                block_on(open.set_secret(&reference, value, SetOptions::new())).unwrap();
            }
        }
    })
}
