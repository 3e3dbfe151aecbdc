//! Whatever a record holds, each layout makes one line of it that its reader reads: JSON is parsed, nothing in
//! it acts upon a terminal. The input is lines of names and values, the first one the message.

#![no_main]

use std::sync::{Arc, Mutex};

use libfuzzer_sys::fuzz_target;
use obs::log::{Console, Datadog, Ecs, GoogleCloud, JsonFlat, Layout, Logfmt, NewRelic};
use obs::record::{Note, Record, RecordLayer, RecordSink, RedactedShapes, Resource, Value};
use tracing_core::Level;

#[derive(Debug, Default)]
struct Lines(Mutex<Vec<(bool, String)>>);

impl RecordSink for Lines {
    fn record(&self, record: &Record<'_>) {
        let resource = Resource::new("fuzz").with("level", "x");
        let layouts: [(bool, Box<dyn Layout>); 8] = [
            (true, Box::new(JsonFlat::new().with_resource(&resource).with_source())),
            (true, Box::new(Ecs::new(&resource))),
            (true, Box::new(Ecs::nested(&resource))),
            (true, Box::new(Datadog::new(&resource))),
            (true, Box::new(GoogleCloud::new(&resource))),
            (true, Box::new(NewRelic::new(&resource))),
            (false, Box::new(Logfmt::new().with_resource(&resource))),
            (false, Box::new(Console::new())),
        ];
        for (is_json, layout) in layouts {
            let mut line = Vec::new();
            layout.write(record, &mut line);
            let line = String::from_utf8(line).expect("a line is UTF-8");
            self.0.lock().expect("nothing panicked").push((is_json, line));
        }
    }
}

fuzz_target!(|input: &str| {
    let lines = Arc::new(Lines::default());
    let sink = Arc::<Lines>::clone(&lines);
    let shapes = RedactedShapes::default();
    let layer = RecordLayer::builder().sink(sink).redacted_shapes(shapes).build();
    let (message, rest) = input.split_once('\u{0}').unwrap_or((input, ""));
    let pairs = rest.split('\u{0}').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let fields: Vec<_> = pairs.map(|(name, value)| (name, Value::Text(value))).collect();
    let note = Note::new(Level::ERROR, "fuzz").at("fuzz.rs", 1).with_fields(&fields);
    layer.handle().record(&note, &message);
    let lines = std::mem::take(&mut *lines.0.lock().expect("nothing panicked"));
    assert_eq!(lines.len(), 8);
    for (is_json, line) in lines {
        assert!(line.ends_with('\n'));
        assert!(!line.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')), "{line:?}");
        if is_json {
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            let _: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(&line).expect("a line is an object");
        } else {
            let more = line.trim_end_matches('\n').split('\n').skip(1);
            assert!(more.into_iter().all(|line| line.starts_with("    | ")), "{line:?}");
        }
    }
});
