//! The `.env` provider.

mod dollar;
mod editing;
mod properties;
mod reading;
mod surroundings;
mod writers;

use std::path::{Path, PathBuf};

use secrets_local::dotenv::{DotenvConfig, DotenvProvider};
use tempfile::TempDir;

/// A `.env` file in a folder of its own.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(text: impl AsRef<[u8]>) -> Self {
        let place = Self { folder: TempDir::new().unwrap() };
        std::fs::write(place.path(), text).unwrap();
        place
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(".env")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    fn provider(&self) -> DotenvProvider {
        provider(&self.path())
    }
}

/// Writers wait as long as it takes, on a slow disk as well.
fn provider(path: &Path) -> DotenvProvider {
    let config = DotenvConfig::new(path).with_lock_timeout(std::time::Duration::from_secs(600));
    DotenvProvider::new(config).unwrap()
}

/// The entries of a text as dotenvy itself reads it; nothing when it refuses the text. White space
/// at the very end, which it refuses by mistake, is ended by a line end.
fn by_dotenvy(text: &str) -> Option<Vec<(String, String)>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    dotenvy::from_read_iter(format!("{text}\n").as_bytes()).collect::<Result<_, _>>().ok()
}
