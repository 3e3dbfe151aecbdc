//! Ways in which a secret that has a name could come into a log all the same.

use std::collections::{BTreeMap, HashMap};

use obs::record::{CUT, Limits, REDACTED, RedactedKeys};
use serde_json::json;

use crate::support::{logged, logged_by};

/// Without a character that means something to a rule.
const CANARY: &str = "hunter2canary";

/// What is seen of a text.
fn seen(text: &str) -> String {
    logged(|| tracing::info!("{text}")).last()["message"].as_str().unwrap().to_owned()
}

#[track_caller]
fn is_hidden(text: &str) {
    let seen = seen(text);
    assert!(!seen.contains(CANARY) && seen.contains(REDACTED), "{text:?} is seen as {seen:?}");
}

#[track_caller]
fn is_seen(text: &str) {
    assert_eq!(seen(text), text);
}

#[derive(Debug)]
struct Password(#[expect(dead_code, reason = "read by Debug")] &'static str);

#[derive(Debug)]
struct DbPassword(#[expect(dead_code, reason = "read by Debug")] String);

#[derive(Debug)]
struct ApiKey(#[expect(dead_code, reason = "read by Debug")] Vec<&'static str>);

#[derive(Debug)]
#[expect(dead_code, reason = "read by Debug")]
struct Request {
    authorization: Option<&'static str>,
    cookie: Option<(&'static str, &'static str)>,
    user: &'static str,
}

#[derive(Debug)]
#[expect(dead_code, reason = "read by Debug")]
struct EnvVar {
    name: &'static str,
    value: Option<&'static str>,
}

#[test]
fn types_that_wrap_a_secret_do_not_show_it() {
    let (password, db) = (Password(CANARY), DbPassword(CANARY.to_owned()));
    let key = ApiKey(vec![CANARY, CANARY]);
    for text in [
        format!("{password:?}"),
        format!("{password:#?}"),
        format!("login with {db:?} {key:?}, {key:#?}"),
        format!("{:?}", Some(&password)),
        format!("{:?}", format!("{db:?}")),
    ] {
        is_hidden(&text);
    }
    // What went wrong with a token is no token, and a plural in brackets is none.
    for text in [
        "InvalidToken(\"at 7\")",
        "Invalid_Token(\"at 7\")",
        "MissingPassword(\"db\")",
        "2 token(s) used",
        "Token()",
        "f(x)",
    ] {
        is_seen(text);
    }
}

#[test]
fn values_of_several_lines_are_hidden_to_their_end() {
    let request =
        Request { authorization: Some(CANARY), cookie: Some(("a", CANARY)), user: "alice" };
    let pretty = format!("{request:#?}");
    is_hidden(&pretty);
    assert!(seen(&pretty).contains("user: \"alice\""), "{}", seen(&pretty));
    is_hidden(&format!("{:#?}", vec![("authorization", format!("Bearer {CANARY}"))]));
    is_hidden(&format!("{:#?}", [("x", "y"), ("password", CANARY)]));
    let key =
        format!("-----BEGIN PRIVATE KEY-----\nMII{CANARY}\n{CANARY}\n-----END PRIVATE KEY-----");
    assert_eq!(
        seen(&format!("private_key={key}\nuser=bob")),
        format!("private_key={REDACTED}\nuser=bob")
    );
    is_hidden(&format!("signing key: -----BEGIN EC PRIVATE KEY-----\n{CANARY}"));
    is_hidden(&format!("password: |\n  {CANARY}\nuser: bob"));
    is_hidden(&format!("password:\n  {CANARY}"));
}

#[test]
fn names_are_found_however_they_are_joined() {
    let keys = RedactedKeys::default();
    for name in [
        "PGPASSWORD",
        "dbpassword",
        "DBPassword",
        "JWTToken",
        "userPIN",
        "oauth2PIN",
        "IDToken",
        "AWSSecretKey",
        "SSHPrivateKey",
        "accesstoken",
        "clientsecret",
        "oauth2token",
        "passwords",
        "cookies",
        "api_keys",
        "apiKeys",
        "access_tokens",
        "signatures",
        "credentials",
        "JSESSIONID",
        "mypassphrase",
        "HTTPAuthorization",
        "AWSAccessKeyId",
        "APIKey",
        "XApiKey",
        "userApiKey",
        "private_keys",
    ] {
        assert!(keys.is_sensitive(name), "{name}");
    }
    for name in [
        "tokens",
        "inputTokens",
        "total_tokens",
        "IDs",
        "HTTPStatus",
        "bypass",
        "keys",
        "spans",
        "compasses",
    ] {
        assert!(!keys.is_sensitive(name), "{name}");
    }
    let long = RedactedKeys::insecure_none().and("one two three four five six");
    assert!(long.is_sensitive("x_one_two_three_four_five_six"));
}

#[test]
fn names_of_several_words_are_found_in_prose() {
    for name in [
        "API key",
        "api key",
        "the session id",
        "Private key",
        "card number",
        "connection string",
        "Access Key",
    ] {
        is_hidden(&format!("{name}: {CANARY}"));
        is_hidden(&format!("with {name} = \"{CANARY}\""));
    }
    // Only what stands last is the name.
    for text in
        ["token for user: alice", "password of alice: changed", "key: value", "the pin of it = 7"]
    {
        is_seen(text);
    }
}

#[test]
fn pairs_of_a_name_and_a_value_are_hidden_whatever_stands_between() {
    for text in [
        format!("SELECT 1 WHERE password != '{CANARY}'"),
        format!("WHERE password <> '{CANARY}'"),
        format!("password := {CANARY}"),
        format!("password += {CANARY}"),
        format!("headers[\"authorization\"] = \"Basic {CANARY}\""),
        format!("[[\"authorization\", \"Basic {CANARY}\"], [\"accept\", \"*/*\"]]"),
        format!("{}", json!([["cookie", CANARY]])),
        format!("{:?}", EnvVar { name: "DB_PASSWORD", value: Some(CANARY) }),
        format!("{:#?}", EnvVar { name: "DB_PASSWORD", value: Some(CANARY) }),
        format!("{}", json!({"name": "Authorization", "value": CANARY})),
        format!("key=password value={CANARY}"),
        format!("<password>{CANARY}</password>"),
        format!("<ns:Password type=\"text\">{CANARY}</ns:Password>"),
        format!("redirect=https%3A%2F%2Fh%2F%3Fa%3D1%26token%3D{CANARY}%26b%3D2"),
        format!("body=%7B%22password%22%3A%22{CANARY}%22%7D"),
    ] {
        is_hidden(&text);
    }
    let map = HashMap::from([("password", CANARY)]);
    let tree = BTreeMap::from([("api_key".to_owned(), Some(CANARY))]);
    for text in [format!("{map:?}"), format!("{map:#?}"), format!("{tree:?}"), format!("{tree:#?}")]
    {
        is_hidden(&text);
    }
    for text in [
        "[\"password\", \"email\", \"name\"]",
        "missing fields: [\"password\"]",
        "{\"name\":\"user\",\"value\":\"alice\"}",
        "name=user value=alice",
        "Vec<Token> is < 3",
        "a%3Db%3Ac",
        "100%: done",
    ] {
        is_seen(text);
    }
}

#[test]
fn values_are_hidden_as_a_whole() {
    for text in [
        format!("password='it''{CANARY}' x"),
        format!("password='it\\'{CANARY}' x"),
        format!("password=(a){CANARY} x"),
        format!("password=[a]{CANARY} x"),
        format!("password={REDACTED}{CANARY} x"),
        format!("password=\"a\"{CANARY} x"),
        format!("cookie: {REDACTED}; session={CANARY}"),
        format!("password: Secret {{ inner: \"{CANARY}\" }}, x"),
        format!("authorization: Value {{ inner: \"{CANARY}\" }}, x"),
        format!("password: Outer {{ a: Inner {{ b: {CANARY} }}, c: \"{CANARY}\" }}"),
        format!("postgres://alice:{}{CANARY}@host/db", "x/y?".repeat(300)),
    ] {
        is_hidden(&text);
    }
    assert_eq!(seen("password='a''b' x"), format!("password={REDACTED} x"));
}

#[cfg(feature = "redact-patterns")]
#[test]
fn a_rule_for_shapes_takes_nothing_from_a_rule_for_names() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.aB3dE5fG7haB3dE5fG7h";
    let lines = logged_by(
        |builder| builder.redacted_shapes(obs::record::RedactedShapes::default()),
        || tracing::info!("cookie: {jwt}; session={CANARY}"),
    );
    assert!(!lines.text().contains(CANARY), "{}", lines.text());
}

#[test]
fn a_password_that_was_cut_off_is_one() {
    let most = Limits::default().value_bytes;
    for (begin, secret) in [
        ("postgres://alice:", "q7"),
        ("password=", "q7"),
        ("x=\"password: ", "q7"),
        ("<pin>", "<a>q7"),
    ] {
        let text = format!("{} {begin}{}", ".".repeat(most - 200), secret.repeat(most));
        let seen = seen(&text);
        assert!(seen.ends_with(&format!("{begin}{REDACTED}{CUT}")), "{}", &seen[most - 250..]);
    }
    // What follows a colon is a port.
    for url in ["http://host:8080/", "http://host:x y", "http://host/a:b"] {
        let text = format!("{} {url}", ".".repeat(most - 1 - url.len()));
        assert_eq!(seen(&format!("{text}{}", "x".repeat(most))), format!("{text}{CUT}"));
    }
}

/// Each secret of a character becomes ten of them.
#[test]
fn what_was_taken_out_makes_no_value_longer_than_it_may_be() {
    let limits = Limits::default();
    let text = "pin=1,".repeat(limits.value_bytes);
    let seen = seen(&text);
    assert!(seen.len() <= limits.value_bytes + CUT.len(), "{}", seen.len());
    assert!(seen.starts_with("pin=[REDACTED],pin=[REDACTED],") && seen.ends_with(CUT));
}

/// What looked at the rest of a text at each sign took minutes for one of 128 KiB.
#[test]
fn long_texts_are_read_in_one_pass() {
    let mut limits = Limits::default();
    (limits.value_bytes, limits.total_bytes) = (1 << 20, 2 << 20);
    for piece in [
        "pin=1,",
        "://a:b",
        "://a:b@c ",
        "(\"pin\"",
        "pin=(",
        "pin='",
        "a=",
        "name=pin ",
        "<pin>",
        "pin=\\\"",
        "--pin ",
        "-u a:",
        "Pin { ",
        "<pin><a>",
        "<name>pin</name>",
        "<value>",
        "password '",
        "[]=",
        "\u{1b}[0m:",
        "a:",
        "-----BEGIN ",
        "seed phrase: a",
        "&quot;pin",
        "(pin) values (",
        "(pin,a) values (?,b)",
        "(pin,a) values (?,",
        "a://b:c ",
        "\"a\"\\\"",
        "?code=a",
        "?code=aB3dE5fG7haB3dE5fG7h ",
        "code=aB3dE5fG7haB3dE5fG7h",
        "auth=a",
    ] {
        let text = piece.repeat((1 << 17) / piece.len());
        let begin = std::time::Instant::now();
        logged_by(|builder| builder.limits(limits), || tracing::info!(text, "m"));
        assert!(begin.elapsed().as_secs() < 15, "{piece}: {:?}", begin.elapsed());
    }
}
