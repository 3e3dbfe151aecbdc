use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{DEEPEST, LineIndex, syntax};
use crate::node::{Node, Origin, Table, Value};
use crate::problem::{Problem, ProblemKind};

/// Reads a document level by level: each value is first taken as the text that it is, which tells
/// where it stands.
pub(super) fn parse(source: &Arc<str>, text: &str) -> Result<Node, Vec<Problem>> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| {
        vec![syntax(source, Some(error.line()), format!("not JSON: {}", reason(&error)))]
    })?;
    let reader = Reader { source, text, lines: LineIndex::new(text) };
    reader.node(raw, 0).map_err(|problem| vec![problem])
}

/// Without the place, which stands in the problem already.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

struct Reader<'a> {
    source: &'a Arc<str>,
    text: &'a str,
    lines: LineIndex,
}

impl<'a> Reader<'a> {
    /// The parser bounds no depth when it looks for the end of a value, so it is bounded here.
    fn node(&self, raw: &'a RawValue, depth: usize) -> Result<Node, Problem> {
        let json = raw.get();
        let at = (json.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let origin = Origin::new(self.source, Some(self.lines.line(at)));
        let unfit = |_| syntax(self.source, origin.line(), "the value cannot be read");
        let value = match json.as_bytes().first() {
            Some(b'{' | b'[') if depth >= DEEPEST => {
                let message = format!("settings are at most {DEEPEST} levels deep");
                return Err(syntax(self.source, origin.line(), message));
            }
            Some(b'{') => self.table(json, &origin, depth)?,
            Some(b'[') => {
                let list: Vec<&RawValue> = serde_json::from_str(json).map_err(unfit)?;
                let nodes = list.into_iter().map(|raw| self.node(raw, depth + 1));
                Value::List(nodes.collect::<Result<_, _>>()?)
            }
            Some(b'"') => Value::Text(serde_json::from_str(json).map_err(unfit)?),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Null,
            _ => match json.parse() {
                Ok(number) => Value::Integer(number),
                Err(_) if json.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) => {
                    let message = "the number is out of range";
                    return Err(syntax(self.source, origin.line(), message));
                }
                Err(_) => Value::Float(serde_json::from_str(json).map_err(unfit)?),
            },
        };
        Ok(Node::new(value, origin))
    }

    fn table(&self, json: &'a str, origin: &Origin, depth: usize) -> Result<Value, Problem> {
        let Entries(entries) = serde_json::from_str(json)
            .map_err(|_| syntax(self.source, origin.line(), "the value cannot be read"))?;
        let mut table = Table::new();
        for (key, raw) in entries {
            let node = self.node(raw, depth + 1)?;
            let place = node.origin.clone();
            if table.insert(key.clone().into_owned(), node).is_some() {
                let message = "set twice in this file";
                return Err(Problem::new(key, Some(place), ProblemKind::Conflict, message));
            }
        }
        Ok(Value::Table(table))
    }
}

/// The members of an object, those that are there twice among them.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    members.push((Cow::Owned(key), map.next_value()?));
                }
                Ok(Entries(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
