//! What is a name, and what only looks like one.

use proptest::prelude::*;
use secrets_core::{Error, ErrorKind, InvalidName, SecretName};

#[test]
fn names_are_segments_of_a_small_alphabet() {
    for fine in ["a", "0", "-", "_", "a.b", "db-password", "billing/db_2/x.y-z", "a/b/c/d", "-/_"] {
        let name = SecretName::new(fine).unwrap();
        assert_eq!(name.as_str(), fine);
        assert_eq!(name.segments().collect::<Vec<_>>().join("/"), fine);
        assert_eq!((name.to_string(), name.as_ref()), (fine.to_owned(), fine));
        assert_eq!(fine.parse::<SecretName>().as_ref(), Ok(&name));
        assert_eq!(SecretName::try_from(fine), Ok(name));
    }
}

#[test]
fn the_longest_name_takes_256_bytes() {
    assert!(SecretName::new(&"n".repeat(256)).is_ok());
    let long = SecretName::new(&"n".repeat(257));
    assert_eq!(long, Err(InvalidName::TooLong { len: 257, max: 256 }));
}

#[test]
fn what_could_climb_or_hide_is_refused() {
    let refused = [
        ("", InvalidName::Empty),
        ("/", InvalidName::EmptySegment { at: 0 }),
        ("/a", InvalidName::EmptySegment { at: 0 }),
        ("a/", InvalidName::EmptySegment { at: 2 }),
        ("a//b", InvalidName::EmptySegment { at: 2 }),
        (".", InvalidName::LeadingDot { at: 0 }),
        ("..", InvalidName::LeadingDot { at: 0 }),
        ("../etc/passwd", InvalidName::LeadingDot { at: 0 }),
        ("a/../b", InvalidName::LeadingDot { at: 2 }),
        ("a/.hidden", InvalidName::LeadingDot { at: 2 }),
    ];
    for (text, reason) in refused {
        assert_eq!(SecretName::new(text), Err(reason), "{text:?}");
    }
    assert_eq!(SecretName::new(&"a".repeat(256)).unwrap().as_str().len(), 256);
    let long = SecretName::new(&"a".repeat(10_240));
    assert_eq!(long, Err(InvalidName::TooLong { len: 10_240, max: 256 }));
}

/// Characters that no name may have: those that mislead, and those that mean something elsewhere.
#[test]
fn hostile_characters_are_refused_where_they_stand() {
    let hostile = [
        '\0', '\n', '\r', '\t', '\u{1b}', '\u{7f}', ' ', '\u{a0}', '\u{200b}', '\u{200e}',
        '\u{202e}', '\u{2066}', '\u{feff}', // controls, invisible and bidirectional
        'а', 'е', 'о', 'ѕ', 'ａ', '０', '－', '․', '／', '∕', '⁄', 'ſ', 'ı',
        'K', // look-alikes
        'A', 'Z', '\\', ':', '?', '#', '%', '&', '*', '"', '\'', '$', '`', '+', '=', '@', '~', '|',
        '<',
    ];
    for character in hostile {
        for (before, after) in [("", ""), ("a", "b"), ("db/", "")] {
            let text = format!("{before}{character}{after}");
            let reason = InvalidName::Character { character, at: before.len() };
            assert_eq!(SecretName::new(&text), Err(reason), "{text:?}");
        }
    }
}

/// A message never sends a control to the terminal that shows it.
#[test]
fn messages_show_characters_escaped() {
    for hostile in ["\u{202e}gnp", "\u{1b}[2J", "a\nb", "\u{200f}", "\u{feff}"] {
        let reason = SecretName::new(hostile).unwrap_err();
        let error = Error::from(reason.clone());
        assert_eq!(error.kind(), ErrorKind::InvalidName);
        for shown in [reason.to_string(), format!("{reason:?}"), format!("{error} {error:?}")] {
            let controls = |c: char| c.is_control() || "\u{202e}\u{200f}\u{feff}".contains(c);
            assert!(!shown.contains(controls), "{shown:?}");
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_a_name_by_the_rules_or_none(text in ".{0,40}|[a-z0-9._/-]{0,40}") {
        let by_the_rules = !text.is_empty()
            && text.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-' | '/'))
            && text.split('/').all(|segment| !segment.is_empty() && !segment.starts_with('.'));
        prop_assert_eq!(SecretName::new(&text).is_ok(), by_the_rules);
    }
}
