//! What tells apart providers over one backend.

#[cfg(any(feature = "dotenv", feature = "directory"))]
use std::path::Path;

#[cfg(any(feature = "env", feature = "dotenv"))]
use secrets_core::SecretName;
use sha2::{Digest, Sha256};

/// So many bytes of a digest: two configurations of one service never meet by chance.
const LEN: usize = 8;

/// What a provider makes of its backend, as far as it is not the usual. Two that can read different
/// values under one name differ in it, since their ids are parts of the keys of caches. Nothing in
/// it is secret.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    parts: Vec<u8>,
}

impl Identity {
    /// Something of the configuration, where it is not the default.
    pub(crate) fn with(mut self, what: &str, value: &[u8]) -> Self {
        for part in [what.as_bytes(), value] {
            self.parts.extend((part.len() as u64).to_le_bytes());
            self.parts.extend(part);
        }
        self
    }

    /// A choice that is not the default.
    pub(crate) fn with_choice(self, choice: &str, is_usual: bool) -> Self {
        if is_usual { self } else { self.with(choice, &[]) }
    }

    #[cfg(any(feature = "env", feature = "dotenv"))]
    pub(crate) fn with_mapping<'m>(
        self,
        mapping: impl IntoIterator<Item = (&'m SecretName, &'m String)>,
    ) -> Self {
        mapping.into_iter().fold(self, |identity, (name, variable)| {
            identity.with(name.as_str(), variable.as_bytes())
        })
    }

    /// The bytes of a path that its text does not tell.
    #[cfg(any(feature = "dotenv", feature = "directory"))]
    pub(crate) fn with_path(self, path: &Path) -> Self {
        match path.to_str() {
            Some(_) => self,
            None => self.with("path", path.as_os_str().as_encoded_bytes()),
        }
    }

    /// Empty for the usual, otherwise 16 hexadecimal digits.
    pub(crate) fn text(&self) -> String {
        if self.parts.is_empty() {
            return String::new();
        }
        let digest = Sha256::digest(&self.parts);
        digest.iter().take(LEN).map(|byte| format!("{byte:02x}")).collect()
    }
}
