use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::{DEEPEST, syntax};
use crate::node::{Node, Origin, Table, Value};
use crate::problem::{Problem, ProblemKind};

/// Reads a document. Anchors, aliases and tags are refused: a few lines of them can stand for more
/// than there is memory, and settings do not need them.
pub(super) fn parse(source: &Arc<str>, text: &str) -> Result<Node, Vec<Problem>> {
    let mut reader = Reader { source, open: Vec::new(), root: None, documents: 0 };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            vec![syntax(source, Some(error.marker().line()), error.info().to_owned())]
        })?;
        reader.take(event, span).map_err(|problem| vec![problem])?;
    }
    Ok(reader.root.unwrap_or_else(|| Node::new(Value::Null, Origin::new(source, None))))
}

struct Reader<'a> {
    source: &'a Arc<str>,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
}

/// A list or a table whose end has not come.
enum Open {
    List(Vec<Node>, Origin),
    Table { table: Table, key: Option<String>, origin: Origin },
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let line = span.start.line();
        let origin = Origin::new(self.source, Some(line));
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(self.refuse(line, "settings are one document, not several"));
                }
            }
            Event::Alias(_) => return Err(self.refuse(line, "aliases are not read in settings")),
            Event::Scalar(text, style, anchor, tag) => {
                self.check(anchor, tag.is_some(), line)?;
                self.scalar(text.into_owned(), style, origin)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.check(anchor, tag.is_some(), line)?;
                self.begin(Open::List(Vec::new(), origin), line)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.check(anchor, tag.is_some(), line)?;
                let (table, key) = (Table::new(), None);
                self.begin(Open::Table { table, key, origin }, line)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let node = match self.open.pop() {
                    Some(Open::List(nodes, origin)) => Node::new(Value::List(nodes), origin),
                    Some(Open::Table { table, origin, .. }) => {
                        Node::new(Value::Table(table), origin)
                    }
                    None => return Err(self.refuse(line, "something ends that did not begin")),
                };
                self.put(node)?;
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn check(&self, anchor: usize, is_tagged: bool, line: usize) -> Result<(), Problem> {
        if anchor != 0 {
            return Err(self.refuse(line, "anchors are not read in settings"));
        }
        if is_tagged {
            return Err(self.refuse(line, "tags are not read in settings"));
        }
        Ok(())
    }

    fn begin(&mut self, open: Open, line: usize) -> Result<(), Problem> {
        if self.open.len() >= DEEPEST {
            return Err(self.refuse(line, format!("settings are at most {DEEPEST} levels deep")));
        }
        if let Some(Open::Table { key: None, .. }) = self.open.last() {
            return Err(self.refuse(line, "the name of a setting is a text"));
        }
        self.open.push(open);
        Ok(())
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, origin: Origin) -> Result<(), Problem> {
        if let Some(Open::Table { table, key: key @ None, .. }) = self.open.last_mut() {
            if table.contains_key(&text) {
                let message = "set twice in this file";
                return Err(Problem::new(text, Some(origin), ProblemKind::Conflict, message));
            }
            *key = Some(text);
            return Ok(());
        }
        let value = match style {
            ScalarStyle::Plain => plain(text).ok_or_else(|| {
                let line = origin.line().unwrap_or_default();
                self.refuse(line, "the number is out of range")
            })?,
            _ => Value::Text(text),
        };
        self.put(Node::new(value, origin))
    }

    fn put(&mut self, node: Node) -> Result<(), Problem> {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(nodes, _)) => nodes.push(node),
            Some(Open::Table { table, key, .. }) => match key.take() {
                Some(key) => drop(table.insert(key, node)),
                None => {
                    let line = node.origin.line().unwrap_or_default();
                    return Err(self.refuse(line, "the name of a setting is a text"));
                }
            },
        }
        Ok(())
    }

    fn refuse(&self, line: usize, message: impl Into<String>) -> Problem {
        syntax(self.source, Some(line), message)
    }
}

/// A plain scalar by the core schema (YAML 1.2.2, 10.3.2): `no`, `on` and `0o7x` are texts.
/// Nothing for a number that is out of range.
fn plain(text: String) -> Option<Value> {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        ".inf" | ".Inf" | ".INF" | "+.inf" => return Some(Value::Float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => return Some(Value::Float(f64::NEG_INFINITY)),
        ".nan" | ".NaN" | ".NAN" => return Some(Value::Float(f64::NAN)),
        _ => {}
    }
    let is_whole = is_digits(text.strip_prefix(['+', '-']).unwrap_or(&text), 10);
    let integer = match (text.strip_prefix("0x"), text.strip_prefix("0o")) {
        (Some(digits), _) if is_digits(digits, 16) => i128::from_str_radix(digits, 16).ok(),
        (_, Some(digits)) if is_digits(digits, 8) => i128::from_str_radix(digits, 8).ok(),
        _ if is_whole => return text.parse().ok().map(Value::Integer),
        _ => None,
    };
    if let Some(number) = integer {
        return Some(Value::Integer(number));
    }
    let is_float = text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match text.parse::<f64>() {
        Ok(number) if is_float => number.is_finite().then_some(Value::Float(number)),
        _ => Some(Value::Text(text)),
    }
}

fn is_digits(text: &str, radix: u32) -> bool {
    !text.is_empty() && text.chars().all(|digit| digit.is_digit(radix))
}
