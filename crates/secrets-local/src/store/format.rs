//! The plaintext header of a store file; the whole layout is described in
//! `crates/secrets-local/docs/store-format.md`.

use std::fmt;

use super::bytes::{Malformed, Reader, Writer};
use super::crypto::{KEY_LEN, NONCE_LEN, TAG_LEN};
use super::error::{Result, StoreError, StoreErrorKind};
use super::slot::Slot;

/// The first bytes of every store. A high bit and both line ends show damage by text-mode copying,
/// as in PNG (RFC 2083, section 12.12).
pub(crate) const MAGIC: [u8; 8] = *b"\x89MNST\r\n\x1a";
/// The format that this code writes and the newest that it reads.
pub(crate) const VERSION: u16 = 1;
/// Bytes before the first slot.
pub(crate) const FIXED_LEN: usize = 104;
/// The most slots of a store.
pub(crate) const MAX_SLOTS: usize = 32;
/// The longest header in bytes: room for the most slots with the longest bodies.
pub(crate) const MAX_HEADER_LEN: usize = 1 << 20;
/// The longest sealed index in bytes: about five million secrets.
pub(crate) const MAX_INDEX_LEN: u64 = 1 << 29;

macro_rules! id_of_16_bytes {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id with these bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The id's bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

id_of_16_bytes! {
    /// The random id of a store: bound into every seal, so that nothing moves between stores.
    StoreId
}

id_of_16_bytes! {
    /// The random id of a version. As text (32 hexadecimal digits, lower case) it is the
    /// [`VersionId`](secrets_core::VersionId) of the contract.
    VersionKey
}

/// Reads 32 hexadecimal digits in lower case.
pub(crate) fn parse_hex(text: &str) -> Option<[u8; 16]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let mut bytes = [0; 16];
    if pairs.len() != bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let [high, low] = pair.map(|digit| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        });
        *byte = high? << 4 | low?;
    }
    Some(bytes)
}

/// What stands in the clear at the front of a store. The sealed index has its bytes as associated
/// data: whatever is changed here is noticed when the index is opened.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) store: StoreId,
    pub(crate) commitment: [u8; KEY_LEN],
    pub(crate) records_len: u64,
    /// Of the sealed index, with its tag.
    pub(crate) index_len: u64,
    pub(crate) index_nonce: [u8; NONCE_LEN],
    pub(crate) slots: Vec<Slot>,
}

/// The part of a header that tells how much more to read.
pub(crate) struct HeaderStart {
    header_len: usize,
    slots: usize,
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let slots: usize = self.slots.iter().map(Slot::encoded_len).sum();
        let header_len = FIXED_LEN + slots;
        let mut bytes = Vec::with_capacity(header_len);
        bytes.put(&MAGIC);
        bytes.put_u16(VERSION);
        bytes.put_u16(u16::try_from(self.slots.len()).unwrap_or(u16::MAX));
        bytes.put_u32(u32::try_from(header_len).unwrap_or(u32::MAX));
        bytes.put(self.store.as_bytes());
        bytes.put(&self.commitment);
        bytes.put_u64(self.records_len);
        bytes.put_u64(self.index_len);
        bytes.put(&self.index_nonce);
        for slot in &self.slots {
            slot.encode(&mut bytes);
        }
        bytes
    }

    /// Length of the header in bytes, which is where the records begin.
    pub(crate) fn len(&self) -> u64 {
        (FIXED_LEN + self.slots.iter().map(Slot::encoded_len).sum::<usize>()) as u64
    }

    /// Where the index begins.
    pub(crate) fn index_offset(&self) -> u64 {
        self.len() + self.records_len
    }

    /// Reads a whole header, given the length of the file that it describes.
    pub(crate) fn parse(bytes: &[u8], file_len: u64) -> Result<Self> {
        let start = HeaderStart::parse(bytes)?;
        let header = bytes.get(..start.header_len).ok_or_else(ends_in_header)?;
        let mut reader = Reader::new(header);
        let header = Self::fields(&mut reader, start.slots).map_err(|Malformed| {
            StoreError::integrity("the header does not have the form of one")
        })?;
        header.check_slots()?;
        header.check_lengths(file_len)?;
        Ok(header)
    }

    fn fields(reader: &mut Reader<'_>, slots: usize) -> Result<Self, Malformed> {
        // Magic, version, number of slots and length were read by `HeaderStart`.
        reader.bytes(16)?;
        let mut header = Self {
            store: StoreId::from_bytes(reader.array()?),
            commitment: reader.array()?,
            records_len: reader.u64()?,
            index_len: reader.u64()?,
            index_nonce: reader.array()?,
            slots: Vec::with_capacity(slots),
        };
        for _ in 0..slots {
            header.slots.push(Slot::parse(reader)?);
        }
        reader.end()?;
        Ok(header)
    }

    fn check_slots(&self) -> Result<()> {
        let mut ids: Vec<_> = self.slots.iter().map(|slot| slot.id).collect();
        ids.sort_unstable();
        if ids.is_sorted_by(|a, b| a < b) && !ids.is_empty() {
            return Ok(());
        }
        Err(StoreError::integrity("the header has no slots, or two slots with one number"))
    }

    fn check_lengths(&self, file_len: u64) -> Result<()> {
        let told = self.len().checked_add(self.records_len);
        let told = told.and_then(|len| len.checked_add(self.index_len));
        if told != Some(file_len) {
            return Err(StoreError::integrity(
                "the file is shorter or longer than its header says: truncated or extended",
            ));
        }
        if !(TAG_LEN as u64..=MAX_INDEX_LEN).contains(&self.index_len) {
            return Err(StoreError::new(
                StoreErrorKind::OutOfBounds,
                format!("an index of {} bytes, of {MAX_INDEX_LEN} at most", self.index_len),
            ));
        }
        Ok(())
    }
}

impl HeaderStart {
    /// Length of the header in bytes.
    pub(crate) fn header_len(&self) -> usize {
        self.header_len
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Err(StoreError::new(StoreErrorKind::NotAStore, "the file is empty"));
        }
        let magic = bytes.get(..MAGIC.len()).unwrap_or(bytes);
        if !MAGIC.starts_with(magic) {
            return Err(StoreError::new(
                StoreErrorKind::NotAStore,
                "the file does not begin as a store does",
            ));
        }
        Self::fields(bytes).map_err(|Malformed| ends_in_header())?
    }

    fn fields(bytes: &[u8]) -> Result<Result<Self>, Malformed> {
        let mut reader = Reader::new(bytes);
        reader.bytes(MAGIC.len())?;
        let version = reader.u16()?;
        if version != VERSION {
            return Ok(Err(other_version(version)));
        }
        let slots = usize::from(reader.u16()?);
        let header_len = reader.u32()? as usize;
        if slots > MAX_SLOTS || !(FIXED_LEN..=MAX_HEADER_LEN).contains(&header_len) {
            return Ok(Err(StoreError::new(
                StoreErrorKind::OutOfBounds,
                format!("a header of {header_len} bytes with {slots} slots"),
            )));
        }
        Ok(Ok(Self { header_len, slots }))
    }
}

fn other_version(version: u16) -> StoreError {
    if version == 0 {
        return StoreError::integrity("format version 0 never existed");
    }
    StoreError::new(
        StoreErrorKind::NewerFormat,
        format!("format version {version}, of which this release knows {VERSION} at most"),
    )
}

fn ends_in_header() -> StoreError {
    StoreError::integrity("the file ends inside its header: truncated")
}
