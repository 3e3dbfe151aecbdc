//! One field of a JSON secret, beside what a whole parse of the same document says. The first line of
//! the input is the name of the field, the rest the document.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrets_core::{ErrorKind, SecretValue};
use serde_json::Value;

fuzz_target!(|input: &str| {
    let Some((field, document)) = input.split_once('\n') else { return };
    let ours = SecretValue::copy_from_slice(document.as_bytes()).json_field(field);
    // Documents that are nested too deep for a whole parse can only be checked for crashes.
    let Ok(whole) = serde_json::from_str::<Value>(document) else { return };
    let theirs = whole.as_object().and_then(|object| object.get(field));
    match (ours, theirs) {
        (Ok(value), Some(Value::String(text))) => {
            assert_eq!(value.expose_secret(), text.as_bytes());
        }
        (Ok(value), Some(other)) => {
            let read: Result<Value, _> = serde_json::from_slice(value.expose_secret());
            assert_eq!(read.ok().as_ref(), Some(other));
        }
        (Ok(_), None) => panic!("a field that the document does not have"),
        (Err(error), Some(_)) => assert_eq!(error.kind(), ErrorKind::InvalidValue),
        (Err(error), None) => {
            assert_eq!(error.kind() == ErrorKind::NotFound, whole.is_object());
        }
    }
});
