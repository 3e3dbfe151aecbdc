//! Where values end.

use crate::record::fields::REDACTED;

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As it is.
    None,
    /// With percent signs, in a part of a URL.
    Percent,
}

/// Schemes of `Authorization` (RFC 9110): the credential is the word after them.
const SCHEMES: [&str; 8] =
    ["bearer", "basic", "digest", "negotiate", "token", "dpop", "apikey", "aws4-hmac-sha256"];

/// That of `aws4-hmac-sha256`, in bytes.
const LONGEST_SCHEME: usize = 16;

/// Headers whose values have parts of their own, to the end of the line.
const LINES: [&str; 2] = ["authorization", "cookie"];

/// What is made of words with spaces between them, and how its name ends.
const PHRASES: [&str; 2] = ["mnemonic", "phrase"];

/// Quotes as JSON and HTML write them within texts of their own, those of Python and TOML for several lines, and of print.
const QUOTES: [(&str, &str); 6] = [
    ("\"\"\"", "\"\"\""),
    ("\\u0022", "\\u0022"),
    ("&quot;", "&quot;"),
    ("&#34;", "&#34;"),
    ("“", "”"),
    ("«", "»"),
];

/// How a private key begins (RFC 7468): it has spaces and lines in it.
pub(super) const PEM: &str = "-----BEGIN ";

/// The longest name of what is in PEM, in bytes.
const LONGEST_LABEL: usize = 64;

/// How long the value of `name` is.
pub(super) fn length_of(value: &str, name: &str, how: Encoding) -> usize {
    if how == Encoding::Percent {
        let end =
            value.find(|c: char| c.is_whitespace() || matches!(c, '&' | '"' | '\'' | '<' | '>'));
        let plain = value.get(..end.unwrap_or(value.len())).unwrap_or_default();
        let ends = ["%26", "%2526"].iter().filter_map(|sign| plain.find(sign));
        return ends.min().unwrap_or(plain.len());
    }
    if value.starts_with(PEM) {
        return pem(value);
    }
    // What was taken out already may be the beginning of more.
    if let Some(rest) = value.strip_prefix(REDACTED) {
        let more = if rest.starts_with(is_of_word) || is_header(name) {
            length_of(rest, name, how)
        } else {
            0
        };
        return if more == 0 { 0 } else { REDACTED.len() + more };
    }
    let is_plain = quoted(value.as_bytes()).is_none() && !value.starts_with(['(', '[', '{']);
    if is_header(name) && is_plain && !is_wrapped(value) {
        return value.find(['\n', '\r']).unwrap_or(value.len());
    }
    if let Some(length) = marked(value) {
        return length;
    }
    let head = value.get(..value.floor_char_boundary(LONGEST_SCHEME + 1)).unwrap_or_default();
    let first = head.split([' ', '\t']).next().unwrap_or_default();
    if SCHEMES.iter().any(|scheme| first.eq_ignore_ascii_case(scheme)) {
        let ends = |c: char| matches!(c, '"' | '\'' | '\n' | '\r' | '}' | ']' | ')');
        return value.find(ends).unwrap_or(value.len());
    }
    let length = bare(value.as_bytes());
    if is_plain && PHRASES.iter().any(|phrase| name.to_lowercase().ends_with(phrase)) {
        return length + words(value.get(length..).unwrap_or_default());
    }
    length
}

/// The shortest credential that is told from other values by its characters, in bytes.
const SHORTEST_CREDENTIAL: usize = 16;

/// So long no name with digits and dashes in it is, in bytes.
const LONGEST_NAME: usize = 32;

/// Whether a part of a value is made like a credential: long, with digits, and no name such as `SCRAM-SHA-256-PLUS`.
pub(super) fn has_credential(value: &str) -> bool {
    let is_of_sign = |c: char| matches!(c, '-' | '_' | '.' | '~');
    let is_of_base64 = |c: char| matches!(c, '+' | '/' | '=' | '%');
    let is_of_it = |c: char| c.is_ascii_alphanumeric() || is_of_sign(c) || is_of_base64(c);
    value.split(|c| !is_of_it(c)).any(|part| {
        let has = |is: fn(&char) -> bool| part.chars().any(|c| is(&c));
        let is_mixed = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase);
        let has_digits = has(char::is_ascii_digit);
        part.len() >= SHORTEST_CREDENTIAL
            && (has_digits || part.contains(is_of_base64))
            && has(char::is_ascii_alphabetic)
            && (is_mixed || !part.contains(is_of_sign) || part.len() >= LONGEST_NAME)
    })
}

/// The length of what stands in quotes that are no characters of their own, or not those of programs, with what goes on
/// right behind them.
fn marked(value: &str) -> Option<usize> {
    let (open, close) = QUOTES.iter().find(|(open, _)| value.starts_with(open))?;
    let end = value.get(open.len()..)?.find(close);
    let length = end.map_or(value.len(), |end| open.len() + end + close.len());
    let rest = value.get(length..).unwrap_or_default();
    Some(if goes_on(rest.as_bytes(), 0) { length + bare(rest.as_bytes()) } else { length })
}

/// How long the words are that go on there, none of which is the name of something else.
fn words(text: &str) -> usize {
    let mut length = 0;
    while let Some(word) = text.get(length..).and_then(|rest| rest.strip_prefix(' ')) {
        let end = word.find(|c: char| !c.is_alphanumeric()).unwrap_or(word.len());
        let is_name =
            word.get(end..).is_some_and(|rest| rest.starts_with(['=', ':', '_', '-', '.']));
        if end == 0 || is_name {
            break;
        }
        length += 1 + end;
    }
    length
}

fn is_header(name: &str) -> bool {
    LINES.iter().any(|line| name.to_lowercase().ends_with(line))
}

/// Whether it is what `Debug` makes of a type around something: `Some(…`, `Value { …`.
fn is_wrapped(value: &str) -> bool {
    let rest = value.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
    rest.starts_with('(') || rest.starts_with(" {")
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '_' | '-' | '.' | '/' | '+' | '@' | '#' | '$' | '%' | '^' | '*' | '!' | '~')
}

/// A value that is told by its brackets and quotes, or else ends with its word.
fn bare(bytes: &[u8]) -> usize {
    let (mut at, mut open, mut is_quoted_deeper) = (0, 0_usize, false);
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        if let Some(length) = quoted(rest) {
            let quote = backslashes(rest) + 1;
            if open == 0 && at > 0 && !goes_on(rest, quote) && !is_quoted_deeper {
                return at;
            }
            at += length;
            // A shell joins `"a"\"b` to one word.
            let behind = bytes.get(at..).unwrap_or_default();
            let deeper = backslashes(behind);
            is_quoted_deeper = deeper >= quote && behind.get(deeper) == Some(&b'"');
            if is_quoted_deeper {
                continue;
            }
        } else if matches!(byte, b'\'' | b'`') && (at == 0 || goes_on(rest, 1)) {
            at += if at == 0 { single_quoted(rest, *byte) } else { 1 };
        } else {
            match byte {
                b'(' | b'[' | b'{' => open += 1,
                b')' | b']' | b'}' if open == 0 => return at,
                b')' | b']' | b'}' => open -= 1,
                b' ' if open == 0 && rest.starts_with(b" {") && is_name(bytes, at) => {}
                b',' | b'&' | b';' | b'\'' | b'`' if open == 0 => return at,
                byte if byte.is_ascii_whitespace() && open == 0 => return at,
                _ => {
                    at += 1;
                    continue;
                }
            }
            at += 1;
            if !matches!(byte, b')' | b']' | b'}') {
                continue;
            }
        }
        // Behind quotes and brackets: what follows without a gap is a part of it.
        if open == 0 && !goes_on(bytes, at) {
            return at;
        }
    }
    bytes.len()
}

/// Whether a word goes on there.
fn goes_on(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(|byte| !byte.is_ascii() || is_of_word(char::from(*byte)))
}

/// Whether what ends there is the name of a type.
fn is_name(bytes: &[u8], end: usize) -> bool {
    let name = bytes.get(..end).unwrap_or_default();
    name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The length of what stands in single quotes or backticks, as SQL and shells have it: a quote that stands
/// twice, or behind a backslash, is a part of it.
pub(super) fn single_quoted(text: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        at += match byte {
            b'\\' => 2,
            byte if *byte == quote && text.get(at + 1) == Some(&quote) => 2,
            byte if *byte == quote => return at + 1,
            _ => 1,
        };
    }
    text.len()
}

/// The length of the private key that a text begins with, if it does.
pub(super) fn private_key(text: &str) -> Option<usize> {
    let label = text.strip_prefix(PEM)?;
    let label = label.get(..label.floor_char_boundary(LONGEST_LABEL))?.split("-----").next()?;
    label.contains("PRIVATE KEY").then(|| pem(text))
}

/// The length of a private key, to the end of the text if it is not ended.
fn pem(value: &str) -> usize {
    let end = value.find("-----END ").map(|end| end + "-----END ".len());
    let closed = end.and_then(|end| Some(end + value.get(end..)?.find("-----")? + "-----".len()));
    closed.unwrap_or(value.len())
}

/// The length of what stands in quotes at the beginning of `text`, with them; to its end if they are
/// not closed. Quotes that `Debug` escaped, however often, are closed by one that is escaped alike.
pub(super) fn quoted(text: &[u8]) -> Option<usize> {
    let depth = backslashes(text);
    if text.get(depth) != Some(&b'"') {
        return None;
    }
    let mut at = depth + 1;
    while let Some(rest) = text.get(at..) {
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
