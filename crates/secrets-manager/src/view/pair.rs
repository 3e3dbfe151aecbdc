use std::fmt;

use secrets_core::SecretValue;

use crate::rules::pem_fault;
use crate::view::error::{ViewError, ViewFault};

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
const KEY: &str = "PRIVATE KEY";
const CERTIFICATE: &str = "CERTIFICATE";

/// A private key with its certificate chain, each as PEM (RFC 7468).
pub struct KeyPair {
    key: SecretValue,
    label: Box<str>,
    chain: SecretValue,
    certificates: usize,
}

impl KeyPair {
    pub(crate) fn parse(value: &SecretValue) -> Result<Self, ViewError> {
        let wrong = |fault| Err(ViewError::new(fault));
        if let Some(fault) = pem_fault(value.expose_secret(), &[]) {
            return wrong(ViewFault::Pem(fault));
        }
        let text = std::str::from_utf8(value.expose_secret());
        let text = text.map_err(|_| ViewError::new(ViewFault::NotText))?;
        let (mut keys, mut certificates) = (Vec::new(), Vec::new());
        for (label, block) in blocks(text) {
            if label.ends_with(KEY) {
                keys.push((label, block));
            } else if label == CERTIFICATE {
                certificates.push(block);
            }
        }
        let (label, key) = match keys.as_slice() {
            [key] => *key,
            [] => return wrong(ViewFault::NoKey),
            _ => return wrong(ViewFault::SeveralKeys),
        };
        if certificates.is_empty() {
            return wrong(ViewFault::NoCertificate);
        }
        let chain = certificates.iter().flat_map(|block| [block.as_bytes(), b"\n"]);
        let chain: Vec<u8> = chain.flatten().copied().collect();
        Ok(Self {
            key: SecretValue::copy_from_slice(key.as_bytes()),
            label: label.into(),
            chain: SecretValue::from_vec(chain),
            certificates: certificates.len(),
        })
    }

    /// The private key, one block of PEM.
    #[must_use]
    pub fn private_key(&self) -> &SecretValue {
        &self.key
    }

    /// What the key's block is called: `PRIVATE KEY` for PKCS #8.
    #[must_use]
    pub fn key_label(&self) -> &str {
        &self.label
    }

    /// The certificates in their order, as PEM.
    #[must_use]
    pub fn certificate_chain(&self) -> &SecretValue {
        &self.chain
    }

    /// How many certificates there are.
    #[must_use]
    pub const fn certificates(&self) -> usize {
        self.certificates
    }
}

/// The blocks of a text that was looked at: each ends with the label that it began with.
fn blocks(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let begin = boundary(rest, BEGIN)?;
        let (_, block) = rest.split_at_checked(begin)?;
        let label = block.strip_prefix(BEGIN)?.lines().next()?.trim_end().strip_suffix(DASHES)?;
        let end = boundary(block, END)?;
        let (_, last) = block.split_at_checked(end)?;
        let len = end + last.lines().next()?.trim_end().len();
        let (block, after) = block.split_at_checked(len)?;
        rest = after;
        Some((label, block))
    })
}

/// Where the first line is that starts so.
fn boundary(text: &str, start: &str) -> Option<usize> {
    let mut found = text.match_indices(start).map(|(at, _)| at);
    found.find(|at| *at == 0 || text.as_bytes().get(at - 1) == Some(&b'\n'))
}

/// Shows what is in it, not the key.
impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("key_label", &self.label)
            .field("certificates", &self.certificates)
            .finish_non_exhaustive()
    }
}
