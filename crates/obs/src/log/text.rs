//! Texts and numbers as JSON has them.

use std::io::Write as _;

use crate::record::{REDACTED, Signs, Value};

pub(super) fn write_value(value: Value<'_>, line: &mut Vec<u8>) {
    match value {
        Value::Text(text) => string(text, line),
        Value::Redacted => string(REDACTED, line),
        Value::F64(number) if !number.is_finite() => written(format_args!("\"{number}\""), line),
        // Readers of JSON round what they have no number for, or refuse the line (RFC 8259, section 6).
        Value::I128(number) if i64::try_from(number).is_err() => {
            written(format_args!("\"{number}\""), line);
        }
        Value::U128(number) if u64::try_from(number).is_err() => {
            written(format_args!("\"{number}\""), line);
        }
        value => plain(value, line),
    }
}

/// What needs no quotes: a number, yes or no.
pub(super) fn plain(value: Value<'_>, line: &mut Vec<u8>) {
    match value {
        Value::Text(text) => line.extend_from_slice(text.as_bytes()),
        Value::Redacted => line.extend_from_slice(REDACTED.as_bytes()),
        Value::I64(number) => {
            if number < 0 {
                line.push(b'-');
            }
            digits(number.unsigned_abs(), line);
        }
        Value::U64(number) => digits(number, line),
        Value::Bool(true) => line.extend_from_slice(b"true"),
        Value::Bool(false) => line.extend_from_slice(b"false"),
        // With an exponent where it would be long.
        Value::F64(number) => written(format_args!("{number:?}"), line),
        Value::I128(number) => written(format_args!("{number}"), line),
        Value::U128(number) => written(format_args!("{number}"), line),
    }
}

pub(super) fn written(arguments: std::fmt::Arguments<'_>, line: &mut Vec<u8>) {
    // Writing to a `Vec` does not fail.
    let _ = line.write_fmt(arguments);
}

/// A number in decimal digits.
pub(super) fn digits(number: u64, line: &mut Vec<u8>) {
    if number >= 100 {
        digits(number / 100, line);
    }
    match two_digits(number % 100) {
        [_, last] if number < 10 => line.push(last),
        both => line.extend_from_slice(&both),
    }
}

/// A number below 100 with two digits.
pub(crate) fn two_digits(number: u64) -> [u8; 2] {
    const ALL: [[u8; 2]; 100] = {
        let (mut all, mut number) = ([[0; 2]; 100], 0);
        let mut rest: &mut [[u8; 2]] = &mut all;
        while let [digits, others @ ..] = rest {
            *digits = [b'0' + number / 10, b'0' + number % 10];
            number += 1;
            rest = others;
        }
        all
    };
    usize::try_from(number).ok().and_then(|at| ALL.get(at)).copied().unwrap_or_default()
}

/// A text in quotes (RFC 8259, section 7).
pub(super) fn string(text: &str, line: &mut Vec<u8>) {
    line.push(b'"');
    escaped(text, line);
    line.push(b'"');
}

/// A text without what ends a text in JSON, and without what would mislead a person who looks at the line.
pub(super) fn escaped(text: &str, line: &mut Vec<u8>) {
    if Signs::of(text).is_plain() {
        line.extend_from_slice(text.as_bytes());
    } else {
        escaped_slowly(text, line);
    }
}

#[cold]
fn escaped_slowly(text: &str, line: &mut Vec<u8>) {
    let mut rest = text;
    loop {
        let (plain, special) =
            rest.split_at_checked(plain_bytes(rest.as_bytes())).unwrap_or_default();
        line.extend_from_slice(plain.as_bytes());
        let Some(character) = special.chars().next() else { break };
        escape(character, line);
        rest = special.get(character.len_utf8()..).unwrap_or_default();
    }
}

fn escape(character: char, line: &mut Vec<u8>) {
    match character {
        '"' => line.extend_from_slice(b"\\\""),
        '\\' => line.extend_from_slice(b"\\\\"),
        '\n' => line.extend_from_slice(b"\\n"),
        '\r' => line.extend_from_slice(b"\\r"),
        '\t' => line.extend_from_slice(b"\\t"),
        other if misleads(other) => written(format_args!("\\u{:04x}", u32::from(other)), line),
        other => line.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Control characters, those that end a line in Unicode, and those that reorder text (UAX #9): what a
/// terminal acts upon, or shows elsewhere than it stands. All of them have four hexadecimal digits.
pub(super) const fn misleads(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
    )
}

/// How many bytes come before the first that has to be looked at: a control character, a quote, a
/// backslash, or what is not ASCII. Eight are looked at together: a byte below 0x20, or one that is
/// equal, borrows from its own highest bit.
pub(super) fn plain_bytes(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let (words, rest) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let below = word.wrapping_sub(ONES * 0x20) & !word;
        let found = below
            | zero(word ^ (ONES * 0x22))
            | zero(word ^ (ONES * 0x5c))
            | zero(word ^ (ONES * 0x7f));
        let found = (found | word) & HIGH;
        if found != 0 {
            return number * 8 + usize::try_from(found.trailing_zeros() / 8).unwrap_or_default();
        }
    }
    let needs = |byte: &u8| !matches!(*byte, b' '..=b'~') || *byte == b'"' || *byte == b'\\';
    words.len() * 8 + rest.iter().position(needs).unwrap_or(rest.len())
}
