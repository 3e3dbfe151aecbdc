//! One field of a JSON secret, beside what a whole parse of the same document says.

use proptest::prelude::*;
use secrets_core::{Error, ErrorKind, SecretValue};
use serde_json::{Map, Value};

fn field(document: &str, field: &str) -> Result<String, ErrorKind> {
    let found = SecretValue::copy_from_slice(document.as_bytes()).json_field(field);
    found.map(|value| value.expose_secret_text().unwrap().to_owned()).map_err(|error| error.kind())
}

#[test]
fn a_string_gives_its_characters_and_anything_else_its_text() {
    let document = r#" { "s" : "a\"b\\c\/d\b\f\n\r\t\u00e4\ud83d\ude00€" , "n":1.50, "t":true,
        "o":{"a":[1, 2]}, "l":[ ], "e":"", "ä\u0041":"key" } "#;
    let wanted = [
        ("s", "a\"b\\c/d\u{8}\u{c}\n\r\tä😀€"),
        ("n", "1.50"),
        ("t", "true"),
        ("o", r#"{"a":[1, 2]}"#),
        ("l", "[ ]"),
        ("e", ""),
        ("äA", "key"),
    ];
    for (name, text) in wanted {
        assert_eq!(field(document, name).as_deref(), Ok(text), "{name}");
    }
    assert_eq!(field(document, "missing"), Err(ErrorKind::NotFound));
    // The names of an inner object are not those of the secret.
    assert_eq!(field(document, "a"), Err(ErrorKind::NotFound));
    assert_eq!(field(r#"{"":"empty"}"#, "").as_deref(), Ok("empty"));
}

#[test]
fn a_field_is_there_once_or_not_to_be_had() {
    let refused = [
        r#"{"f":"a","f":"b"}"#,
        r#"{"f":"a","f":"a"}"#,
        r#"{"f":"a","\u0066":"b"}"#,
        r#"{"f":null,"f":"b"}"#,
        r#"{"f":null}"#,
        r#"{"f":"\ud800"}"#,
        r#"{"f":"\udc00"}"#,
        r#"{"f":"\ud800\ud800"}"#,
        r#"{"f":"\ud800x"}"#,
        r#"{"f":"\ud800\u0041"}"#,
        r#"{"f":"\udc00\ud800"}"#,
    ];
    for document in refused {
        assert_eq!(field(document, "f"), Err(ErrorKind::InvalidValue), "{document}");
    }
    // What is wrong with another field is that field's business.
    assert_eq!(field(r#"{"x":1,"x":2,"f":"fine"}"#, "f").as_deref(), Ok("fine"));
    assert_eq!(field(r#"{"x":null,"f":"fine"}"#, "f").as_deref(), Ok("fine"));
}

#[test]
fn what_is_not_one_object_is_refused() {
    let hostile = [
        "",
        " ",
        "null",
        "1",
        "\"f\"",
        "[]",
        r#"[{"f":1}]"#,
        "{",
        r#"{"f""#,
        r#"{"f":"#,
        r#"{"f":1"#,
        r#"{"f":1,}"#,
        r#"{f:1}"#,
        r#"{'f':1}"#,
        r#"{"f":1}x"#,
        r#"{"f":1}{"f":1}"#,
        r#"{"f":01}"#,
        r#"{"f":+1}"#,
        r#"{"f":NaN}"#,
        r#"{"f":"\x41"}"#,
        r#"{"f":"\u12g4"}"#,
        r#"{"f":"\u12"}"#,
        "{\"f\":\"\n\"}",
        "{\"f\":\"\0\"}",
        "\u{feff}{\"f\":1}",
        r#"{"f":1}//"#,
        r#"{1:1}"#,
    ];
    for document in hostile {
        assert_eq!(field(document, "f"), Err(ErrorKind::InvalidValue), "{document:?}");
    }
    let not_text = SecretValue::copy_from_slice(b"{\"f\":\"\xff\"}").json_field("f");
    assert_eq!(not_text.unwrap_err().kind(), ErrorKind::InvalidValue);
}

#[test]
fn size_and_depth_do_no_harm() {
    // 10 MB before the field, and 10 MB in it.
    let long = "x".repeat(10 << 20);
    assert_eq!(field(&format!(r#"{{"a":"{long}","f":"v"}}"#), "f").as_deref(), Ok("v"));
    assert_eq!(field(&format!(r#"{{"f":"{long}"}}"#), "f").unwrap().len(), long.len());
    let fields: Vec<String> = (0..100_000).map(|n| format!(r#""k{n}":{n}"#)).collect();
    assert_eq!(field(&format!("{{{}}}", fields.join(",")), "k99999").as_deref(), Ok("99999"));
    // A million levels would end the stack of a parser that calls itself.
    for depth in [127, 128, 129, 1_000_000] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        let nested = format!(r#"{{"a":{open}{close},"f":"v"}}"#);
        assert_eq!(field(&nested, "f").as_deref(), Ok("v"), "{depth}");
        let unclosed = format!(r#"{{"f":{open}"#);
        assert_eq!(field(&unclosed, "f"), Err(ErrorKind::InvalidValue), "{depth}");
        let itself = format!(r#"{{"f":{open}{close}}}"#);
        assert_eq!(field(&itself, "f").unwrap().len(), 2 * depth);
    }
}

/// A parser's own message can quote the document; ours never does.
#[test]
fn errors_never_quote_the_document() {
    let documents = [
        r#"{"password":hunter2}"#,
        r#"{"password":"hunter2"#,
        r#"{"password":"hunter2\q"}"#,
        r#""hunter2""#,
        r#"hunter2"#,
        r#"{"hunter2":1,"hunter2":2}"#,
        r#"{"password":"hunter2\ud800"}"#,
        r#"{"password":"hunter2"} hunter2"#,
        r#"["hunter2"]"#,
    ];
    for document in documents {
        for name in ["password", "hunter2"] {
            let value = SecretValue::copy_from_slice(document.as_bytes());
            let Err(error) = value.json_field(name) else { continue };
            let shown = chain(&error);
            assert!(!shown.contains("hunter2"), "{document}: {shown}");
        }
    }
}

fn chain(error: &Error) -> String {
    let mut shown = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        shown.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    shown
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no such number", |f| f.is_finite())
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A document as somebody else's writer might escape it.
fn escaped(document: &str, every: bool) -> String {
    let escape = |c: char| {
        let mut units = [0; 2];
        let units = c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}"));
        units.collect::<String>()
    };
    let mut in_string = false;
    let mut after_backslash = false;
    let mut text = String::new();
    for c in document.chars() {
        let plain = in_string && !after_backslash && c != '"' && c != '\\';
        text.push_str(&if plain && (every || !c.is_ascii()) { escape(c) } else { c.to_string() });
        in_string ^= c == '"' && !after_backslash;
        after_backslash = c == '\\' && !after_backslash;
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_whole_parse(
        fields in prop::collection::hash_map(any::<String>(), json(), 0..8),
        pretty in any::<bool>(),
        every in any::<bool>(),
    ) {
        let object: Map<String, Value> = fields.into_iter().collect();
        let whole = Value::Object(object);
        let text = if pretty { format!("{whole:#}") } else { whole.to_string() };
        // Surrogate pairs that stand in the document already are left alone by the second form.
        let document = if text.contains("\\u") { text } else { escaped(&text, every) };
        // Numbers that a parser rounds are compared as the same parser reads them.
        let Value::Object(object) = serde_json::from_str(&document).unwrap() else { unreachable!() };
        prop_assert_eq!(object.len(), whole.as_object().unwrap().len());
        let secret = SecretValue::copy_from_slice(document.as_bytes());
        for (name, value) in &object {
            let found = secret.json_field(name);
            match value {
                Value::Null => prop_assert_eq!(found.unwrap_err().kind(), ErrorKind::InvalidValue),
                Value::String(text) => {
                    let found = found.unwrap();
                    prop_assert_eq!(found.expose_secret(), text.as_bytes());
                }
                other => {
                    let read: Value = serde_json::from_slice(found.unwrap().expose_secret()).unwrap();
                    prop_assert_eq!(&read, other);
                }
            }
        }
        let absent = secret.json_field("no document has this field");
        prop_assert_eq!(absent.unwrap_err().kind(), ErrorKind::NotFound);
    }

    /// Any bytes: never a panic, and never a field that a whole parse does not see.
    #[test]
    fn garbage_is_refused(start in 0_usize..40, byte in any::<u8>(), cut in 0_usize..40) {
        let mut document = br#"{"a":[1,{"b":"x"}],"f":"v\u00e4\n","c":-1e5}"#.to_vec();
        if let Some(changed) = document.get_mut(start) {
            *changed = byte;
        }
        document.truncate(document.len() - cut);
        let ours = SecretValue::copy_from_slice(&document).json_field("f");
        let whole: Result<Value, _> = serde_json::from_slice(&document);
        if let (Ok(found), Ok(whole)) = (&ours, &whole) {
            let theirs = whole.get("f");
            let text = std::str::from_utf8(found.expose_secret()).unwrap();
            let same = match theirs {
                Some(Value::String(string)) => string == text,
                Some(other) => serde_json::from_str::<Value>(text).is_ok_and(|read| read == *other),
                None => false,
            };
            prop_assert!(same, "{} {:?}", text, theirs);
        }
        if whole.is_ok_and(|whole| !whole.is_object()) {
            prop_assert!(ours.is_err());
        }
    }
}
