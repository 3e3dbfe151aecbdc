//! Which fields a line shows, and under which names.

use crate::log::members::MOST_SPANS;
use crate::log::text::string;
use crate::record::{Mark, Record, Resource, Seen, SpanRecord, Value};

/// The names that a layout uses itself. A field that is called like one of them is written with
/// `field.` before it, and so is one whose name begins like that: no two names become one.
#[derive(Debug, Clone)]
pub(super) struct Reserved {
    fixed: &'static [&'static str],
    more: Vec<Box<str>>,
    seen: Seen,
}

impl Reserved {
    pub(super) const fn new(fixed: &'static [&'static str]) -> Self {
        Self { fixed, more: Vec::new(), seen: Seen::of(fixed) }
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
pub(super) fn each_visible<'a>(record: &Record<'a>, mut visit: impl FnMut(&str, Mark, Value<'_>)) {
    let mut inner = record.fields.names();
    let mut left_out = record.fields.left_out();
    record.fields.visible().for_each(|(name, mark, value)| visit(name, mark, value));
    let is_near =
        |(depth, span): &(usize, &SpanRecord)| *depth < MOST_SPANS || span.parent().is_none();
    for (depth, span) in record.spans().enumerate().filter(is_near) {
        let depth = depth.min(MOST_SPANS);
        let mut is_late = span.has_late();
        span.each_fields(|fields| {
            let is_shadowed = |name: &str, mark: Mark| {
                record.fields.has(name, mark)
                    || record.spans().take(depth).any(|inner: &SpanRecord| inner.has(name))
                    || !is_late && span.has_late_named(name)
            };
            for (name, mark, value) in fields.visible() {
                if !inner.may_have(mark) || !is_shadowed(name, mark) {
                    visit(name, mark, value);
                }
            }
            inner.add_all(fields.names());
            left_out += fields.left_out();
            is_late = false;
        });
    }
    if left_out > 0 && !has_visible(record, LEFT_OUT) {
        let count = u64::try_from(left_out).unwrap_or(u64::MAX);
        visit(LEFT_OUT, Mark::of(LEFT_OUT), Value::U64(count));
    }
}

/// Whether a field of this name is shown.
pub(super) fn has_visible(record: &Record<'_>, name: &str) -> bool {
    record.fields.has(name, Mark::of(name)) || record.spans().any(|span| span.has(name))
}
