use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tracing_core::span::{Attributes, Id, Record as Late};
use tracing_core::subscriber::Interest;
use tracing_core::{Dispatch, Event, LevelFilter, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::record::core::{Core, open};
use crate::record::fields::Limits;
use crate::record::filter::Filter;
use crate::record::handle::{Note, RecordHandle};
use crate::record::ids::Ids;
use crate::record::redact::RedactedKeys;
#[cfg(feature = "redact-patterns")]
use crate::record::redact::RedactedShapes;
use crate::record::scratch::with_scratch;
use crate::record::sink::RecordSink;
use crate::record::span::{Identity, Open, SpanRecord};

/// Visits each event and span once, and gives what may be shown of it to every sink.
pub struct RecordLayer(Arc<Core>);

/// Builds a [`RecordLayer`].
#[derive(Debug)]
pub struct RecordLayerBuilder(Core);

impl RecordLayer {
    /// A layer that takes what its filter lets through and gives it to nobody yet.
    #[must_use]
    pub fn builder() -> RecordLayerBuilder {
        RecordLayerBuilder(Core::default())
    }

    /// What changes the filter while the layer is installed, and takes what is not logged by `tracing`.
    #[must_use]
    pub fn handle(&self) -> RecordHandle {
        RecordHandle(Arc::clone(&self.0))
    }
}

impl RecordLayerBuilder {
    /// What is taken: instead of everything up to `info`.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.0.filter = ArcSwap::from_pointee(filter);
        self
    }

    /// Whom records are given to, too.
    #[must_use]
    pub fn sink(mut self, sink: Arc<dyn RecordSink>) -> Self {
        self.0.sinks.push(sink);
        self
    }

    /// Whose values are not shown: instead of the names that [`RedactedKeys::default`] has.
    #[must_use]
    pub fn redacted_keys(mut self, keys: RedactedKeys) -> Self {
        self.0.redaction.keys = keys;
        self
    }

    /// What is not shown wherever it stands, whatever its name.
    #[cfg(feature = "redact-patterns")]
    #[must_use]
    pub fn redacted_shapes(mut self, shapes: RedactedShapes) -> Self {
        self.0.redaction.shapes = Some(shapes);
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
    pub const fn clock(mut self, now: fn() -> SystemTime) -> Self {
        self.0.now = now;
        self
    }

    /// The layer, for [`tracing_subscriber::registry()`].
    #[must_use]
    pub fn build(self) -> RecordLayer {
        RecordLayer(Arc::new(self.0))
    }
}

impl<S> Layer<S> for RecordLayer
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        // One layer is a part of one subscriber: the first is the only one.
        let _ = self.0.dispatch.set(dispatch.downgrade());
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.0.filter.load().takes(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.0.filter.load().takes(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.filter.load().most())
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let (core, metadata) = (&*self.0, attributes.metadata());
        let Some(span) = context.span(id) else { return };
        let parent = span.parent().and_then(|parent| open(&parent, Some(core.number)));
        // Layers beside each other show one span by one id.
        let ids = open(&span, None).map(|first| first.ids().clone()).unwrap_or_else(|| {
            let is_within = attributes.is_contextual();
            let of_child = |parent: &Arc<SpanRecord>| parent.ids().of_child(is_within);
            parent.as_ref().map_or_else(Ids::of_root, of_child)
        });
        let identity = Identity { core: core.number, metadata, parent, ids };
        let record = SpanRecord::begin(identity, |fields| {
            let _ = with_scratch(core.number, |scratch| {
                let site = scratch.sites.of(metadata, &core.redaction.keys);
                core.capture(site, fields, |capture| attributes.record(capture));
            });
        });
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<Open>() {
            Some(known) => known.add(record),
            None => extensions.insert(Open::new(record)),
        }
    }

    fn on_record(&self, id: &Id, values: &Late<'_>, context: Context<'_, S>) {
        let core = &*self.0;
        let Some(span) = context.span(id) else { return };
        let Some(record) = open(&span, Some(core.number)) else { return };
        record.record(&core.limits, |fields| {
            let _ = with_scratch(core.number, |scratch| {
                let site = scratch.sites.of(span.metadata(), &core.redaction.keys);
                core.capture(site, fields, |capture| values.record(capture));
            });
        });
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let (core, metadata) = (&*self.0, event.metadata());
        let span = context.event_span(event).and_then(|span| open(&span, Some(core.number)));
        let mut note = Note::new(*metadata.level(), metadata.target());
        let note_source = metadata.file().zip(metadata.line());
        note.source = note_source;
        core.give(&note, span.as_deref(), |scratch| {
            let site = scratch.sites.of(metadata, &core.redaction.keys);
            core.capture(site, &mut scratch.fields, |capture| event.record(capture));
        });
        #[cfg(feature = "log-bridge")]
        crate::record::scratch::set_last_event(note_source);
    }
}

impl fmt::Debug for RecordLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecordLayer").field(&self.0).finish()
    }
}
