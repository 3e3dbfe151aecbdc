//! Names and values within a text: messages, and what `Debug` and `Display` make of things.
//!
//! `password=hunter2`, `password: "hunter2"`, `"password":"hunter2"`, `Authorization: Bearer abc`,
//! `password: Some("hunter2")`, `("password", "hunter2")`, `Password("hunter2")`, `name: "password", value: "hunter2"`,
//! `<password>hunter2</password>`, `token=abc&x=1`, `token%3Dabc`, `https://user:hunter2@host/`, `--password hunter2`,
//! `PASSWORD 'hunter2'`, `INSERT INTO t (password) VALUES ('hunter2')`, `?code=4/0AX4XfWhZ9pQr2`,
//! `-----BEGIN PRIVATE KEY-----`. Each text is read once.
//!
//! Not found: what prose says, what stands before its name, options of a single letter (`-phunter2`), an element that is
//! not ended and has others in it, and what follows `,`, `;`, `&` or `)` in a value without quotes.

use std::ops::Range;

use crate::record::redact::around::{COLOUR, without_begin, without_end, without_letter};
use crate::record::redact::command::{is_login, is_of_statement, option, row};
use crate::record::redact::keys::{CODE, is_invisible};
use crate::record::redact::url::userinfo;
use crate::record::redact::value::{Encoding, has_credential, length_of, private_key, quoted};
use crate::record::redact::xml::Element;
use crate::record::redact::{Part, RedactedKeys, take_out};
use crate::record::signs::begins_pair;

/// Longest name that is looked at, in bytes: of a longer one, its end.
const LONGEST_NAME: usize = 64;

/// Most words of prose that are one name: `the API key: abc`.
const MOST_WORDS: usize = 3;

/// What stands for a name where the name is a value: `{ name: "password", value: "hunter2" }`.
const NAMES: [&str; 6] = ["name", "key", "header", "field", "variable", "type"];
const VALUES: [&str; 2] = ["value", "val"];

/// `=` and `:` in URLs, and in URLs within URLs.
const ENCODED: [&str; 8] = ["%3D", "%3d", "%3A", "%3a", "%253D", "%253d", "%253A", "%253a"];

/// How far from its name such a value may begin, in bytes.
const LONGEST_BETWEEN: usize = 128;

/// How far a value is looked at that may be a credential, in bytes.
const LONGEST_LOOK: usize = 128;

impl RedactedKeys {
    /// Takes out of what was written what sensitive names stand before.
    pub(crate) fn redact(&self, text: &mut String, part: Part) {
        let written = text.get(part.start..).unwrap_or_default();
        if part.signs.may_hide(written) {
            let pairs = Pairs { keys: self, text: written, is_cut: part.is_cut, named: None };
            let found = pairs.find();
            take_out(text, part.start, &found);
        }
    }

    /// What may be shown of a text, if that is not all of it.
    pub(crate) fn redacted(&self, text: &str) -> Option<String> {
        let part = Part::of(text, 0, false);
        if !part.signs.may_hide(text) {
            return None;
        }
        let mut shown = text.to_owned();
        self.redact(&mut shown, part);
        (shown != text).then_some(shown)
    }
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
        let bytes = self.text.as_bytes();
        let is_dash = |at: usize| bytes.get(at) == Some(&b'-');
        let begins_dashes =
            |at: usize| is_dash(at) && is_dash(at + 1) && (at == 0 || !is_dash(at - 1));
        let mut rest = bytes.get(from..)?.iter().zip(from..);
        rest.find(|(byte, at)| begins_pair(**byte) || begins_dashes(*at)).map(|(_, at)| at)
    }

    fn after(&self, at: usize) -> &'a str {
        self.text.get(at..).unwrap_or_default()
    }

    /// What is to be taken out of the pair whose sign is at `at`.
    fn secret(&mut self, done: usize, at: usize) -> Option<Range<usize>> {
        let rest = self.after(at);
        match rest.as_bytes().first()? {
            b'(' => self
                .in_tuple(at)
                .or_else(|| self.in_type(done, at))
                .or_else(|| self.in_row(done, at)),
            b'[' => self.in_tuple(at).filter(|secret| {
                let is_nested = self.after(secret.start).starts_with(['(', '[', '{']);
                let behind = self.after(secret.end).trim_start();
                is_nested || behind.is_empty() || behind.starts_with(']')
            }),
            b'<' if rest.starts_with("<>") => self.pair(done, at, at + 2, Encoding::None),
            b'<' => self.in_element(at),
            b'%' => {
                let sign = ENCODED.iter().find(|sign| rest.starts_with(*sign))?;
                self.pair(done, at, at + sign.len(), Encoding::Percent)
            }
            b'-' => {
                let is_known = self.keys.is_phrase("private key", 2);
                let key = private_key(rest).filter(|_| is_known).map(|length| 0..length);
                let found = key.or_else(|| option(self.keys, rest))?;
                Some(at + found.start..at + found.end)
            }
            b'{' => self.in_struct(done, at),
            b'\'' => {
                let before = self.text.get(done..at)?;
                let is_password = is_of_statement(self.keys, before);
                is_password.then(|| at..at + length_of(rest, "", Encoding::None))
            }
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
        if self.keys.is_key(name) || self.keys.is_phrase(words, 2) {
            // Parsers say so.
            let is_of_parser = words.to_lowercase().ends_with("unexpected token");
            return self.value(at, behind, name, how).filter(|_| !is_of_parser);
        }
        if self.keys.is_alone(name) && (words == name || self.after(at).starts_with('=')) {
            let value = self.value(at, behind, name, how)?;
            let shown = self.text.get(value.clone())?;
            return (!is_count(shown)).then_some(value);
        }
        if let Some(known) = self.keys.doubtful(name) {
            return self
                .doubtful(at, behind, name, how)
                .filter(|value| known != CODE || self.is_in_query(done, at, name, value.end));
        }
        let before = self.text.get(done..at)?;
        if self.after(at).starts_with(':') && is_login(before, self.after(behind)) {
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

    /// A value that begins at or after `behind`, if it is made like a credential.
    fn doubtful(
        &self,
        at: usize,
        behind: usize,
        name: &str,
        how: Encoding,
    ) -> Option<Range<usize>> {
        let rest = self.after(behind).trim_start_matches(is_between);
        let near = rest.get(..rest.floor_char_boundary(LONGEST_LOOK))?;
        let is_credential = has_credential(near.get(..length_of(near, name, how))?);
        is_credential.then(|| self.value(at, behind, name, how))?
    }

    /// Whether the name that ends at `at`, and whose value ends at `end`, is a parameter of a query.
    fn is_in_query(&self, done: usize, at: usize, name: &str, end: usize) -> bool {
        const BEGINS: [&str; 8] = ["?", "&", "#", "%3F", "%3f", "%26", "%23", "%2526"];
        let before = self.text.get(done..at).and_then(|before| before.strip_suffix(name));
        let is_first = before == Some("") && self.after(end).starts_with('&');
        is_first || before.is_some_and(|before| BEGINS.iter().any(|sign| before.ends_with(sign)))
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
        let before = self.text.get(done..at).unwrap_or_default();
        let before = without_end(before);
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
        let words = before.get(begin..).unwrap_or_default().trim_start();
        let before = before.get(..begin).unwrap_or_default();
        let is_sensitive = |words: &&str| self.keys.is_sensitive(words);
        let words = without_letter(before, words).filter(is_sensitive).unwrap_or(words);
        without_begin(before, words)
    }

    /// Where the value is that follows a sensitive name at `at`.
    fn value(&self, at: usize, from: usize, name: &str, how: Encoding) -> Option<Range<usize>> {
        let rest = self.after(from);
        let mut value = rest.trim_start_matches(is_between);
        while let Some(shown) = value.strip_prefix(COLOUR).and_then(|rest| rest.split_once('m')) {
            value = shown.1.trim_start_matches(is_between);
        }
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
        // The items of a list may begin where its name does.
        let is_item = |line: &str| line.trim_start().starts_with("- ");
        let is_within = |line: &&str| {
            let is_of_list = indentation(line) == own && is_item(line);
            line.trim().is_empty() || indentation(line) > own || is_of_list
        };
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
        let name = inner.get(..length)?;
        let after = self.after(begin + length);
        let value = after.trim_start().strip_prefix(',')?.trim_start();
        let from = begin + length + after.len() - value.len();
        self.keys.is_sensitive(name).then(|| from..from + length_of(value, name, Encoding::None))
    }

    /// What stands in the brackets of a type that wraps something sensitive: `Password("hunter2")`.
    fn in_type(&self, done: usize, at: usize) -> Option<Range<usize>> {
        let name = self.sensitive_type(self.text.get(done..at)?)?;
        let rest = self.after(at);
        let length = length_of(rest, name, Encoding::None);
        let inner = rest.get(1..length)?;
        let inner = inner.strip_suffix(')').unwrap_or(inner);
        // `Token(s)`.
        let is_plural = inner.len() <= 3 && inner.chars().all(|c| c.is_ascii_lowercase());
        (!is_plural).then_some(at + 1..at + 1 + inner.len())
    }

    /// What a statement puts into sensitive columns.
    fn in_row(&self, done: usize, at: usize) -> Option<Range<usize>> {
        let found = row(self.keys, self.text.get(done..at)?, self.after(at))?;
        Some(at + found.start..at + found.end)
    }

    /// What stands in the braces of such a type: `Password { inner: "hunter2" }`.
    fn in_struct(&self, done: usize, at: usize) -> Option<Range<usize>> {
        let before = self.text.get(done..at)?.strip_suffix(' ')?;
        let name = self.sensitive_type(before)?;
        let rest = self.after(at);
        let member = rest.get(1..)?.trim_start();
        // What has no names of its own shows nothing, or is a place for something.
        if !member.trim_start_matches(is_of_name).starts_with(':') {
            return None;
        }
        let inner = rest.get(..length_of(rest, name, Encoding::None))?;
        let end = at + inner.strip_suffix('}').unwrap_or(inner).trim_end().len();
        Some(at + rest.len() - member.len()..end)
    }

    /// The name at the end of a text, if it is that of a type that wraps something sensitive.
    fn sensitive_type(&self, before: &'a str) -> Option<&'a str> {
        let is_of_type = |c: &(usize, char)| c.1.is_alphanumeric() || c.1 == '_';
        let (begin, _) =
            before.char_indices().rev().take(LONGEST_NAME).take_while(is_of_type).last()?;
        let name = before.get(begin..)?;
        let is_type = name.starts_with(|c: char| c.is_ascii_uppercase()) && self.keys.is_type(name);
        is_type.then_some(name)
    }

    /// What an element holds whose name, or what it gives as one, is sensitive: `<password>hunter2</password>`,
    /// `<entry key="password">hunter2</entry>`, `<name>password</name><value>hunter2</value>`.
    fn in_element(&mut self, at: usize) -> Option<Range<usize>> {
        let element = Element::at(self.after(at), self.is_cut)?;
        let is_one_of =
            |words: &[&str], name: &str| words.iter().any(|word| name.eq_ignore_ascii_case(word));
        let gives =
            |(name, value): (&str, &str)| is_one_of(&NAMES, name) && self.keys.is_sensitive(value);
        let is_sensitive =
            self.keys.is_sensitive(element.name()) || element.attributes().any(gives);
        let is_value = is_one_of(&VALUES, element.name());
        if !is_sensitive && !is_value && !is_one_of(&NAMES, element.name()) {
            return None;
        }
        let inner = element.inner()?;
        let inner = at + inner.start..at + inner.end;
        if is_sensitive {
            return Some(inner);
        }
        if is_value {
            let named = self.named.take().filter(|named| at - named <= LONGEST_BETWEEN);
            return named.map(|_| inner);
        }
        let name = self.text.get(inner.clone())?;
        self.named =
            (name.len() <= LONGEST_NAME && self.keys.is_sensitive(name)).then_some(inner.end);
        None
    }
}

/// Whether it counts something, or says yes or no.
fn is_count(value: &str) -> bool {
    matches!(value, "true" | "false") || value.bytes().all(|byte| byte.is_ascii_digit())
}

/// What may stand between a sign and a value.
fn is_between(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{a0}' | '=' | ':' | '>') || is_invisible(c)
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.') || is_invisible(c)
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}
