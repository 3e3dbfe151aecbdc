//! The query protocol: forms in, XML out.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::service::Refusal;

/// How many parts a name has that any operation knows, twice over: what is deeper would only exhaust the stack.
const DEEPEST: usize = 16;

/// A form as JSON: `A=1&Tags.member.1.Key=x` is `{"A": "1", "Tags": [{"Key": "x"}]}`.
pub(super) fn parse(body: &str) -> Value {
    let mut root = Value::Object(Map::new());
    for pair in body.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let path = text(name);
        if path.split('.').count() > DEEPEST {
            continue;
        }
        let parts: Vec<&str> = path.split('.').filter(|p| *p != "member").collect();
        put(&mut root, &parts, text(value));
    }
    lists(root)
}

fn text(encoded: &str) -> String {
    let plain = encoded.replace('+', " ");
    String::from_utf8_lossy(&crate::sigv4::decode(&plain)).into_owned()
}

fn put(at: &mut Value, path: &[&str], value: String) {
    let Some((first, rest)) = path.split_first() else {
        *at = Value::String(value);
        return;
    };
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    if let Some(fields) = at.as_object_mut() {
        put(fields.entry((*first).to_owned()).or_insert(Value::Null), rest, value);
    }
}

/// Objects whose names are all numbers are lists.
fn lists(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let mut numbered: Vec<(u32, Value)> = Vec::new();
    let all_numbers = !fields.is_empty() && fields.keys().all(|k| k.parse::<u32>().is_ok());
    if !all_numbers {
        return Value::Object(fields.into_iter().map(|(k, v)| (k, lists(v))).collect());
    }
    for (name, item) in fields {
        numbered.push((name.parse().unwrap_or_default(), lists(item)));
    }
    numbered.sort_by_key(|(n, _)| *n);
    Value::Array(numbered.into_iter().map(|(_, item)| item).collect())
}

/// The answer of an operation.
pub(super) fn answer(operation: &str, namespace: &str, output: &Value, request_id: &str) -> String {
    let mut out = String::new();
    let _ = write!(out, r#"<{operation}Response xmlns="{namespace}"><{operation}Result>"#);
    elements(&mut out, output);
    let _ = write!(
        out,
        "</{operation}Result><ResponseMetadata><RequestId>{request_id}</RequestId>\
         </ResponseMetadata></{operation}Response>"
    );
    out
}

/// The answer that refuses.
pub(super) fn refusal(namespace: &str, refusal: &Refusal, request_id: &str) -> String {
    let fault = if refusal.status >= 500 { "Receiver" } else { "Sender" };
    format!(
        r#"<ErrorResponse xmlns="{namespace}"><Error><Type>{fault}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"#,
        escape(&refusal.code),
        escape(&refusal.message)
    )
}

fn elements(out: &mut String, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields.iter().filter(|(_, v)| !v.is_null()) {
                let _ = write!(out, "<{name}>");
                elements(out, field);
                let _ = write!(out, "</{name}>");
            }
        }
        Value::Array(items) => {
            for item in items {
                out.push_str("<member>");
                elements(out, item);
                out.push_str("</member>");
            }
        }
        Value::String(text) => out.push_str(&escape(text)),
        Value::Null => {}
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

fn escape(text: &str) -> String {
    // Characters that XML 1.0 does not have are left out.
    let text = text.replace(|c: char| c.is_control() && !"\t\n\r".contains(c), "");
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_with_lists() {
        let form = "Action=AssumeRole&RoleSessionName=a+b%2Fc&Tags.member.2.Key=y&Tags.member.1.Key=x&Tags.member.1.Value=1";
        assert_eq!(
            parse(form),
            json!({
                "Action": "AssumeRole",
                "RoleSessionName": "a b/c",
                "Tags": [{ "Key": "x", "Value": "1" }, { "Key": "y" }],
            })
        );
    }

    #[test]
    fn what_is_deeper_than_any_name_is_not_read() {
        let deep = "A.".repeat(1_000_000);
        assert_eq!(parse(&format!("{deep}=x&B=y")), json!({ "B": "y" }));
    }

    #[test]
    fn what_is_special_in_xml_is_escaped() {
        let xml = answer("Get", "urn:x", &json!({ "A": "<&\u{1}\u{0}\">", "L": [1, "b"] }), "r");
        assert!(
            xml.contains("<A>&lt;&amp;&quot;&gt;</A><L><member>1</member><member>b</member></L>"),
            "{xml}"
        );
    }
}
