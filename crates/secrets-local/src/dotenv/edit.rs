//! Changes to a `.env` text that leave everything else as it stands.
//!
//! What comes out has been read again: it holds exactly the value that was asked for, and every
//! other entry as it was. Where that cannot be, the change is refused.

use zeroize::Zeroizing;

use super::document::{Document, Entry};
use super::fault::{Fault, What};

/// How many bytes may be read again in search of the comment of one entry: thousands of number signs
/// in an entry of usual size, dozens in one of a mebibyte.
const COMMENT_WORK: usize = 64 << 20;

/// The text in which `key` has this value. The entry that counts is rewritten where it stands; a
/// new one is added at the end.
pub(super) fn set(
    document: &Document<'_>,
    key: &str,
    value: &str,
) -> Result<Zeroizing<String>, Fault> {
    let quoted = quote(value);
    let position = document.entries.iter().rposition(|entry| entry.key == key);
    let entry = position.and_then(|position| document.entries.get(position));
    let entangled = Fault::new(entry.map_or(1, |entry| entry.line), What::Entangled);
    let text = match entry {
        Some(entry) => rewrite(document, entry, &quoted).ok_or(entangled)?,
        None => append(document.text, key, &quoted),
    };
    let mut expected: Vec<_> = document.entries.iter().map(Expected::Kept).collect();
    let now = Expected::Now { key, value };
    match position.and_then(|position| expected.get_mut(position)) {
        Some(old) => *old = now,
        None => expected.push(now),
    }
    if reads_as(&text, &expected) { Ok(text) } else { Err(entangled) }
}

/// The text without any entry of `key`: an earlier one would count if only the last one went.
pub(super) fn remove(document: &Document<'_>, key: &str) -> Result<Zeroizing<String>, Fault> {
    let mut text = Zeroizing::new(String::with_capacity(document.text.len()));
    let mut kept_to = 0;
    let mut line = 1;
    for entry in document.entries.iter().filter(|entry| entry.key == key) {
        text.push_str(document.text.get(kept_to..entry.span.start).unwrap_or_default());
        kept_to = entry.span.end;
        line = entry.line;
    }
    text.push_str(document.text.get(kept_to..).unwrap_or_default());
    let others = document.entries.iter().filter(|entry| entry.key != key);
    let expected: Vec<_> = others.map(Expected::Kept).collect();
    if reads_as(&text, &expected) { Ok(text) } else { Err(Fault::new(line, What::Entangled)) }
}

/// What an entry has to be after a change.
enum Expected<'e> {
    Kept(&'e Entry),
    Now { key: &'e str, value: &'e str },
}

fn reads_as(text: &str, expected: &[Expected<'_>]) -> bool {
    let Ok(after) = Document::parse(text) else { return false };
    after.entries.len() == expected.len()
        && after.entries.iter().zip(expected).all(|(entry, expected)| match expected {
            Expected::Kept(old) => entry.is_written_as(old),
            Expected::Now { key, value } => entry.key == *key && entry.is_exactly(value),
        })
}

/// The value between single quotes, in which no reader of such files sees anything special: not
/// dotenvy, and not a shell, which would run what stands between backticks in double ones. A single
/// quote, and backslashes before a quote (dotenvy looks for the closing one past them), stand
/// between two quoted pieces, each behind a backslash.
fn quote(value: &str) -> Zeroizing<String> {
    let specials = value.bytes().filter(|byte| matches!(byte, b'\'' | b'\\')).count();
    let mut quoted = Zeroizing::new(String::with_capacity(value.len() + 3 * specials + 2));
    for (index, piece) in value.split('\'').enumerate() {
        if index > 0 {
            quoted.push_str(r"\'");
        }
        let body = piece.trim_end_matches('\\');
        if !body.is_empty() || value.is_empty() {
            quoted.extend(["'", body, "'"]);
        }
        (body.len()..piece.len()).for_each(|_| quoted.push_str(r"\\"));
    }
    quoted
}

/// The text with one more entry, behind a line end of the kind that the text has.
fn append(text: &str, key: &str, quoted: &str) -> Zeroizing<String> {
    let end = match text.find('\n') {
        Some(at) if text.get(..at).is_some_and(|line| line.ends_with('\r')) => "\r\n",
        _ => "\n",
    };
    let is_open = !text.is_empty() && !text.ends_with('\n');
    concat(&[text, if is_open { end } else { "" }, key, "=", quoted, end])
}

/// The text with another value in one entry; what stands before the value and behind it stays.
fn rewrite(document: &Document<'_>, entry: &Entry, quoted: &str) -> Option<Zeroizing<String>> {
    let source = document.source(entry);
    let (head, rest) = source.split_at_checked(source.find('=')? + 1)?;
    let old = rest.get(..rest.len() - comment_len(source, entry)?)?;
    let tail = rest.get(old.len()..)?;
    let value = old.trim();
    let (before, behind) = match old.find(value) {
        // All that stands there is white space: it is what keeps the value from a comment.
        _ if value.is_empty() => ("", old),
        Some(at) => (old.get(..at)?, old.get(at + value.len()..)?),
        None => return None,
    };
    let needs_space = behind.is_empty() && !tail.is_empty();
    Some(concat(&[
        document.text.get(..entry.span.start)?,
        head,
        before,
        quoted,
        if needs_space { " " } else { "" },
        behind,
        tail,
        document.text.get(entry.span.end..)?,
    ]))
}

/// How many bytes the comment behind a value takes, line end included: it begins where the entry
/// can be cut and is still the same to dotenvy. `None` when that is too much to ask.
fn comment_len(source: &str, entry: &Entry) -> Option<usize> {
    let is_same = |head: &str| {
        Document::parse(head).is_ok_and(|cut| match &*cut.entries {
            [only] => only.is_written_as(entry),
            _ => false,
        })
    };
    let mut work = 0;
    for (at, _) in source.match_indices('#') {
        let head = source.get(..at)?;
        // A comment begins behind white space on its line, or in the place of the value.
        let before = head.trim_end_matches(|c: char| c.is_whitespace() && c != '\n');
        if before.len() == head.len() && !head.ends_with('=') {
            continue;
        }
        work += head.len();
        if work > COMMENT_WORK {
            return None;
        }
        if is_same(head) {
            return Some(source.len() - at);
        }
    }
    Some(0)
}

fn concat(pieces: &[&str]) -> Zeroizing<String> {
    let len = pieces.iter().map(|piece| piece.len()).sum();
    let mut text = Zeroizing::new(String::with_capacity(len));
    pieces.iter().for_each(|piece| text.push_str(piece));
    text
}
