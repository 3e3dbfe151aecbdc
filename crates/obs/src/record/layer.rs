use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tracing_core::span::{Attributes, Id, Record as Late};
use tracing_core::subscriber::Interest;
use tracing_core::{Event, LevelFilter, Metadata, Subscriber, callsite};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::record::capture::Capture;
use crate::record::fields::{Fields, Limits};
use crate::record::filter::Filter;
use crate::record::ids::Ids;
use crate::record::redact::RedactedKeys;
use crate::record::sink::{Record, RecordSink};
use crate::record::site::Site;
use crate::record::span::SpanRecord;

/// How deep an event may lie within the logging of another: a `Debug` that logs.
const DEEPEST: u8 = 4;

/// Visits each event and span once, and gives what may be shown of it to every sink.
pub struct RecordLayer {
    number: u64,
    filter: Arc<ArcSwap<Filter>>,
    sinks: Box<[Arc<dyn RecordSink>]>,
    keys: RedactedKeys,
    limits: Limits,
    now: fn() -> SystemTime,
}

/// Builds a [`RecordLayer`].
#[derive(Debug)]
pub struct RecordLayerBuilder(RecordLayer);

impl RecordLayer {
    /// A layer that takes what its filter lets through and gives it to nobody yet.
    #[must_use]
    pub fn builder() -> RecordLayerBuilder {
        RecordLayerBuilder(Self {
            number: next_number(),
            filter: Arc::default(),
            sinks: Box::default(),
            keys: RedactedKeys::default(),
            limits: Limits::default(),
            now: SystemTime::now,
        })
    }

    /// Takes another filter from now on. Every place that logs is asked again.
    pub fn reload(filter: &ArcSwap<Filter>, new: Filter) {
        filter.store(Arc::new(new));
        callsite::rebuild_interest_cache();
    }

    fn capture(&self, site: &Site, fields: &mut Fields, visit: impl FnOnce(&mut Capture<'_>)) {
        visit(&mut Capture { fields, site, keys: &self.keys, limits: &self.limits });
    }

    fn give(&self, scratch: &mut Scratch, event: &Event<'_>, span: Option<&SpanRecord>) {
        let metadata = event.metadata();
        let site = scratch.sites.of(metadata, &self.keys);
        scratch.fields.clear();
        self.capture(&site, &mut scratch.fields, |capture| event.record(capture));
        let of_context;
        let ids = match span {
            Some(span) => span.ids(),
            None => {
                of_context = Ids::of_context();
                &of_context
            }
        };
        let record = Record {
            time: (self.now)(),
            level: *metadata.level(),
            target: metadata.target(),
            source: metadata.file().zip(metadata.line()),
            message: scratch.fields.message().unwrap_or_default(),
            fields: &scratch.fields,
            span,
            ids,
        };
        for sink in &self.sinks {
            sink.record(&record);
        }
        scratch.fields.shrink(&self.limits);
    }
}

impl RecordLayerBuilder {
    /// What is taken: instead of everything up to `info`.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.0.filter = Arc::new(ArcSwap::from_pointee(filter));
        self
    }

    /// Whom records are given to, too.
    #[must_use]
    pub fn sink(mut self, sink: Arc<dyn RecordSink>) -> Self {
        let before = self.0.sinks.into_iter();
        self.0.sinks = before.chain([sink]).collect();
        self
    }

    /// Whose values are not shown: instead of the names that [`RedactedKeys::default`] has.
    #[must_use]
    pub fn redacted_keys(mut self, keys: RedactedKeys) -> Self {
        self.0.keys = keys;
        self
    }

    /// How much of a record is taken.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    /// What says what time it is: instead of [`SystemTime::now`].
    #[must_use]
    pub fn clock(mut self, now: fn() -> SystemTime) -> Self {
        self.0.now = now;
        self
    }

    /// The layer, for [`tracing_subscriber::registry()`].
    #[must_use]
    pub fn build(self) -> RecordLayer {
        self.0
    }
}

impl<S> Layer<S> for RecordLayer
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.filter.load().takes(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.filter.load().takes(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.filter.load().most())
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let parent = span.parent().and_then(|parent| open(&parent));
        let ids = parent.as_ref().map_or_else(Ids::of_root, |parent| parent.ids().of_child());
        let mut fields = Fields::new();
        let site = site_of(self, attributes.metadata());
        self.capture(&site, &mut fields, |capture| attributes.record(capture));
        let record = Arc::new(SpanRecord::new(attributes.metadata(), parent, ids, fields));
        span.extensions_mut().replace(record);
    }

    fn on_record(&self, id: &Id, values: &Late<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let Some(record) = open(&span) else { return };
        let site = site_of(self, span.metadata());
        record.record(&self.limits, |fields| {
            self.capture(&site, fields, |capture| values.record(capture));
        });
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let span = context.event_span(event).and_then(|span| open(&span));
        with_scratch(self.number, |scratch| self.give(scratch, event, span.as_deref()));
    }
}

/// What is known of a span of the registry.
fn open<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<Arc<SpanRecord>> {
    span.extensions().get::<Arc<SpanRecord>>().cloned()
}

fn site_of(layer: &RecordLayer, metadata: &'static Metadata<'static>) -> Arc<Site> {
    let mut found = None;
    with_scratch(layer.number, |scratch| found = Some(scratch.sites.of(metadata, &layer.keys)));
    found.unwrap_or_else(|| Arc::new(Site::new(metadata, &layer.keys)))
}

/// Sites are known by thread: nothing is shared where something is logged.
#[derive(Default)]
struct Sites(HashMap<callsite::Identifier, Arc<Site>>);

impl Sites {
    fn of(&mut self, metadata: &'static Metadata<'static>, keys: &RedactedKeys) -> Arc<Site> {
        let site = self.0.entry(metadata.callsite());
        Arc::clone(site.or_insert_with(|| Arc::new(Site::new(metadata, keys))))
    }
}

/// What a thread uses again for each record.
#[derive(Default)]
struct Scratch {
    layer: u64,
    sites: Sites,
    fields: Fields,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
    static DEPTH: Cell<u8> = const { Cell::new(0) };
}

/// Runs `work` with what this thread uses again; with something new where a value that is being
/// logged logs itself; not at all where that goes on and on.
fn with_scratch(layer: u64, work: impl FnOnce(&mut Scratch)) {
    let depth = DEPTH.get();
    if depth >= DEEPEST {
        return;
    }
    DEPTH.set(depth + 1);
    let _left = Left;
    let used = SCRATCH.try_with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => {
            if scratch.layer != layer {
                *scratch = Scratch { layer, ..Scratch::default() };
            }
            work(&mut scratch);
            None
        }
        Err(_) => Some(work),
    });
    if let Ok(Some(work)) = used {
        work(&mut Scratch { layer, ..Scratch::default() });
    }
}

struct Left;

impl Drop for Left {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
    }
}

fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl fmt::Debug for RecordLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filter = self.filter.load();
        f.debug_struct("RecordLayer").field("filter", &filter).field("sinks", &self.sinks).finish()
    }
}
