//! The folder behind the provider, for work on threads that may block.

use std::fs;

use secrets_core::{
    Effect, Error, ErrorKind, Health, InvalidName, Result, Secret, SecretInfo, SecretValue,
};

use crate::file::{self, ReadError, Stamp, io_error};
use crate::mount::{self, Links};
use crate::permissions;
use crate::version::VersionIds;
use crate::watch::Snapshot;

use super::config::DirectoryConfig;
use super::entry_path::EntryPath;
use super::scan::{Scan, ScanError, scan};
use super::walk::{self, Miss};

#[derive(Debug)]
pub(super) struct Backend {
    pub(super) config: DirectoryConfig,
    pub(super) versions: VersionIds,
}

impl Backend {
    pub(super) fn secret(&self, path: &EntryPath) -> Result<Secret> {
        let read = self.read(path).or_else(|_| {
            // What was read is whole, whatever was swapped meanwhile; what is missing may be behind.
            let look = |links: &mut Links| {
                self.note(path, links);
                self.read(path)
            };
            mount::settled(look, |read| read.is_ok()).ok_or_else(|| self.unsettled())?
        });
        read.map_err(|miss| self.error(path, miss))
    }

    /// All of them from one side of a swap.
    pub(super) fn secrets(&self, paths: &[Result<EntryPath>]) -> Result<Vec<Result<Secret>>> {
        let look = |links: &mut Links| -> Vec<Result<Secret>> {
            paths.iter().flatten().for_each(|path| self.note(path, links));
            let read = |path: &Result<EntryPath>| match path {
                Ok(path) => self.read(path).map_err(|miss| self.error(path, miss)),
                Err(error) => Err(error.clone()),
            };
            paths.iter().map(read).collect()
        };
        mount::settled(look, |_| false).ok_or_else(|| self.unsettled())
    }

    pub(super) fn list(&self) -> Result<Vec<SecretInfo>> {
        let infos = self.scan()?.files.into_iter().map(|(reference, metadata)| {
            let mut info = SecretInfo::new(reference);
            info.updated = metadata.modified().ok();
            info
        });
        Ok(infos.collect())
    }

    /// The stamps of all files, and under `None` that of the link that they are swapped by.
    pub(super) fn look(&self) -> Snapshot {
        let root = &self.config.root;
        let stamps = |links: &mut Links| {
            links.on_the_way_to(root);
            let scan = scan(root, links);
            (scan, fs::symlink_metadata(root.join(mount::DATA_LINK)).ok())
        };
        let seen = mount::settled(stamps, |_| false);
        let (Some(Ok(scan)), link) = seen.unzip() else {
            // What cannot be listed can still tell that files came and went.
            let folder = fs::metadata(root).ok();
            return folder.map(|folder| (None, Stamp::of(&folder))).into_iter().collect();
        };
        let files = scan.files.into_iter().map(|(reference, file)| (Some(reference), file));
        let all = files.chain(link.flatten().map(|link| (None, link)));
        all.map(|(key, metadata)| (key, Stamp::of(&metadata))).collect()
    }

    pub(super) fn health(&self) -> Health {
        let root = self.config.root.display();
        let metadata = match fs::metadata(&self.config.root) {
            Ok(metadata) if metadata.is_dir() => metadata,
            Ok(_) => return Health::unhealthy(format!("`{root}` is not a folder")),
            Err(error) => {
                let finding = format!("`{root}` cannot be found: {}", error.kind());
                return Health::unhealthy(finding);
            }
        };
        let found = match self.scan() {
            Ok(found) => found,
            Err(error) => return Health::unhealthy(error.to_string()),
        };
        let mut findings = Vec::new();
        if permissions::of_others(&metadata) == Some("write") {
            findings.push(format!("others can write to the folder `{root}`"));
        }
        findings.extend(writable_by_others(&found));
        if found.unusable > 0 {
            findings.push(format!("{} entries cannot be read as secrets", found.unusable));
        }
        match &*findings {
            [] => Health::healthy(),
            findings => Health::degraded(findings.join("; ")),
        }
    }

    fn read(&self, path: &EntryPath) -> Result<Secret, Failure> {
        let file = walk::open(&self.config.root, path)?;
        let contents = file::read_open(file, self.config.value_limit)?;
        let bytes = self.config.trailing_newline.apply(contents.bytes);
        let version = self.versions.current(path.as_str(), &bytes, contents.modified)?;
        Ok(Secret::new(SecretValue::copy_from_slice(&bytes), version))
    }

    /// Notes what a file is reached by.
    fn note(&self, path: &EntryPath, links: &mut Links) {
        links.on_the_way_to(&self.config.root.join(path.as_str()));
    }

    fn scan(&self) -> Result<Scan> {
        let look = |links: &mut Links| {
            links.on_the_way_to(&self.config.root);
            scan(&self.config.root, links)
        };
        let scan = mount::settled(look, |_| false).ok_or_else(|| self.unsettled())?;
        scan.map_err(|error| self.not_listed(error))
    }

    fn unsettled(&self) -> Error {
        let root = self.config.root.display();
        let message = format!("the files of `{root}` were swapped again and again");
        Error::new(ErrorKind::Unavailable, message).with_effect(Effect::NotApplied)
    }

    fn error(&self, path: &EntryPath, failure: Failure) -> Error {
        let shown = path.as_str();
        match failure {
            Failure::Other(error) => error,
            Failure::Miss(Miss::Root(error)) => {
                io_error(format!("cannot open the folder `{}`", self.config.root.display()), error)
            }
            Failure::Miss(Miss::Absent) => {
                Error::new(ErrorKind::NotFound, format!("there is no file `{shown}`"))
            }
            Failure::Miss(Miss::LeadsOut) => {
                let reason = "a symbolic link leads out of the folder";
                InvalidName::NotUsable { reason }.into()
            }
            Failure::Miss(Miss::Links) => {
                InvalidName::NotUsable { reason: "too many symbolic links" }.into()
            }
            Failure::Miss(Miss::File(error)) => {
                error.of(&format!("`{shown}`"), self.config.value_limit)
            }
        }
    }

    fn not_listed(&self, error: ScanError) -> Error {
        let root = self.config.root.display();
        match error {
            ScanError::TooManyEntries => {
                let message =
                    format!("the folder `{root}` has too many entries or folders to list");
                Error::new(ErrorKind::TooLarge, message)
            }
            ScanError::Io { folder, error } => {
                let folder = self.config.root.join(folder);
                let shown = folder.components().as_path().display();
                io_error(format!("cannot list the folder `{shown}`"), error)
            }
        }
    }
}

/// Why a secret cannot be read.
enum Failure {
    Miss(Miss),
    Other(Error),
}

impl From<Miss> for Failure {
    fn from(miss: Miss) -> Self {
        Self::Miss(miss)
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Folder => Self::Miss(Miss::Absent),
            error => Self::Miss(Miss::File(error)),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

fn writable_by_others(found: &Scan) -> Option<String> {
    let is_writable = |metadata| permissions::of_others(metadata) == Some("write");
    let mut writable = found.files.iter().filter(|(_, metadata)| is_writable(metadata));
    let (first, _) = writable.next()?;
    match writable.count() {
        0 => Some(format!("others can write to `{first}`")),
        more => Some(format!("others can write to `{first}` and {more} more files")),
    }
}
