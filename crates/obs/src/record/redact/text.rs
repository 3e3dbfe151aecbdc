//! Names and values within a text: messages, and what `Debug` and `Display` make of things.
//!
//! `password=hunter2`, `password: "hunter2"`, `"password":"hunter2"`, `Authorization: Bearer abc`,
//! `password: Some("hunter2")`, `("password", "hunter2")`, `token=abc&x=1`, `https://user:hunter2@host/`.

use crate::record::fields::REDACTED;
use crate::record::redact::RedactedKeys;

/// Longest name that is looked for before a `=` or `:`, in bytes.
const LONGEST_NAME: usize = 64;

/// Longest user information of a URL that is looked at, in bytes.
const LONGEST_AUTHORITY: usize = 512;

impl RedactedKeys {
    /// Takes out of `text`, from `start` on, what sensitive names stand before.
    pub(crate) fn redact(&self, text: &mut String, start: usize) {
        let has_pairs = |text: &str| text.bytes().any(begins_pair);
        if text.get(start..).is_some_and(has_pairs) {
            self.redact_pairs(text, start);
        }
    }

    /// What may be shown of a text, if that is not all of it.
    pub(crate) fn redacted(&self, text: &str) -> Option<String> {
        if !text.bytes().any(begins_pair) {
            return None;
        }
        let mut shown = text.to_owned();
        self.redact(&mut shown, 0);
        (shown != text).then_some(shown)
    }

    #[cold]
    fn redact_pairs(&self, text: &mut String, start: usize) {
        let mut from = start;
        while let Some(at) = next_pair(text, from) {
            from = at + 1;
            let secret = userinfo(text, at).or_else(|| {
                let (name, behind) = match text.as_bytes().get(at) {
                    Some(b'(') => name_in_tuple(text, at)?,
                    _ => (name_before(text, start, at), at + 1),
                };
                let is_looked_at = (1..=LONGEST_NAME).contains(&name.len());
                (is_looked_at && self.is_sensitive(name))
                    .then(|| value_after(text, behind, name))?
            });
            if let Some((begin, end)) = secret {
                text.replace_range(begin..end, REDACTED);
                from = begin + REDACTED.len();
            }
        }
    }
}

/// The first text of a tuple, and where its second one begins: a list of headers.
fn name_in_tuple(text: &str, at: usize) -> Option<(&str, usize)> {
    let rest = text.as_bytes().get(at + 1..)?;
    let length = quoted(rest.get(..LONGEST_NAME + 16).unwrap_or(rest))?;
    let name = text.get(at + 1..at + 1 + length)?.trim_matches(['\\', '"']);
    (rest.get(length) == Some(&b',')).then_some((name, at + length + 2))
}

/// The name that ends before `at`, perhaps in quotes.
fn name_before(text: &str, start: usize, at: usize) -> &str {
    let before = text.get(start..at).unwrap_or_default();
    let before = before.trim_end_matches([' ', '"', '\'', '\\', '`', ')', ']']);
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let begin = before.char_indices().rev().take_while(|(_, c)| is_of_name(*c)).last();
    begin.and_then(|(begin, _)| before.get(begin..)).unwrap_or_default()
}

fn begins_pair(byte: u8) -> bool {
    matches!(byte, b'=' | b':' | b'(')
}

/// The next `=`, `:` or opening bracket.
fn next_pair(text: &str, from: usize) -> Option<usize> {
    let rest = text.as_bytes().get(from..)?;
    rest.iter().position(|byte| begins_pair(*byte)).map(|at| from + at)
}

/// The password in `://user:password@`, whose first colon is at `at`.
fn userinfo(text: &str, at: usize) -> Option<(usize, usize)> {
    let authority = text.get(at..)?.strip_prefix("://")?;
    let authority = authority.get(..authority.floor_char_boundary(LONGEST_AUTHORITY))?;
    let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>');
    // A password that was not encoded may hold what ends an authority: the last `@` before a space decides.
    let word = authority.split(|c: char| c.is_whitespace() || c == '"').next()?;
    let plain = authority.split(ends).next()?;
    let user_part = match plain.rfind('@') {
        Some(end) => plain.get(..end)?,
        None => {
            let end = word.rfind('@')?;
            let part = word.get(..end)?;
            // `https://host:80/path/@name`: what follows the colon is a port.
            let after = part.split_once(':')?.1;
            if after.starts_with(|c: char| c.is_ascii_digit()) && after.contains('/') {
                return None;
            }
            part
        }
    };
    let colon = user_part.find(':')?;
    let begin = at + "://".len() + colon + 1;
    let end = at + "://".len() + user_part.len();
    (begin < end).then_some((begin, end))
}

/// Where the value begins and ends that follows a sensitive name.
fn value_after(text: &str, from: usize, name: &str) -> Option<(usize, usize)> {
    let rest = text.get(from..)?;
    let begin = from + (rest.len() - rest.trim_start_matches([' ', '\t', '=', ':', '>']).len());
    let value = text.get(begin..)?;
    if value.is_empty() || value.starts_with(REDACTED) {
        return None;
    }
    let length = length_of(value, name);
    (length > 0).then_some((begin, begin + length))
}

/// Schemes of `Authorization` (RFC 9110): the credential is the word after them.
const SCHEMES: [&str; 8] =
    ["bearer", "basic", "digest", "negotiate", "token", "dpop", "apikey", "aws4-hmac-sha256"];

/// Headers whose values have parts of their own, to the end of the line.
const LINES: [&str; 2] = ["authorization", "cookie"];

fn length_of(value: &str, name: &str) -> usize {
    let is_header = LINES.iter().any(|line| name.to_lowercase().ends_with(line));
    if is_header && quoted(value.as_bytes()).is_none() && !value.starts_with(['(', '[', '{']) {
        return value.find(['\n', '\r']).unwrap_or(value.len());
    }
    let first = value.split([' ', '\t']).next().unwrap_or_default();
    if SCHEMES.iter().any(|scheme| first.eq_ignore_ascii_case(scheme)) {
        let ends = |c: char| matches!(c, '"' | '\'' | '\n' | '\r' | '}' | ']' | ')');
        return value.find(ends).unwrap_or(value.len());
    }
    if let Some(quote @ ('\'' | '`')) = value.chars().next() {
        let inner = value.get(1..).unwrap_or_default();
        return inner.find(quote).map_or(value.len(), |end| end + 2);
    }
    let bytes = value.as_bytes();
    let (mut at, mut open) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        if let Some(length) = quoted(bytes.get(at..).unwrap_or_default()) {
            at += length;
            if open == 0 {
                return at;
            }
            continue;
        }
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' if open == 0 => return at,
            b')' | b']' | b'}' => {
                open -= 1;
                if open == 0 {
                    return at + 1;
                }
            }
            b',' | b'&' | b';' | b'\'' if open == 0 => return at,
            byte if byte.is_ascii_whitespace() && open == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    value.len()
}

/// The length of what stands in quotes at the beginning of `text`, with them; to its end if they are
/// not closed. Quotes that `Debug` escaped, however often, are closed by one that is escaped alike.
fn quoted(text: &[u8]) -> Option<usize> {
    let depth = backslashes(text);
    if text.get(depth) != Some(&b'"') {
        return None;
    }
    let mut at = depth + 1;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let run = backslashes(rest);
        if rest.get(run) == Some(&b'"') && run == depth {
            return Some(at + run + 1);
        }
        at += run + 1;
    }
    Some(text.len())
}

fn backslashes(text: &[u8]) -> usize {
    text.iter().take_while(|byte| **byte == b'\\').count()
}
