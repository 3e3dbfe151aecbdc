use std::fmt;

use hmac::{Hmac, KeyInit, Mac as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::hex;
use crate::error::{Error, ErrorKind, Result};

/// Keeps the MACs of records apart from any other use of the key.
const RECORD_LABEL: &[u8] = b"audit-log record v1\n";
const ID_LABEL: &[u8] = b"audit-log key id v1\n";

/// The key that chains a trail: who has it can write records that verify, and nobody else.
///
/// Keep it apart from the trail. It verifies as well as it writes, so whoever checks the trail can
/// forge it: hand it to nobody who need only read.
#[derive(Clone)]
pub struct ChainKey(Hmac<Sha256>);

/// In bytes.
const KEY_LEN: usize = 32;

impl ChainKey {
    /// Takes 32 random bytes.
    ///
    /// # Errors
    /// `Configuration` when there are not 32.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        let unfit = || {
            let message = "the key of a trail takes exactly 32 bytes";
            Error::new(ErrorKind::Configuration, message)
        };
        if bytes.len() != KEY_LEN {
            return Err(unfit());
        }
        // What is kept is the state that the key leads to, which its crate wipes when it is dropped.
        Hmac::new_from_slice(bytes).map(Self).map_err(|_| unfit())
    }

    /// Takes 64 lower-case hexadecimal digits: the key as settings and secret stores keep texts.
    ///
    /// # Errors
    /// `Configuration` when it is something else.
    pub fn from_hex(digits: &[u8]) -> Result<Self> {
        let bytes = hex::parse::<KEY_LEN>(digits).map(Zeroizing::new);
        let bytes = bytes.ok_or_else(|| {
            let message = "the key of a trail takes exactly 64 lower-case hexadecimal digits";
            Error::new(ErrorKind::Configuration, message)
        })?;
        Self::from_slice(&*bytes)
    }

    /// Names the key without telling it: part of a MAC under it.
    pub(crate) fn id(&self) -> KeyId {
        let Mac(mac) = self.mac(ID_LABEL, &[]);
        let (id, _) = mac.split_first_chunk().unwrap_or((&[0; 8], &[]));
        KeyId(*id)
    }

    pub(crate) fn of_record(&self, bytes: &[u8]) -> Mac {
        self.mac(RECORD_LABEL, bytes)
    }

    fn mac(&self, label: &[u8], bytes: &[u8]) -> Mac {
        let mut hmac = self.0.clone();
        hmac.update(label);
        hmac.update(bytes);
        Mac(hmac.finalize().into_bytes().into())
    }
}

/// Shows nothing of the key.
impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChainKey([REDACTED])")
    }
}

/// Which key a segment is chained by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KeyId([u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        hex::deserialize(deserializer).map(Self)
    }
}

/// What seals a record and all before it: HMAC-SHA-256.
#[derive(Clone, Copy)]
pub(crate) struct Mac([u8; 32]);

impl Mac {
    /// Before the first record of a chain there is none.
    pub(crate) const NONE: Self = Self([0; 32]);
    /// In hexadecimal digits.
    pub(crate) const DIGITS: usize = 64;
}

/// In constant time, as it may be compared with one that somebody made up.
impl PartialEq for Mac {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Mac {}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        hex::deserialize(deserializer).map(Self)
    }
}
