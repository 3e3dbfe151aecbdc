use std::io::Write as _;

use crate::log::layout::Layout;
use crate::log::time::rfc3339;
use crate::record::{Fields, REDACTED, Record, Value};

/// One object a line: ids and fields beside each other, those of an inner span over those of an
/// outer one, those of the event over all.
#[derive(Debug, Clone, Default)]
pub struct JsonFlat {
    _private: (),
}

/// The names that the layout itself uses. A field that is called like one of them is written with
/// `field.` before it.
const RESERVED: [&str; 10] = [
    "timestamp",
    "level",
    "target",
    "message",
    "trace_id",
    "span_id",
    "request_id",
    "correlation_id",
    "span",
    "source",
];

impl JsonFlat {
    /// The layout.
    #[must_use]
    pub const fn new() -> Self {
        Self { _private: () }
    }
}

impl Layout for JsonFlat {
    fn write(&self, record: &Record<'_>, line: &mut Vec<u8>) {
        line.extend_from_slice(br#"{"timestamp":""#);
        line.extend_from_slice(&rfc3339(record.time));
        line.extend_from_slice(br#"","level":""#);
        line.extend_from_slice(record.level.as_str().as_bytes());
        line.extend_from_slice(br#"","target":"#);
        string(record.target, line);
        line.extend_from_slice(br#","message":"#);
        string(record.message, line);
        write_ids(record, line);
        if let Some(span) = record.span {
            line.extend_from_slice(br#","span":"#);
            string(span.name(), line);
        }
        write_all_fields(record, line);
        line.extend_from_slice(b"}\n");
    }
}

fn write_ids(record: &Record<'_>, line: &mut Vec<u8>) {
    let ids = record.ids;
    if let Some(id) = ids.trace_id {
        line.extend_from_slice(br#","trace_id":""#);
        line.extend_from_slice(&id.to_hex());
        line.push(b'"');
    }
    if let Some(id) = ids.span_id {
        line.extend_from_slice(br#","span_id":""#);
        line.extend_from_slice(&id.to_hex());
        line.push(b'"');
    }
    for (key, id) in [("request_id", &ids.request_id), ("correlation_id", &ids.correlation_id)] {
        if let Some(id) = id {
            line.push(b',');
            string(key, line);
            line.push(b':');
            string(id.as_str(), line);
        }
    }
}

/// The fields of the event, then those of its spans, the innermost first. A name that was written
/// is not written again: JSON leaves open what a name that stands twice means.
fn write_all_fields(record: &Record<'_>, line: &mut Vec<u8>) {
    let mut seen = Seen::default();
    write_fields(record.fields, &mut seen, |_| false, line);
    for (depth, span) in record.spans().enumerate() {
        let mut is_late = span.has_late();
        span.each_fields(|fields| {
            let by_inner = |key: &str| {
                record.fields.get(key).is_some()
                    || record.spans().take(depth).any(|inner| inner.has(key))
                    || !is_late && span.has_late_named(key)
            };
            write_fields(fields, &mut seen, by_inner, line);
            is_late = false;
        });
    }
}

/// Writes fields but those that are shadowed; of those with one name the last.
fn write_fields(
    fields: &Fields,
    seen: &mut Seen,
    is_shadowed: impl Fn(&str) -> bool,
    line: &mut Vec<u8>,
) {
    for (written, (key, value)) in fields.iter().rev().enumerate() {
        let is_again = || fields.iter().rev().take(written).any(|(later, _)| later == key);
        if seen.may_have(key) && (is_again() || is_shadowed(key)) {
            continue;
        }
        line.extend_from_slice(b",\"");
        if RESERVED.contains(&key) {
            line.extend_from_slice(b"field.");
        }
        escaped(key, line);
        line.extend_from_slice(b"\":");
        write_value(value, line);
    }
}

/// Tells most names that were not written from those that may have been.
#[derive(Debug, Default)]
struct Seen(u64);

impl Seen {
    fn may_have(&mut self, key: &str) -> bool {
        let bytes = key.as_bytes();
        let at = |index: usize| bytes.get(index).map_or(0, |byte| usize::from(*byte));
        let mixed = bytes.len() * 7
            + at(0) * 31
            + at(bytes.len() / 2) * 11
            + at(bytes.len().wrapping_sub(1)) * 3;
        let bit = 1 << (mixed % 64);
        let may_have = self.0 & bit != 0;
        self.0 |= bit;
        may_have
    }
}

fn write_value(value: Value<'_>, line: &mut Vec<u8>) {
    match value {
        Value::Text(text) => string(text, line),
        Value::Redacted => string(REDACTED, line),
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
        Value::F64(number) if number.is_finite() => written(format_args!("{number:?}"), line),
        Value::F64(number) => written(format_args!("\"{number}\""), line),
        Value::I128(number) => written(format_args!("{number}"), line),
        Value::U128(number) => written(format_args!("{number}"), line),
    }
}

fn written(arguments: std::fmt::Arguments<'_>, line: &mut Vec<u8>) {
    // Writing to a `Vec` does not fail.
    let _ = line.write_fmt(arguments);
}

/// A number in decimal digits.
fn digits(mut number: u64, line: &mut Vec<u8>) {
    let mut text = [0_u8; 20];
    let mut length = 0;
    for place in text.iter_mut().rev() {
        *place = b'0' + u8::try_from(number % 10).unwrap_or_default();
        length += 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    line.extend_from_slice(text.get(text.len() - length..).unwrap_or_default());
}

/// A text in quotes (RFC 8259, section 7).
fn string(text: &str, line: &mut Vec<u8>) {
    line.push(b'"');
    escaped(text, line);
    line.push(b'"');
}

fn escaped(text: &str, line: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_bytes(rest));
        line.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else { break };
        match byte {
            b'"' => line.extend_from_slice(b"\\\""),
            b'\\' => line.extend_from_slice(b"\\\\"),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            byte => written(format_args!("\\u{byte:04x}"), line),
        }
        rest = after;
    }
}

/// How many bytes come before the first that has to be escaped. Eight are looked at together: a byte
/// below 0x20, or one that is equal, borrows from its own highest bit.
fn plain_bytes(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let (words, rest) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let is_zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let below = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (below | is_zero(word ^ (ONES * 0x22)) | is_zero(word ^ (ONES * 0x5c))) & HIGH;
        if found != 0 {
            return number * 8 + usize::try_from(found.trailing_zeros() / 8).unwrap_or_default();
        }
    }
    let needs = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    words.len() * 8 + rest.iter().position(needs).unwrap_or(rest.len())
}
