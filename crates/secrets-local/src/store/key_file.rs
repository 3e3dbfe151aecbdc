use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrets_core::SecretValue;

use super::crypto::{KEY_LEN, SymmetricKey};
use super::environment::Environment;
use super::error::{Result, StoreError, StoreErrorKind};
use super::file::{self, Place, Target};
use super::fs::FileStat;

/// Write permission of group and others.
pub(crate) const OTHERS_WRITE: u32 = 0o022;
/// Read permission of group and others.
const OTHERS_READ: u32 = 0o044;

/// The key of a store from a file: exactly 32 random bytes, as they are.
///
/// A file that group or others can write is refused, and one that belongs to another user than root
/// and the one this process runs as (the effective one): its owner knows the key, and can change
/// it. A file that others can read is noted as a [`Warning`], since that is how Kubernetes mounts a
/// secret (as root's). Links are followed for the same reason.
#[derive(Clone)]
pub struct KeyFile(Arc<Inner>);

struct Inner {
    key: SymmetricKey,
    warnings: Vec<Warning>,
}

/// Something about a store's surroundings that works and deserves attention.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Group or others can read the key file.
    KeyFileReadable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// No high-water mark was found in the state folder: this store was opened with it for the
    /// first time, or the mark was taken away. A roll-back before now could not be noticed.
    NoHighWaterMark {
        /// Where the mark is kept from now on.
        path: PathBuf,
    },
    /// Group or others can write the state folder: whoever puts an old store back can put the mark of
    /// its time back with it. A folder in which everybody can only replace what is theirs (as `/tmp`)
    /// is not meant.
    StateFolderWritable {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyFileReadable { path, mode } => {
                write!(f, "others can read the key file `{}` (mode {mode:04o})", path.display())
            }
            Self::NoHighWaterMark { path } => {
                write!(f, "no high-water mark at `{}`: it starts now", path.display())
            }
            Self::StateFolderWritable { path, mode } => {
                write!(
                    f,
                    "others can write the state folder `{}` (mode {mode:04o})",
                    path.display()
                )
            }
        }
    }
}

impl KeyFile {
    /// Reads a key file.
    ///
    /// # Errors
    /// [`KeyFile`](StoreErrorKind::KeyFile) when others can write it, another user owns it, or it has another size;
    /// [`NotFound`](StoreErrorKind::NotFound), [`NotAStore`](StoreErrorKind::NotAStore) for a
    /// folder or a pipe, and what the operating system refuses.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Self::read_in(&Environment::system(), path.as_ref())
    }

    /// Reads a key file of a given environment.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_in(environment: &Environment, path: &Path) -> Result<Self> {
        let (file, stat) = file::open(&*environment.files, path)?;
        let warnings = check(&stat, path)?;
        let key = SymmetricKey::filled(|bytes| {
            file.read_exact_at(bytes, 0).map_err(|error| StoreError::io("read", path, error))
        })?;
        Ok(Self(Arc::new(Inner { key, warnings })))
    }

    /// Creates a key file with a new random key, readable by its owner alone. The folder must
    /// exist.
    ///
    /// # Errors
    /// [`AlreadyExists`](StoreErrorKind::AlreadyExists) when there is a file, and what the
    /// operating system refuses.
    pub fn generate(path: impl AsRef<Path>) -> Result<Self> {
        Self::generate_in(&Environment::system(), path.as_ref())
    }

    /// Creates a key file in a given environment.
    ///
    /// # Errors
    /// As [`generate`](Self::generate).
    pub fn generate_in(environment: &Environment, path: &Path) -> Result<Self> {
        let key = SymmetricKey::random(&*environment.entropy)?;
        let target = Target::new(&*environment.files, path)?;
        file::write_exactly(environment, &target, Place::Empty, key.as_bytes())?.durable?;
        Ok(Self(Arc::new(Inner { key, warnings: Vec::new() })))
    }

    /// Takes a key that was read from elsewhere: exactly 32 random bytes.
    ///
    /// # Errors
    /// [`KeyFile`](StoreErrorKind::KeyFile) when it has another size.
    pub fn from_value(key: &SecretValue) -> Result<Self> {
        let key = SymmetricKey::from_slice(key.expose_secret()).ok_or_else(|| {
            let message = format!("a key has exactly {KEY_LEN} bytes, not {}", key.len());
            StoreError::new(StoreErrorKind::KeyFile, message)
        })?;
        Ok(Self(Arc::new(Inner { key, warnings: Vec::new() })))
    }

    /// What deserves attention about the file.
    pub fn warnings(&self) -> &[Warning] {
        &self.0.warnings
    }

    pub(crate) fn key(&self) -> &SymmetricKey {
        &self.0.key
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile").field("warnings", &self.0.warnings).finish_non_exhaustive()
    }
}

fn check(stat: &FileStat, path: &Path) -> Result<Vec<Warning>> {
    let refuse = |why: String| {
        Err(StoreError::new(StoreErrorKind::KeyFile, format!("`{}` {why}", path.display())))
    };
    let (mode, owner) = (stat.mode & 0o777, stat.owner);
    if !is_trusted(owner) {
        return refuse(format!(
            "belongs to user {owner}: use one of root or of the user that this process runs as"
        ));
    }
    if mode & OTHERS_WRITE != 0 {
        return refuse(format!("can be written by others (mode {mode:04o}): use 0600 or 0400"));
    }
    if stat.stamp.len != KEY_LEN as u64 {
        return refuse(format!("has {} bytes where a key has exactly {KEY_LEN}", stat.stamp.len));
    }
    if mode & OTHERS_READ != 0 {
        return Ok(vec![Warning::KeyFileReadable { path: path.to_owned(), mode }]);
    }
    Ok(Vec::new())
}

/// Root can do anything anyway; anybody else could have chosen the key, or choose another.
#[cfg(unix)]
fn is_trusted(owner: u32) -> bool {
    owner == 0 || owner == rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn is_trusted(_owner: u32) -> bool {
    true
}
