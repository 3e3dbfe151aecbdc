//! What a resource keeps of a password: a salted hash, never the password.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A salted hash of a password: HMAC-SHA256 under a random 16-byte salt.
///
/// A fast hash will do here, since the rotator makes 256-bit random passwords. A resource that takes
/// passwords of people needs Argon2id.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Verifier {
    salt: [u8; 16],
    hash: [u8; 32],
}

impl Verifier {
    /// The verifier of `password` under a fresh salt.
    pub(crate) fn of(password: &[u8]) -> Result<Self, getrandom::Error> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)?;
        Ok(Self { salt, hash: keyed(&salt, password).finalize().into_bytes().into() })
    }

    /// Compares in constant time.
    pub(crate) fn accepts(&self, password: &[u8]) -> bool {
        keyed(&self.salt, password).verify_slice(&self.hash).is_ok()
    }

    /// 96 hexadecimal digits: salt, then hash.
    pub(crate) fn to_hex(&self) -> String {
        let mut hex = String::with_capacity(96);
        for byte in self.salt.iter().chain(&self.hash) {
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }

    /// Reads what [`to_hex`](Self::to_hex) wrote.
    pub(crate) fn from_hex(hex: &str) -> Option<Self> {
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let digits: Vec<u8> = hex.as_bytes().iter().map(digit).collect::<Option<_>>()?;
        let (pairs, []) = digits.as_chunks::<2>() else { return None };
        let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        let (salt, hash) = bytes.split_first_chunk::<16>()?;
        Some(Self { salt: *salt, hash: hash.try_into().ok()? })
    }
}

fn keyed(salt: &[u8; 16], password: &[u8]) -> Hmac<Sha256> {
    // A key shorter than a block counts as filled up with zeros (RFC 2104, section 2).
    let block: [u8; 64] = std::array::from_fn(|at| salt.get(at).copied().unwrap_or_default());
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    mac.update(password);
    mac
}

#[cfg(test)]
mod tests {
    use super::Verifier;

    #[test]
    fn accepts_its_password_alone_and_survives_the_wire() {
        let verifier = Verifier::of(b"correct horse").unwrap();
        let read = Verifier::from_hex(&verifier.to_hex()).unwrap();
        assert!(read.accepts(b"correct horse"));
        assert!(!read.accepts(b"correct horsf"));
        assert!(!read.accepts(b""));
    }

    #[test]
    fn refuses_what_is_not_a_verifier() {
        for text in ["", "00", "zz", &"0".repeat(95), &"0".repeat(98), &"+f".repeat(48), "ä"] {
            assert!(Verifier::from_hex(text).is_none(), "{text}");
        }
    }
}
