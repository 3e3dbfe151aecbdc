use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::key::Mac;
use super::record::Position;
use super::segment::WriterName;
use crate::blocking;
use crate::error::{Error, ErrorKind, Result};

/// How far a writer's chain had come: what a later cut or change of it is found by.
///
/// It is not secret. It proves something against whoever cannot change it: keep it where those who
/// can write the trail cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Anchor {
    /// Whose chain.
    pub writer: WriterName,
    /// In which segment the record stands.
    pub segment: u64,
    /// Which record.
    pub sequence: u64,
    mac: Mac,
}

impl Anchor {
    pub(crate) fn new(writer: WriterName, at: Position, mac: Mac) -> Self {
        Self { writer, segment: at.segment, sequence: at.sequence, mac }
    }

    pub(crate) const fn mac(&self) -> Mac {
        self.mac
    }

    /// One line of JSON, to keep as text.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`to_json`](Self::to_json) gave.
    ///
    /// # Errors
    /// `Anchor` when it is something else.
    pub fn from_json(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Read {
            writer: String,
            segment: u64,
            sequence: u64,
            mac: Mac,
        }
        let unfit = || Error::new(ErrorKind::Anchor, "what was kept is no anchor");
        let Read { writer, segment, sequence, mac } =
            serde_json::from_str(text).map_err(|_| unfit())?;
        let writer = WriterName::new(&writer).map_err(|_| unfit())?;
        Ok(Self { writer, segment, sequence, mac })
    }
}

/// Keeps the newest anchor of each writer, away from the trail.
#[async_trait]
pub trait AnchorStore: fmt::Debug + Send + Sync + 'static {
    /// Keeps an anchor in place of the writer's last. Returns once it will outlast a crash.
    ///
    /// # Errors
    /// Why it cannot be kept; the records before it are then not acknowledged.
    async fn keep(&self, anchor: &Anchor) -> Result<()>;

    /// The newest anchor of a writer.
    ///
    /// # Errors
    /// Why it cannot be read.
    async fn last(&self, writer: &WriterName) -> Result<Option<Anchor>>;
}

/// Anchors in files of a folder elsewhere: on another file system, of another owner.
#[derive(Debug, Clone)]
pub struct FileAnchors {
    folder: PathBuf,
}

impl FileAnchors {
    /// In this folder, which exists.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// All anchors in the folder, for a verifier.
    ///
    /// # Errors
    /// `Missing`, `Io`; `Anchor` for a file that is none.
    pub fn read_all(&self) -> Result<Vec<Anchor>> {
        let fail =
            |error| Error::io(&format!("list anchors in `{}`", self.folder.display()), error);
        let mut anchors = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if path.extension().is_some_and(|extension| extension == "anchor") {
                anchors.extend(read(&path)?);
            }
        }
        Ok(anchors)
    }

    fn path(&self, writer: &WriterName) -> PathBuf {
        self.folder.join(format!("{writer}.anchor"))
    }
}

#[async_trait]
impl AnchorStore for FileAnchors {
    async fn keep(&self, anchor: &Anchor) -> Result<()> {
        let (path, json) = (self.path(&anchor.writer), anchor.to_json());
        blocking::run(move || replace(&path, &json)).await?
    }

    async fn last(&self, writer: &WriterName) -> Result<Option<Anchor>> {
        let path = self.path(writer);
        blocking::run(move || read(&path)).await?
    }
}

fn read(path: &Path) -> Result<Option<Anchor>> {
    match fs::read_to_string(path) {
        Ok(text) => Anchor::from_json(text.trim_end()).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(&format!("read the anchor `{}`", path.display()), error)),
    }
}

/// The old anchor or the new one is there, whatever happens meanwhile.
fn replace(path: &Path, json: &str) -> Result<()> {
    let fail = |error| Error::io(&format!("keep the anchor `{}`", path.display()), error);
    let temporary = path.with_extension("anchor-new");
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(fail)?;
    writeln!(file, "{json}").and_then(|()| file.sync_all()).map_err(fail)?;
    fs::rename(&temporary, path).map_err(fail)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail)
}
