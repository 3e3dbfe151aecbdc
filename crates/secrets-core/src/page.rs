use std::num::NonZeroU32;

use crate::metadata::Tags;

/// Asks for one page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PageRequest {
    /// At most so many items; a provider may give fewer. Its own choice when `None`.
    pub limit: Option<NonZeroU32>,
    /// Where the page before ended; the first page when `None`.
    pub token: Option<PageToken>,
}

impl PageRequest {
    /// The first page, of the provider's size.
    pub fn first() -> Self {
        Self::default()
    }

    /// The page that starts at `token`.
    pub fn after(token: PageToken) -> Self {
        Self { limit: None, token: Some(token) }
    }

    /// Bounds the number of items.
    #[must_use]
    pub fn with_limit(mut self, limit: NonZeroU32) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// Where a page ended: opaque, of use to the provider that made it only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken(Box<str>);

impl PageToken {
    /// A provider's token.
    pub fn new(token: impl Into<Box<str>>) -> Self {
        Self(token.into())
    }

    /// The token as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One page of a list. A page may be empty and still have a next one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where to go on; `None` on the last page.
    pub next: Option<PageToken>,
}

impl<T> Page<T> {
    /// A page.
    pub fn new(items: Vec<T>, next: Option<PageToken>) -> Self {
        Self { items, next }
    }
}

/// Which secrets to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SecretFilter {
    /// Only secrets whose neutral name (or native id, for foreign ones) starts with this text.
    pub prefix: String,
    /// Only secrets that have all of these tags.
    pub tags: Tags,
    /// What to do about deleted ones.
    pub deleted: DeletedSecrets,
}

impl SecretFilter {
    /// All secrets that are not deleted.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only secrets whose name starts with `prefix`.
    pub fn prefix(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..Self::default() }
    }

    /// Only secrets with this tag, too.
    #[must_use]
    pub fn with_tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// What to do about deleted ones.
    #[must_use]
    pub fn with_deleted(mut self, deleted: DeletedSecrets) -> Self {
        self.deleted = deleted;
        self
    }
}

/// What a list does about secrets that are deleted and can be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeletedSecrets {
    /// Leaves them out.
    #[default]
    Exclude,
    /// Lists them with the others.
    Include,
    /// Lists them alone.
    Only,
}
