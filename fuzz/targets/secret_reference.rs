//! References in a configuration: what is accepted is written as it was, and has the parts that it
//! was made of.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrets_core::{SecretName, SecretReference};

fuzz_target!(|text: &str| {
    let Ok(reference) = text.parse::<SecretReference>() else { return };
    assert_eq!(reference.to_string(), text);
    let rest = text.strip_prefix(SecretReference::SCHEME).unwrap_or_default();
    assert_eq!(SecretName::new(reference.name().as_str()).as_ref(), Ok(reference.name()));
    match reference.field() {
        None => assert_eq!(rest, reference.name().as_str()),
        Some(field) => {
            assert!(!field.is_empty());
            assert_eq!(rest, format!("{}#{field}", reference.name()));
            let rebuilt = SecretReference::new(reference.name().clone()).with_field(field);
            assert_eq!(rebuilt.as_ref(), Ok(&reference));
        }
    }
});
