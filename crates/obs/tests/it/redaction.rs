//! What is not shown.

use obs::record::{REDACTED, RedactedKeys};
use serde_json::json;

use crate::support::{logged, logged_by};

const CANARY: &str = "hunter2-canary";

#[derive(Debug)]
struct Login {
    #[expect(dead_code, reason = "read by Debug")]
    user: &'static str,
    #[expect(dead_code, reason = "read by Debug")]
    password: Option<&'static str>,
}

#[test]
fn names_are_judged_by_their_words() {
    let keys = RedactedKeys::default();
    let sensitive = [
        "password",
        "db.password",
        "dbPassword",
        "DB_PASSWORD",
        "user-password",
        "X-Api-Key",
        "apiKey",
        "api_key",
        "authorization",
        "Proxy-Authorization",
        "set-cookie",
        "client_secret",
        "access_token",
        "refreshToken",
        "id_token",
        "private_key",
        "sessionId",
        "session_id",
        "card_number",
        "cvv",
        "connection_string",
        "x-amz-security-token",
        "code_verifier",
        "password2",
    ];
    for name in sensitive {
        assert!(keys.is_sensitive(name), "{name}");
    }
    let shown = [
        "",
        "user",
        "key",
        "keys",
        "tokens",
        "input_tokens",
        "gen_ai.usage.output_tokens",
        "secret_name",
        "password_policy",
        "token_type",
        "tokenize",
        "compass",
        "author",
        "pinned",
        "session_count",
        "passport",
        "status",
        "public_key",
        "cache_key",
        "secrets.provider.kind",
        "span",
        "expand",
    ];
    for name in shown {
        assert!(!keys.is_sensitive(name), "{name}");
    }
}

/// The rules themselves: none of them can go without somebody noticing it here.
const WORDS: [&str; 105] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "pin",
    "otp",
    "totp",
    "secret",
    "token",
    "jwt",
    "bearer",
    "credential",
    "authorization",
    "cookie",
    "signature",
    "sig",
    "hmac",
    "salt",
    "pepper",
    "nonce",
    "apikey",
    "privatekey",
    "secretkey",
    "accesskey",
    "sessionid",
    "csrf",
    "xsrf",
    "api key",
    "private key",
    "access key",
    "encryption key",
    "signing key",
    "master key",
    "data key",
    "account key",
    "shared key",
    "license key",
    "session id",
    "session key",
    "code verifier",
    "device code",
    "user code",
    "recovery code",
    "auth code",
    "connection string",
    "dsn",
    "card number",
    "credit card",
    "cvv",
    "cvc",
    "pan",
    "iban",
    "account number",
    "routing number",
    "ssn",
    "social security",
    "passport number",
    "tax id",
    "sessid",
    "mnemonic",
    "seed phrase",
    "security code",
    "verification code",
    "backup code",
    "auth key",
    "ssh key",
    "subscription key",
    "decryption key",
    "key material",
    "basic auth",
    "access tokens",
    "refresh tokens",
    "session tokens",
    "auth tokens",
    "api tokens",
    "pw",
    "cred",
    "creds",
    "db pass",
    "database pass",
    "smtp pass",
    "mail pass",
    "email pass",
    "user pass",
    "mysql pass",
    "postgres pass",
    "redis pass",
    "rabbitmq pass",
    "mongo pass",
    "ldap pass",
    "ftp pass",
    "admin pass",
    "root pass",
    "auth pass",
    "key pass",
    "mfa code",
    "sms code",
    "confirmation code",
    "app key",
    "tls key",
    "ssl key",
    "consumer key",
    "client assertion",
    "saml response",
];

#[test]
fn each_rule_is_needed() {
    let keys = RedactedKeys::default();
    for words in WORDS {
        let joined = words.replace(' ', "_");
        for name in
            [joined.clone(), format!("my_{joined}"), joined.to_uppercase(), words.replace(' ', "-")]
        {
            assert!(keys.is_sensitive(&name), "{name}");
            // Whatever it is that makes it sensitive: no other rule does.
            assert!(!keys.clone().except(&name).is_sensitive(&name), "{name}");
        }
        let one = RedactedKeys::insecure_none().and(words);
        let others =
            WORDS.iter().filter(|other| **other != words).filter(|other| one.is_sensitive(other));
        assert_eq!(others.count(), 0, "a rule that `{words}` makes needless");
    }
}

/// Every way by which a value can come into a record.
#[test]
fn a_canary_is_seen_on_no_route() {
    let login = Login { user: "alice", password: Some(CANARY) };
    let lines = logged(|| {
        let span = tracing::info_span!("s", password = CANARY, api_key = %CANARY, token = ?CANARY, late_secret = tracing::field::Empty);
        let _span = span.enter();
        span.record("late_secret", CANARY);
        tracing::info!(password = CANARY, pin = 1234, otp = 99_u64, "fields");
        tracing::info!("password={CANARY}");
        tracing::info!("password: {CANARY}, and more");
        tracing::info!("{login:?} {login:#?}");
        tracing::info!(?login, "debug");
        tracing::info!(nested = ?format!("{login:?}"), twice = ?format!("{:?}", format!("{login:?}")), "debug of debug");
        tracing::info!(body = %json!({"user": "alice", "password": CANARY, "list": {"tokens": 3, "token": [CANARY, CANARY]}}), "json");
        tracing::info!(
            url = format!("https://alice:{CANARY}@host:8080/path?access_token={CANARY}&x=1"),
            "url"
        );
        tracing::info!(dsn = format!("postgres://alice:{CANARY}/@/db"), "a password with a slash");
        tracing::info!("connecting to postgres://alice:{CANARY}@host/db");
        tracing::info!(headers = ?[("authorization", format!("Bearer {CANARY}"))], "headers");
        tracing::info!("Authorization: Bearer {CANARY}\nCookie: a={CANARY}; b={CANARY}");
        tracing::info!("authorization: Digest username=\"a\", response=\"{CANARY}\"");
        let error: Box<dyn std::error::Error> = format!("refused: password={CANARY}").into();
        tracing::error!(error = &*error, "error");
        tracing::error!("client_secret = '{CANARY}'");
        tracing::error!("secret => \"a\\\"{CANARY}\"");
    });
    let text = lines.text();
    for line in text.lines() {
        assert!(!line.contains(CANARY) && !line.contains("1234"), "{line}");
        assert!(line.contains(REDACTED), "{line}");
    }
    assert!(text.contains("alice"), "what is not secret is shown");
}

#[test]
fn without_the_rules_all_of_it_is_seen() {
    let none = RedactedKeys::insecure_none();
    let lines = logged_by(
        |builder| builder.redacted_keys(none),
        || {
            tracing::info!(password = CANARY, "token={CANARY}");
        },
    );
    assert_eq!(lines.text().matches(CANARY).count(), 2);
}

#[test]
fn what_is_not_secret_stays_as_it_is() {
    let texts = [
        "listening on http://127.0.0.1:8080/",
        "key=value",
        "a: b",
        "=",
        ":",
        "::",
        "12:30:01",
        "tokens: 12",
        "password",
        "password:",
        "password=",
        "std::io::Error",
        "see https://host/@name",
        "https://host:80/path/@user",
        "https://user@host/",
        "mailto:a@b",
        "ratio=1:2",
    ];
    for text in texts {
        let lines = logged(|| tracing::info!(text, "{text}"));
        assert_eq!(lines.last()["message"], text);
        assert_eq!(lines.last()["text"], text);
    }
}

#[test]
fn only_the_value_is_taken_out() {
    let cases = [
        ("/a?X-Amz-Signature=abc&x=1", "/a?X-Amz-Signature=[REDACTED]&x=1"),
        ("/a?X-Amz-Credential=abc&x=1", "/a?X-Amz-Credential=[REDACTED]&x=1"),
        ("/a?X-Amz-Security-Token=abc&x=1", "/a?X-Amz-Security-Token=[REDACTED]&x=1"),
        ("/a?AWSAccessKeyId=abc&x=1", "/a?AWSAccessKeyId=[REDACTED]&x=1"),
        ("/a?Signature=abc&x=1", "/a?Signature=[REDACTED]&x=1"),
        ("/a?sig=abc&x=1", "/a?sig=[REDACTED]&x=1"),
        ("/a?X-Goog-Signature=abc&x=1", "/a?X-Goog-Signature=[REDACTED]&x=1"),
        ("/a?X-Goog-Credential=abc&x=1", "/a?X-Goog-Credential=[REDACTED]&x=1"),
        ("password=a b", "password=[REDACTED] b"),
        ("token=a&x=1", "token=[REDACTED]&x=1"),
        ("{password: \"a, b\", x: 1}", "{password: [REDACTED], x: 1}"),
        ("{password: Some(\"a)\"), x: 1}", "{password: [REDACTED], x: 1}"),
        ("{\"password\":\"a\\\"b\",\"x\":1}", "{\"password\":[REDACTED],\"x\":1}"),
        ("pwd: [1, 2], x", "pwd: [REDACTED], x"),
        ("Authorization: Bearer a.b.c", "Authorization: [REDACTED]"),
        ("amqp://u:p@h:1/v", "amqp://u:[REDACTED]@h:1/v"),
        ("secret: \"not closed", "secret: [REDACTED]"),
        ("token=a token=b", "token=[REDACTED] token=[REDACTED]"),
    ];
    for (text, expected) in cases {
        let lines = logged(|| tracing::info!("{text}"));
        assert_eq!(lines.last()["message"], expected, "{text}");
    }
}
