//! Whatever a text is, redacting it ends, grows within a bound, and takes out what a sensitive name stands before.
//! The input is a text; a pair of a name and a secret is put into it, on a line of its own, where a NUL stands.

#![no_main]

use std::sync::{Arc, Mutex};

use libfuzzer_sys::fuzz_target;
use obs::record::{Limits, Note, Record, RecordLayer, RecordSink, RedactedShapes};
use tracing_core::Level;

#[derive(Debug, Default)]
struct Kept(Mutex<String>);

impl RecordSink for Kept {
    fn record(&self, record: &Record<'_>) {
        record.message.clone_into(&mut self.0.lock().expect("nothing panicked"));
    }
}

/// What is shown of a message.
fn shown(message: &str, has_shapes: bool) -> String {
    let kept = Arc::new(Kept::default());
    let builder = RecordLayer::builder().sink(Arc::<Kept>::clone(&kept));
    let layer = match has_shapes {
        true => builder.redacted_shapes(RedactedShapes::default()).build(),
        false => builder.build(),
    };
    layer.handle().record(&Note::new(Level::INFO, "fuzz"), &message);
    std::mem::take(&mut *kept.0.lock().expect("nothing panicked"))
}

const SECRET: &str = "hunter2canary";

/// How a secret may stand behind its name.
const PAIRS: [(&str, &str); 5] = [
    ("password=", ""),
    ("password: ", ""),
    ("\"password\":\"", "\""),
    ("api_key = ", ""),
    ("Password(\"", "\")"),
];

/// What a value may be told by, and so hold names.
const OPENING: [char; 9] = ['"', '\'', '`', '(', '[', '{', '<', '%', '\\'];

fuzz_target!(|input: &str| {
    let longest = Limits::default().value_bytes + "… [CUT]".len();
    for has_shapes in [false, true] {
        let seen = shown(input, has_shapes);
        assert!(seen.len() <= longest.max(input.len() * 11), "{seen:?}");
    }
    let (before, after) = input.split_once('\u{0}').unwrap_or((input, ""));
    // Behind a quote or a bracket that nothing closes, nobody can say what is a name.
    if input.contains(SECRET) || before.contains(OPENING) {
        return;
    }
    for (sign, end) in PAIRS {
        let text = format!("{before}\n{sign}{SECRET}{end}\n{after}");
        for has_shapes in [false, true] {
            let seen = shown(&text, has_shapes);
            assert!(!seen.contains(SECRET), "{text:?} is shown as {seen:?}");
        }
    }
});
