use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_core::Metadata;

use crate::record::fields::{Fields, Limits};
use crate::record::ids::Ids;

/// A span as it is known while it is open.
#[derive(Debug)]
pub struct SpanRecord {
    metadata: &'static Metadata<'static>,
    parent: Option<Arc<Self>>,
    ids: Ids,
    fields: Fields,
    has_late: AtomicBool,
    late: Mutex<Fields>,
}

impl SpanRecord {
    pub(crate) const fn new(
        metadata: &'static Metadata<'static>,
        parent: Option<Arc<Self>>,
        ids: Ids,
        fields: Fields,
    ) -> Self {
        let late = Mutex::new(Fields::new());
        Self { metadata, parent, ids, fields, has_late: AtomicBool::new(false), late }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.metadata.name()
    }

    /// The module that it is of, or whatever was given as its target.
    #[must_use]
    pub fn target(&self) -> &'static str {
        self.metadata.target()
    }

    /// The span around it.
    #[must_use]
    pub fn parent(&self) -> Option<&Self> {
        self.parent.as_deref()
    }

    /// Its ids.
    #[must_use]
    pub const fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Calls `visit` with its fields: first those that were recorded after it was made, if there are any.
    pub fn each_fields(&self, mut visit: impl FnMut(&Fields)) {
        if self.has_late() {
            visit(&self.late.lock().unwrap_or_else(PoisonError::into_inner));
        }
        visit(&self.fields);
    }

    /// Whether fields were recorded after it was made.
    #[must_use]
    pub fn has_late(&self) -> bool {
        self.has_late.load(Ordering::Acquire)
    }

    /// Whether a field of this name was recorded after it was made.
    #[must_use]
    pub fn has_late_named(&self, name: &str) -> bool {
        self.has_late()
            && self.late.lock().unwrap_or_else(PoisonError::into_inner).get(name).is_some()
    }

    /// Whether it has a field of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.fields.get(name).is_some() || self.has_late_named(name)
    }

    /// Takes fields that are recorded now. What `capture` runs is not ours: it runs without the lock.
    pub(crate) fn record(&self, limits: &Limits, capture: impl FnOnce(&mut Fields)) {
        let mut found = Fields::new();
        capture(&mut found);
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        late.merge(&found, limits);
        drop(late);
        self.has_late.store(true, Ordering::Release);
    }
}
