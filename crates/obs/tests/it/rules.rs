//! Each rule of redaction by itself: none of them can go without somebody noticing it here.

use obs::record::{CUT, REDACTED, RedactedKeys};

use crate::support::{logged, logged_by};

const SECRET: &str = "hunter2canary";

fn seen(text: &str) -> String {
    logged(|| tracing::info!("{text}")).last()["message"].as_str().unwrap().to_owned()
}

#[track_caller]
fn is_hidden(text: &str) {
    let seen = seen(text);
    assert!(!seen.contains(SECRET) && seen.contains(REDACTED), "{text:?} is seen as {seen:?}");
}

#[test]
fn words_that_are_found_at_the_end_of_others() {
    let keys = RedactedKeys::default();
    for word in [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "credential",
        "authorization",
        "cookie",
        "apikey",
        "privatekey",
        "secretkey",
        "accesskey",
        "sessionid",
        "sessid",
    ] {
        assert!(keys.is_sensitive(&format!("my{word}")), "{word}");
        assert!(keys.is_sensitive(&format!("my{word}s")) != (word == "token"), "many of {word}");
    }
    for word in ["pin", "otp", "pan", "sig", "salt", "jwt", "dsn"] {
        assert!(!keys.is_sensitive(&format!("my{word}")), "{word}");
    }
}

#[test]
fn words_that_only_tell_of_a_secret() {
    let keys = RedactedKeys::default();
    for word in [
        "name",
        "names",
        "type",
        "kind",
        "count",
        "counts",
        "len",
        "length",
        "size",
        "bytes",
        "version",
        "ttl",
        "age",
        "expiry",
        "expires",
        "expired",
        "expiration",
        "state",
        "status",
        "valid",
        "present",
        "missing",
        "policy",
        "algorithm",
        "alg",
        "endpoint",
        "url",
        "uri",
        "issuer",
        "provider",
        "bucket",
        "limit",
        "usage",
        "duration",
        "seconds",
        "ms",
        "path",
        "file",
        "at",
        "enabled",
        "required",
    ] {
        assert!(!keys.is_sensitive(&format!("token_{word}")), "{word}");
        assert!(keys.is_sensitive(&format!("{word}_token")), "{word}");
    }
    assert!(keys.is_sensitive("token_value"));
}

#[test]
fn types_that_complain_of_a_secret() {
    for word in [
        "Bad",
        "Duplicate",
        "Empty",
        "Expected",
        "Expired",
        "Invalid",
        "Malformed",
        "Missing",
        "No",
        "Not",
        "Revoked",
        "Unexpected",
        "Unknown",
        "Unsupported",
        "Weak",
        "Wrong",
    ] {
        let text = format!("{word}Token(\"at column 7\")");
        assert_eq!(seen(&text), text);
    }
    is_hidden(&format!("NewToken(\"{SECRET}\")"));
}

#[test]
fn names_that_are_values() {
    for name in ["name", "key", "header", "field", "variable", "type", "Name"] {
        for value in ["value", "val", "Value"] {
            is_hidden(&format!("{{ {name}: \"api_key\", {value}: \"{SECRET}\" }}"));
        }
        is_hidden(&format!("{{\"{name}\":\"X-Api-Key\",\"value\":\"{SECRET}\"}}"));
    }
    let harmless = format!("{{ name: \"user\", value: \"{SECRET}\" }}");
    assert_eq!(seen(&harmless), harmless);
}

#[test]
fn schemes_before_a_credential() {
    for scheme in
        ["Bearer", "Basic", "Digest", "Negotiate", "Token", "DPoP", "ApiKey", "AWS4-HMAC-SHA256"]
    {
        is_hidden(&format!("x_api_key: {scheme} {SECRET} "));
        is_hidden(&format!("x_api_key: {} {SECRET}", scheme.to_lowercase()));
    }
    for header in ["Authorization", "proxy-authorization", "Cookie", "Set-Cookie"] {
        is_hidden(&format!("{header}: a b; c={SECRET}"));
    }
    assert_eq!(seen("api_key: a more"), format!("api_key: {REDACTED} more"));
}

#[test]
fn signs_between_a_name_and_its_value() {
    for sign in [
        "=", ":", " = ", ": ", "=>", " => ", ":=", "\t:\t", "!=", "<=", "+=", "?=", "~=", "|=",
        "==", "<>", "=:", ":: ", "%3D", "%3d", "%3A", "%3a",
    ] {
        is_hidden(&format!("password{sign}{SECRET}"));
    }
    for end in ["\"", "'", "`", "\\\"", ")", "]", " ", "\t", "%22", "%27", "%20"] {
        is_hidden(&format!("password{end}={SECRET}"));
    }
}

#[test]
fn lists_of_a_name_and_its_value() {
    for text in [
        format!("[\"password\", \"{SECRET}\"]"),
        format!("[\"password\", \"{SECRET}\""),
        format!("[\"password\", [\"{SECRET}\"], true]"),
        format!("[\"password\", (\"{SECRET}\"), true]"),
        format!("(\"password\", \"{SECRET}\", true)"),
    ] {
        is_hidden(&text);
    }
    // A list of names is none of a name and a value.
    let names = "[\"password\", \"user\", \"host\"]";
    assert_eq!(seen(names), names);
}

#[test]
fn words_of_a_name() {
    let keys = RedactedKeys::default();
    for name in ["v2Pin", "userPin", "PINCode_pin", "APIKey", "pin2", "my-pin", "my.pin", "my pin"]
    {
        assert!(keys.is_sensitive(name), "{name}");
    }
    for name in ["_pass", "api__key", "-api-_key", "密Pin"] {
        assert!(keys.is_sensitive(name), "{name}");
    }
    let keys = keys.and("area 51").and("patient state");
    assert!(keys.is_sensitive("area51") && !keys.is_sensitive("area_5_1"));
    assert!(keys.is_sensitive("patientState"));
}

#[test]
fn names_that_are_excepted_are_seen_wherever_they_stand() {
    let shown = |keys: RedactedKeys, text: &str| {
        let lines = logged_by(|builder| builder.redacted_keys(keys), || tracing::info!("{text}"));
        lines.last()["message"].as_str().unwrap() == text
    };
    let without = |name| RedactedKeys::default().except(name);
    assert!(shown(without("api key"), "api key: x") && !shown(without("pin"), "api key: x"));
    assert!(shown(without("password"), "Password(\"x\")"));
    assert!(shown(without("token"), "the token: x") && !shown(without("token"), "my_token: x"));
    // What complains alone may be a name, too.
    assert!(!shown(RedactedKeys::default().and("wrong"), "Wrong(\"x\")"));
}

#[test]
fn only_the_value_is_taken_from_what_is_encoded() {
    let text = format!("next=%2Fa%3Fx%3D1%26pin%3D{SECRET}%26y%3D2");
    assert_eq!(seen(&text), format!("next=%2Fa%3Fx%3D1%26pin%3D{REDACTED}%26y%3D2"));
}

#[test]
fn quotes_within_quotes() {
    is_hidden(&format!(r"password='a\'{SECRET}'"));
    is_hidden(&format!(r"password='a\' {SECRET}'"));
    is_hidden(&format!("password='a'' {SECRET}'"));
    is_hidden(&format!(r#"password="a\"{SECRET}""#));
    assert_eq!(seen("Token(s)"), "Token(s)");
}

/// A text so long that it is cut within `end`, of which so many bytes are left.
fn cut_within(end: &str, left: usize) -> String {
    let begin = ".".repeat(4_096 - left - 1);
    let text = seen(&format!("{begin} {end}{}", "x".repeat(500)));
    let rest = text.strip_suffix(CUT).unwrap();
    rest.trim_start_matches('.').trim_start().to_owned()
}

#[test]
fn elements_and_their_ends() {
    is_hidden(&format!("<password><![CDATA[a<b {SECRET}]]></password>"));
    is_hidden(&format!("<password><![CDATA[{SECRET}"));
    is_hidden(&format!("<a:password b='c'>{SECRET}</a:password>"));
    assert_eq!(cut_within("<password>abcdefghij", 20), format!("<password>{REDACTED}"));
    // The name of an element is what follows its prefix.
    let keys = RedactedKeys::default().except("pin");
    let lines = logged_by(
        |builder| builder.redacted_keys(keys),
        || tracing::info!("<a:pin>5</a:pin><b:token>{SECRET}</b:token>"),
    );
    let expected = format!("<a:pin>5</a:pin><b:token>{REDACTED}</b:token>");
    assert_eq!(lines.last()["message"], expected);
}

#[test]
fn hosts_that_were_cut_are_no_passwords() {
    assert_eq!(cut_within("http://[2001:db8::1]/a/b", 17), "http://[2001:db8:");
    assert_eq!(
        cut_within("http://user:secret-and-more-of-it@host/", 24),
        format!("http://user:{REDACTED}")
    );
}

#[cfg(feature = "redact-patterns")]
mod of_shapes {
    use std::sync::Arc;

    use obs::record::{Note, RecordLayer, RedactedShapes};
    use tracing_core::Level;

    use super::{CUT, REDACTED, RedactedKeys, logged_by};
    use crate::support::Lines;

    fn seen(text: &str) -> String {
        let none = RedactedKeys::insecure_none();
        let shapes = RedactedShapes::default();
        let lines = logged_by(
            |builder| builder.redacted_keys(none).redacted_shapes(shapes),
            || tracing::info!("{text}"),
        );
        lines.last()["message"].as_str().unwrap().to_owned()
    }

    fn cut_within(end: &str, left: usize) -> String {
        let text = seen(&format!("{} {end}", ".".repeat(4_096 - left - 1)));
        text.strip_suffix(CUT).unwrap().trim_start_matches('.').trim_start().to_owned()
    }

    #[test]
    fn every_kind_of_key_of_aws() {
        for kind in ["AKIA", "ASIA", "ABIA", "ACCA"] {
            assert_eq!(seen(&format!("id {kind}IOSFODNN7EXAMPLE.")), format!("id {REDACTED}."));
        }
        let id = "AKIAIOSFODNN7EXAMPLE";
        let secret = "aB3dE5fG7haB3dE5fG7haB3dE5fG7haB3dE5fG7h";
        let seen = cut_within(&format!("{id} {secret}"), id.len() + 1 + 25);
        assert_eq!(seen, format!("{REDACTED} {REDACTED}"));
    }

    #[test]
    fn tokens_that_were_cut_before_they_tell_much() {
        let jwt = format!("eyJhbGciOiJIUzI1NiJ9.{}.{}", "eyJzdWIiOiIxIn0", "a".repeat(43));
        for left in [14, 20, 21, 24] {
            assert_eq!(cut_within(&jwt, left), REDACTED, "{left}");
        }
    }

    #[test]
    fn a_target_is_searched() {
        let lines = Arc::new(Lines::default());
        let sink = Arc::<Lines>::clone(&lines);
        let layer = RecordLayer::builder().redacted_shapes(RedactedShapes::default()).sink(sink);
        let target = format!("ghp_{}", "aB3dE5fG7h".repeat(4).get(..36).unwrap());
        layer.build().handle().record(&Note::new(Level::INFO, &target), &"m");
        assert_eq!(lines.last()["target"], REDACTED);
    }
}
