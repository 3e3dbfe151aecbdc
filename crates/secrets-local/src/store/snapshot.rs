//! One state of a store, open to read.

use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::bytes::Malformed;
use super::crypto::{NotAuthentic, StoreKeys, TAG_LEN, associated_data, same};
use super::environment::Environment;
use super::error::{Result, StoreError, StoreErrorKind};
use super::file;
use super::format::{FIXED_LEN, Header, HeaderStart};
use super::fs::{FileStat, Stamp, StoredFile};
use super::index::{Index, RecordRef};
use super::index_codec::{RecordTable, decode};
use super::mark::Mark;
use super::record::RecordPlace;

/// The domain of the index's associated data.
const INDEX_DOMAIN: &[u8] = b"mainstay index 1";

/// The associated data of the index: the header as it stands in the file.
pub(crate) fn index_aad(header: &[u8]) -> Vec<u8> {
    associated_data(&[INDEX_DOMAIN, header])
}

/// A store's file whose header was read, and nothing opened with a key yet.
pub(crate) struct Locked {
    file: Arc<dyn StoredFile>,
    /// Taken before the file was opened: a change in between is seen as one.
    stamp: Stamp,
    stat: FileStat,
    header_bytes: Vec<u8>,
    header: Header,
}

impl Locked {
    pub(crate) fn open(environment: &Environment, path: &Path) -> Result<Self> {
        let files = &*environment.files;
        let failed = |error| StoreError::io("open", path, error);
        let stamp = files.stat(path).map_err(failed)?.stamp;
        let (file, stat) = file::open(files, path)?;
        Self::of_file(file, stat, stamp, path)
    }

    /// The file's header. `path` is for messages.
    pub(crate) fn of_file(
        file: Arc<dyn StoredFile>,
        stat: FileStat,
        stamp: Stamp,
        path: &Path,
    ) -> Result<Self> {
        let (header_bytes, header) = read_header(&*file, stat.stamp.len)
            .map_err(|error| error.map_io(|error| StoreError::io("read", path, error)))?;
        Ok(Self { file, stamp, stat, header_bytes, header })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Opens the index. The keys are checked against the header's commitment first.
    pub(crate) fn unlock(self, keys: Arc<StoreKeys>) -> Result<Snapshot> {
        let Self { file, stamp, stat, header_bytes, header } = self;
        if !same(keys.commitment(), &header.commitment) {
            return Err(StoreError::integrity(
                "the header is altered: it commits to another data key than its slots hold",
            ));
        }
        let len = usize::try_from(header.index_len).map_err(|_| index_altered())?;
        let mut sealed = Zeroizing::new(Vec::new());
        sealed.try_reserve_exact(len).map_err(|_| {
            StoreError::new(StoreErrorKind::OutOfBounds, "not enough memory for the index")
        })?;
        sealed.resize(len, 0);
        file.read_exact_at(&mut sealed, header.index_offset())
            .map_err(|error| unless_cut(error, "cannot read the index", index_altered))?;
        let (body, tag) = sealed.split_last_chunk_mut::<TAG_LEN>().ok_or_else(index_altered)?;
        keys.index()
            .open_in_place(&header.index_nonce, &index_aad(&header_bytes), body, tag)
            .map_err(|NotAuthentic| index_altered())?;
        let index = decode(body).map_err(|Malformed| index_malformed())?;
        let table = RecordTable::build(&index, header.len(), header.records_len)
            .map_err(|Malformed| index_malformed())?;
        Ok(Snapshot { header, keys, index, table, file, stamp, stat })
    }
}

fn index_altered() -> StoreError {
    StoreError::integrity("the header or the index is altered, or the file was cut or swapped")
}

/// What a failure to read means: that the file is shorter than it says, or that the disk failed,
/// which says nothing about the file.
pub(crate) fn unless_cut(
    error: std::io::Error,
    message: impl Into<std::borrow::Cow<'static, str>>,
    cut: impl FnOnce() -> StoreError,
) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => cut().with_source(error),
        _ => StoreError::os(message, error),
    }
}

fn index_malformed() -> StoreError {
    StoreError::integrity("the index does not have the form of one")
}

/// A failure to read bytes, or what is wrong with them.
enum ReadError {
    Io(std::io::Error),
    Store(StoreError),
}

impl ReadError {
    fn map_io(self, convert: impl FnOnce(std::io::Error) -> StoreError) -> StoreError {
        match self {
            Self::Io(error) => convert(error),
            Self::Store(error) => error,
        }
    }
}

fn read_header(file: &dyn StoredFile, file_len: u64) -> Result<(Vec<u8>, Header), ReadError> {
    let available = usize::try_from(file_len).unwrap_or(usize::MAX);
    let mut bytes = vec![0; FIXED_LEN.min(available)];
    file.read_exact_at(&mut bytes, 0).map_err(ReadError::Io)?;
    let start = HeaderStart::parse(&bytes).map_err(ReadError::Store)?;
    let begun = bytes.len();
    bytes.resize(start.header_len().min(available).max(begun), 0);
    if let Some(rest) = bytes.get_mut(begun..) {
        file.read_exact_at(rest, begun as u64).map_err(ReadError::Io)?;
    }
    let header = Header::parse(&bytes, file_len).map_err(ReadError::Store)?;
    Ok((bytes, header))
}

/// One state of a store. It stays readable when the file is replaced, since it holds it open.
pub(crate) struct Snapshot {
    pub(crate) header: Header,
    pub(crate) keys: Arc<StoreKeys>,
    pub(crate) index: Index,
    pub(crate) table: RecordTable,
    pub(crate) file: Arc<dyn StoredFile>,
    pub(crate) stamp: Stamp,
    pub(crate) stat: FileStat,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot")
            .field("store", &self.header.store)
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl Snapshot {
    pub(crate) fn mark(&self) -> Mark {
        Mark { generation: self.index.generation, index_nonce: self.header.index_nonce }
    }

    /// Reads and opens one record.
    pub(crate) fn read(
        &self,
        place: RecordPlace<'_>,
        record: RecordRef,
    ) -> Result<Zeroizing<Box<[u8]>>> {
        let row = self.table.find(record).ok_or_else(index_malformed)?;
        let len = usize::try_from(row.sealed_len).map_err(|_| index_malformed())?;
        let mut sealed = vec![0; len];
        self.file
            .read_exact_at(&mut sealed, row.offset)
            .map_err(|error| place.unreadable(error))?;
        self.keys.records().open_at(place, &sealed).map_err(|NotAuthentic| place.not_authentic())
    }
}
