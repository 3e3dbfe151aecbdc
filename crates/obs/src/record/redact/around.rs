//! What may stand around a name, which is no part of it.

use crate::record::redact::keys::is_invisible;

/// Quotes and brackets behind a name, as URLs, JSON and HTML write them.
const ENDS: [&str; 11] =
    ["%22", "%27", "%20", "%5B", "%5b", "%5D", "%5d", "%2522", "\\u0022", "&quot;", "&#34;"];

/// How a colour begins that a terminal is told (ECMA-48); it ends with `m`.
pub(super) const COLOUR: &str = "\x1b[";

/// The longest of them, in bytes.
const LONGEST_COLOUR: usize = 24;

/// A text without what may stand between a name and its sign: quotes, brackets, operators, colours.
pub(super) fn without_end(before: &str) -> &str {
    const OPERATORS: [char; 6] = ['!', '<', '+', '?', '~', '|'];
    let is_end = |c: char| {
        matches!(c, ' ' | '\t' | '\u{a0}' | '"' | '\'' | '\\' | '`' | ')' | ']' | '*')
            || is_invisible(c)
    };
    let mut before = before.trim_end_matches(OPERATORS);
    loop {
        let shorter = without_index(before).trim_end_matches(is_end);
        let shorter = ENDS.iter().find_map(|end| shorter.strip_suffix(end)).unwrap_or(shorter);
        let shorter = without_colour(shorter);
        if shorter.len() == before.len() {
            return before;
        }
        before = shorter;
    }
}

/// `name[]` and `name[7]`.
fn without_index(before: &str) -> &str {
    let open =
        before.strip_suffix(']').map(|rest| rest.trim_end_matches(|c: char| c.is_ascii_digit()));
    open.and_then(|open| open.strip_suffix('[')).unwrap_or(before)
}

fn without_colour(before: &str) -> &str {
    let Some(rest) = before.strip_suffix('m') else { return before };
    let near = rest.ceil_char_boundary(rest.len().saturating_sub(LONGEST_COLOUR));
    let open = rest.get(near..).and_then(|rest| rest.rfind(COLOUR)).map(|at| near + at);
    let is_colour = |open: &usize| {
        let inner = rest.get(open + COLOUR.len()..).unwrap_or_default();
        inner.bytes().all(|byte| byte.is_ascii_digit() || byte == b';')
    };
    open.filter(is_colour).and_then(|open| rest.get(..open)).unwrap_or(before)
}

/// Words without what belongs to the sign before them: the digits of `%26token`, the quote of `\u0022token`, colours.
pub(super) fn without_begin<'a>(before: &str, words: &'a str) -> &'a str {
    if before.ends_with('%') {
        let words = words.strip_prefix("25").unwrap_or(words);
        words.get(2..).unwrap_or_default()
    } else if before.ends_with('\\') {
        words.strip_prefix("u0022").unwrap_or(words)
    } else if before.ends_with(COLOUR) {
        words.split_once('m').map_or(words, |(_, words)| words)
    } else {
        words
    }
}

/// Words without the letter of `\ntoken`, which `Debug` escaped.
pub(super) fn without_letter<'a>(before: &str, words: &'a str) -> Option<&'a str> {
    words.strip_prefix(['n', 'r', 't']).filter(|_| before.ends_with('\\'))
}
