//! What types of the application say, without the values that they quote.

use std::sync::Arc;

use crate::node::{Node, Value};
use crate::read::parse_value;

/// Texts shorter than this are taken out only where they stand as words of their own.
const SHORT: usize = 4;

/// The message without any value of the tree, and with nothing that moves a terminal's cursor.
pub(crate) fn without_values(message: &str, node: &Node) -> String {
    let mut values = Vec::new();
    collect(node, &mut values);
    // The longest first: one may be a part of another.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    let message = values.iter().fold(message.to_owned(), |message, value| mask(message, value));
    let mut shown = String::with_capacity(message.len());
    for letter in message.chars() {
        match letter.is_control() {
            true => shown.extend(letter.escape_debug()),
            false => shown.push(letter),
        }
    }
    shown
}

fn collect(node: &Node, values: &mut Vec<String>) {
    match &node.value {
        Value::Null | Value::Bool(_) => {}
        Value::Integer(number) => values.push(number.to_string()),
        Value::Float(number) => values.push(number.to_string()),
        Value::Text(text) | Value::Raw(text) => {
            // `Debug` and `escape_debug` differ in which quotation marks they escape.
            let debug = format!("{text:?}");
            values.push(debug.trim_matches('"').to_owned());
            values.push(text.escape_debug().to_string());
            values.push(text.trim().to_owned());
            values.push(text.clone());
            // A variable holds lists and tables as JSON, whose parts may be quoted by themselves.
            if let Value::Raw(text) = &node.value
                && let Ok(parsed) = parse_value(&Arc::from(node.origin.source()), text)
                && matches!(parsed.value, Value::List(_) | Value::Table(_) | Value::Text(_))
            {
                collect(&parsed, values);
            }
        }
        Value::List(nodes) => nodes.iter().for_each(|node| collect(node, values)),
        Value::Table(table) => table.values().for_each(|node| collect(node, values)),
    }
}

fn mask(message: String, value: &str) -> String {
    if value.is_empty() || !message.contains(value) {
        return message;
    }
    let is_short = value.chars().count() < SHORT;
    let mut masked = String::with_capacity(message.len());
    let mut rest = message.as_str();
    let is_letter = |letter: char| letter.is_alphanumeric();
    while let Some((before, after)) = rest.split_once(value) {
        masked.push_str(before);
        let is_part = masked.ends_with(is_letter) || after.starts_with(is_letter);
        masked.push_str(if is_short && is_part { value } else { "***" });
        rest = after;
    }
    masked.push_str(rest);
    masked
}
