//! Files of settings in every format: whatever is in them is settings or problems, and no panic.
//! The first byte chooses the format.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use service_settings::{Format, Layers, Rules, SecretSetting};

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "read and thrown away")]
struct Settings {
    name: String,
    port: u16,
    ratio: Option<f64>,
    tags: Vec<BTreeMap<String, i64>>,
    mode: Mode,
    password: SecretSetting,
    inner: Option<Box<Settings>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "read and thrown away")]
enum Mode {
    Plain,
    Pair(u8, bool),
    Named { of: String },
}

impl Rules for Settings {}

fuzz_target!(|bytes: &[u8]| {
    let Some((format, text)) = bytes.split_first() else { return };
    let format = match format % 3 {
        0 => Format::Toml,
        1 => Format::Yaml,
        _ => Format::Json,
    };
    let Ok(text) = std::str::from_utf8(text) else { return };
    match Layers::<Settings>::new().defaults(format, text).load() {
        Ok(loaded) => assert!(!loaded.explanation.to_string().is_empty()),
        Err(problems) => {
            // Whatever names are in it, each problem takes one line.
            let (told, count) = (problems.to_string(), problems.iter().count());
            assert!(count > 0 && told.lines().count() == count + usize::from(count > 1), "{told}");
        }
    }
});
