//! The entries of a `.env` text, as dotenvy reads them, with where they stand.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Read};
use std::ops::Range;
use std::rc::Rc;

use zeroize::{Zeroize, Zeroizing};

use super::config::Substitution;
use super::dollar::{self, Part};
use super::fault::{Fault, What};

/// The longest file in bytes, and the most that all its values together may grow to by
/// substitution: a few lines could ask for terabytes otherwise.
pub(super) const MAX_LEN: usize = 10 * 1024 * 1024;

/// The byte-order mark that some editors put first (Unicode, section 23.8).
const BOM: &str = "\u{feff}";

/// A `.env` text in its entries.
pub(super) struct Document<'t> {
    /// Without the byte-order mark.
    pub(super) text: &'t str,
    pub(super) entries: Vec<Entry>,
}

/// What dotenvy takes for one entry: its lines from the first to the last, line end included.
pub(super) struct Entry {
    pub(super) key: String,
    value: Zeroizing<String>,
    pub(super) span: Range<usize>,
    /// Counted from 1.
    pub(super) line: usize,
}

/// The value of an entry.
pub(super) struct Resolved<'d> {
    pub(super) key: &'d str,
    pub(super) value: Result<Zeroizing<String>, Fault>,
}

/// The text of a file and whether a byte-order mark came before it.
pub(super) fn decode(bytes: &[u8]) -> Result<(&'static str, &str), Fault> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        Fault::new(1 + before.iter().filter(|byte| **byte == b'\n').count(), What::NotUtf8)
    })?;
    Ok(text.strip_prefix(BOM).map_or(("", text), |rest| (BOM, rest)))
}

impl<'t> Document<'t> {
    pub(super) fn parse(text: &'t str) -> Result<Self, Fault> {
        let taken = Rc::new(Cell::new(Position { offset: 0, line: 1 }));
        let lines = Lines::new(text, Rc::clone(&taken));
        let mut entries = Vec::new();
        let mut before = taken.get();
        for item in dotenvy::from_read_iter(lines) {
            let end = taken.get();
            let begin = before.past_idle_lines(text);
            match item {
                Ok((key, value)) => entries.push(Entry {
                    key,
                    value: Zeroizing::new(value),
                    span: begin.offset..end.offset,
                    line: begin.line,
                }),
                Err(error) => {
                    wipe(error);
                    return Err(Fault::new(begin.line, What::Malformed));
                }
            }
            before = end;
        }
        Ok(Self { text, entries })
    }

    /// The lines of an entry as they stand in the text.
    pub(super) fn source(&self, entry: &Entry) -> &'t str {
        self.text.get(entry.span.clone()).unwrap_or_default()
    }

    /// The entry that counts: the last of that key.
    pub(super) fn last(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.key == key)
    }

    /// The values of all entries, in order.
    pub(super) fn resolve(&self, substitution: Substitution) -> Vec<Resolved<'_>> {
        let mut resolved: Vec<Resolved<'_>> = Vec::with_capacity(self.entries.len());
        let mut latest = HashMap::new();
        let mut total = 0;
        for (index, entry) in self.entries.iter().enumerate() {
            let value = entry.expand(|target| match substitution {
                Substitution::Never => Some(Meaning::AsItStands),
                Substitution::WithinFile => {
                    let index: usize = *latest.get(name_of(target)?)?;
                    resolved.get(index)?.value.as_deref().ok().map(|value| Meaning::Text(value))
                }
            });
            let value = value.and_then(|value| match total + value.len() {
                sum if sum > MAX_LEN => Err(What::TooMuch),
                sum => {
                    total = sum;
                    Ok(value)
                }
            });
            let value = value.map_err(|what| Fault::new(entry.line, what));
            latest.insert(&*entry.key, index);
            resolved.push(Resolved { key: &entry.key, value });
        }
        resolved
    }
}

impl Entry {
    /// The value with each reference replaced by what it means.
    fn expand<'f>(
        &self,
        meaning: impl Fn(&str) -> Option<Meaning<'f>>,
    ) -> Result<Zeroizing<String>, What> {
        let parts = dollar::parts(&self.value).ok_or(What::Malformed)?;
        let mut pieces = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Part::Text(text) => pieces.push(text),
                Part::Reference(target) => match meaning(target).ok_or(What::UnknownReference)? {
                    Meaning::Text(text) => pieces.push(text),
                    Meaning::AsItStands => pieces.extend(["$", target]),
                },
            }
        }
        let len = pieces.iter().map(|piece| piece.len()).sum();
        if len > MAX_LEN {
            return Err(What::TooMuch);
        }
        let mut value = Zeroizing::new(String::with_capacity(len));
        pieces.iter().for_each(|piece| value.push_str(piece));
        Ok(value)
    }

    /// True when the value is this text, with nothing to substitute in it.
    pub(super) fn is_exactly(&self, text: &str) -> bool {
        self.expand(|_| None).is_ok_and(|value| *value == text)
    }

    /// True when both hold the same before substitution.
    pub(super) fn is_written_as(&self, other: &Self) -> bool {
        self.key == other.key && self.value == other.value
    }
}

/// What a reference stands for.
enum Meaning<'f> {
    Text(&'f str),
    AsItStands,
}

/// The key that a reference names. Without braces an underscore is refused: dotenvy ends the name
/// before it, a shell does not.
fn name_of(target: &str) -> Option<&str> {
    match target.strip_prefix('{') {
        Some(braced) => braced.strip_suffix('}'),
        None => Some(target).filter(|name| !name.contains('_')),
    }
}

/// dotenvy's error holds the line with the secret: nothing of it is kept.
fn wipe(error: dotenvy::Error) {
    if let dotenvy::Error::LineParse(mut line, _) = error {
        line.zeroize();
    }
}

#[derive(Debug, Clone, Copy)]
struct Position {
    offset: usize,
    line: usize,
}

impl Position {
    /// Where the first line begins that is neither blank nor a comment: dotenvy skips those.
    fn past_idle_lines(mut self, text: &str) -> Self {
        let rest = text.get(self.offset..).unwrap_or_default();
        for line in rest.split_inclusive('\n') {
            let begin = line.trim_start();
            if !begin.is_empty() && !begin.starts_with('#') {
                break;
            }
            self.offset += line.len();
            self.line += 1;
        }
        self
    }
}

/// Gives dotenvy a text, disarmed, one line a read: so no line is taken before it is needed, and
/// what was taken when an entry comes out is where that entry ends.
struct Lines<'t> {
    rest: &'t str,
    taken: Rc<Cell<Position>>,
    line: Zeroizing<String>,
    given: usize,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str, taken: Rc<Cell<Position>>) -> Self {
        Self { rest: text, taken, line: Zeroizing::new(String::new()), given: 0 }
    }

    fn next_line(&mut self) {
        let Some(line) = self.rest.split_inclusive('\n').next() else { return };
        self.rest = self.rest.get(line.len()..).unwrap_or_default();
        let Position { offset, line: number } = self.taken.get();
        self.taken.set(Position { offset: offset + line.len(), line: number + 1 });
        self.line = Zeroizing::new(String::with_capacity(dollar::disarmed_len(line) + 1));
        dollar::disarm(line, &mut self.line);
        // dotenvy refuses white space at the very end of a text, and only there.
        if !line.ends_with('\n') {
            self.line.push('\n');
        }
        self.given = 0;
    }
}

impl Read for Lines<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.given == self.line.len() {
            self.line.clear();
            self.given = 0;
            self.next_line();
        }
        let mut rest = self.line.as_bytes().get(self.given..).unwrap_or_default();
        let count = rest.read(to)?;
        self.given += count;
        Ok(count)
    }
}
