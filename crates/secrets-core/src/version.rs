use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::{Error, ErrorKind, Result};
use crate::metadata::Tags;
use crate::options::Etag;

/// The longest version id in bytes; the clouds' are 32 to 64.
const MAX_ID_LEN: usize = 512;

/// The id of a version: opaque, minted by the provider.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionId(Arc<str>);

impl VersionId {
    /// Takes an id as a provider gave it.
    ///
    /// # Errors
    /// `InvalidValue` when it is empty, longer than 512 bytes, or has a character that is not
    /// graphic ASCII (an id that could escape a path or a header).
    pub fn new(id: &str) -> Result<Self> {
        let sound =
            (1..=MAX_ID_LEN).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        if !sound {
            return Err(Error::new(ErrorKind::InvalidValue, "not a version id"));
        }
        Ok(Self(id.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A role that a version plays (AWS: a staging label).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Stage {
    /// What a plain read returns.
    Current = 1,
    /// What was current before.
    Previous = 2,
    /// Written and not yet tested: no plain reader sees it.
    Pending = 4,
}

/// The stages of one version.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct StageSet(u8);

impl StageSet {
    /// No stage.
    pub const EMPTY: Self = Self(0);

    /// This set and one more stage.
    #[must_use]
    pub const fn with(self, stage: Stage) -> Self {
        Self(self.0 | stage as u8)
    }

    /// This set without a stage.
    #[must_use]
    pub const fn without(self, stage: Stage) -> Self {
        Self(self.0 & !(stage as u8))
    }

    /// True when the version plays this role.
    pub const fn contains(self, stage: Stage) -> bool {
        self.0 & stage as u8 != 0
    }

    /// True when the version plays no role.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The stages, current first.
    pub fn iter(self) -> impl Iterator<Item = Stage> {
        let all = [Stage::Current, Stage::Previous, Stage::Pending];
        all.into_iter().filter(move |stage| self.contains(*stage))
    }
}

impl FromIterator<Stage> for StageSet {
    fn from_iter<I: IntoIterator<Item = Stage>>(stages: I) -> Self {
        stages.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for StageSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Which version to read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum VersionSelector {
    /// The current one.
    #[default]
    Current,
    /// The one that was current before.
    Previous,
    /// The one that is written and not yet promoted.
    Pending,
    /// Exactly this one.
    Id(VersionId),
}

/// Which stage a write creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriteStage {
    /// The new version is current at once.
    #[default]
    Current,
    /// The new version waits for [`promote`](crate::SecretProvider::promote).
    Pending,
}

/// Whether a version can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum VersionState {
    /// It can.
    Enabled,
    /// It cannot until it is enabled again.
    Disabled,
    /// Its value is gone for good.
    Destroyed,
    /// It never had a value (AWS: `AWSPENDING` made by a rotation that has not set it yet).
    Empty,
}

/// What is known of a version, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionInfo {
    /// The id.
    pub id: VersionId,
    /// Whether it can be read.
    pub state: VersionState,
    /// Its roles.
    pub stages: StageSet,
    /// When it was written, by the backend's clock; where a backend does not tell, when it was
    /// first seen.
    pub created: SystemTime,
    /// When its value will be destroyed, where that is scheduled.
    pub destroy_at: Option<SystemTime>,
    /// It is not to be used before this time.
    pub not_before: Option<SystemTime>,
    /// It is not to be used from this time on.
    pub expires: Option<SystemTime>,
    /// The guard for conditional changes of this version, where the backend has one.
    pub etag: Option<Etag>,
    /// Shared, since a cache clones this at every read; `None` where there are none.
    tags: Option<Arc<Tags>>,
}

impl VersionInfo {
    /// An enabled version without stages and without bounds of validity.
    pub fn new(id: VersionId, created: SystemTime) -> Self {
        Self {
            id,
            state: VersionState::Enabled,
            stages: StageSet::EMPTY,
            created,
            destroy_at: None,
            not_before: None,
            expires: None,
            etag: None,
            tags: None,
        }
    }

    /// The same with these stages.
    #[must_use]
    pub fn with_stages(mut self, stages: StageSet) -> Self {
        self.stages = stages;
        self
    }

    /// The same with these tags.
    #[must_use]
    pub fn with_tags(mut self, tags: Tags) -> Self {
        self.tags = (!tags.is_empty()).then(|| Arc::new(tags));
        self
    }

    /// Its tags, where versions carry them ([`Capabilities::tags_scope`](crate::Capabilities));
    /// none where the secret does, whose tags [`SecretInfo`](crate::SecretInfo) tells.
    pub fn tags(&self) -> &Tags {
        static NONE: Tags = Tags::new();
        self.tags.as_deref().unwrap_or(&NONE)
    }

    /// Checks the bounds of validity: `not_before <= now < expires`.
    ///
    /// # Errors
    /// `NotYetValid` or `Expired`.
    pub fn check_validity(&self, now: SystemTime) -> Result<()> {
        if self.not_before.is_some_and(|start| now < start) {
            return Err(Error::new(ErrorKind::NotYetValid, "the version is not valid yet"));
        }
        if self.expires.is_some_and(|end| now >= end) {
            return Err(Error::new(ErrorKind::Expired, "the version has expired"));
        }
        Ok(())
    }
}
