//! What files there are under a folder.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use secrets_core::SecretRef;

use crate::mount::Links;

use super::entry_path::EntryPath;
use super::walk::{self, Kind, Miss};

/// The most entries and folders that are looked at: links can make a few folders look endless.
const MAX_ENTRIES: usize = 100_000;
const MAX_FOLDERS: usize = 1_000;

/// The files under a folder that can be read as secrets, by their names at least.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) files: Vec<(SecretRef, Metadata)>,
    /// How many entries there are besides: pipes, links that lead out, names that no reference can
    /// be written for.
    pub(super) unusable: usize,
}

/// Why a folder cannot be listed.
#[derive(Debug)]
pub(super) enum ScanError {
    TooManyEntries,
    Io {
        /// The folder under the root; empty for the root.
        folder: String,
        error: io::Error,
    },
}

/// Looks for the files under `root`, and notes the links of the mounts on the way. What vanishes
/// meanwhile is left out.
pub(super) fn scan(root: &Path, links: &mut Links) -> Result<Scan, ScanError> {
    let mut scan = Scan::default();
    let failed = |folder: &str, error| ScanError::Io { folder: folder.to_owned(), error };
    let real = fs::canonicalize(root).map_err(|error| failed("", error))?;
    let mut folders = vec![Folder { path: String::new(), line: vec![real] }];
    let (mut seen, mut entered) = (0, 0);
    while let Some(folder) = folders.pop() {
        let failed = |error| failed(&folder.path, error);
        entered += 1;
        folder.line.iter().rev().take(1).for_each(|folder| links.of_mount(folder));
        for entry in folder.entries().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            seen += 1;
            if seen > MAX_ENTRIES || entered > MAX_FOLDERS {
                return Err(ScanError::TooManyEntries);
            }
            match folder.find(root, &entry) {
                Found::File(reference, metadata) => scan.files.push((reference, metadata)),
                Found::Folder(inner) => folders.push(inner),
                Found::Unusable => scan.unusable += 1,
                Found::Nothing => {}
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

enum Found {
    File(SecretRef, Metadata),
    Folder(Folder),
    Unusable,
    Nothing,
}

impl Folder {
    fn entries(&self) -> io::Result<impl Iterator<Item = io::Result<DirEntry>> + use<>> {
        let entries = self.line.last().map(fs::read_dir).transpose();
        match entries {
            // The root has to be there; another folder may have gone since it was seen.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.line.len() > 1 => {
                Ok(None.into_iter().flatten())
            }
            entries => Ok(entries?.into_iter().flatten()),
        }
    }

    fn find(&self, root: &Path, entry: &DirEntry) -> Found {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { return Found::Unusable };
        let Some(path) = EntryPath::below(&self.path, name) else { return Found::Nothing };
        let kind = match entry.file_type() {
            Ok(kind) if kind.is_file() => Kind::File,
            Ok(kind) if kind.is_dir() => Kind::Folder,
            Ok(kind) if kind.is_symlink() => match walk::kind(root, &path) {
                Ok(kind) => kind,
                Err(Miss::Absent) => return Found::Nothing,
                Err(_) => return Found::Unusable,
            },
            Ok(_) => return Found::Unusable,
            // File systems that do not tell the kind with the name are asked once more.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Nothing,
            Err(_) => return Found::Unusable,
        };
        match kind {
            Kind::File => match (path.reference(), fs::metadata(entry.path())) {
                (Some(reference), Ok(metadata)) => Found::File(reference, metadata),
                (None, _) => Found::Unusable,
                (_, Err(_)) => Found::Nothing,
            },
            Kind::Folder => match fs::canonicalize(entry.path()) {
                Ok(real) => self.enter(path, real).map_or(Found::Nothing, Found::Folder),
                Err(_) => Found::Nothing,
            },
        }
    }

    fn enter(&self, path: EntryPath, real: PathBuf) -> Option<Self> {
        if self.line.contains(&real) {
            return None;
        }
        let mut line = self.line.clone();
        line.push(real);
        Some(Self { path: path.as_str().to_owned(), line })
    }
}
