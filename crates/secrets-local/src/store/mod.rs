//! Secrets in one encrypted file, for development and single machines.
//!
//! [`FileStore`] is a [`SecretProvider`](secrets_core::SecretProvider) with all that the contract
//! has (versions, staging, preconditions, tags, validity, soft delete, change hints) and a
//! [`KeyProvider`](secrets_core::KeyProvider) for envelope encryption without a cloud.
//!
//! ```
//! use secrets_core::{SecretName, SecretProvider, SecretValue, SetOptions};
//! use secrets_local::store::{FileStore, KeyFile, Passphrase, Rekey};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! # let folder = tempfile::tempdir()?;
//! # let at = |name| folder.path().join(name);
//! // A service opens the store by a key file, an operator by a passphrase.
//! let service = KeyFile::generate(at("store.key"))?;
//! let store = FileStore::at(at("secrets.store")).create(service.clone()).await?;
//! let operator = Passphrase::from_string("correct horse battery staple".to_owned())?;
//! let slot = store.add_slot(operator.clone()).await?;
//!
//! let name = SecretName::new("billing/db-password")?;
//! let value = SecretValue::from_string("s3cret".to_owned());
//! store.set_secret(&(&name).into(), value, SetOptions::new()).await?;
//!
//! // The operator leaves: a new data key, without that slot. The service goes on.
//! store.rekey(Rekey::new().keep(service).drop_slot(slot)).await?;
//! assert!(FileStore::at(at("secrets.store")).open(operator).await.is_err());
//! assert!(store.verify().await?.is_sound());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it promises
//!
//! - **Old or new.** A write replaces the file atomically; a writer that is killed, a full disk or
//!   a power failure leave the old state or the new one. A mount point cannot be replaced, and is
//!   refused rather than written in place.
//! - **Tampering shows.** A file that was cut, extended, changed, or mixed from two is
//!   [`Integrity`](StoreErrorKind::Integrity); the message names the part. Header, slots, index and
//!   length are checked when the store is opened, a record when it is read, everything by
//!   [`verify`](FileStore::verify).
//! - **Nothing but sizes shows.** Names, tags, versions and times are sealed like values.
//! - **Several processes.** Writers take a lock; readers see the newest state at each read, hints
//!   follow within [`poll_interval`](StoreBuilder::poll_interval).
//!
//! # What it does not
//!
//! - **An old copy of the whole file is authentic.** It is refused by a process that saw a newer
//!   one, and where [`state_folder`](StoreBuilder::state_folder) keeps a high-water mark; otherwise
//!   it opens. After a restore from a backup say
//!   [`accept_rollback`](StoreBuilder::accept_rollback).
//! - **A changed passphrase does not change the data key.** After a leak,
//!   [`rekey`](FileStore::rekey).
//! - **A clock that jumps ahead ends windows, and destroys nothing at once.** A deleted secret whose
//!   window has passed by the clock is gone for readers. It leaves the file with a write a week or
//!   more after the first one that saw it so, by the same clock; until then it is back when the clock
//!   is, unless a new secret took its name. [`purge_secret`](secrets_core::SecretProvider::purge_secret)
//!   takes it out at once. Nothing else is destroyed by a clock: old versions go by their number.
//! - Whoever can read this process's memory has the data key while the store is open. Names and
//!   tags lie in ordinary memory; values and keys are wiped, and so is the stack on which a key was
//!   derived.
//!
//! Work on the file runs on tokio's threads for blocking work, key derivation too; without a tokio
//! runtime it runs on the thread that polls. Dropping the future of a write does not stop the
//! write. No timer of a runtime is used: while a write waits for another one of this process, or
//! the stream of change hints is polled, the store has one thread that wakes them.
//!
//! The file is described, byte by byte, in `crates/secrets-local/docs/store-format.md`.

mod builder;
mod bytes;
mod changes;
mod crypto;
mod engine;
mod environment;
mod error;
mod file;
mod file_store;
mod format;
pub mod fs;
mod index;
mod index_codec;
mod inspect;
mod key_file;
mod keys;
mod mark;
mod metadata_code;
mod passphrase;
mod policy;
mod provider;
mod record;
mod runtime;
mod secrets;
mod slot;
mod slot_admin;
mod snapshot;
mod timer;
mod transaction;
mod unlock;
#[cfg(test)]
mod vector_tests;
mod verify;
mod wrapping;

pub use builder::StoreBuilder;
pub use environment::{Entropy, Environment, OsEntropy};
pub use error::{Result, StoreError, StoreErrorKind};
pub use file_store::FileStore;
pub use format::{StoreId, VersionKey};
pub use index::Generation;
pub use inspect::{Inspection, SlotInfo, SlotKind, inspect, inspect_file};
pub use key_file::{KeyFile, Warning};
pub use passphrase::{Passphrase, PassphraseCost};
pub use slot::SlotId;
pub use slot_admin::Rekey;
pub use unlock::Unlock;
pub use verify::{Verification, verify_bytes};

/// What is safe only under conditions that the caller must keep; the store keeps them. To measure,
/// and to read single records with other tools.
pub mod hazmat {
    pub use super::record::RecordCipher;
}

/// What the fuzzer enters: a high-water mark, with the code of the key that the seeds have (32 times
/// 7, store 16 times 1), or the fields alone.
#[cfg(fuzzing)]
pub fn fuzz_mark(bytes: &[u8]) {
    mark::fuzz(bytes);
}

/// What the fuzzer enters: the bytes of an index before they are sealed. What decodes must encode
/// to the same bytes.
#[cfg(fuzzing)]
pub fn fuzz_index(bytes: &[u8]) {
    if let Ok(index) = index_codec::decode(bytes) {
        assert!(*index_codec::encode(&index, 0) == bytes, "two encodings of one index");
        let _ = index_codec::RecordTable::build(&index, 0, bytes.len() as u64);
    }
}
