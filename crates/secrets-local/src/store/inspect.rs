use std::path::Path;

use secrets_core::{KeyRef, VersionId};

use super::engine::Engine;
use super::environment::Environment;
use super::error::Result;
use super::format::{Header, StoreId, VERSION};
use super::passphrase::PassphraseCost;
use super::slot::{Slot, SlotBody, SlotId};

/// What a store file tells without any key. Nothing of it is authenticated: an attacker who can
/// write the file can write this too.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// The version of the format.
    pub format: u16,
    /// The store's id.
    pub store: StoreId,
    /// The key slots.
    pub slots: Vec<SlotInfo>,
    /// Length of the header in bytes.
    pub header_len: u64,
    /// Length of all sealed records in bytes.
    pub records_len: u64,
    /// Length of the sealed index in bytes.
    pub index_len: u64,
}

/// A key slot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotInfo {
    /// Its number.
    pub id: SlotId,
    /// How it opens.
    pub kind: SlotKind,
}

/// How a key slot opens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotKind {
    /// By a passphrase.
    Passphrase {
        /// What one guess costs. In a file that was tampered with it may be out of bounds.
        cost: PassphraseCost,
    },
    /// By a key file.
    KeyFile,
    /// By a key service.
    Provider {
        /// The service's key.
        key: KeyRef,
        /// The key's version, where the service told.
        version: Option<VersionId>,
    },
}

impl From<&Slot> for SlotInfo {
    fn from(slot: &Slot) -> Self {
        let kind = match &slot.body {
            SlotBody::Passphrase { cost, .. } => SlotKind::Passphrase { cost: *cost },
            SlotBody::KeyFile { .. } => SlotKind::KeyFile,
            SlotBody::Provider { wrapped } => {
                SlotKind::Provider { key: wrapped.key.clone(), version: wrapped.version.clone() }
            }
        };
        Self { id: slot.id, kind }
    }
}

impl From<&Header> for Inspection {
    fn from(header: &Header) -> Self {
        Self {
            format: VERSION,
            store: header.store,
            slots: header.slots.iter().map(SlotInfo::from).collect(),
            header_len: header.len(),
            records_len: header.records_len,
            index_len: header.index_len,
        }
    }
}

/// Reads the header of a whole store file that is in memory.
///
/// # Errors
/// [`NotAStore`](super::StoreErrorKind::NotAStore),
/// [`NewerFormat`](super::StoreErrorKind::NewerFormat),
/// [`OutOfBounds`](super::StoreErrorKind::OutOfBounds), or
/// [`Integrity`](super::StoreErrorKind::Integrity) when the form is broken or the length wrong.
pub fn inspect(file: &[u8]) -> Result<Inspection> {
    Header::parse(file, file.len() as u64).map(|header| Inspection::from(&header))
}

/// Reads the header of a store file. Blocks on the file system.
///
/// # Errors
/// As [`inspect`], and what the operating system refuses.
pub fn inspect_file(path: impl AsRef<Path>) -> Result<Inspection> {
    let header = Engine::read_header(&Environment::system(), path.as_ref())?;
    Ok(Inspection::from(&header))
}
