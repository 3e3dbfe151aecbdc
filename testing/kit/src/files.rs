use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::capture::{Capture, Piece};

/// All files under a folder, with their names: what a service left on the disk.
#[derive(Debug, Clone)]
pub struct Files(Vec<Piece>);

impl Files {
    /// Reads a file, or all files under a folder. Links are not followed.
    ///
    /// # Errors
    /// When something cannot be read: what was not looked at is not known to be clean.
    pub fn under(path: impl AsRef<Path>) -> io::Result<Self> {
        let (mut pieces, mut open) = (Vec::new(), vec![path.as_ref().to_owned()]);
        while let Some(path) = open.pop() {
            let kind = fs::symlink_metadata(&path)?.file_type();
            let place = format!("the file `{}`", path.display());
            if kind.is_dir() {
                let entries: io::Result<Vec<PathBuf>> =
                    fs::read_dir(&path)?.map(|entry| Ok(entry?.path())).collect();
                open.extend(entries?);
            } else if kind.is_file() {
                pieces.push(Piece::new(place, fs::read(&path)?));
            } else if kind.is_symlink() {
                let target = fs::read_link(&path)?;
                pieces.push(Piece::new(place, target.as_os_str().as_encoded_bytes()));
            }
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            pieces.push(Piece::new("the name of a file", name));
        }
        Ok(Self(pieces))
    }
}

impl Capture for Files {
    fn pieces(&self) -> Vec<Piece> {
        self.0.clone()
    }
}
