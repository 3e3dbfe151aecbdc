//! The forms in which a secret reappears where it should not.

use std::collections::HashMap;
use std::fmt::Write;

/// A form of a secret, and what it looks like in it.
#[derive(Clone)]
struct Form {
    name: &'static str,
    needle: Vec<u8>,
    /// It is looked for in what is left without line ends and spaces: programs break such forms into
    /// lines and groups.
    is_compact: bool,
}

/// All forms of a secret, found in one pass by how they begin.
#[derive(Clone)]
pub(crate) struct Forms {
    all: Vec<Form>,
    /// Those that begin with these two bytes, as a number; and whether there are any.
    starting: HashMap<usize, Vec<usize>>,
    starts: Vec<bool>,
}

impl Forms {
    pub(crate) fn of(secret: &[u8]) -> Self {
        let all = forms(secret);
        let (mut starting, mut starts) = (HashMap::<_, Vec<_>>::new(), vec![false; 1 << 16]);
        for (at, form) in all.iter().enumerate() {
            let Some(start) = start(&form.needle) else { continue };
            starting.entry(start).or_default().push(at);
            if let Some(starts) = starts.get_mut(start) {
                *starts = true;
            }
        }
        Self { all, starting, starts }
    }

    /// The first of them that is in these bytes.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<&'static str> {
        let as_it_is = self.first_in(bytes, false);
        let broken_up = self.first_in(&compact(bytes), true);
        let first = as_it_is.into_iter().chain(broken_up).min()?;
        self.all.get(first).map(|form| form.name)
    }

    fn first_in(&self, bytes: &[u8], is_compact: bool) -> Option<usize> {
        let pairs = bytes.windows(2).enumerate();
        let found = pairs.filter_map(|(at, pair)| {
            let start = start(pair).filter(|start| self.starts.get(*start) == Some(&true))?;
            let rest = bytes.get(at..)?;
            let is_there = |form: &&usize| {
                let form = self.all.get(**form);
                form.is_some_and(|f| f.is_compact == is_compact && rest.starts_with(&f.needle))
            };
            self.starting.get(&start)?.iter().find(is_there)
        });
        found.min().copied()
    }
}

fn start(bytes: &[u8]) -> Option<usize> {
    bytes.first_chunk().map(|pair| usize::from(u16::from_be_bytes(*pair)))
}

/// Without white space, also where it is written as `\n`.
fn compact(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while let Some((byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'\\', [b'n' | b'r' | b't', after @ ..]) => after,
            (byte, after) => {
                out.extend((!byte.is_ascii_whitespace()).then_some(*byte));
                after
            }
        };
    }
    out
}

/// A value shorter than this has no parts that would mean anything.
const LONG: usize = 16;

/// What is shorter than this is found by chance where there are no spaces.
const DISTINCT: usize = 12;

/// A part so long is a leak as well.
const PART: usize = 8;

/// So long where all of it are hexadecimal digits: a log is full of ids that are, too, and eight of them are found by
/// chance.
const PART_OF_DIGITS: usize = 16;

/// All forms that differ from one another.
fn forms(secret: &[u8]) -> Vec<Form> {
    let text = std::str::from_utf8(secret).ok();
    let reversed: Vec<u8> = secret.iter().rev().copied().collect();
    let hex = hex(secret, "");
    let mut forms = vec![
        form("as it is", secret),
        form("reversed", reversed),
        form("hexadecimal", hex.to_ascii_uppercase()),
        form("hexadecimal", hex),
        form("hexadecimal with separators", self::hex(secret, ":")),
        form("hexadecimal with separators", self::hex(secret, ":").to_ascii_uppercase()),
        form("a list of numbers", list(secret, |byte| byte.to_string())),
        form("a list of numbers", list(secret, |byte| format!("{byte:x}"))),
        form("a list of numbers", list(secret, |byte| format!("0x{byte:x}"))),
        form("a list of numbers", list(secret, |byte| format!("0x{byte:02x}"))),
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
        forms.push(form(
            "in UTF-16",
            text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>(),
        ));
        forms.push(form("reversed", text.chars().rev().collect::<String>()));
    }
    if secret.len() >= LONG {
        let is_digits = secret.iter().all(u8::is_ascii_hexdigit);
        let part = if is_digits { PART_OF_DIGITS } else { PART };
        forms.extend(secret.windows(part).map(|part| form("in part", part)));
    }
    let is_broken_up = |form: &&Form| {
        let names = ["hexadecimal", "a list of numbers", "base64", "base64url"];
        names.contains(&form.name) && form.needle.len() >= DISTINCT
    };
    let broken_up = forms.iter().filter(is_broken_up);
    let broken_up: Vec<_> = broken_up.map(|f| Form { is_compact: true, ..f.clone() }).collect();
    forms.extend(broken_up);
    // One of a few bytes would be found everywhere.
    forms.retain(|form| form.needle.len() >= 4);
    let mut seen = std::collections::HashSet::new();
    forms.retain(|form| seen.insert((form.needle.clone(), form.is_compact)));
    forms
}

fn form(name: &'static str, needle: impl Into<Vec<u8>>) -> Form {
    Form { name, needle: needle.into(), is_compact: false }
}

fn hex(bytes: &[u8], separator: &str) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(separator)
}

/// As a derived `Debug` of a byte vector prints them, but for the spaces.
fn list(bytes: &[u8], number: impl Fn(&u8) -> String) -> String {
    bytes.iter().map(number).collect::<Vec<_>>().join(",")
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
