//! Reading what the kernel shows as files.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::system;
use crate::metric::SourceError;

/// Bytes of a file.
const LONGEST: u64 = 1024 * 1024;

/// One round of reading, and the first thing that went wrong.
#[derive(Debug)]
pub(super) struct Look<'r> {
    root: &'r Path,
    failure: Option<SourceError>,
}

impl<'r> Look<'r> {
    /// Paths begin at `root`, which is `/` but for tests and for who looks at a host from within a container.
    pub(super) const fn at(root: &'r Path) -> Self {
        Self { root, failure: None }
    }

    fn path(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The text of a file, if it is there.
    pub(super) fn read(&mut self, path: impl AsRef<Path>) -> Option<String> {
        let path = path.as_ref();
        let mut bytes = Vec::new();
        let read = File::open(self.path(path))
            .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
        match read {
            Ok(length) if length as u64 > LONGEST => {
                self.fail(path, "it is longer than 1 MiB");
                None
            }
            // The name of a program or a device may be anything.
            Ok(_) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => {
                self.failed(path, error);
                None
            }
        }
    }

    /// What is made of the text of a file, if it is there. A text of which nothing can be made is a failure.
    pub(super) fn parse<T>(
        &mut self,
        path: impl AsRef<Path>,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let path = path.as_ref();
        let text = self.read(path)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.fail_to_understand(path);
        }
        parsed
    }

    /// Notes that nothing can be made of what was read.
    pub(super) fn fail_to_understand(&mut self, path: impl AsRef<Path>) {
        self.fail(path.as_ref(), "it is not as the kernel writes it");
    }

    /// The same of a file that holds a single number.
    pub(super) fn number(&mut self, path: impl AsRef<Path>) -> Option<f64> {
        self.parse(path, |text| number(text.trim_end()))
    }

    /// Opens what is read in parts.
    pub(super) fn open(&mut self, path: impl AsRef<Path>) -> Option<File> {
        let path = path.as_ref();
        File::open(self.path(path)).map_err(|error| self.failed(path, error)).ok()
    }

    /// The names in a folder, if it is there.
    pub(super) fn names(&mut self, path: impl AsRef<Path>) -> Option<Vec<String>> {
        let path = path.as_ref();
        let listed = fs::read_dir(self.path(path)).and_then(|entries| {
            entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
        });
        listed.map_err(|error| self.failed(path, error)).ok()
    }

    /// How many entries a folder has, by its size where that says it (`/proc/<pid>/fd` since Linux 6.2).
    pub(super) fn entries(&mut self, path: impl AsRef<Path>) -> Option<Entries> {
        let path = path.as_ref();
        let found = self.path(path);
        let counted = fs::metadata(&found).and_then(|told| match told.len() {
            // A file system that is none of `/proc` has sizes of its own.
            size if size > 0 && self.root == Path::new("/") => Ok(Entries::Told(size)),
            _ => fs::read_dir(found).map(|entries| Entries::Listed(entries.count() as u64)),
        });
        counted.map_err(|error| self.failed(path, error)).ok()
    }

    /// How much room there is.
    pub(super) fn space(&mut self, path: &Path) -> Option<system::Space> {
        system::space(&self.path(path)).map_err(|error| self.failed(path, error)).ok()
    }

    /// How often this process gave its processors away and had to, unless it is looked for elsewhere.
    pub(super) fn context_switches(&mut self) -> Option<[f64; 2]> {
        if self.root != Path::new("/") {
            return None;
        }
        let told = system::context_switches();
        told.map_err(|error| self.failed(Path::new("getrusage"), error)).ok()
    }

    /// Whether there is such a file or folder.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.path(path).exists()
    }

    fn failed(&mut self, path: &Path, error: io::Error) {
        if !system::is_absent(&error) {
            self.fail(path, error);
        }
    }

    /// Notes that something could not be read, unless something was noted before.
    pub(super) fn fail(
        &mut self,
        path: &Path,
        reason: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) {
        self.failure.get_or_insert_with(|| {
            SourceError::new(format!("cannot read `{}`", path.display())).because(reason)
        });
    }

    /// What went wrong first.
    pub(super) fn finish(self) -> Result<(), SourceError> {
        self.failure.map_or(Ok(()), Err)
    }
}

/// How many entries a folder has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entries {
    /// The kernel said it.
    Told(u64),
    /// They were listed; whoever lists its own descriptors has one more meanwhile.
    Listed(u64),
}

/// A number as the kernel writes those that are not below zero; nothing that does not fit 64 bits.
pub(super) fn number(text: &str) -> Option<f64> {
    // Rust's own reader takes a sign.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<u64>().ok().filter(|_| is_number).map(|number| number as f64)
}

/// The number after a name in a text of lines `name value`.
pub(super) fn named(text: &str, name: &str) -> Option<f64> {
    let mut lines = text.lines().map(str::split_ascii_whitespace);
    lines.find_map(|mut words| (words.next()? == name).then(|| number(words.next()?))?)
}
