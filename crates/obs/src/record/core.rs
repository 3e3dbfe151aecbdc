use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tracing_core::dispatcher::WeakDispatch;
use tracing_core::{Dispatch, dispatcher, span};
use tracing_subscriber::registry::{LookupSpan, Registry, SpanRef};

use crate::record::capture::Capture;
use crate::record::expiry::Before;
use crate::record::fields::{Fields, Limits, Value};
use crate::record::filter::Filter;
use crate::record::handle::Note;
use crate::record::ids::Ids;
use crate::record::redact::Redaction;
use crate::record::scratch::{Scratch, deliver, with_scratch};
use crate::record::sink::{Record, RecordSink};
use crate::record::site::Site;
use crate::record::span::{Open, SpanRecord};

/// Those of what happens nowhere.
static NO_IDS: Ids = Ids::none();

/// What the layer and its handles share.
pub(crate) struct Core {
    pub(crate) number: u64,
    pub(crate) filter: ArcSwap<Filter>,
    /// What the filter goes back to, if it is one for a while.
    pub(crate) before: Mutex<Option<Before>>,
    /// What the layer is a part of, once it is.
    pub(crate) dispatch: OnceLock<WeakDispatch>,
    /// Whether the filter was changed and not all places that log are known to have heard of it.
    pub(crate) is_unsettled: AtomicBool,
    pub(crate) sinks: Vec<Arc<dyn RecordSink>>,
    pub(crate) redaction: Redaction,
    pub(crate) limits: Limits,
    pub(crate) now: fn() -> SystemTime,
}

impl Default for Core {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            filter: ArcSwap::default(),
            before: Mutex::default(),
            dispatch: OnceLock::new(),
            is_unsettled: AtomicBool::new(false),
            sinks: Vec::new(),
            redaction: Redaction::default(),
            limits: Limits::default(),
            now: SystemTime::now,
        }
    }
}

impl Core {
    /// Takes what `visit` is given, of a place in the program.
    pub(crate) fn capture(
        &self,
        site: &Site,
        fields: &mut Fields,
        visit: impl FnOnce(&mut Capture<'_>),
    ) {
        visit(&mut Capture { fields, site, redaction: &self.redaction, limits: &self.limits });
    }

    /// What may be shown of a value by this name.
    pub(crate) fn shown<'v>(&self, name: &str, value: Value<'v>) -> Value<'v> {
        let hides = || value.number().is_some_and(|number| self.redaction.hides(number));
        if self.redaction.keys.is_sensitive(name) || hides() { Value::Redacted } else { value }
    }

    /// Makes a record of what `capture` finds, and gives it to every sink.
    pub(crate) fn give(
        &self,
        note: &Note<'_>,
        span: Option<&SpanRecord>,
        capture: impl FnOnce(&mut Scratch),
    ) {
        let _ = with_scratch(self.number, |scratch| {
            scratch.fields.clear();
            capture(scratch);
            self.show(note, span, &scratch.fields);
            scratch.fields.shrink(&self.limits);
        });
    }

    fn show(&self, note: &Note<'_>, span: Option<&SpanRecord>, fields: &Fields) {
        let own = match span {
            Some(span) => span.ids().completed(),
            None => Some(Ids::of_context()),
        };
        let ids = own.as_ref().or(span.map(SpanRecord::ids)).unwrap_or(&NO_IDS);
        let record = Record {
            time: (self.now)(),
            level: note.level,
            target: note.target,
            source: note.source,
            message: fields.message().unwrap_or_default(),
            fields,
            span,
            ids,
        };
        deliver(|| {
            for sink in &self.sinks {
                // One that panics keeps the record from nobody else, least of all who logs from its work.
                let _ = catch_unwind(AssertUnwindSafe(|| sink.record(&record)));
            }
        });
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filter = self.filter.load();
        f.debug_struct("Core").field("filter", &filter).field("sinks", &self.sinks).finish()
    }
}

/// What one layer knows of a span of the registry, or any.
pub(crate) fn open<'a, S: LookupSpan<'a>>(
    span: &SpanRef<'a, S>,
    core: Option<u64>,
) -> Option<Arc<SpanRecord>> {
    span.extensions().get::<Open>()?.of(core).cloned()
}

/// The innermost span that this thread is in.
pub(crate) fn current_span(core: Option<u64>) -> Option<Arc<SpanRecord>> {
    dispatcher::get_default(|dispatch| span_of(dispatch, dispatch.current_span().id()?, core))
}

/// What is known of a span, or of the first one around it that is known: others may be there for a layer of
/// somebody else's alone.
pub(crate) fn span_of(
    dispatch: &Dispatch,
    id: &span::Id,
    core: Option<u64>,
) -> Option<Arc<SpanRecord>> {
    let registry = dispatch.downcast_ref::<Registry>()?;
    registry.span(id)?.scope().find_map(|span| open(&span, core))
}

/// The ids of the innermost span that this thread is in, else those of the running task's context.
#[cfg(feature = "http")]
pub(crate) fn current_ids() -> Ids {
    current_span(None).map_or_else(Ids::of_context, |span| span.ids().clone())
}
