//! The sealed index in memory: everything about the store but the values.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use secrets_core::{
    Deletion, KeyRef, SecretName, Stage, StageSet, Tags, VersionInfo, VersionState,
};

use super::crypto::{SEALED_OVERHEAD, SymmetricKey};
use super::format::VersionKey;

/// How often the store was written, and how often it was restored from an older copy. Ordered: a
/// restore is newer than every write before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Generation {
    pub(crate) restores: u32,
    pub(crate) writes: u64,
}

impl Generation {
    /// How many restores of older copies were accepted.
    pub fn restores(self) -> u32 {
        self.restores
    }

    /// How many writes went before.
    pub fn writes(self) -> u64 {
        self.writes
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.restores, self.writes)
    }
}

/// The index. Cloning it shares the entries; a transaction copies only those it changes.
#[derive(Clone)]
pub(crate) struct Index {
    pub(crate) generation: Generation,
    /// Authenticates high-water marks and fingerprints idempotency tokens. Random and kept by
    /// `rekey`, so that what was made under the old data key is still known.
    pub(crate) lasting_key: Arc<SymmetricKey>,
    /// The serial of the next record; serials only grow, and records stand in their order.
    pub(crate) next_serial: u64,
    pub(crate) written: SystemTime,
    pub(crate) secrets: BTreeMap<SecretName, Arc<Entry>>,
    pub(crate) keys: BTreeMap<KeyRef, Arc<Entry>>,
}

impl Index {
    pub(crate) fn empty(lasting_key: SymmetricKey, now: SystemTime) -> Self {
        Self {
            generation: Generation::default(),
            lasting_key: Arc::new(lasting_key),
            next_serial: 0,
            written: now,
            secrets: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.secrets.values().chain(self.keys.values()).map(|entry| &**entry)
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("generation", &self.generation)
            .field("secrets", &self.secrets.len())
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

/// A secret, or a wrapping key.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) created: SystemTime,
    /// Of a deleted secret: when it was deleted or, once a write saw that its window had passed, when
    /// that was.
    pub(crate) updated: SystemTime,
    /// Random at each change: the guard for conditional changes of metadata.
    pub(crate) revision: [u8; 8],
    pub(crate) deletion: Option<Deletion>,
    pub(crate) description: Option<Box<str>>,
    pub(crate) tags: Tags,
    pub(crate) labels: Labels,
    /// In the order of their writing.
    pub(crate) versions: Vec<Version>,
}

/// Which versions play which role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    pub(crate) current: Option<VersionKey>,
    pub(crate) previous: Option<VersionKey>,
    pub(crate) pending: Option<VersionKey>,
}

impl Labels {
    pub(crate) fn of(&self, id: VersionKey) -> StageSet {
        [
            (self.current, Stage::Current),
            (self.previous, Stage::Previous),
            (self.pending, Stage::Pending),
        ]
        .into_iter()
        .filter_map(|(label, stage)| (label == Some(id)).then_some(stage))
        .collect()
    }
}

/// One version of a secret or a wrapping key.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) id: VersionKey,
    pub(crate) created: SystemTime,
    pub(crate) content: Content,
    pub(crate) content_type: Option<Box<str>>,
    pub(crate) not_before: Option<SystemTime>,
    pub(crate) expires: Option<SystemTime>,
    pub(crate) token: Option<TokenMark>,
}

/// Whether a version has a value, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Enabled(RecordRef),
    Disabled(RecordRef),
    Destroyed,
}

impl Content {
    pub(crate) fn record(self) -> Option<RecordRef> {
        match self {
            Self::Enabled(record) | Self::Disabled(record) => Some(record),
            Self::Destroyed => None,
        }
    }

    pub(crate) fn state(self) -> VersionState {
        match self {
            Self::Enabled(_) => VersionState::Enabled,
            Self::Disabled(_) => VersionState::Disabled,
            Self::Destroyed => VersionState::Destroyed,
        }
    }
}

/// A record by its serial; where it stands follows from the lengths of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordRef {
    pub(crate) serial: u64,
    /// Of the value; the sealed record is longer by a nonce and a tag.
    pub(crate) value_len: u32,
}

impl RecordRef {
    pub(crate) fn sealed_len(self) -> u64 {
        u64::from(self.value_len) + SEALED_OVERHEAD as u64
    }
}

/// A keyed fingerprint of an idempotency token, and of what was written with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenMark {
    pub(crate) token: [u8; 32],
    pub(crate) content: [u8; 32],
}

impl Entry {
    pub(crate) fn new(now: SystemTime) -> Self {
        Self {
            created: now,
            updated: now,
            revision: [0; 8],
            deletion: None,
            description: None,
            tags: Tags::new(),
            labels: Labels::default(),
            versions: Vec::new(),
        }
    }

    pub(crate) fn version(&self, id: VersionKey) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    pub(crate) fn version_mut(&mut self, id: VersionKey) -> Option<&mut Version> {
        self.versions.iter_mut().find(|version| version.id == id)
    }

    /// True once the window of a deletion has passed: as good as gone, and in time taken out of the
    /// file.
    pub(crate) fn is_past(&self, now: SystemTime) -> bool {
        self.deletion.and_then(|deletion| deletion.purge_at).is_some_and(|at| at <= now)
    }
}

impl Version {
    pub(crate) fn info(&self, labels: &Labels) -> secrets_core::Result<VersionInfo> {
        let mut info = VersionInfo::new(self.id.to_id()?, self.created);
        info.state = self.content.state();
        info.stages = labels.of(self.id);
        info.not_before = self.not_before;
        info.expires = self.expires;
        Ok(info)
    }
}
