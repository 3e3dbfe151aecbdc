//! Who may read and write files that hold secrets.

use std::path::{Path, PathBuf};

use crate::lint::code::LintCode;

const DEEPEST: usize = 8;
const MOST: usize = 10_000;

#[derive(Default)]
pub(super) struct Seen {
    pub(super) findings: Vec<(LintCode, PathBuf)>,
    pub(super) looked_at: usize,
    folders: usize,
    is_cut: bool,
}

/// Looks at a file, or at a folder and what is in it.
pub(super) fn look_at(path: &Path) -> Seen {
    let mut seen = Seen::default();
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => seen.folder(path, &metadata, 0),
        Ok(metadata) => seen.file(path, &metadata),
        Err(_) => seen.unreadable(path),
    }
    if seen.is_cut {
        seen.findings.push((LintCode::Incomplete, path.to_owned()));
    }
    seen
}

impl Seen {
    fn unreadable(&mut self, path: &Path) {
        self.looked_at += 1;
        self.findings.push((LintCode::Unreadable, path.to_owned()));
    }

    fn folder(&mut self, path: &Path, metadata: &std::fs::Metadata, depth: usize) {
        self.folders += 1;
        self.add(path, mode::of_folder(metadata));
        let Ok(entries) = std::fs::read_dir(path) else { return self.unreadable(path) };
        let mut entries: Vec<_> =
            entries.flatten().map(|entry| entry.path()).take(MOST + 1).collect();
        entries.sort();
        for path in entries {
            if self.looked_at + self.folders >= MOST {
                self.is_cut = true;
                return;
            }
            let is_link = path.is_symlink();
            match std::fs::metadata(&path) {
                // What a link to a folder leads to is looked at where it lies, if it lies here.
                Ok(metadata) if metadata.is_dir() && is_link => {}
                Ok(metadata) if metadata.is_dir() && depth >= DEEPEST => self.is_cut = true,
                Ok(metadata) if metadata.is_dir() => self.folder(&path, &metadata, depth + 1),
                Ok(metadata) => self.file(&path, &metadata),
                Err(_) => self.unreadable(&path),
            }
        }
    }

    fn file(&mut self, path: &Path, metadata: &std::fs::Metadata) {
        self.looked_at += 1;
        self.add(path, mode::of_file(metadata));
    }

    fn add(&mut self, path: &Path, codes: Vec<LintCode>) {
        self.findings.extend(codes.into_iter().map(|code| (code, path.to_owned())));
    }
}

#[cfg(unix)]
mod mode {
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;

    use super::LintCode;

    pub(super) fn of_file(metadata: &Metadata) -> Vec<LintCode> {
        let mode = metadata.mode();
        let readable = match mode {
            mode if mode & 0o004 != 0 => Some(LintCode::WorldReadable),
            mode if mode & 0o040 != 0 => Some(LintCode::GroupReadable),
            _ => None,
        };
        readable.into_iter().chain(of_folder(metadata)).collect()
    }

    /// A folder may be read: names are no secrets. In one with the sticky bit nobody can replace
    /// what another owns.
    pub(super) fn of_folder(metadata: &Metadata) -> Vec<LintCode> {
        let is_guarded = metadata.is_dir() && metadata.mode() & 0o1000 != 0;
        let is_open = metadata.mode() & 0o022 != 0 && !is_guarded;
        let owners = [0, rustix::process::geteuid().as_raw()];
        let codes = [
            (is_open, LintCode::OthersMayWrite),
            (!owners.contains(&metadata.uid()), LintCode::ForeignOwner),
        ];
        codes.into_iter().filter(|(is_so, _)| *is_so).map(|(_, code)| code).collect()
    }
}

#[cfg(not(unix))]
mod mode {
    use std::fs::Metadata;

    use super::LintCode;

    pub(super) fn of_file(_metadata: &Metadata) -> Vec<LintCode> {
        Vec::new()
    }

    pub(super) fn of_folder(_metadata: &Metadata) -> Vec<LintCode> {
        Vec::new()
    }
}
