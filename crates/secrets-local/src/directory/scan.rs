//! What files there are under a folder.

use std::fs::{self, FileType, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::entry_path::is_part;

/// The most entries that are looked at, and the deepest folder: links can make a small folder look
/// endless.
const MAX_ENTRIES: usize = 100_000;
const MAX_DEPTH: usize = 128;

/// The regular files under a folder.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Their paths under it, joined by `/`.
    pub(super) files: Vec<(String, Metadata)>,
    /// How many entries no reference can be written for, or no read would open.
    pub(super) unusable: usize,
}

/// Why a folder cannot be listed.
#[derive(Debug)]
pub(super) enum ScanError {
    TooManyEntries,
    Io(io::Error),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Looks for the files under `root`. What vanishes meanwhile is left out.
pub(super) fn scan(root: &Path) -> Result<Scan, ScanError> {
    let real = fs::canonicalize(root)?;
    let mut scan = Scan::default();
    let mut folders = vec![Folder { path: String::new(), line: vec![real.clone()] }];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        let Some(current) = folder.line.last() else { continue };
        let entries = match fs::read_dir(current) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder.line.len() > 1 => {
                continue;
            }
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            seen += 1;
            if seen > MAX_ENTRIES {
                return Err(ScanError::TooManyEntries);
            }
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                scan.unusable += 1;
                continue;
            };
            if !is_part(name) {
                continue;
            }
            let path = folder.child(name);
            match find(&entry.path(), entry.file_type()?, &real) {
                Found::File(metadata) => scan.files.push((path, metadata)),
                Found::Folder(inner) => folders.extend(folder.enter(path, inner)),
                Found::Unusable => scan.unusable += 1,
                Found::Gone => {}
            }
        }
    }
    Ok(scan)
}

struct Folder {
    /// Under the root.
    path: String,
    /// The real paths from the root down to this folder, so that a loop is noticed.
    line: Vec<PathBuf>,
}

impl Folder {
    fn child(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) }
    }

    fn enter(&self, path: String, inner: PathBuf) -> Option<Self> {
        if self.line.contains(&inner) || self.line.len() == MAX_DEPTH {
            return None;
        }
        let mut line = self.line.clone();
        line.push(inner);
        Some(Self { path, line })
    }
}

enum Found {
    File(Metadata),
    Folder(PathBuf),
    /// A pipe, a socket, a device, a link that leads out.
    Unusable,
    Gone,
}

fn find(path: &Path, kind: FileType, root: &Path) -> Found {
    let real = if kind.is_symlink() { fs::canonicalize(path) } else { Ok(path.to_owned()) };
    let Ok(real) = real else { return Found::Gone };
    if !real.starts_with(root) {
        return Found::Unusable;
    }
    match fs::symlink_metadata(&real) {
        Ok(metadata) if metadata.is_file() => Found::File(metadata),
        Ok(metadata) if metadata.is_dir() => Found::Folder(real),
        Ok(_) => Found::Unusable,
        Err(_) => Found::Gone,
    }
}
