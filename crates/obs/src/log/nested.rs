//! Names with dots as objects within each other.

use crate::log::text::{escaped, plain, string, write_value};
use crate::record::Value;

/// Objects within each other at most. What is deeper keeps its dots.
const DEEPEST: usize = 8;

/// Members by their dotted names.
pub(super) type Member<'a> = (&'a str, Value<'a>);

/// Writes the members of an object, without its brackets. Names are taken apart at their dots; where
/// one name is both a value and an object, the members of the object stand beside it by their whole names.
pub(super) fn write_nested(members: &mut [Member<'_>], line: &mut Vec<u8>) {
    // By parts, so that what is in one object stands together: `a.b` before `a-b`.
    members.sort_by(|(one, _), (other, _)| one.split('.').cmp(other.split('.')));
    write_level(members, 0, 0, line);
}

/// Those of one object, whose names have `skip` bytes in common.
fn write_level(mut members: &[Member<'_>], skip: usize, depth: usize, line: &mut Vec<u8>) {
    let mut is_first = true;
    while let Some((name, _)) = members.first() {
        if !is_first {
            line.push(b',');
        }
        is_first = false;
        let part = first_part(name, skip, depth);
        let end = skip + part.len();
        let same = |(other, _): &&Member<'_>| first_part(other, skip, depth) == part;
        let (group, others) = members.split_at(members.iter().take_while(same).count());
        members = others;
        write_group(group, part, (skip, end), depth, line);
    }
}

fn write_group(
    group: &[Member<'_>],
    part: &str,
    (skip, end): (usize, usize),
    depth: usize,
    line: &mut Vec<u8>,
) {
    // A name sorts before those that it is the beginning of.
    match group {
        [(name, value), below @ ..] if name.len() == end => {
            string(part, line);
            line.push(b':');
            write_value(*value, line);
            for (name, value) in below {
                line.extend_from_slice(b",\"");
                escaped(name.get(skip..).unwrap_or_default(), line);
                line.extend_from_slice(b"\":");
                write_value(*value, line);
            }
        }
        below => {
            string(part, line);
            line.extend_from_slice(b":{");
            write_level(below, end + 1, depth + 1, line);
            line.push(b'}');
        }
    }
}

fn first_part(name: &str, skip: usize, depth: usize) -> &str {
    let rest = name.get(skip..).unwrap_or_default();
    if depth + 1 >= DEEPEST { rest } else { rest.split('.').next().unwrap_or_default() }
}

/// A value that was copied.
pub(super) enum Owned {
    Text(String),
    Plain(Value<'static>),
}

impl Owned {
    /// A number as a text.
    pub(super) fn text(value: Value<'_>) -> Self {
        let mut text = Vec::new();
        plain(value, &mut text);
        Self::Text(String::from_utf8_lossy(&text).into_owned())
    }

    pub(super) fn of(value: Value<'_>) -> Self {
        Self::Plain(match value {
            Value::Text(text) => return Self::Text(text.to_owned()),
            Value::I64(number) => Value::I64(number),
            Value::U64(number) => Value::U64(number),
            Value::I128(number) => Value::I128(number),
            Value::U128(number) => Value::U128(number),
            Value::F64(number) => Value::F64(number),
            Value::Bool(yes) => Value::Bool(yes),
            Value::Redacted => Value::Redacted,
        })
    }

    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Value::Text(text),
            Self::Plain(value) => *value,
        }
    }
}
