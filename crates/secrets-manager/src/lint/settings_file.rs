//! Secrets that stand in settings, found line by line.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use crate::known::{self, KnownSort};
use crate::lint::words;
use crate::rules;

const LONGEST: u64 = 1 << 20;

/// What secrets of vendors begin with, by their documentation: AWS (IAM identifiers), GitHub,
/// GitLab, Slack, Stripe, Google, npm, PyPI, SendGrid, Anthropic, Vault, age, DigitalOcean, Shopify.
const MARKS: &[&str] = &[
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "sk_live_",
    "rk_live_",
    "sk_test_",
    "AIza",
    "npm_",
    "pypi-",
    "SG.",
    "sk-ant-",
    "hvs.",
    "AGE-SECRET-KEY-1",
    "dop_v1_",
    "shpat_",
];

/// Lines (from 1) and the names of their settings; `None` when the file cannot be read or is too
/// long.
pub(super) fn look_at(path: &Path) -> Option<Vec<(usize, String)>> {
    // Not a pipe or a device: to open one may wait, and to read it may never end.
    let is_file = |metadata: &std::fs::Metadata| metadata.is_file();
    std::fs::metadata(path).ok().filter(is_file)?;
    let file = File::open(path).ok().filter(|file| file.metadata().is_ok_and(|m| is_file(&m)))?;
    let size = file.metadata().ok()?.len();
    if size > LONGEST {
        return None;
    }
    // All the room at once: a growing buffer leaves copies behind.
    let room = usize::try_from(size).ok()?.checked_add(1)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(size).read_to_end(&mut bytes).ok()?;
    Some(look_at_text(&bytes))
}

fn look_at_text(bytes: &[u8]) -> Vec<(usize, String)> {
    let (mut found, mut block) = (Vec::new(), None);
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let Ok(line) = std::str::from_utf8(line) else { continue };
        let is_within = Block::goes_on(&mut block, line);
        let line = line.trim();
        if is_comment(line) {
            continue;
        }
        for (entry, is_named) in entries(line) {
            let key = key_of_secret(entry, is_named && !is_within);
            found.extend(key.map(|key| (at + 1, key.to_owned())));
        }
    }
    found
}

fn is_comment(line: &str) -> bool {
    line.starts_with(['#', ';']) || line.starts_with("//")
}

/// The entries of a line: tables and lists of TOML, YAML and JSON may stand in one. Each with whether
/// a name in it is one: in what has no quotes it may be a part of the value before.
fn entries(line: &str) -> Vec<(&str, bool)> {
    let (mut entries, mut quotes, mut begin) = (Vec::new(), Quotes::default(), 0);
    let mut is_table = line.starts_with(['{', '[', '}', ']', ',']);
    let mut is_named = true;
    for (at, c) in line.char_indices() {
        let is_first = quotes.is_before_value();
        if quotes.is_inside(c) || !matches!(c, ',' | '{' | '}' | '[' | ']') {
            continue;
        }
        is_table |= is_first && matches!(c, '{' | '[');
        entries.push((line.get(begin..at).unwrap_or_default(), is_named));
        (begin, is_named) = (at + 1, is_table);
    }
    entries.push((line.get(begin..).unwrap_or_default(), is_named));
    entries
}

/// Follows quotes along a line. They begin where a value may, so that apostrophes are none.
struct Quotes {
    open: Option<char>,
    is_escaped: bool,
    last: char,
}

impl Default for Quotes {
    fn default() -> Self {
        Self { open: None, is_escaped: false, last: '=' }
    }
}

impl Quotes {
    fn is_before_value(&self) -> bool {
        self.open.is_none() && "=:,[{-".contains(self.last)
    }

    fn is_inside(&mut self, c: char) -> bool {
        match self.open {
            Some(_) if self.is_escaped => self.is_escaped = false,
            Some('"') if c == '\\' => self.is_escaped = true,
            Some(open) if c == open => (self.open, self.last) = (None, c),
            Some(_) => {}
            // In YAML two of them are one that belongs to the text.
            None if matches!(c, '"' | '\'') && (self.is_before_value() || self.last == c) => {
                self.open = Some(c);
            }
            None => {
                if !c.is_whitespace() {
                    self.last = c;
                }
                return false;
            }
        }
        true
    }
}

/// A value of several lines. Nothing in it is a name.
enum Block {
    /// To the line where this stands again.
    Quoted(&'static str),
    /// Of YAML: as long as lines stand further in.
    Indented(usize),
}

impl Block {
    /// Whether a line belongs to the block before it. If not, one may begin with it.
    fn goes_on(block: &mut Option<Self>, line: &str) -> bool {
        let is_blank = line.trim().is_empty();
        match block {
            Some(Self::Quoted(end)) => {
                if line.contains(*end) {
                    *block = None;
                }
                true
            }
            Some(Self::Indented(depth)) if is_blank || indent(line, " \t") > *depth => true,
            _ => {
                *block = Self::begun_by(line);
                false
            }
        }
    }

    fn begun_by(line: &str) -> Option<Self> {
        if is_comment(line.trim()) {
            return None;
        }
        let is_odd = |triple: &&str| line.matches(*triple).count() % 2 == 1;
        if let Some(triple) = ["\"\"\"", "'''"].into_iter().find(is_odd) {
            return Some(Self::Quoted(triple));
        }
        let mut quotes = Quotes::default();
        for c in line.trim().chars() {
            quotes.is_inside(c);
        }
        match quotes.open {
            Some('"') => return Some(Self::Quoted("\"")),
            Some(_) => return Some(Self::Quoted("'")),
            None => {}
        }
        let text = line.split(" #").next().unwrap_or(line).trim_end();
        let (before, mark) = text.rsplit_once(' ')?;
        let is_mark = mark.starts_with(['|', '>'])
            && mark.chars().skip(1).all(|c| c.is_ascii_digit() || "+-".contains(c));
        match before.trim_end().chars().next_back() {
            Some(':') if is_mark => Some(Self::Indented(indent(line, " \t-"))),
            Some('-') if is_mark => Some(Self::Indented(indent(line, " \t"))),
            _ => None,
        }
    }
}

/// How far in a line stands.
fn indent(line: &str, of: &str) -> usize {
    line.len() - line.trim_start_matches(|c| of.contains(c)).len()
}

/// Whether a name may be shown: no key of a vendor, and nothing that is long or odd.
pub(super) fn is_plain(name: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let is_marked = MARKS.iter().any(|mark| name.starts_with(mark));
    name.len() <= 64 && !is_marked && name.chars().all(is_of_name)
}

/// The name of the setting in an entry, if the entry seems to hold a secret; empty where what stands
/// there is no plain name, or not surely one.
fn key_of_secret(entry: &str, is_named: bool) -> Option<&str> {
    let entry = entry.trim();
    let (raw, key) = split(entry).map_or(("", ""), |(key, _)| (key, unquoted(key)));
    let name = if is_plain(key) { key } else { "" };
    // Half of a quoted text is a part of a value.
    let is_whole = !raw.starts_with(['"', '\'']) || raw.len() == key.len() + 2;
    let shown = if is_named && is_whole { name } else { "" };
    if entry.contains("-----BEGIN ") && entry.contains("PRIVATE KEY-----") {
        return Some(shown);
    }
    let (_, value) = split(entry)?;
    let value = value.literal()?;
    if is_harmless(value) {
        return None;
    }
    let by_name = words::is_secret_name(name) && value.len() >= 4;
    let by_mark = MARKS.iter().any(|mark| has_secret(value, mark));
    let by_url = rules::password_of_url(value).is_some_and(|password| !is_harmless(password));
    (by_name || by_mark || by_url).then_some(shown)
}

fn unquoted(key: &str) -> &str {
    key.trim_matches(['"', '\''])
}

/// `export KEY=value`, `key = "value"`, `"key": "value",`, `- key: value`; the key with
/// its quotes.
fn split(line: &str) -> Option<(&str, Value<'_>)> {
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start_matches(['-', ' ']);
    let at = line.find(['=', ':'])?;
    let (key, value) = line.split_at_checked(at)?;
    let (key, is_yaml) = (key.trim(), value.starts_with(':'));
    let value = value.get(1..)?.trim();
    let value = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let inner = value.get(1..)?;
            Value { text: inner.split(quote).next().unwrap_or(inner), is_plain_yaml: false }
        }
        _ => {
            let text = value.split(" #").next().unwrap_or(value).trim();
            Value { text, is_plain_yaml: is_yaml }
        }
    };
    Some((key, value))
}

/// What stands behind a key, without quotes.
struct Value<'a> {
    text: &'a str,
    /// There were none, and the format is one where a text without quotes may begin with a mark.
    is_plain_yaml: bool,
}

impl<'a> Value<'a> {
    /// Without the anchor and tag of YAML before it; `None` where it stands somewhere else, or where a
    /// tag of the application's own (`!vault`, `!Ref`) makes something else of it.
    fn literal(&self) -> Option<&'a str> {
        let mut text = self.text;
        if !self.is_plain_yaml {
            return Some(text);
        }
        loop {
            let (mark, rest) = text.split_once(' ').unwrap_or((text, ""));
            let is_word =
                |name: &str| name.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
            if mark.strip_prefix('*').is_some_and(is_word) {
                return None;
            }
            let is_standard = mark.starts_with("!!") || mark == "!";
            if mark.starts_with('!') && !is_standard {
                return None;
            }
            if !is_standard && !mark.strip_prefix('&').is_some_and(is_word) {
                break;
            }
            text = rest.trim_start();
        }
        Some(unquoted(text))
    }
}

/// Nothing, a reference, something that is filled in later, a word of the format.
fn is_harmless(value: &str) -> bool {
    let is_word =
        matches!(value, "true" | "false" | "null" | "~" | "none" | "|" | ">" | "|-" | ">-");
    value.is_empty()
        || is_word
        || value.starts_with("secret://")
        || is_variable(value)
        || is_path(value)
        || known::sort_of(value.as_bytes()) == Some(KnownSort::Placeholder)
}

/// `$NAME`, `${name:-x}`, `$(command)`, as a whole. Variables are called in capitals; what else begins
/// with the mark may be a password.
fn is_variable(value: &str) -> bool {
    let Some(name) = value.strip_prefix('$') else { return false };
    let is_within = |open: char, close: char| {
        name.strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close))
            .is_some_and(|inner| !inner.is_empty() && !inner.contains([open, close]))
    };
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
            && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    is_name(name) || is_within('{', '}') || is_within('(', ')')
}

/// `/run/secrets/db`: parts as people call files, none of which mixes small letters, capitals and
/// digits as encoded bytes do; a single one of letters alone.
fn is_path(value: &str) -> bool {
    let Some(path) = value.strip_prefix('/') else { return false };
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    let is_named = |part: &&str| {
        let has = |of: fn(&u8) -> bool| part.as_bytes().iter().any(of);
        let is_mixed =
            has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit);
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || "._-${}".contains(c);
        part.len() <= 64 && !is_mixed && part.chars().all(is_of_name)
    };
    match parts.as_slice() {
        [] => true,
        [part] => part.chars().all(|c| c.is_ascii_lowercase() || "_-.".contains(c)),
        parts => parts.iter().all(is_named),
    }
}

/// The mark with what may be a key behind it.
fn has_secret(value: &str, mark: &str) -> bool {
    let is_of_key = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    value.strip_prefix(mark).is_some_and(|key| key.len() >= 16 && key.chars().all(is_of_key))
}
