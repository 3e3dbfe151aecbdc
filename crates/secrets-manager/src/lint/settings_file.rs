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
    // Not a pipe or a device, which might never end.
    let file = File::open(path).ok().filter(|file| file.metadata().is_ok_and(|m| m.is_file()))?;
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
    let mut found = Vec::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let Ok(line) = std::str::from_utf8(line) else { continue };
        let line = line.trim();
        if line.starts_with(['#', ';']) || line.starts_with("//") {
            continue;
        }
        let keys = entries(line).filter_map(key_of_secret);
        found.extend(keys.map(|key| (at + 1, key.to_owned())));
    }
    found
}

/// The entries of a line: tables and lists of TOML, YAML and JSON may stand in one.
fn entries(line: &str) -> impl Iterator<Item = &str> {
    let mut quote = None;
    line.split(move |c: char| match (quote, c) {
        (None, '"' | '\'') => {
            quote = Some(c);
            false
        }
        (Some(open), c) if open == c => {
            quote = None;
            false
        }
        (None, ',' | '{' | '}' | '[' | ']') => true,
        _ => false,
    })
}

/// The name of the setting in an entry, if the entry seems to hold a secret; empty where what stands
/// there is no plain name.
fn key_of_secret(entry: &str) -> Option<&str> {
    let entry = entry.trim();
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let is_name = |key: &str| {
        let is_marked = MARKS.iter().any(|mark| key.starts_with(mark));
        key.len() <= 64 && !is_marked && key.chars().all(is_of_name)
    };
    let key = split(entry).map_or("", |(key, _)| key);
    let shown = if is_name(key) { key } else { "" };
    if entry.contains("-----BEGIN ") && entry.contains("PRIVATE KEY-----") {
        return Some(shown);
    }
    let (_, value) = split(entry)?;
    if is_harmless(value) {
        return None;
    }
    let by_name = words::is_secret_name(shown) && value.len() >= 4;
    let by_mark = MARKS.iter().any(|mark| has_secret(value, mark));
    let by_url = rules::password_of_url(value).is_some_and(|password| !is_harmless(password));
    (by_name || by_mark || by_url).then_some(shown)
}

/// `export KEY=value`, `key = "value"`, `"key": "value",`, `- key: value`.
fn split(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start_matches(['-', ' ']);
    let at = line.find(['=', ':'])?;
    let (key, value) = line.split_at_checked(at)?;
    let key = key.trim().trim_matches(['"', '\'']);
    let value = value.get(1..)?.trim();
    let value = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let inner = value.get(1..)?;
            inner.split(quote).next().unwrap_or(inner)
        }
        _ => value.split(" #").next().unwrap_or(value).trim(),
    };
    Some((key, value))
}

/// Nothing, a reference, something that is filled in later, a word of the format.
fn is_harmless(value: &str) -> bool {
    let is_word =
        matches!(value, "true" | "false" | "null" | "~" | "none" | "|" | ">" | "|-" | ">-");
    let is_reference =
        value.starts_with("secret://") || value.starts_with(['$', '/', '&', '*', '!']);
    value.is_empty()
        || is_word
        || is_reference
        || known::sort_of(value.as_bytes()) == Some(KnownSort::Placeholder)
}

/// The mark with what may be a key behind it.
fn has_secret(value: &str, mark: &str) -> bool {
    let is_of_key = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    value.strip_prefix(mark).is_some_and(|key| key.len() >= 16 && key.chars().all(is_of_key))
}
