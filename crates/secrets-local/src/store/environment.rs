use std::fmt;
use std::io;
use std::sync::Arc;

use secrets_core::{Clock, SystemClock};

use super::fs::{FileSystem, OsFileSystem};

/// Where random bytes come from: keys, nonces, version ids, names of temporary files.
pub trait Entropy: fmt::Debug + Send + Sync + 'static {
    /// Fills the buffer with bytes that nobody can guess.
    ///
    /// # Errors
    /// When the source fails; nothing is written to a store then.
    fn fill(&self, buffer: &mut [u8]) -> io::Result<()>;
}

/// The generator of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, buffer: &mut [u8]) -> io::Result<()> {
        getrandom::fill(buffer).map_err(io::Error::from)
    }
}

/// What a store takes from outside: files, time and randomness.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The file system.
    pub files: Arc<dyn FileSystem>,
    /// The clock for creation times, validity and the windows of deletions.
    pub clock: Arc<dyn Clock>,
    /// The source of random bytes.
    pub entropy: Arc<dyn Entropy>,
}

impl Environment {
    /// The operating system's files, clock and generator.
    pub fn system() -> Self {
        Self {
            files: Arc::new(OsFileSystem),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
        }
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self::system()
    }
}
