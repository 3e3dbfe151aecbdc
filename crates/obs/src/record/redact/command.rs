//! What programs are given when they are started, and statements of SQL: values that stand behind their names without
//! a sign between them.

use std::ops::Range;

use crate::record::redact::RedactedKeys;
use crate::record::redact::value::{Encoding, length_of};

/// How far from `IDENTIFIED` its `BY` stands, in bytes.
const LONGEST_STATEMENT: usize = 96;

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
    if statement.len() == before.len() || !keys.is_key("password") {
        return false;
    }
    let is_identified = || {
        let near = last(statement, LONGEST_STATEMENT).to_ascii_uppercase();
        near.contains("IDENTIFIED") && (near.contains("USER ") || near.contains("GRANT "))
    };
    word.eq_ignore_ascii_case("password") || word.eq_ignore_ascii_case("by") && is_identified()
}

/// The end of a text, so many bytes at most.
fn last(text: &str, bytes: usize) -> &str {
    let begin = text.ceil_char_boundary(text.len().saturating_sub(bytes));
    text.get(begin..).unwrap_or_default()
}
