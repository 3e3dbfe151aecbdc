//! Which fields a line shows, and under which names.

use crate::log::members::MOST_SPANS;
use crate::log::text::string;
use crate::record::{Fields, Mark, Record, Resource, Seen, SpanRecord, Value, Visible};

/// OpenTelemetry's [names of the parts of an error](https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-logs/),
/// each with that of a layout.
pub(super) type Errors = [(&'static str, &'static str); 3];

/// Those of a line that are there, and free to be called so.
pub(super) type ErrorNames = Option<[Option<(&'static str, &'static str)>; 3]>;

/// What a layout calls a field, if it is a part of the error.
pub(super) fn error_name(names: &ErrorNames, name: &str) -> Option<&'static str> {
    names.iter().flatten().flatten().find(|(known, _)| *known == name).map(|(_, own)| *own)
}

pub(super) const TYPE: &str = "exception.type";
pub(super) const MESSAGE: &str = "exception.message";
pub(super) const STACK: &str = "exception.stacktrace";

/// The names that a layout uses itself. A field that is called like one of them is written with
/// `field.` before it, and so is one whose name begins like that: no two names become one.
#[derive(Debug, Clone)]
pub(super) struct Reserved {
    fixed: &'static [&'static str],
    /// None for a layout that has no other names for them.
    errors: Option<Errors>,
    more: Vec<Box<str>>,
    seen: Seen,
}

impl Reserved {
    pub(super) const fn new(fixed: &'static [&'static str]) -> Self {
        Self { fixed, errors: None, more: Vec::new(), seen: Seen::of(fixed) }
    }

    /// With names of its own for the parts of an error.
    pub(super) const fn with_errors(mut self, errors: Errors) -> Self {
        self.errors = Some(errors);
        self
    }

    /// What the layout calls the parts of the event's error. What has a name already that is used elsewhere in the
    /// line keeps OpenTelemetry's. It is asked before fields are visited: those of spans may lie behind a lock.
    pub(super) fn error_names(&self, record: &Record<'_>) -> ErrorNames {
        let is_there = |name: &str| {
            let mark = Mark::of(name);
            record.fields.names().may_have(mark) && record.fields.has(name, mark)
        };
        let is_free = |own: &str| !self.has(own, Mark::of(own)) && !has_visible(record, own);
        let names = self.errors.filter(|names| names.iter().any(|(known, _)| is_there(known)))?;
        Some(names.map(|(known, own)| (is_there(known) && is_free(own)).then_some((known, own))))
    }

    /// Takes a name for the layout: with `resource.` before it, if it has it already.
    pub(super) fn take(&mut self, name: &str) -> String {
        let mut free = name.to_owned();
        while self.has(&free, Mark::of(&free)) {
            free.insert_str(0, "resource.");
        }
        self.seen.add(Mark::of(&free));
        self.more.push(free.as_str().into());
        free
    }

    pub(super) fn has(&self, name: &str, mark: Mark) -> bool {
        mark.is_prefixed()
            || self.seen.may_have(mark)
                && (self.fixed.contains(&name) || self.more.iter().any(|known| **known == *name))
    }
}

/// What a service says of itself, written once.
#[derive(Debug, Clone, Default)]
pub(super) struct Rendered(Vec<u8>);

/// The names that a layout has for attributes of a service, or that it writes them elsewhere.
pub(super) type Renamed<'a> = &'a [(&'a str, Option<&'a str>)];

impl Rendered {
    /// Each attribute as a member of an object. None of them can stand for what the layout writes
    /// itself, nor a field for one of them.
    pub(super) fn members(
        resource: &Resource,
        renamed: Renamed<'_>,
        reserved: &mut Reserved,
    ) -> Self {
        let mut rendered = Self::default();
        for (attribute, value) in resource.iter() {
            match renamed.iter().find(|(known, _)| *known == attribute) {
                Some((_, Some(name))) => rendered.push(name, value),
                Some((_, None)) => {}
                None => rendered.push(&reserved.take(attribute), value),
            }
        }
        rendered
    }

    /// Another member.
    pub(super) fn push(&mut self, name: &str, value: &str) {
        self.0.push(b',');
        string(name, &mut self.0);
        self.0.push(b':');
        string(value, &mut self.0);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The field that says how many others were left out, for there were too many.
const LEFT_OUT: &str = "fields_left_out";

/// Calls `visit` with the fields of the event, then with those of its spans, the innermost first, each
/// name once: JSON leaves open what a name that stands twice means. Of more spans than
/// [`MOST_SPANS`] those of the innermost and of the outermost one are shown, which is the request's.
pub(super) fn each_visible<'a>(record: &Record<'a>, mut visit: impl FnMut(Visible<'_>)) {
    let (mut inner, mut left_out) = (Seen::default(), 0);
    // One place that shows, so that what visits becomes a part of it.
    let mut show = |fields: &Fields, place: Place<'_>| {
        let may_shadow = inner.may_have_of(fields.names());
        fields.each_visible(|field| {
            if !may_shadow || !is_shadowed(record, place, (field.name, field.mark)) {
                visit(field);
            }
        });
        inner.add_all(fields.names());
        left_out += fields.left_out();
    };
    show(record.fields, Place::Event);
    let is_near =
        |(depth, span): &(usize, &SpanRecord)| *depth < MOST_SPANS || span.parent().is_none();
    for (depth, span) in record.spans().enumerate().filter(is_near) {
        let mut is_late = span.has_late();
        span.each_fields(|fields| {
            show(fields, Place::Span { depth: depth.min(MOST_SPANS), span, is_late });
            is_late = false;
        });
    }
    if left_out > 0 && !has_visible(record, LEFT_OUT) {
        let count = u64::try_from(left_out).unwrap_or(u64::MAX);
        let (mark, value) = (Mark::of(LEFT_OUT), Value::U64(count));
        visit(Visible { name: LEFT_OUT, mark, value, is_plain: false });
    }
}

/// Whose fields are shown.
#[derive(Clone, Copy)]
enum Place<'a> {
    Event,
    Span {
        depth: usize,
        span: &'a SpanRecord,
        /// Those that were recorded late.
        is_late: bool,
    },
}

/// Whether the event, a span further in, or what was recorded late of its own has a field of the same name.
#[cold]
fn is_shadowed(record: &Record<'_>, place: Place<'_>, (name, mark): (&str, Mark)) -> bool {
    let Place::Span { depth, span, is_late } = place else { return false };
    record.fields.has(name, mark)
        || record.spans().take(depth).any(|inner| inner.has(name))
        || !is_late && span.has_late_named(name)
}

/// Whether a field of this name is shown.
pub(super) fn has_visible(record: &Record<'_>, name: &str) -> bool {
    record.fields.has(name, Mark::of(name)) || record.spans().any(|span| span.has(name))
}
