use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Weak;
use std::time::SystemTime;

use secrets_core::{
    ErrorKind, GetOptions, PageRequest, ProviderId, Secret, SecretFilter, SecretName,
    SecretProvider, SecretRef, SecretValue,
};
use secrets_local::store::{FileStore, StoreErrorKind};
use tokio::sync::Mutex;

use crate::snapshot::config::Snapshot;
use crate::snapshot::entry::{self, Entry};
use crate::snapshot::error::{SnapshotError, SnapshotErrorKind};
use crate::snapshot::status::SnapshotFile;

/// For which providers the file is.
const HEADER: &str = "header";

/// Where the entries stand.
const ENTRIES: &str = "entry/";

type Result<T> = std::result::Result<T, SnapshotError>;

/// The file of a snapshot. It is opened when it is needed.
pub(crate) struct File {
    snapshot: Snapshot,
    header: SecretValue,
    header_name: Option<SecretName>,
    door: Mutex<Door>,
}

enum Door {
    Closed,
    Open(FileStore),
    Refused,
}

/// What is known of an entry of the file.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) confirmed: SystemTime,
    /// Which value it is, where this process wrote it.
    pub(crate) value: Weak<Secret>,
}

/// The entries of the file.
pub(crate) type Contents = HashMap<SecretName, Known>;

impl File {
    pub(crate) fn new(snapshot: Snapshot, ids: &[ProviderId]) -> Self {
        let header = entry::header(ids);
        let header_name = SecretName::new(HEADER).ok();
        Self { snapshot, header, header_name, door: Mutex::new(Door::Closed) }
    }

    /// How it is; closed while it is being opened.
    pub(crate) fn state(&self) -> SnapshotFile {
        match self.door.try_lock().as_deref() {
            Ok(Door::Open(_)) => SnapshotFile::Open,
            Ok(Door::Refused) => SnapshotFile::Refused,
            Ok(Door::Closed) | Err(_) => SnapshotFile::Closed,
        }
    }

    /// The store; `None` where there is none to be had.
    pub(crate) async fn open(&self) -> Result<Option<FileStore>> {
        let mut door = self.door.lock().await;
        match &*door {
            Door::Open(store) => return Ok(Some(store.clone())),
            Door::Refused => return Ok(None),
            Door::Closed => {}
        }
        let opened = self.snapshot.store.clone().open(self.snapshot.unlock.clone()).await;
        let checked = match opened {
            Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(None),
            Err(error) => Err(SnapshotError::store(error)),
            Ok(store) => self.check(&store).await.map(|()| store),
        };
        *door = match &checked {
            Ok(store) => Door::Open(store.clone()),
            Err(error) if error.kind().is_final() => Door::Refused,
            Err(_) => Door::Closed,
        };
        checked.map(Some)
    }

    /// Refuses what is no snapshot of these providers.
    async fn check(&self, store: &FileStore) -> Result<()> {
        let header = self.header_name.as_ref().map(SecretRef::from);
        let Some(header) = header else { return Ok(()) };
        match store.get_secret(&header, GetOptions::default()).await {
            Ok(secret) if secret.value.ct_eq(&self.header) => Ok(()),
            Ok(_) => Err(SnapshotError::new(SnapshotErrorKind::Identity)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Made, and then nothing was written any more; or it is somebody's store.
                let page = store.list_secrets(&SecretFilter::all(), PageRequest::first()).await;
                let page = page.map_err(SnapshotError::secret)?;
                if page.items.is_empty() {
                    return Ok(());
                }
                Err(SnapshotError::new(SnapshotErrorKind::NotASnapshot))
            }
            Err(error) => Err(SnapshotError::secret(error)),
        }
    }

    /// What was tampered with is not looked at any more.
    async fn judge<T>(&self, answer: Result<T>) -> Result<T> {
        if answer.as_ref().is_err_and(|error| error.kind().is_final()) {
            *self.door.lock().await = Door::Refused;
        }
        answer
    }

    /// The entry about a subject, if there is one.
    pub(crate) async fn read(&self, subject: &[u8]) -> Result<Option<Entry>> {
        let Some(store) = self.open().await? else { return Ok(None) };
        let Some(name) = entry::name_of(subject) else { return Ok(None) };
        let read = match store.get_secret(&SecretRef::from(name), GetOptions::default()).await {
            Ok(secret) => entry::decode(subject, &secret.value).map(Some).map_err(|_| integrity()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SnapshotError::secret(error)),
        };
        self.judge(read).await
    }

    /// What the file holds; values are looked at and let go of.
    pub(crate) async fn contents(&self) -> Result<Contents> {
        let Some(store) = self.open().await? else { return Ok(Contents::new()) };
        let contents = contents_of(&store).await;
        self.judge(contents).await
    }

    /// Puts entries in and takes entries out, all at once. The file is made if there is none. Gives
    /// the names of those that are too long, which are taken out; `None` when the file is refused.
    pub(crate) async fn write(
        &self,
        mut changes: Vec<(SecretName, Option<SecretValue>)>,
    ) -> Result<Option<BTreeSet<SecretName>>> {
        let store = match self.open().await? {
            Some(store) => Some(store),
            None => self.create().await?,
        };
        let Some(store) = store else { return Ok(None) };
        let longest = store.capabilities().limits.value_len;
        let mut too_long = BTreeSet::new();
        for (name, value) in &mut changes {
            // What the file has of it is older.
            if value.take_if(|value| value.len() > longest).is_some() {
                too_long.insert(name.clone());
            }
        }
        changes.extend(self.header_name.clone().map(|name| (name, Some(self.header.clone()))));
        let written = store.replace_secrets(changes).await.map_err(SnapshotError::secret);
        self.judge(written).await.map(|()| Some(too_long))
    }

    async fn create(&self) -> Result<Option<FileStore>> {
        let mut door = self.door.lock().await;
        if let Door::Refused = *door {
            return Ok(None);
        }
        let created = self.snapshot.store.clone().create(self.snapshot.unlock.clone()).await;
        let store = created.map_err(SnapshotError::store)?;
        *door = Door::Open(store.clone());
        Ok(Some(store))
    }
}

async fn contents_of(store: &FileStore) -> Result<Contents> {
    let (mut contents, mut page) = (Contents::new(), PageRequest::first());
    loop {
        let found = store.list_secrets(&SecretFilter::prefix(ENTRIES), page.clone()).await;
        let found = found.map_err(SnapshotError::secret)?;
        let names: Vec<_> = found.items.iter().filter_map(|info| info.reference.name()).collect();
        let wanted = names.iter().map(|&name| (SecretRef::from(name), GetOptions::default()));
        let wanted: Vec<_> = wanted.collect();
        let read = store.get_secrets(&wanted).await.map_err(SnapshotError::secret)?;
        for (name, secret) in names.into_iter().zip(read) {
            let secret = match secret {
                // Another process took it out in between.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                secret => secret.map_err(SnapshotError::secret)?,
            };
            let confirmed = entry::confirmed(&secret.value).map_err(|_| integrity())?;
            contents.insert(name.clone(), Known { confirmed, value: Weak::new() });
        }
        let Some(next) = found.next else { return Ok(contents) };
        page.token = Some(next);
    }
}

fn integrity() -> SnapshotError {
    SnapshotError::new(SnapshotErrorKind::Integrity)
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("state", &self.state()).finish_non_exhaustive()
    }
}
