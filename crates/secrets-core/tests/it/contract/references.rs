//! References: to a secret in a call, and in a configuration.

use proptest::prelude::*;
use secrets_core::{InvalidName, NativeId, SecretName, SecretRef, SecretReference};

#[test]
fn a_native_id_is_printable_and_says_what_it_shows() {
    let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/db-AbCdEf";
    for fine in
        ["x", "Prod DB", arn, "https://v.vault.azure.net/secrets/x/0", "größe", &"x".repeat(2048)]
    {
        assert_eq!(NativeId::new(fine).unwrap().as_str(), fine);
    }
    assert_eq!(NativeId::new(""), Err(InvalidName::Empty));
    let long = NativeId::new(&"x".repeat(2049));
    assert_eq!(long, Err(InvalidName::TooLong { len: 2049, max: 2048 }));
    for spaced in [" x", "x ", "\u{2003}x", "x\u{a0}"] {
        assert!(matches!(NativeId::new(spaced), Err(InvalidName::NotUsable { .. })), "{spaced:?}");
    }
    let misleading = [
        '\0', '\n', '\u{7f}', '\u{85}', '\u{61c}', '\u{200b}', '\u{200f}', '\u{2028}', '\u{202e}',
        '\u{2066}', '\u{2069}', '\u{feff}',
    ];
    for character in misleading {
        let refused = NativeId::new(&format!("a{character}b"));
        assert_eq!(refused, Err(InvalidName::Character { character, at: 1 }));
    }
}

#[test]
fn a_reference_is_a_name_or_native() {
    let name = SecretName::new("billing/db").unwrap();
    let native = NativeId::new("billing/db").unwrap();
    let (by_name, by_native) = (SecretRef::from(&name), SecretRef::from(native));
    assert_ne!(by_name, by_native);
    assert_eq!((by_name.name(), by_native.name()), (Some(&name), None));
    assert_eq!(by_name.to_string(), "billing/db");
    assert_eq!(by_native.to_string(), "native:billing/db");
    assert_eq!(SecretRef::from(&by_name), by_name);
}

#[test]
fn a_configuration_names_a_secret_and_a_field() {
    let parse = str::parse::<SecretReference>;
    let whole = parse("secret://billing/db").unwrap();
    assert_eq!((whole.name().as_str(), whole.field()), ("billing/db", None));
    for field in ["password", "a b", "a#b", "#", "ä", "/x", " "] {
        let text = format!("secret://billing/db#{field}");
        let reference = parse(&text).unwrap();
        assert_eq!((reference.name().as_str(), reference.field()), ("billing/db", Some(field)));
        assert_eq!(reference.to_string(), text);
    }
    for unfit in [
        "",
        "secret:",
        "secret:/x",
        "billing/db",
        "Secret://x",
        " secret://x",
        "secret://",
        "secret://#x",
        "secret://x#",
        "secret:///x",
        "secret://x/",
        "secret://../x",
        "secret://X",
        "secret://x?y",
        "secret://x%2fy",
        "secret://user@x",
        "secret://x\n",
        "secret://secret://x",
        "secret://x#a\nb",
        "secret://x#a\u{202e}b",
        &format!("secret://x#{}", "f".repeat(257)),
    ] {
        assert!(parse(unfit).is_err(), "{unfit:?}");
    }
    let name = SecretName::new("x").unwrap();
    assert_eq!(SecretReference::new(name).with_field(""), Err(InvalidName::Empty));
}

/// What is refused is not shown: a value pasted in the wrong place may be a secret.
#[test]
fn a_refused_text_is_not_quoted() {
    for pasted in ["hunter2-hunter2", "secret://Hunter2", "secret://ok#"] {
        let reason = pasted.parse::<SecretReference>().unwrap_err();
        let shown = format!("{reason} {reason:?}").to_lowercase();
        assert!(!shown.contains("hunter"), "{shown}");
    }
}

proptest! {
    #[test]
    fn what_parses_is_written_as_it_was(text in ".{0,30}|secret://[a-z0-9./#_-]{0,30}|secret://[a-z]{1,9}#.{0,20}") {
        if let Ok(reference) = text.parse::<SecretReference>() {
            prop_assert_eq!(reference.to_string(), text);
        }
    }
}
