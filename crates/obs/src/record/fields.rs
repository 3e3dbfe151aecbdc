use std::fmt;
use std::ops::Range;

use crate::record::name::{Mark, Seen};
use crate::record::redact::Part;

/// The most that one record, one value and one set of fields may take. What is beyond is left out,
/// and said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one value, or of a message.
    pub value_bytes: usize,
    /// Bytes of the text of one event or span: its message and values together.
    pub total_bytes: usize,
    /// Fields of one event or span.
    pub fields: usize,
    /// Errors of one chain of sources.
    pub error_sources: usize,
}

impl Default for Limits {
    /// 4 KiB a value, 12 KiB and 64 fields an event, 8 errors a chain: mostly a line of it stays below the
    /// 16 KiB at which container runtimes cut lines in two. Not always: fields of its spans come to that, each span within
    /// the same limits, and what a layout escapes takes up to six times its bytes.
    fn default() -> Self {
        Self { value_bytes: 4 << 10, total_bytes: 12 << 10, fields: 64, error_sources: 8 }
    }
}

/// What a field holds, as it may be shown.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A text, or what `Display` or `Debug` made of something.
    Text(&'a str),
    /// A number.
    I64(i64),
    /// A number.
    U64(u64),
    /// A number that may be too large for most readers.
    I128(i128),
    /// A number that may be too large for most readers.
    U128(u128),
    /// A number; it may be none, or without bound.
    F64(f64),
    /// Yes or no.
    Bool(bool),
    /// Something that is not shown.
    Redacted,
}

impl Value<'_> {
    /// A whole number that is not negative.
    pub(crate) fn number(self) -> Option<u128> {
        match self {
            Value::I64(number) => u128::try_from(number).ok(),
            Value::U64(number) => Some(number.into()),
            Value::I128(number) => u128::try_from(number).ok(),
            Value::U128(number) => Some(number),
            Value::Text(_) | Value::F64(_) | Value::Bool(_) | Value::Redacted => None,
        }
    }
}

/// What stands for a value that is not shown.
pub const REDACTED: &str = "[REDACTED]";

/// What ends a value that was longer than it may be.
pub const CUT: &str = "… [CUT]";

/// The most fields and bytes of text of a span whose memory the next span takes.
const SPARE_FIELDS: usize = 16;
const SPARE_BYTES: usize = 1 << 10;

/// The fields of an event or of a span: redacted, bounded, in one block of text that is used again.
#[derive(Clone, Default)]
pub struct Fields {
    text: String,
    entries: Vec<Entry>,
    message: Option<Range<usize>>,
    left_out: usize,
    names: Seen,
    /// Whether a name stands twice.
    has_again: bool,
}

#[derive(Clone)]
struct Entry {
    key: Key,
    mark: Mark,
    value: Stored,
}

#[derive(Clone)]
enum Key {
    Static(&'static str),
    Text(Range<usize>),
}

#[derive(Clone)]
enum Stored {
    Text(Written),
    Plain(Value<'static>),
}

/// A text within the block.
#[derive(Clone)]
struct Written {
    range: Range<usize>,
    /// Whether it is printable ASCII without quotes and backslashes.
    is_plain: bool,
}

/// A field that lines show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visible<'a> {
    pub(crate) name: &'a str,
    pub(crate) mark: Mark,
    pub(crate) value: Value<'a>,
    /// Whether the value, if it is a text, is printable ASCII without quotes and backslashes.
    pub(crate) is_plain: bool,
}

impl Fields {
    /// No fields.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            text: String::new(),
            entries: Vec::new(),
            message: None,
            left_out: 0,
            names: Seen::of(&[]),
            has_again: false,
        }
    }

    /// The message, if there is one.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.text.get(self.message.clone()?)
    }

    /// The fields in the order in which they were given.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, Value<'_>)> + '_ {
        self.entries.iter().map(|entry| (self.key(entry), self.value(entry)))
    }

    /// The last field of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value<'_>> {
        self.iter().rev().find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Calls `visit` with the fields that lines show; of those with one name with the last.
    pub(crate) fn each_visible(&self, mut visit: impl FnMut(Visible<'_>)) {
        for (at, entry) in self.entries.iter().enumerate() {
            if self.has_again && self.is_there_after(at, entry) {
                continue;
            }
            let is_plain = matches!(&entry.value, Stored::Text(written) if written.is_plain);
            let (name, value) = (self.key(entry), self.value(entry));
            visit(Visible { name, mark: entry.mark, value, is_plain });
        }
    }

    #[cold]
    fn is_there_after(&self, at: usize, entry: &Entry) -> bool {
        let name = self.key(entry);
        let is_same = |later: &Entry| later.mark == entry.mark && self.key(later) == name;
        self.entries.iter().skip(at + 1).any(is_same)
    }

    /// The names, for whoever looks whether others are among them.
    pub(crate) const fn names(&self) -> Seen {
        self.names
    }

    /// Whether there is a field of this name.
    pub(crate) fn has(&self, name: &str, mark: Mark) -> bool {
        self.entries.iter().any(|entry| entry.mark == mark && self.key(entry) == name)
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many fields were left out, for there were too many.
    #[must_use]
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    fn key<'a>(&'a self, entry: &'a Entry) -> &'a str {
        match &entry.key {
            Key::Static(name) => name,
            Key::Text(range) => self.text.get(range.clone()).unwrap_or_default(),
        }
    }

    fn value<'a>(&'a self, entry: &'a Entry) -> Value<'a> {
        match &entry.value {
            Stored::Plain(value) => *value,
            Stored::Text(Written { range, .. }) => {
                Value::Text(self.text.get(range.clone()).unwrap_or_default())
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
        self.message = None;
        self.left_out = 0;
        self.names = Seen::of(&[]);
        self.has_again = false;
    }

    /// Gives back what one large record took.
    pub(crate) fn shrink(&mut self, limits: &Limits) {
        self.text.shrink_to(limits.total_bytes);
        self.entries.shrink_to(limits.fields);
    }

    /// Whether it is worth keeping for another span: neither unused nor large.
    pub(crate) fn is_spare(&self) -> bool {
        self.entries.capacity() > 0
            && self.entries.capacity() <= SPARE_FIELDS
            && self.text.capacity() <= SPARE_BYTES
    }

    pub(crate) fn push(
        &mut self,
        key: &'static str,
        mark: Mark,
        value: Value<'static>,
        limits: &Limits,
    ) {
        self.add(Key::Static(key), mark, Stored::Plain(value), limits);
    }

    /// Writes a value; `redact` then looks at what was written, from where it begins.
    pub(crate) fn push_text(
        &mut self,
        key: &'static str,
        mark: Mark,
        limits: &Limits,
        write: impl FnOnce(&mut Bounded<'_>),
        redact: impl FnOnce(&mut String, Part),
    ) {
        if self.entries.len() < limits.fields {
            let written = self.written(limits, write, redact);
            self.add(Key::Static(key), mark, Stored::Text(written), limits);
        } else {
            self.left_out += 1;
        }
    }

    /// Takes a field whose name is not known at compile time, as those of `log` records.
    pub(crate) fn push_named(
        &mut self,
        key: &str,
        limits: &Limits,
        value: Value<'_>,
        redact: impl Fn(&mut String, Part),
    ) {
        let value = match value {
            Value::Text(value) => {
                return self.push_written(key, limits, |text| text.push(value), redact);
            }
            Value::I64(value) => Stored::Plain(Value::I64(value)),
            Value::U64(value) => Stored::Plain(Value::U64(value)),
            Value::I128(value) => Stored::Plain(Value::I128(value)),
            Value::U128(value) => Stored::Plain(Value::U128(value)),
            Value::F64(value) => Stored::Plain(Value::F64(value)),
            Value::Bool(value) => Stored::Plain(Value::Bool(value)),
            Value::Redacted => Stored::Plain(Value::Redacted),
        };
        if self.entries.len() < limits.fields {
            let (key, mark) = self.written_key(key, limits, &redact);
            self.add(key, mark, value, limits);
        } else {
            self.left_out += 1;
        }
    }

    /// The same, with a value that writes itself.
    pub(crate) fn push_written(
        &mut self,
        key: &str,
        limits: &Limits,
        write: impl FnOnce(&mut Bounded<'_>),
        redact: impl Fn(&mut String, Part),
    ) {
        if self.entries.len() < limits.fields {
            let (key, mark) = self.written_key(key, limits, &redact);
            let written = self.written(limits, write, redact);
            self.add(key, mark, Stored::Text(written), limits);
        } else {
            self.left_out += 1;
        }
    }

    /// A name that was made up may say what a text may.
    fn written_key(
        &mut self,
        key: &str,
        limits: &Limits,
        redact: impl Fn(&mut String, Part),
    ) -> (Key, Mark) {
        let Written { range, .. } = self.written(limits, |text| text.push(key), redact);
        let mark = Mark::of(self.text.get(range.clone()).unwrap_or_default());
        (Key::Text(range), mark)
    }

    pub(crate) fn set_message(
        &mut self,
        limits: &Limits,
        write: impl FnOnce(&mut Bounded<'_>),
        redact: impl FnOnce(&mut String, Part),
    ) {
        self.message = Some(self.written(limits, write, redact).range);
    }

    /// Takes the fields of `newer`, in the place of its own of the same names. What was replaced takes
    /// no room any more.
    pub(crate) fn merge(&mut self, newer: &Self, limits: &Limits) {
        let mut merged = Self::new();
        let is_kept = |entry: &&Entry| !newer.has(self.key(entry), entry.mark);
        let kept = self.entries.iter().filter(is_kept);
        kept.for_each(|entry| merged.copy(self, entry, limits));
        newer.entries.iter().for_each(|entry| merged.copy(newer, entry, limits));
        merged.left_out += self.left_out + newer.left_out;
        *self = merged;
    }

    fn copy(&mut self, from: &Self, entry: &Entry, limits: &Limits) {
        let whole = Limits { value_bytes: usize::MAX, ..*limits };
        let nothing = |_: &mut String, _: Part| {};
        match (&entry.key, from.value(entry)) {
            (Key::Static(key), Value::Text(text)) => {
                self.push_text(key, entry.mark, &whole, |into| into.push(text), nothing);
            }
            (Key::Static(key), _) => {
                self.add(Key::Static(key), entry.mark, entry.value.clone(), limits);
            }
            (Key::Text(_), value) => self.push_named(from.key(entry), &whole, value, nothing),
        }
    }

    fn add(&mut self, key: Key, mark: Mark, value: Stored, limits: &Limits) {
        if self.entries.len() < limits.fields {
            let entry = Entry { key, mark, value };
            self.has_again |= self.names.add(mark) && self.has(self.key(&entry), mark);
            self.entries.push(entry);
        } else {
            self.left_out += 1;
        }
    }

    fn written(
        &mut self,
        limits: &Limits,
        write: impl FnOnce(&mut Bounded<'_>),
        redact: impl FnOnce(&mut String, Part),
    ) -> Written {
        let start = self.text.len();
        let room = limits.value_bytes.min(limits.total_bytes.saturating_sub(start));
        let mut bounded = Bounded { text: &mut self.text, room, is_full: false };
        write(&mut bounded);
        let is_full = bounded.is_full;
        let part = Part::of(&self.text, start, is_full);
        redact(&mut self.text, part);
        // What stands for secrets may be longer than they were.
        let is_longer = self.text.len() > start + room;
        if is_longer {
            self.text.truncate(self.text.floor_char_boundary(start + room));
        }
        let is_cut = is_full || is_longer;
        if is_cut {
            self.text.push_str(CUT);
        }
        Written { range: start..self.text.len(), is_plain: part.is_plain() && !is_cut }
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Takes as much text as there is room for, cut between characters.
#[derive(Debug)]
pub(crate) struct Bounded<'a> {
    text: &'a mut String,
    room: usize,
    is_full: bool,
}

impl Bounded<'_> {
    /// Once something is missing nothing more is taken: a text with a hole in it misleads.
    pub(crate) fn push(&mut self, part: &str) {
        if part.len() <= self.room && !self.is_full {
            self.text.push_str(part);
            self.room -= part.len();
        } else if !self.is_full {
            let fits = part.floor_char_boundary(self.room);
            self.text.push_str(part.get(..fits).unwrap_or_default());
            self.is_full = true;
        }
    }
}

impl fmt::Write for Bounded<'_> {
    /// An error tells a `Debug` that would go on for long that nobody listens any more.
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.push(part);
        if self.is_full { Err(fmt::Error) } else { Ok(()) }
    }
}
