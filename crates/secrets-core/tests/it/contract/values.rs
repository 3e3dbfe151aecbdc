//! Values: shared, compared without a hint, printed never.

use proptest::prelude::*;
use secrets_core::{DataKey, ErrorKind, Secret, SecretState, SecretValue, VersionId, VersionInfo};

#[test]
fn any_bytes_are_a_value() {
    let large = vec![0xa5; (1 << 20) + 1];
    let samples: [&[u8]; 6] = [b"", b"\0", b"a\0b", b"\xff\xfe", "größe".as_bytes(), &large];
    // Every length up to where values lie in a block of their own, and some more.
    let counted: Vec<u8> = (0..300_u32).map(|at| (at % 251) as u8 + 1).collect();
    let lengths = (0..counted.len()).map(|len| &counted[..len]);
    for bytes in samples.into_iter().chain(lengths) {
        let makers = [
            SecretValue::copy_from_slice(bytes),
            SecretValue::from_vec(bytes.to_vec()),
            SecretValue::from_boxed(bytes.into()),
        ];
        for value in makers {
            assert_eq!(value.expose_secret(), bytes);
            assert_eq!((value.len(), value.is_empty()), (bytes.len(), bytes.is_empty()));
            assert_eq!(value.content_type(), None);
        }
    }
    // Spare capacity does not show.
    let mut roomy = Vec::with_capacity(100);
    roomy.extend_from_slice(b"abc");
    assert_eq!(SecretValue::from_vec(roomy).expose_secret(), b"abc");
    let mut roomy = String::with_capacity(100);
    roomy.push_str("abc");
    assert_eq!(SecretValue::from_string(roomy).expose_secret_text().unwrap(), "abc");
}

#[test]
fn text_is_a_checked_view() {
    assert_eq!(SecretValue::copy_from_slice("ä\0".as_bytes()).expose_secret_text().unwrap(), "ä\0");
    for bytes in [&b"\xff"[..], b"a\xc3", b"\xed\xa0\x80", b"\xc0\x80"] {
        let error = SecretValue::copy_from_slice(bytes).expose_secret_text().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue);
        assert!(std::error::Error::source(&error).is_none());
    }
}

#[test]
fn a_media_type_goes_with_the_bytes_and_leaves_clones_alone() {
    for bytes in [&b"{}"[..], &[b'x'; 4096]] {
        let plain = SecretValue::copy_from_slice(bytes);
        let alone = SecretValue::copy_from_slice(bytes).with_content_type("application/json");
        let typed = plain.clone().with_content_type("application/json");
        for value in [&alone, &typed] {
            assert_eq!(value.content_type(), Some("application/json"));
            assert_eq!(value.expose_secret(), bytes);
        }
        assert_eq!(plain.content_type(), None);
        // The type is no part of the value.
        assert!(plain.ct_eq(&typed));
        let retyped = typed.clone().with_content_type("text/plain");
        assert_eq!(retyped.content_type(), Some("text/plain"));
        assert_eq!((retyped.expose_secret(), typed.content_type()), (bytes, alone.content_type()));
    }
}

#[test]
fn debug_says_nothing() {
    let value = SecretValue::copy_from_slice(b"hunter2").with_content_type("text/hunter2");
    let id = VersionId::new("v1").unwrap();
    let version = VersionInfo::new(id, std::time::SystemTime::UNIX_EPOCH);
    let secret = Secret::new(value.clone(), version);
    let key = DataKey::from_boxed(b"hunter2hunter2ab".to_vec().into());
    let since = std::time::SystemTime::UNIX_EPOCH;
    let states = [
        SecretState::Fresh(secret.clone()),
        SecretState::Stale { secret: secret.clone(), since },
        SecretState::Gone { last: Some(secret.clone()) },
        SecretState::Orphaned { secret: secret.clone() },
    ];
    let names: Vec<_> = states.iter().map(SecretState::as_str).collect();
    assert_eq!(names, ["fresh", "stale", "gone", "orphaned"]);
    assert!(states.iter().all(|state| state.secret().is_some()));
    assert!(SecretState::Gone { last: None }.secret().is_none());
    let shown = format!("{value:?} {value:#?} {secret:?} {secret:#?} {key:?} {states:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    // "hunter" as a list of numbers.
    assert!(!shown.contains("104, 117"), "{shown}");
}

proptest! {
    #[test]
    fn values_are_equal_when_their_bytes_are(a in any::<Vec<u8>>(), b in any::<Vec<u8>>()) {
        let (x, y) = (SecretValue::copy_from_slice(&a), SecretValue::copy_from_slice(&b));
        prop_assert_eq!(x.ct_eq(&y), a == b);
        prop_assert!(x.ct_eq(&x.clone()) && x.ct_eq(&SecretValue::from_vec(a)));
    }
}
