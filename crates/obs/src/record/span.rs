use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing_core::Metadata;

use crate::record::fields::{Fields, Limits};
use crate::record::ids::Ids;

/// A span as it is known while it is open.
#[derive(Debug)]
pub struct SpanRecord {
    /// The layer that knows it so.
    core: u64,
    metadata: &'static Metadata<'static>,
    parent: Option<Arc<Self>>,
    ids: Ids,
    fields: Fields,
    has_late: AtomicBool,
    late: Mutex<Option<Box<Fields>>>,
}

/// The most spans whose memory a thread keeps for its next ones.
const SPARE: usize = 16;

thread_local! {
    static SPARES: RefCell<Vec<Arc<SpanRecord>>> = const { RefCell::new(Vec::new()) };
}

/// What a new span is known by, besides its fields.
pub(crate) struct Identity {
    pub(crate) core: u64,
    pub(crate) metadata: &'static Metadata<'static>,
    pub(crate) parent: Option<Arc<SpanRecord>>,
    pub(crate) ids: Ids,
}

impl SpanRecord {
    /// A span with the fields that `capture` finds, in the memory of one that ended, if there is one.
    pub(crate) fn begin(identity: Identity, capture: impl FnOnce(&mut Fields)) -> Arc<Self> {
        let Identity { core, metadata, parent, ids } = identity;
        let spare = SPARES.try_with(|spares| spares.try_borrow_mut().ok()?.pop());
        let mut begun = spare.ok().flatten().unwrap_or_else(|| Arc::new(Self::unused(metadata)));
        // Nobody else has it yet.
        if let Some(record) = Arc::get_mut(&mut begun) {
            (record.core, record.metadata) = (core, metadata);
            (record.parent, record.ids) = (parent, ids);
            capture(&mut record.fields);
        }
        begun
    }

    fn unused(metadata: &'static Metadata<'static>) -> Self {
        let (has_late, late) = (AtomicBool::new(false), Mutex::new(None));
        let (ids, fields) = (Ids::none(), Fields::new());
        Self { core: 0, metadata, parent: None, ids, fields, has_late, late }
    }

    /// Keeps the memory of a span that ended, if nobody else has it and it is worth keeping.
    fn keep(mut ended: Arc<Self>) {
        let Some(record) = Arc::get_mut(&mut ended).filter(|record| record.fields.is_spare())
        else {
            return;
        };
        record.fields.clear();
        (record.parent, record.ids) = (None, Ids::none());
        *record.has_late.get_mut() = false;
        *record.late.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        // Where a thread ends, or a value drops a span while it is written, it is not kept.
        let _ = SPARES.try_with(|spares| {
            let mut spares = spares.try_borrow_mut().ok()?;
            (spares.len() < SPARE).then(|| spares.push(ended))
        });
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
            self.late().iter().for_each(|late| visit(late));
        }
        visit(&self.fields);
    }

    fn late(&self) -> MutexGuard<'_, Option<Box<Fields>>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether fields were recorded after it was made.
    #[must_use]
    pub fn has_late(&self) -> bool {
        self.has_late.load(Ordering::Acquire)
    }

    /// Whether a field of this name was recorded after it was made.
    #[must_use]
    pub fn has_late_named(&self, name: &str) -> bool {
        self.has_late() && self.late().as_ref().is_some_and(|late| late.get(name).is_some())
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
        let mut late = self.late();
        late.get_or_insert_default().merge(&found, limits);
        drop(late);
        self.has_late.store(true, Ordering::Release);
    }
}

/// What the registry keeps with a span: what is known of it, by layer. What one of them shows, another one may hide.
#[derive(Debug)]
pub(crate) struct Open {
    /// There until it ends.
    first: Option<Arc<SpanRecord>>,
    others: Vec<Arc<SpanRecord>>,
}

impl Open {
    pub(crate) const fn new(first: Arc<SpanRecord>) -> Self {
        Self { first: Some(first), others: Vec::new() }
    }

    pub(crate) fn add(&mut self, record: Arc<SpanRecord>) {
        self.others.push(record);
    }

    /// What one layer knows of it; what the first one does, if it may be any.
    pub(crate) fn of(&self, core: Option<u64>) -> Option<&Arc<SpanRecord>> {
        let Some(core) = core else { return self.first.as_ref() };
        self.first.iter().chain(&self.others).find(|record| record.core == core)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.first.take().into_iter().for_each(SpanRecord::keep);
    }
}
