//! What can be an identifier, and what a word of the program.

use request_context::{Code, Id, InvalidId};

#[test]
fn what_would_mislead_a_reader_is_no_id() {
    let cases = [
        ("", InvalidId::Empty),
        ("a b", InvalidId::Character),
        ("a\nb", InvalidId::Character),
        ("a\u{1b}[31m", InvalidId::Character),
        ("a\u{202e}b", InvalidId::Character),
        ("a\u{200b}b", InvalidId::Character),
        ("\u{feff}", InvalidId::Character),
    ];
    for (text, expected) in cases {
        let error = Id::new(text).unwrap_err();
        assert_eq!(error, expected, "{text:?}");
        assert!(text.is_empty() || !error.to_string().contains(text));
    }
    assert_eq!(Id::new(&"a".repeat(1025)), Err(InvalidId::TooLong));
    let longest = "a".repeat(1024);
    assert_eq!(Id::new(&longest).unwrap().as_str(), longest);
    assert_eq!(Id::new("arn:aws:iam::1:role/ä").unwrap().to_string(), "arn:aws:iam::1:role/ä");
}

#[test]
fn ids_and_codes_are_written_as_they_are_and_shown_quoted() {
    const CODE: Code = Code::new("rotate_secret");
    assert_eq!(
        serde_json::to_string(&(CODE, Id::from(CODE))).unwrap(),
        r#"["rotate_secret","rotate_secret"]"#
    );
    assert_eq!(format!("{CODE:?} {:?}", Id::from(CODE)), "`rotate_secret` `rotate_secret`");
}

#[test]
fn codes_are_checked_where_they_are_made() {
    for word in ["", "Upper", "a b", "ä"] {
        assert!(std::panic::catch_unwind(|| Code::new(word)).is_err(), "{word:?}");
    }
}
