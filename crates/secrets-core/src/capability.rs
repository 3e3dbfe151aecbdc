use std::time::Duration;

/// Whether a provider has an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// The backend has it.
    Native,
    /// The provider builds it from other calls; its documentation says what that weakens.
    Emulated,
    /// It answers `Unsupported` before any call.
    No,
}

impl Support {
    /// True unless it is [`No`](Self::No).
    pub fn is_available(self) -> bool {
        self != Self::No
    }
}

/// How a provider keeps a pending value away from plain readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Staging {
    /// The backend labels versions (AWS).
    Labels,
    /// The pending value lives in a companion secret; promotion appends it (Azure, Google).
    Companion,
    /// Readers use an alias instead of the newest version (Google, by choice).
    Alias,
    /// No pending values.
    No,
}

/// How a precondition is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cas {
    /// Not at all: such a call answers `Unsupported`.
    No,
    /// It is checked before; a write that slips in between is found afterwards and reported as
    /// `Conflict` with [`Effect::Partial`](crate::Effect::Partial).
    Detected,
    /// The backend refuses the change.
    Enforced,
}

/// Preconditions by operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CasSupport {
    /// Of `set_secret`: `Absent` and `CurrentIs`.
    pub set: Cas,
    /// Of `promote`: the base version.
    pub promote: Cas,
    /// Of `update_metadata`: `Etag`.
    pub metadata: Cas,
}

impl CasSupport {
    /// None: any precondition answers `Unsupported`.
    pub const NONE: Self = Self::new(Cas::No, Cas::No, Cas::No);

    /// How preconditions of `set_secret`, `promote` and `update_metadata` are kept.
    pub const fn new(set: Cas, promote: Cas, metadata: Cas) -> Self {
        Self { set, promote, metadata }
    }
}

/// What carries tags or bounds of validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The secret as a whole.
    Secret,
    /// Each version.
    Version,
}

/// When a change is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consistency {
    /// At once, by every read.
    Strong,
    /// At once by a read of the exact version; by others within about this time.
    ExactVersion {
        /// The usual delay of other reads.
        others_within: Duration,
    },
    /// Within about this time.
    Eventual {
        /// The usual delay.
        within: Duration,
    },
}

/// Bounds of a backend; they speak of the value as the backend stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest value in bytes.
    pub value_len: usize,
    /// The most tags.
    pub tags: usize,
    /// The most secrets one `get_secrets` call takes to the backend in one request.
    pub batch: usize,
}

impl Limits {
    /// Bounds of a backend that takes values of `value_len` bytes; 50 tags, batches of one.
    pub const fn new(value_len: usize) -> Self {
        Self { value_len, tags: 50, batch: 1 }
    }

    /// Sets the most tags.
    #[must_use]
    pub const fn with_tags(mut self, tags: usize) -> Self {
        self.tags = tags;
        self
    }

    /// Sets the size of a batch.
    #[must_use]
    pub const fn with_batch(mut self, batch: usize) -> Self {
        self.batch = batch;
        self
    }
}

/// What a provider can do. Conformance checks both directions: what is declared works, what is
/// not declared answers `Unsupported` before any call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// `set_secret` to the current stage.
    pub write: Support,
    /// `set_secret` to the pending stage, `promote`, `discard_pending`.
    pub staging: Staging,
    /// Reading [`VersionSelector::Previous`](crate::VersionSelector::Previous).
    pub previous: Support,
    /// Reading exact versions, and `list_versions`.
    pub versions: Support,
    /// Preconditions.
    pub cas: CasSupport,
    /// Tokens that make repeating a write harmless.
    pub idempotency: Support,
    /// `list_secrets`.
    pub list: Support,
    /// `get_secrets` in fewer requests than one each; without it the default loops.
    pub batch: Support,
    /// `describe_secret`.
    pub describe: Support,
    /// Tags and descriptions by `update_metadata` and `set_secret`.
    pub tags: Support,
    /// What carries tags: those of a secret are told by `describe_secret`, those of a version with
    /// the version as well.
    pub tags_scope: Scope,
    /// Bounds of validity by `update_metadata` and `set_secret`.
    pub validity: Support,
    /// What carries bounds of validity.
    pub validity_scope: Scope,
    /// `delete_secret` for good.
    pub delete: Support,
    /// `delete_secret` that can be taken back, `restore_secret`, `purge_secret`.
    pub recover: Support,
    /// Disabling and enabling a version.
    pub disable: Support,
    /// Destroying the value of a version.
    pub destroy: Support,
    /// Hints at changes by `changes`.
    pub changes: Support,
    /// When a change is seen.
    pub consistency: Consistency,
    /// Bounds.
    pub limits: Limits,
}

impl Capabilities {
    /// What every provider can do: reading the current value. A provider sets what it has besides.
    ///
    /// ```
    /// use secrets_core::{Capabilities, Consistency, Limits, Support};
    ///
    /// let mut capabilities = Capabilities::read_only(Consistency::Strong, Limits::new(65_536));
    /// capabilities.list = Support::Native;
    /// assert!(!capabilities.write.is_available());
    /// ```
    pub const fn read_only(consistency: Consistency, limits: Limits) -> Self {
        Self {
            write: Support::No,
            staging: Staging::No,
            previous: Support::No,
            versions: Support::No,
            cas: CasSupport::NONE,
            idempotency: Support::No,
            list: Support::No,
            batch: Support::No,
            describe: Support::No,
            tags: Support::No,
            tags_scope: Scope::Secret,
            validity: Support::No,
            validity_scope: Scope::Secret,
            delete: Support::No,
            recover: Support::No,
            disable: Support::No,
            destroy: Support::No,
            changes: Support::No,
            consistency,
            limits,
        }
    }
}
