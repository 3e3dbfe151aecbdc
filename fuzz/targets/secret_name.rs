//! Names, native ids and references: what is accepted keeps its rules and reads back as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrets_core::{NativeId, SecretName, SecretReference};

fuzz_target!(|text: &str| {
    if let Ok(name) = SecretName::new(text) {
        assert_eq!(name.as_str(), text);
        assert!(name.segments().all(|segment| !segment.is_empty() && !segment.starts_with('.')));
        assert!(text.len() <= 256 && !text.contains(|c: char| !c.is_ascii() || c.is_uppercase()));
    }
    if let Ok(id) = NativeId::new(text) {
        assert_eq!(id.as_str(), text);
        assert!(!text.contains(char::is_control));
    }
    if let Ok(reference) = text.parse::<SecretReference>() {
        assert_eq!(reference.to_string(), text);
    }
});
