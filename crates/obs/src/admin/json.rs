use std::fmt::Write as _;

/// A text as JSON has it (RFC 8259, section 7).
pub(super) fn push_text(into: &mut String, text: &str) {
    into.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => into.extend(['\\', c]),
            c if c < ' ' || c == '\u{7f}' => {
                // Writing into a `String` does not fail.
                let _ = write!(into, "\\u{:04x}", u32::from(c));
            }
            c => into.push(c),
        }
    }
    into.push('"');
}

/// An object; its values are JSON already.
pub(super) fn object<'a>(members: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut object = String::from("{");
    for (name, value) in members {
        if object.len() > 1 {
            object.push(',');
        }
        push_text(&mut object, name);
        object.push(':');
        object.push_str(&value);
    }
    object.push('}');
    object
}

pub(super) fn text(text: &str) -> String {
    let mut json = String::new();
    push_text(&mut json, text);
    json
}
