//! The ciphertext that `Encrypt` and the data-key operations hand out.
//!
//! AWS does not document its form, so this one is the double's own. It names the key and the material, since `Decrypt` of AWS
//! needs no `KeyId`, and is sealed as a whole: any changed byte is `InvalidCiphertextException`, the names included.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;

/// What the ciphertexts of AWS begin with (base64 `AQICA`…).
const MARK: [u8; 3] = [1, 2, 2];
const SEAL: usize = 32;
const MATERIAL: usize = 64;

/// A ciphertext, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Blob<'a> {
    /// The ARN of the key.
    pub(super) key: &'a str,
    /// Which of its materials.
    pub(super) material: &'a str,
    /// The nonce, the ciphertext and its tag.
    pub(super) sealed: &'a [u8],
}

impl<'a> Blob<'a> {
    /// The bytes: mark, length of the ARN, ARN, material, sealed part, and a code over all of it.
    pub(super) fn write(&self, seal: &hmac::Key) -> Option<Vec<u8>> {
        let length = u8::try_from(self.key.len()).ok()?;
        let mut bytes = MARK.to_vec();
        bytes.push(length);
        bytes.extend_from_slice(self.key.as_bytes());
        bytes.extend_from_slice(self.material.as_bytes());
        bytes.extend_from_slice(self.sealed);
        let code = hmac::sign(seal, &bytes);
        bytes.extend_from_slice(code.as_ref());
        Some(bytes)
    }

    /// Takes bytes apart; `None` if the double did not make them so.
    pub(super) fn read(bytes: &'a [u8], seal: &hmac::Key) -> Option<Self> {
        let (body, code) = bytes.split_at_checked(bytes.len().checked_sub(SEAL)?)?;
        hmac::verify(seal, body, code).ok()?;
        let rest = body.strip_prefix(&MARK)?;
        let (length, rest) = rest.split_first()?;
        let (key, rest) = rest.split_at_checked(usize::from(*length))?;
        let (material, sealed) = rest.split_at_checked(MATERIAL)?;
        Some(Self {
            key: std::str::from_utf8(key).ok()?,
            material: std::str::from_utf8(material).ok()?,
            sealed,
        })
    }
}

/// An encryption context as bytes that differ whenever the context does: each name and value with its length before it.
/// No context and an empty one are the same, and so is any order of the pairs (SDK: "order does not matter").
pub(super) fn bind(key: &str, context: &BTreeMap<String, String>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut add = |text: &str| {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    };
    add(key);
    for (name, value) in context {
        add(name);
        add(value);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_byte_is_noticed() {
        let seal = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let material = "a".repeat(64);
        let blob = Blob { key: "arn:k", material: &material, sealed: &[1, 2, 3] };
        let bytes = blob.write(&seal).unwrap();
        assert_eq!(Blob::read(&bytes, &seal), Some(blob));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(Blob::read(&changed, &seal), None, "byte {at}");
            assert_eq!(Blob::read(&bytes[..at], &seal), None, "cut at {at}");
        }
    }

    #[test]
    fn pairs_cannot_be_shifted_into_each_other() {
        let context = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        assert_ne!(bind("k", &context(&[("ab", "c")])), bind("k", &context(&[("a", "bc")])));
        assert_ne!(bind("k", &context(&[])), bind("k", &context(&[("", "")])));
    }
}
