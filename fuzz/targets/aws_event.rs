//! Messages of a queue that anybody may write to: each is a few hints, nothing, or no event.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrets_aws::{ChangeFeed, Heard};
use secrets_core::SecretRef;

fuzz_target!(|body: &[u8]| {
    let feed = ChangeFeed::new();
    let heard = feed.message(body);
    assert_eq!(heard, feed.message(body));
    let Ok(Heard::Changed(hints)) = heard else { return };
    assert!((1..=5).contains(&hints.len()));
    for hint in hints {
        // A version is that of a secret, and what is named can be read.
        assert!(hint.version.is_none() || hint.reference.is_some());
        if let Some(SecretRef::Native(id)) = &hint.reference {
            assert!(!id.as_str().contains(char::is_control));
        }
    }
});
