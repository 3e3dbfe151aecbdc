use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::options::Etag;
use crate::reference::SecretRef;
use crate::version::VersionId;

/// Names and values that classify a secret or a version. Not for secret data: tags show in lists.
pub type Tags = BTreeMap<String, String>;

/// What is known of a secret, without any value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecretInfo {
    /// Which secret: a name where the entry is the form of one, otherwise what the backend calls it.
    pub reference: SecretRef,
    /// When it was created, where the backend tells.
    pub created: Option<SystemTime>,
    /// When its value or its metadata were last changed, where the backend tells.
    pub updated: Option<SystemTime>,
    /// Set while it is deleted and can be restored.
    pub deletion: Option<Deletion>,
    /// Its tags, or those of its current version, by [`Capabilities::tags_scope`](crate::Capabilities).
    pub tags: Tags,
    /// What it is for.
    pub description: Option<String>,
    /// The guard for conditional changes, where the backend has one.
    pub etag: Option<Etag>,
    /// The current version, where listing tells.
    pub current: Option<VersionId>,
    /// The version that was current before.
    pub previous: Option<VersionId>,
    /// The version that waits for promotion.
    pub pending: Option<VersionId>,
}

impl SecretInfo {
    /// An entry of which only the reference is known.
    pub fn new(reference: SecretRef) -> Self {
        Self {
            reference,
            created: None,
            updated: None,
            deletion: None,
            tags: Tags::new(),
            description: None,
            etag: None,
            current: None,
            previous: None,
            pending: None,
        }
    }
}

/// A deletion that can still be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deletion {
    /// When it was deleted.
    pub deleted: SystemTime,
    /// When it will be gone for good, where that is scheduled.
    pub purge_at: Option<SystemTime>,
}

impl Deletion {
    /// A deletion at `deleted`, final at `purge_at`.
    pub fn new(deleted: SystemTime, purge_at: Option<SystemTime>) -> Self {
        Self { deleted, purge_at }
    }
}

/// The outcome of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deleted {
    /// It can be restored until it is purged.
    Recoverable(Deletion),
    /// It is gone.
    Gone,
}

/// What to do with one property.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Change<T> {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Give it this value.
    Set(T),
    /// Take it away.
    Clear,
}

impl<T> Change<T> {
    /// True when nothing is to be done.
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// Carries the change out.
    pub fn apply(self, to: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Set(value) => *to = Some(value),
            Self::Clear => *to = None,
        }
    }
}

/// Changes to the metadata of a secret or of one version; what is not named stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MetadataPatch {
    /// Tags to add or replace.
    pub set_tags: Tags,
    /// Tags to take away.
    pub remove_tags: BTreeSet<String>,
    /// What the secret is for.
    pub description: Change<String>,
    /// From when on it may be used.
    pub not_before: Change<SystemTime>,
    /// Until when it may be used.
    pub expires: Change<SystemTime>,
}

impl MetadataPatch {
    /// A patch that changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// True when it changes nothing.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    /// Adds or replaces a tag.
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set_tags.insert(name.into(), value.into());
        self
    }

    /// Takes a tag away.
    #[must_use]
    pub fn untag(mut self, name: impl Into<String>) -> Self {
        self.remove_tags.insert(name.into());
        self
    }

    /// Changes the description.
    #[must_use]
    pub fn description(mut self, change: Change<String>) -> Self {
        self.description = change;
        self
    }

    /// Changes the start of validity.
    #[must_use]
    pub fn not_before(mut self, change: Change<SystemTime>) -> Self {
        self.not_before = change;
        self
    }

    /// Changes the end of validity.
    #[must_use]
    pub fn expires(mut self, change: Change<SystemTime>) -> Self {
        self.expires = change;
        self
    }

    /// Carries the tag changes out: removals first, so that a tag named in both ends up set.
    pub fn apply_tags(&self, tags: &mut Tags) {
        tags.retain(|name, _| !self.remove_tags.contains(name));
        tags.extend(self.set_tags.clone());
    }
}
