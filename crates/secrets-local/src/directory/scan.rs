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
    Io(io::Error),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Looks for the files under `root`, and notes the links of the mounts on the way. What vanishes
/// meanwhile is left out.
pub(super) fn scan(root: &Path, links: &mut Links) -> Result<Scan, ScanError> {
    let mut scan = Scan::default();
    let mut folders = vec![Folder { path: String::new(), line: vec![fs::canonicalize(root)?] }];
    let (mut seen, mut entered) = (0, 0);
    while let Some(folder) = folders.pop() {
        entered += 1;
        folder.line.iter().rev().take(1).for_each(|folder| links.of_mount(folder));
        for entry in folder.entries()? {
            let entry = entry?;
            seen += 1;
            if seen > MAX_ENTRIES || entered > MAX_FOLDERS {
                return Err(ScanError::TooManyEntries);
            }
            match folder.find(root, &entry)? {
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

    fn find(&self, root: &Path, entry: &DirEntry) -> io::Result<Found> {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { return Ok(Found::Unusable) };
        let Some(path) = EntryPath::below(&self.path, name) else { return Ok(Found::Nothing) };
        let kind = match entry.file_type()? {
            kind if kind.is_file() => Kind::File,
            kind if kind.is_dir() => Kind::Folder,
            kind if kind.is_symlink() => match walk::kind(root, &path) {
                Ok(kind) => kind,
                Err(Miss::Absent) => return Ok(Found::Nothing),
                Err(_) => return Ok(Found::Unusable),
            },
            _ => return Ok(Found::Unusable),
        };
        Ok(match kind {
            Kind::File => match (path.reference(), fs::metadata(entry.path())) {
                (Some(reference), Ok(metadata)) => Found::File(reference, metadata),
                (None, _) => Found::Unusable,
                (_, Err(_)) => Found::Nothing,
            },
            Kind::Folder => match fs::canonicalize(entry.path()) {
                Ok(real) => self.enter(path, real).map_or(Found::Nothing, Found::Folder),
                Err(_) => Found::Nothing,
            },
        })
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
