//! Names and values within a text: messages, and what `Debug` and `Display` make of things.
//!
//! `password=hunter2`, `password: "hunter2"`, `"password":"hunter2"`, `Authorization: Bearer abc`,
//! `password: Some("hunter2")`, `("password", "hunter2")`, `Password("hunter2")`, `name: "password", value: "hunter2"`,
//! `<password>hunter2</password>`, `token=abc&x=1`, `token%3Dabc`, `https://user:hunter2@host/`. Each text is read once.

use std::ops::Range;

use crate::record::redact::url::userinfo;
use crate::record::redact::value::{Encoding, element, length_of, quoted};
use crate::record::redact::{Part, RedactedKeys, take_out};

/// Longest name that is looked at, in bytes: of a longer one, its end.
const LONGEST_NAME: usize = 64;

/// Most words of prose that are one name: `the API key: abc`.
const MOST_WORDS: usize = 3;

/// What stands for a name where the name is a value: `{ name: "password", value: "hunter2" }`.
const NAMES: [&str; 5] = ["name", "key", "header", "field", "variable"];
const VALUES: [&str; 2] = ["value", "val"];

/// How far from its name such a value may begin, in bytes.
const LONGEST_BETWEEN: usize = 128;

impl RedactedKeys {
    /// Takes out of what was written what sensitive names stand before.
    pub(crate) fn redact(&self, text: &mut String, part: Part) {
        let written = text.get(part.start..).unwrap_or_default();
        if written.bytes().any(begins_pair) {
            let pairs = Pairs { keys: self, text: written, is_cut: part.is_cut, named: None };
            let found = pairs.find();
            take_out(text, part.start, &found);
        }
    }

    /// What may be shown of a text, if that is not all of it.
    pub(crate) fn redacted(&self, text: &str) -> Option<String> {
        if !text.bytes().any(begins_pair) {
            return None;
        }
        let mut shown = text.to_owned();
        self.redact(&mut shown, Part { start: 0, is_cut: false });
        (shown != text).then_some(shown)
    }
}

/// What comes between a name and a value, or before both of them.
const fn begins_pair(byte: u8) -> bool {
    matches!(byte, b'=' | b':' | b'(' | b'[' | b'<' | b'%')
}

struct Pairs<'a> {
    keys: &'a RedactedKeys,
    text: &'a str,
    is_cut: bool,
    /// Where the name of something sensitive ended that was a value itself.
    named: Option<usize>,
}

impl<'a> Pairs<'a> {
    #[cold]
    fn find(mut self) -> Vec<Range<usize>> {
        let (mut found, mut from, mut done) = (Vec::new(), 0, 0);
        while let Some(at) = self.next(from) {
            from = at + 1;
            if let Some(secret) = self.secret(done, at).filter(|secret| !secret.is_empty()) {
                (from, done) = (secret.end.max(from), secret.end);
                found.push(secret);
            }
        }
        found
    }

    fn next(&self, from: usize) -> Option<usize> {
        let rest = self.text.as_bytes().get(from..)?;
        rest.iter().position(|byte| begins_pair(*byte)).map(|at| from + at)
    }

    fn after(&self, at: usize) -> &'a str {
        self.text.get(at..).unwrap_or_default()
    }

    /// What is to be taken out of the pair whose sign is at `at`.
    fn secret(&mut self, done: usize, at: usize) -> Option<Range<usize>> {
        let rest = self.after(at);
        match rest.as_bytes().first()? {
            b'(' => self.in_tuple(at).or_else(|| self.in_type(done, at)),
            b'[' => self.in_tuple(at).filter(|secret| {
                let is_nested = self.after(secret.start).starts_with(['(', '[', '{']);
                let behind = self.after(secret.end).trim_start();
                is_nested || behind.is_empty() || behind.starts_with(']')
            }),
            b'<' if rest.starts_with("<>") => self.pair(done, at, at + 2, Encoding::None),
            b'<' => {
                let (name, inner) = element(rest, self.is_cut)?;
                self.keys.is_sensitive(name).then_some(at + inner.start..at + inner.end)
            }
            b'%' if ["%3D", "%3d", "%3A", "%3a"].iter().any(|sign| rest.starts_with(sign)) => {
                self.pair(done, at, at + 3, Encoding::Percent)
            }
            b'%' => None,
            _ => userinfo(self.text, at, self.is_cut)
                .or_else(|| self.pair(done, at, at + 1, Encoding::None)),
        }
    }

    /// A name that ends at `at`, and a value that begins at or after `behind`.
    fn pair(
        &mut self,
        done: usize,
        at: usize,
        behind: usize,
        how: Encoding,
    ) -> Option<Range<usize>> {
        let words = self.words_before(done, at);
        let name = words.rsplit(' ').next().unwrap_or_default();
        if name.is_empty() {
            return None;
        }
        if self.keys.is_sensitive(name) || self.keys.is_phrase(words, 2) {
            return self.value(at, behind, name, how);
        }
        if VALUES.iter().any(|value| name.eq_ignore_ascii_case(value)) {
            let named = self.named.take().filter(|named| at - named <= LONGEST_BETWEEN);
            return named.and_then(|_| self.value(at, behind, name, how));
        }
        if NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            self.named = self.named_after(behind);
        }
        None
    }

    /// Where a sensitive name ends that is a value itself.
    fn named_after(&self, behind: usize) -> Option<usize> {
        let rest = self.after(behind);
        let rest = rest.get(..rest.floor_char_boundary(LONGEST_NAME))?;
        let name = rest.trim_start_matches([' ', '"', '\'', '\\', '=', '>', '\t']);
        let begin = behind + rest.len() - name.len();
        let name = name.split(|c| !is_of_name(c)).next()?;
        self.keys.is_sensitive(name).then_some(begin + name.len())
    }

    /// The name that ends before `at`, perhaps in quotes, with the words before it.
    fn words_before(&self, done: usize, at: usize) -> &'a str {
        const OPERATORS: [char; 6] = ['!', '<', '+', '?', '~', '|'];
        let before = self.text.get(done..at).unwrap_or_default();
        let mut before = before.trim_end_matches(OPERATORS);
        let quotes = [' ', '\t', '"', '\'', '\\', '`', ')', ']'];
        before = before.trim_end_matches(quotes);
        while let Some(shorter) =
            ["%22", "%27", "%20"].iter().find_map(|end| before.strip_suffix(end))
        {
            before = shorter;
        }
        let mut begin = before.len();
        for _ in 0..MOST_WORDS {
            let word = before.get(..begin).unwrap_or_default();
            let lowest = word.len().saturating_sub(LONGEST_NAME);
            let of_name =
                word.char_indices().rev().take_while(|(at, c)| *at >= lowest && is_of_name(*c));
            begin = of_name.last().map_or(begin, |(begin, _)| begin);
            match before.get(..begin).and_then(|rest| rest.strip_suffix(' ')) {
                Some(rest) if rest.ends_with(is_of_name) => begin = rest.len(),
                _ => break,
            }
        }
        let is_encoded = before.get(..begin).is_some_and(|rest| rest.ends_with('%'));
        let words = before.get(begin..).unwrap_or_default().trim_start();
        // `%26token%3Dabc`: two digits are of the sign before the name.
        if is_encoded { words.get(2..).unwrap_or_default() } else { words }
    }

    /// Where the value is that follows a sensitive name at `at`.
    fn value(&self, at: usize, from: usize, name: &str, how: Encoding) -> Option<Range<usize>> {
        let rest = self.after(from);
        let value = rest.trim_start_matches([' ', '\t', '=', ':', '>']);
        let begin = from + rest.len() - value.len();
        if let Some(block) = self.block(at, value) {
            return Some(begin + block.start..begin + block.end);
        }
        Some(begin..begin + length_of(value, name, how))
    }

    /// A value on the lines below its name, which are indented further, as in YAML.
    fn block(&self, at: usize, value: &str) -> Option<Range<usize>> {
        let sign = value.trim_start_matches(['|', '-', '+']);
        let below = sign.strip_prefix('\r').unwrap_or(sign).strip_prefix('\n')?;
        let line = self.text.get(..at)?.rsplit('\n').next()?;
        let own = indentation(line);
        let is_within = |line: &&str| line.trim().is_empty() || indentation(line) > own;
        let length: usize = below.split_inclusive('\n').take_while(is_within).map(str::len).sum();
        let block = below.get(..length)?.trim_end();
        let start = value.len() - below.len() + block.len() - block.trim_start().len();
        Some(start..value.len() - below.len() + block.len())
    }

    /// What follows a sensitive name in a tuple or a list of two: a list of headers.
    fn in_tuple(&self, at: usize) -> Option<Range<usize>> {
        let rest = self.after(at + 1);
        let inner = rest.trim_start();
        let begin = at + 1 + rest.len() - inner.len();
        let head = inner.as_bytes();
        let length = quoted(head.get(..LONGEST_NAME + 16).unwrap_or(head))?;
        let name = inner.get(..length)?.trim_matches(['\\', '"']);
        let after = self.after(begin + length);
        let value = after.trim_start().strip_prefix(',')?.trim_start();
        let from = begin + length + after.len() - value.len();
        self.keys.is_sensitive(name).then(|| from..from + length_of(value, name, Encoding::None))
    }

    /// What stands in the brackets of a type that wraps something sensitive: `Password("hunter2")`.
    fn in_type(&self, done: usize, at: usize) -> Option<Range<usize>> {
        let before = self.text.get(done..at)?;
        let is_of_type = |c: &(usize, char)| c.1.is_alphanumeric() || c.1 == '_';
        let (begin, _) =
            before.char_indices().rev().take(LONGEST_NAME).take_while(is_of_type).last()?;
        let name = before.get(begin..)?;
        if !name.starts_with(|c: char| c.is_ascii_uppercase()) || !self.keys.is_type(name) {
            return None;
        }
        let rest = self.after(at);
        let length = length_of(rest, name, Encoding::None);
        let inner = rest.get(1..length)?;
        let inner = inner.strip_suffix(')').unwrap_or(inner);
        // `Token(s)`.
        let is_plural = inner.len() <= 3 && inner.chars().all(|c| c.is_ascii_lowercase());
        (!is_plural).then_some(at + 1..at + 1 + inner.len())
    }
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}
