//! The encrypted file store.

mod bytes;
mod crypto;
mod engine;
mod environment;
mod error;
mod file;
mod format;
pub mod fs;
mod index;
mod index_codec;
mod key_file;
mod mark;
mod passphrase;
mod record;
mod slot;
mod snapshot;
mod transaction;

pub use environment::{Entropy, Environment, OsEntropy};
pub use error::{Result, StoreError, StoreErrorKind};
pub use format::{StoreId, VersionKey};
pub use index::Generation;
pub use key_file::{KeyFile, Warning};
pub use passphrase::{Passphrase, PassphraseCost};
pub use record::RecordCipher;
pub use slot::SlotId;
