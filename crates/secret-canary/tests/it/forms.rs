//! A canary is found in every form that leaks take.

use proptest::prelude::*;
use secret_canary::Canary;

fn of(text: &str) -> Canary {
    Canary::of(text.as_bytes())
}

fn form(canary: &Canary, text: &str) -> Option<&'static str> {
    canary.find(text.as_bytes())
}

/// Each was made by another program: Python 3.
#[test]
fn each_form_is_found_as_another_program_writes_it() {
    let canary = of("pa\"ss\\w/rd+&é\n");
    for (text, name) in [
        ("x pa\"ss\\w/rd+&é\n y", "as it is"),
        ("\né&+dr/w\\ss\"ap", "reversed"),
        ("x70612273735c772f72642b26c3a90ay", "hexadecimal"),
        ("70612273735C772F72642B26C3A90A", "hexadecimal"),
        ("70:61:22:73:73:5c:77:2f:72:64:2b:26:c3:a9:0a", "hexadecimal with separators"),
        ("70:61:22:73:73:5C:77:2F:72:64:2B:26:C3:A9:0A", "hexadecimal with separators"),
        ("70 61 22 73 73 5c 77 2f 72 64 2b 26 c3 a9 0a", "hexadecimal"),
        (
            "[1, 112, 97, 34, 115, 115, 92, 119, 47, 114, 100, 43, 38, 195, 169, 10]",
            "a list of numbers",
        ),
        ("[112,97,34,115,115,92,119,47,114,100,43,38,195,169,10]", "a list of numbers"),
        ("pa%22ss%5Cw%2Frd%2B%26%C3%A9%0A", "percent-encoded"),
        ("%70%61%22%73%73%5c%77%2f%72%64%2b%26%c3%a9%0a", "percent-encoded"),
        ("\"pa\\\"ss\\\\w/rd+&é\\n\"", "escaped as text"),
        ("pa\\\"ss\\\\w/rd+&\\xc3\\xa9\\n", "escaped as bytes"),
        ("<p>pa&quot;ss\\w/rd+&amp;é\n</p>", "escaped as HTML"),
        ("cGEic3Ncdy9yZCsmw6kK", "base64"),
        ("eHBhInNzXHcvcmQrJsOpCnk=", "base64"),
        ("eHhwYSJzc1x3L3JkKybDqQp5", "base64"),
    ] {
        assert_eq!(form(&canary, text), Some(name), "{text}");
    }
    let binary = Canary::of(&[0xfb, 0xff, 0xbf, 0xfb, 0xef, 0xbe]);
    assert_eq!(form(&binary, "+/+/++++"), Some("base64"));
    assert_eq!(form(&binary, "-_-_----"), Some("base64url"));
    assert_eq!(form(&of("control\u{1}x"), "control\\u0001x"), Some("escaped as JSON"));
    let wide: Vec<u8> = "control".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(of("control").find(&wide), Some("in UTF-16"));
}

/// As `{:#?}` of bytes, `xxd -p -c`, MIME and PEM write them, and a log that escapes what it is given.
#[test]
fn what_is_broken_into_lines_is_found() {
    let secret = "correct horse battery staple, twice";
    let canary = of(secret);
    let bytes = secret.as_bytes();
    for (text, name) in [
        (format!("{bytes:#?}"), "a list of numbers"),
        (format!("{bytes:?}"), "a list of numbers"),
        (format!("{bytes:x?}"), "a list of numbers"),
        (format!("{bytes:#x?}"), "a list of numbers"),
        (format!("{:?}", format!("{bytes:#?}")), "a list of numbers"),
        (
            "636f 7272 6563 7420 686f 7273 6520 6261\n7474 6572 7920 7374 6170 6c65 2c20 7477\n6963 65"
                .to_owned(),
            "hexadecimal",
        ),
        (
            "Y29ycmVjdCBob3JzZSBi\r\nYXR0ZXJ5IHN0YXBsZSwg\r\ndHdpY2U=\r\n".to_owned(),
            "base64",
        ),
    ] {
        assert_eq!(form(&canary, &text), Some(name), "{text}");
    }
    let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(canary.find(&wide), Some("in UTF-16"));
}

#[test]
fn eight_bytes_of_a_long_one_are_found_and_fewer_are_not() {
    let canary = of("abcdefghijklmnop");
    assert_eq!(form(&canary, "starts with abcdefgh..."), Some("in part"));
    assert_eq!(form(&canary, "ends with ...ijklmnop"), Some("in part"));
    assert_eq!(form(&canary, "abcdefg hijklmn"), None);
    assert_eq!(form(&of("abcdefghijklmno"), "abcdefgh"), None, "shorter ones have no parts");
}

/// Ids are of such digits, too: of a few millions, one has eight in a row that a key has.
#[test]
fn of_hexadecimal_digits_sixteen_in_a_row_are_found() {
    let canary = of("9f86d081884c7d659a2feaa0c55ad015");
    assert_eq!(form(&canary, "trace_id=00081884c7d659a20000000000000000"), None);
    assert_eq!(form(&canary, "key=86d081884c7d659a…"), Some("in part"));
}

#[test]
fn names_make_canaries_and_always_the_same() {
    let (one, two) = (Canary::named("one"), Canary::named("two"));
    assert_eq!(one.text(), Canary::named("one").text());
    assert_eq!(one.text().len(), 32);
    assert_eq!(two.find(one.text().as_bytes()), None);
    assert!(!format!("{one:?}").contains("c4naRy"));
}

#[test]
#[should_panic(expected = "six bytes at least")]
fn what_would_be_found_everywhere_is_no_canary() {
    let _ = of("short");
}

proptest! {
    #[test]
    fn it_is_found_in_any_surroundings_and_not_in_others(
        before in proptest::collection::vec(any::<u8>(), 0..60),
        after in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let canary = Canary::named("surrounded");
        let with = [&before, canary.text().as_bytes(), &after].concat();
        prop_assert!(canary.find(&with).is_some());
        prop_assert_eq!(canary.find(&[before, after].concat()), None);
    }

    #[test]
    fn no_random_text_is_taken_for_a_leak(text in "[ -~]{0,400}") {
        prop_assert_eq!(Canary::named("other").find(text.as_bytes()), None);
    }
}
