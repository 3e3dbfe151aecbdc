//! What programs are given when they are started, and statements of SQL: values that stand behind their names without
//! a sign between them.

use std::ops::Range;

use crate::record::redact::RedactedKeys;
use crate::record::redact::value::{Encoding, length_of, quoted, single_quoted};

/// How far from `IDENTIFIED` its `BY` stands, in bytes.
const LONGEST_STATEMENT: usize = 96;

/// How far from its values a list of columns begins, in bytes.
const LONGEST_COLUMNS: usize = 1 << 10;

/// How far from its password an option such as `-u` stands, in bytes.
const LONGEST_LOGIN: usize = 160;

/// What follows an option in a sentence on it: `--token is required`.
const PROSE: &[&str] = &[
    "and", "are", "argument", "can", "cannot", "for", "flag", "from", "has", "if", "in", "instead",
    "is", "may", "must", "needs", "not", "option", "or", "requires", "should", "to", "was", "when",
    "with",
];

/// Options whose value is a name and a password, as those of `curl` are.
const LOGINS: [&str; 4] = ["-u", "-U", "--user", "--proxy-user"];

/// The value behind `--password `, which `text` begins with: a word, or the next in a list, or in quotes.
pub(super) fn option(keys: &RedactedKeys, text: &str) -> Option<Range<usize>> {
    let rest = text.strip_prefix("--")?;
    let is_of_option = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = rest.get(..rest.find(|c| !is_of_option(c))?)?;
    let behind = rest.get(name.len()..)?.trim_start_matches(['\\', '"', '\'']);
    let value = match behind.strip_prefix(',') {
        Some(next) => next.trim_start(),
        None => behind.trim_start_matches([' ', '\t']),
    };
    let is_joined = value.len() == behind.len();
    let is_option = value.starts_with(['-', '<', '[', '(', '=', ':', '|', '>']);
    let word = value.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    let is_prose = PROSE.contains(&word) && !behind.starts_with(',');
    if is_joined || is_option || is_prose || !keys.is_sensitive(name) {
        return None;
    }
    let begin = text.len() - value.len();
    Some(begin..begin + length_of(value, name, Encoding::None))
}

/// Whether what follows a colon is a password, `before` it a name and an option that takes both: `-u alice:hunter2`.
pub(super) fn is_login(before: &str, behind: &str) -> bool {
    let is_gap = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | '=' | ',');
    let before = last(before, LONGEST_LOGIN);
    let Some(end) = before.rfind(is_gap) else { return false };
    let option = before.get(..=end).unwrap_or_default().trim_end_matches(is_gap);
    let option = option.rsplit(is_gap).next().unwrap_or_default();
    // The ids of a user and a group are no password.
    LOGINS.contains(&option)
        && !behind.starts_with(|c: char| c.is_ascii_digit() || c.is_whitespace())
}

/// Whether a text in single quotes is a password, since `before` it a statement says so: `PASSWORD '…'`,
/// `IDENTIFIED BY '…'`.
pub(super) fn is_of_statement(keys: &RedactedKeys, before: &str) -> bool {
    let statement = before.trim_end();
    let mut words = statement.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let word = words.next().unwrap_or_default();
    if !keys.is_key("password") {
        return false;
    }
    let near = || last(statement, LONGEST_STATEMENT).to_ascii_uppercase();
    if statement.ends_with('=') {
        return near().contains("SET PASSWORD FOR ");
    }
    if statement.len() == before.len() {
        return false;
    }
    let is_identified = || {
        let near = near();
        near.contains("IDENTIFIED") && (near.contains("USER ") || near.contains("GRANT "))
    };
    word.eq_ignore_ascii_case("password") || word.eq_ignore_ascii_case("by") && is_identified()
}

/// The values of sensitive columns in `INSERT INTO t (name, password) VALUES ('alice', '…'), …`, where `text` begins
/// with the first row: from the first of them to the last, with what stands between them. Parameters are none.
pub(super) fn row(keys: &RedactedKeys, before: &str, text: &str) -> Option<Range<usize>> {
    let before = before.trim_end();
    let word = before.get(before.len().checked_sub("VALUES".len())?..)?;
    if !word.eq_ignore_ascii_case("VALUES") {
        return None;
    }
    let columns = before.strip_suffix(word)?.trim_end().strip_suffix(')')?;
    let (_, columns) = last(columns, LONGEST_COLUMNS).rsplit_once('(')?;
    let columns: Vec<bool> = columns.split(',').map(|column| keys.is_sensitive(column)).collect();
    columns.contains(&true).then(|| sensitive_items(&columns, text))?
}

/// What the rows that `text` begins with hold in these columns; to the end of the text if they are not ended.
fn sensitive_items(columns: &[bool], text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut column, mut begin) = (0, 0_usize, 0, 0);
    let mut found: Option<Range<usize>> = None;
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let is_sensitive = columns.get(column) == Some(&true);
        if is_sensitive && matches!(byte, b',' | b')') {
            let item = trimmed(text, begin, at);
            let is_given = !is_parameter(text.get(item.clone()).unwrap_or_default());
            found = if is_given { Some(joined(found, item)) } else { found };
        }
        at += match byte {
            b'\'' => single_quoted(rest, b'\''),
            b'"' | b'\\' => quoted(rest).unwrap_or(1),
            _ => 1,
        };
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        match (byte, depth) {
            (b'(', 1) => (column, begin) = (0, at),
            (b',', 1) => (column, begin) = (column + 1, at),
            (b')', 0) => match next_row(text, at) {
                Some(next) => at = next,
                None => return found,
            },
            _ => {}
        }
    }
    Some(joined(found, trimmed(text, begin, text.len())))
}

/// Where another row begins behind one that ends at `at`.
fn next_row(text: &str, at: usize) -> Option<usize> {
    let next = text.get(at..)?.trim_start().strip_prefix(',')?.trim_start();
    next.starts_with('(').then_some(text.len() - next.len())
}

fn joined(found: Option<Range<usize>>, item: Range<usize>) -> Range<usize> {
    found.map_or(item.start, |found| found.start)..item.end
}

/// The part from `begin` to `end`, without the spaces around it.
fn trimmed(text: &str, begin: usize, end: usize) -> Range<usize> {
    let part = text.get(begin..end).unwrap_or_default();
    let begin = begin + part.len() - part.trim_start().len();
    begin..begin + part.trim().len()
}

/// Whether it stands for a value that is given apart from the statement, or for none.
fn is_parameter(item: &str) -> bool {
    item.starts_with(['$', '?', ':', '@', '%'])
        || ["null", "default"].iter().any(|word| item.eq_ignore_ascii_case(word))
}

/// The end of a text, so many bytes at most.
fn last(text: &str, bytes: usize) -> &str {
    let begin = text.ceil_char_boundary(text.len().saturating_sub(bytes));
    text.get(begin..).unwrap_or_default()
}
