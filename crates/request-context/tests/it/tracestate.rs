//! `tracestate` by W3C Trace Context (level 2), section 3.3, and the cases of its test suite (`test/test.py`).

use proptest::prelude::*;
use request_context::{Context, InvalidTracestate, TraceState};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn read(lines: &[&str]) -> Result<String, InvalidTracestate> {
    TraceState::of_lines(lines.iter().copied()).map(|state| state.to_string())
}

#[test]
fn lists_are_read_in_order_without_what_stands_between_members() {
    let cases: [(&[&str], &str); 9] = [
        (&["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"], "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        (&["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], "foo=1,bar=2,rojo=1,congo=2,baz=3"),
        (&["foo=1", ""], "foo=1"),
        (&["", "foo=1"], "foo=1"),
        (&["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
        (&["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], "foo=1,bar=2,baz=3"),
        (&["\t foo=1 \t"], "foo=1"),
        (&["foo=1,,, ,bar=2,"], "foo=1,bar=2"),
        // Spaces before a value are of it.
        (&["foo=  1 2  "], "foo=  1 2"),
    ];
    for (lines, expected) in cases {
        assert_eq!(read(lines).unwrap(), expected, "{lines:?}");
    }
}

#[test]
fn all_allowed_characters_are_taken_and_no_others() {
    let key: String = ('a'..='z').chain('0'..='9').chain("_-*/@".chars()).collect();
    let value: String = (' '..='~').filter(|c| !matches!(c, ',' | '=')).collect();
    let whole = format!("{key}={value}");
    assert_eq!(read(&[&whole]).unwrap(), whole);
    assert_eq!(read(&["0tenant@vendor=1"]).unwrap(), "0tenant@vendor=1");
    let refused = [
        "foo",
        "foo=",
        "=1",
        "=",
        "foo =1",
        "FOO=1",
        "foo.bar=1",
        "@foo=1",
        "_a=1",
        "-a=1",
        "*a=1",
        "/a=1",
        "foo=1=2",
        "foo=a\tb",
        "foo=\u{e9}",
        "fo\u{f6}=1",
        "foo=\u{7f}",
        "foo=1,bar",
        "foo=\r\n",
        "\0",
        "foo=1;bar=2=3",
    ];
    for line in refused {
        assert_eq!(read(&[line]), Err(InvalidTracestate::Member), "{line:?}");
        let beside = format!("a=1,{line}");
        assert_eq!(
            read(&[&beside]),
            Err(InvalidTracestate::Member),
            "one is wrong, all is: {line:?}"
        );
    }
}

#[test]
fn lists_that_say_nothing_or_one_thing_twice_are_none() {
    for lines in [&[][..], &[""], &[" ", "\t"], &[",,"]] {
        assert_eq!(read(lines), Err(InvalidTracestate::Empty), "{lines:?}");
    }
    for lines in [&["foo=1,foo=1"][..], &["foo=1,foo=2"], &["foo=1", "foo=2"]] {
        assert_eq!(read(lines), Err(InvalidTracestate::Twice), "{lines:?}");
    }
}

#[test]
fn keys_values_and_lists_are_as_long_as_they_may_be() {
    let (z, v) = (|n| "z".repeat(n), |n| "v".repeat(n));
    assert_eq!(read(&[&format!("{}=1", z(256))]).unwrap().len(), 258);
    assert_eq!(read(&[&format!("{}=1", z(257))]), Err(InvalidTracestate::Member));
    assert_eq!(read(&[&format!("a={}", v(256))]).unwrap().len(), 258);
    assert_eq!(read(&[&format!("a={}", v(257))]), Err(InvalidTracestate::Member));
    let members =
        |count: usize| (0..count).map(|n| format!("bar{n:02}={n:02}")).collect::<Vec<_>>();
    assert_eq!(read(&[&members(32).join(",")]).unwrap(), members(32).join(","));
    let many = members(33);
    assert_eq!(read(&[&many.join(",")]), Err(InvalidTracestate::TooLong));
    let lines: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(read(&lines), Err(InvalidTracestate::TooLong), "also on lines of their own");
}

#[test]
fn what_does_not_fit_is_left_out_by_whole_members_long_ones_first() {
    let member = |key: char, length: usize| format!("{key}={}", "v".repeat(length - 2));
    let list = |members: &[String]| members.join(",");
    // 512 bytes with the commas between them.
    let fits = [member('a', 200), member('b', 100), member('c', 100), member('d', 109)];
    assert_eq!(read(&[&list(&fits)]).unwrap(), list(&fits));
    assert_eq!(list(&fits).len(), 512);
    let [a, b, c, d] = fits;
    let longer = member('d', 110);
    assert_eq!(
        read(&[&list(&[a.clone(), b.clone(), c.clone(), longer.clone()])]).unwrap(),
        list(&[b.clone(), c.clone(), longer])
    );
    // Of two long ones the last; one of 128 bytes is not long.
    let late = member('e', 129);
    assert_eq!(
        read(&[&list(&[a.clone(), late, b.clone(), c.clone(), d.clone()])]).unwrap(),
        list(&[a, b.clone(), c.clone(), d.clone()])
    );
    let short = ['f', 'g', 'h', 'i', 'j'].map(|key| member(key, 128));
    assert_eq!(read(&[&list(&short)]).unwrap(), list(short.get(..3).unwrap()));
    // Nothing is left of one that is too long by itself.
    let one = format!("{}={}", "k".repeat(256), "v".repeat(256));
    assert_eq!(read(&[&one]), Err(InvalidTracestate::TooLong));
}

#[test]
fn what_others_wrote_is_neither_quoted_nor_shown() {
    let state: TraceState = "vendor=opaque".parse().unwrap();
    let context = Context::new().with_trace(PARENT.parse().unwrap()).with_trace_state(state);
    assert!(!format!("{context:?}").contains("opaque"));
    let error = "Vendor=opaque".parse::<TraceState>().unwrap_err();
    assert_eq!(error.to_string(), "this is no `tracestate` of W3C Trace Context");
}

#[test]
fn another_trace_has_not_the_same_state() {
    let of = |parent: &str| parent.parse().unwrap();
    let context = Context::new().with_trace(of(PARENT)).with_trace_state("a=1".parse().unwrap());
    // Another span of it has.
    let child = context.clone().with_trace(of(&PARENT.replace("00f0", "00f1")));
    assert_eq!(child.trace_state, context.trace_state);
    assert_eq!(context.with_trace(of(&PARENT.replace("4bf", "5bf"))).trace_state, None);
}

proptest! {
    /// What is taken is a list of whole members of what was given, in order, which is read alike.
    #[test]
    fn whatever_is_taken_is_bounded_and_read_alike(line in "([a-z0-9]{3}=[!-+.-<>-~]{1,140}[ \t]?, ?){1,12}") {
        if let Ok(state) = line.parse::<TraceState>() {
            prop_assert!(state.as_str().len() <= 512 && state.as_str().split(',').count() <= 32);
            prop_assert_eq!(state.to_string().parse(), Ok(state.clone()));
            let mut given = line.split(',').map(|member| member.trim_matches([' ', '\t']));
            prop_assert!(state.as_str().split(',').all(|member| given.any(|known| known == member)));
        }
    }
}
