//! Which fields a line shows, and under which names.

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

/// Calls `visit` with the fields of the event, then with those of its spans, the innermost first, each
/// name once: JSON leaves open what a name that stands twice means.
pub(super) fn each_visible<'a>(record: &Record<'a>, mut visit: impl FnMut(&str, Mark, Value<'_>)) {
    let mut inner = record.fields.names();
    record.fields.visible().for_each(|(name, mark, value)| visit(name, mark, value));
    for (depth, span) in record.spans().enumerate() {
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
            is_late = false;
        });
    }
}

/// Whether a field of this name is shown.
pub(super) fn has_visible(record: &Record<'_>, name: &str) -> bool {
    record.fields.has(name, Mark::of(name)) || record.spans().any(|span| span.has(name))
}
