use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::{LineIndex, syntax};
use crate::node::{Node, Origin, Table, Value};
use crate::problem::Problem;

pub(super) fn parse(source: &Arc<str>, text: &str) -> Result<Node, Vec<Problem>> {
    let lines = LineIndex::new(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let problem = |error: toml::de::Error| {
            let line = error.span().map(|span| lines.line(span.start));
            syntax(source, line, error.message())
        };
        return Err(errors.into_iter().map(problem).collect());
    }
    let reader = Reader { source, lines };
    let origin = Origin::new(source, None);
    reader.table(document.into_inner()).map(|table| Node::new(Value::Table(table), origin))
}

struct Reader<'a> {
    source: &'a Arc<str>,
    lines: LineIndex,
}

impl Reader<'_> {
    fn table(&self, table: DeTable<'_>) -> Result<Table, Vec<Problem>> {
        let entries = table.into_iter().map(|(key, value)| {
            let name = key.get_ref().to_string();
            Ok((name, self.node(value)?))
        });
        entries.collect()
    }

    /// Depth is bounded by the parser.
    fn node(&self, value: Spanned<DeValue<'_>>) -> Result<Node, Vec<Problem>> {
        let line = self.lines.line(value.span().start);
        let origin = Origin::new(self.source, Some(line));
        let value = match value.into_inner() {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(number) => Value::Integer(self.integer(&number, line)?),
            DeValue::Float(number) => {
                let text = number.as_str().replace('_', "");
                let is_written = !text.bytes().any(|byte| byte.is_ascii_digit());
                let number =
                    text.parse().ok().filter(|number: &f64| number.is_finite() || is_written);
                Value::Float(number.ok_or_else(|| vec![self.unfit(line)])?)
            }
            DeValue::Boolean(value) => Value::Bool(value),
            DeValue::Datetime(time) => Value::Text(time.to_string()),
            DeValue::Array(list) => {
                let nodes = list.into_iter().map(|value| self.node(value));
                Value::List(nodes.collect::<Result<_, _>>()?)
            }
            DeValue::Table(table) => Value::Table(self.table(table)?),
        };
        Ok(Node::new(value, origin))
    }

    fn integer(&self, number: &DeInteger<'_>, line: usize) -> Result<i128, Vec<Problem>> {
        let digits = number.as_str().replace('_', "");
        let number = i128::from_str_radix(&digits, number.radix());
        number.map_err(|_| vec![self.unfit(line)])
    }

    fn unfit(&self, line: usize) -> Problem {
        syntax(self.source, Some(line), "the number is out of range")
    }
}
