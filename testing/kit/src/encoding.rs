//! The forms in which a secret reappears where it should not.

use std::fmt::Write;

/// A form of a secret, and what it looks like in it.
#[derive(Clone)]
pub(crate) struct Form {
    pub(crate) name: &'static str,
    pub(crate) needle: Vec<u8>,
}

/// A value shorter than this has no parts that would mean anything.
const LONG: usize = 16;

/// A part so long is a leak as well.
const PART: usize = 8;

/// All forms that differ from one another.
pub(crate) fn forms(secret: &[u8]) -> Vec<Form> {
    let text = std::str::from_utf8(secret).ok();
    let reversed: Vec<u8> = secret.iter().rev().copied().collect();
    let hex = hex(secret, "");
    let mut forms = vec![
        form("as it is", secret),
        form("reversed", reversed),
        form("hexadecimal", hex.to_ascii_uppercase()),
        form("hexadecimal", hex),
        form("hexadecimal with separators", self::hex(secret, ":")),
        form("hexadecimal with separators", self::hex(secret, " ")),
        form("a list of numbers", numbers(secret)),
        form("a list of numbers", numbers(secret).replace(", ", ",")),
        form("percent-encoded", percent(secret, |_| true)),
        form("percent-encoded", percent(secret, |_| true).to_ascii_lowercase()),
        form(
            "percent-encoded",
            percent(secret, |b| !b.is_ascii_alphanumeric() && !b"-._~".contains(&b)),
        ),
        form("escaped as bytes", secret.escape_ascii().to_string()),
    ];
    for skip in 0..3 {
        let rest = secret.get(skip..).unwrap_or_default();
        forms.push(form("base64", base64(rest, b"+/")));
        forms.push(form("base64url", base64(rest, b"-_")));
    }
    if let Some(text) = text {
        forms.push(form("escaped as text", text.escape_debug().to_string()));
        forms.push(form("escaped as text", text.escape_unicode().to_string()));
        forms.push(form("escaped as JSON", json(text)));
        forms.push(form("escaped as HTML", html(text)));
        forms.push(form(
            "in UTF-16",
            text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
        ));
        forms.push(form("reversed", text.chars().rev().collect::<String>()));
    }
    if secret.len() >= LONG {
        forms.extend(secret.windows(PART).map(|part| form("in part", part)));
    }
    // One of a few bytes would be found everywhere.
    forms.retain(|form| form.needle.len() >= 4);
    let mut seen = std::collections::HashSet::new();
    forms.retain(|form| seen.insert(form.needle.clone()));
    forms
}

fn form(name: &'static str, needle: impl Into<Vec<u8>>) -> Form {
    Form { name, needle: needle.into() }
}

fn hex(bytes: &[u8], separator: &str) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(separator)
}

/// As a derived `Debug` of a byte vector prints them.
fn numbers(bytes: &[u8]) -> String {
    let list = format!("{bytes:?}");
    list.trim_matches(['[', ']']).to_owned()
}

/// RFC 3986, section 2.1.
fn percent(bytes: &[u8], is_encoded: impl Fn(u8) -> bool) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = match is_encoded(*byte) {
            true => write!(text, "%{byte:02X}"),
            false => write!(text, "{}", char::from(*byte)),
        };
        text
    })
}

/// The whole groups of three bytes (RFC 4648, sections 4 and 5): what does not depend on the bytes
/// around them.
fn base64(bytes: &[u8], last: &[u8; 2]) -> Vec<u8> {
    let sextet = |bits: u32| match u8::try_from(bits & 63).unwrap_or(0) {
        n @ 0..26 => b'A' + n,
        n @ 26..52 => b'a' + (n - 26),
        n @ 52..62 => b'0' + (n - 52),
        62 => last[0],
        _ => last[1],
    };
    let groups = bytes.chunks_exact(3).flat_map(|group| {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        [18, 12, 6, 0].map(|shift| sextet(bits >> shift))
    });
    groups.collect()
}

/// RFC 8259, section 7, escaping what has to be.
fn json(text: &str) -> String {
    text.chars().fold(String::new(), |mut json, c| {
        let _ = match c {
            '"' | '\\' => write!(json, "\\{c}"),
            '\n' => json.write_str("\\n"),
            '\r' => json.write_str("\\r"),
            '\t' => json.write_str("\\t"),
            c if c < ' ' => write!(json, "\\u{:04x}", u32::from(c)),
            c => json.write_char(c),
        };
        json
    })
}

fn html(text: &str) -> String {
    let named = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&#39;")];
    text.chars().fold(String::new(), |mut html, c| {
        match named.iter().find(|(special, _)| *special == c) {
            Some((_, name)) => html.push_str(name),
            None => html.push(c),
        }
        html
    })
}
