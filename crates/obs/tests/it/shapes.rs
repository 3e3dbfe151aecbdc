//! Secrets that are recognised by their shape.

use obs::record::{
    Limits, Note, REDACTED, RecordLayer, RedactedKeys, RedactedShapes, Shape, Value,
};
use proptest::prelude::*;
use serde_json::json;
use tracing_core::Level;

use crate::support::{Lines, logged_by};

/// What becomes of a text, without the rules for names.
fn shown(shapes: RedactedShapes, text: &str) -> String {
    let lines = logged_by(
        |builder| builder.redacted_keys(RedactedKeys::insecure_none()).redacted_shapes(shapes),
        || tracing::info!(text, "m"),
    );
    lines.last()["text"].as_str().unwrap().to_owned()
}

fn repeated(text: &str, count: usize) -> String {
    text.chars().cycle().take(count).collect()
}

/// How tokens begin, and how long they are after that.
const TOKENS: [(&str, usize); 40] = [
    ("ghp_", 36),
    ("gho_", 36),
    ("ghu_", 36),
    ("ghs_", 36),
    ("ghr_", 36),
    ("github_pat_", 82),
    ("glpat-", 20),
    ("glrt-", 20),
    ("glptt-", 40),
    ("xoxb-", 40),
    ("xoxp-", 40),
    ("xapp-", 40),
    ("xoxe.xoxp-", 40),
    ("sk_live_", 24),
    ("sk_test_", 24),
    ("rk_live_", 24),
    ("whsec_", 32),
    ("AIza", 35),
    ("ya29.", 60),
    ("GOCSPX-", 28),
    ("npm_", 36),
    ("gloas-", 20),
    ("gldt-", 20),
    ("glcbt-", 20),
    ("glft-", 20),
    ("glimt-", 20),
    ("glagent-", 20),
    ("glsoat-", 20),
    ("xoxa-", 20),
    ("xoxr-", 20),
    ("xoxs-", 20),
    ("xoxe-", 20),
    ("xoxe.xoxb-", 20),
    ("rk_test_", 24),
    ("pypi-", 160),
    ("hvs.", 91),
    ("hvb.", 130),
    ("hvr.", 24),
    ("sk-ant-", 98),
    ("hf_", 34),
];

/// Each with what is to be seen of it. The secrets are put together here so that no scanner of sources
/// takes them for real ones.
fn secrets() -> Vec<(Shape, String, String)> {
    let alnum = "aB3dE5fG7h";
    let jwt = format!("{}.{}.{}", "eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxIn0", repeated(alnum, 43));
    let jwe = format!("{}..{}.{}.{}", "eyJhbGciOiJkaXIifQ", "iv12", repeated(alnum, 20), "tag4");
    let pem = |label: &str| {
        let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
        format!("{begin}\n{}\n{end}", repeated(alnum, 64))
    };
    let aws_secret = format!("{}/+{}", repeated(alnum, 20), repeated(alnum, 18));
    let mut all = vec![
        (Shape::Jwt, jwt.clone(), REDACTED.to_owned()),
        (Shape::Jwt, jwe, REDACTED.to_owned()),
        (Shape::PrivateKey, pem("PRIVATE KEY"), REDACTED.to_owned()),
        (Shape::PrivateKey, pem("RSA PRIVATE KEY"), REDACTED.to_owned()),
        (Shape::PrivateKey, pem("ENCRYPTED PRIVATE KEY"), REDACTED.to_owned()),
        (Shape::PrivateKey, pem("OPENSSH PRIVATE KEY"), REDACTED.to_owned()),
        (Shape::PrivateKey, pem("PGP PRIVATE KEY BLOCK"), REDACTED.to_owned()),
        (Shape::PrivateKey, "-----BEGIN EC PRIVATE KEY-----\nMHcC".to_owned(), REDACTED.to_owned()),
        (Shape::AwsKey, format!("AKIA{}", repeated("IOSFODNN7EXAMPLE", 16)), REDACTED.to_owned()),
        (Shape::AwsKey, format!("ASIA{}", repeated("IOSFODNN7EXAMPLE", 16)), REDACTED.to_owned()),
        (
            Shape::AwsKey,
            format!("{aws_secret} AKIA{} {aws_secret}", repeated("IOSFODNN7EXAMPLE", 16)),
            format!("{REDACTED} {REDACTED} {REDACTED}"),
        ),
        (
            Shape::Bearer,
            format!("Bearer {}", repeated("abc.1~+/", 24)),
            format!("Bearer {REDACTED}"),
        ),
        (Shape::Bearer, format!("bearer {}", repeated("0af7", 16)), format!("bearer {REDACTED}")),
        (
            Shape::ServiceToken,
            format!("https://api.telegram.org/bot123456:{}/getMe", repeated(alnum, 35)),
            format!("https://api.telegram.org/{REDACTED}/getMe"),
        ),
        (
            Shape::ServiceToken,
            format!("https://hooks.slack.com/services/T0/B0/{}", repeated(alnum, 24)),
            format!("https://{REDACTED}"),
        ),
    ];
    for (prefix, length) in TOKENS {
        let token = format!("{prefix}{}", repeated(alnum, length));
        all.push((Shape::ServiceToken, token, REDACTED.to_owned()));
    }
    // The numbers that the networks publish for tests.
    for number in [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4222222222222",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "6011111111111117",
        "3530111333300000",
        "36227206271667",
        "6200000000000005",
    ] {
        all.push((Shape::Card, number.to_owned(), REDACTED.to_owned()));
    }
    all
}

#[test]
fn each_shape_is_taken_out_wherever_it_stands() {
    for (shape, secret, seen) in secrets() {
        for (before, after) in [
            ("", ""),
            ("before ", " after"),
            ("x=", ","),
            ("[\"", "\"]"),
            ("\\n", "\n"),
            ("\\r", ""),
            ("\\t", ""),
        ] {
            let all = shown(RedactedShapes::default(), &format!("{before}{secret}{after}"));
            // A key that is not ended takes all that follows.
            let after = if secret.ends_with("MHcC") { "" } else { after };
            assert_eq!(all, format!("{before}{seen}{after}"), "{shape:?} of {secret}");
        }
        let without = shown(RedactedShapes::default().without(shape), &secret);
        assert_eq!(without, secret, "another rule knows {shape:?}, too");
    }
}

#[test]
fn what_looks_alike_is_shown() {
    let digits = repeated("0123456789", 40);
    let harmless = [
        "eyJ".to_owned(),
        "eyJhbGciOiJIUzI1NiJ9".to_owned(),
        "eyJhbGciOiJIUzI1NiJ9.x".to_owned(),
        "heyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefgh".to_owned(),
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----".to_owned(),
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----".to_owned(),
        "----- PRIVATE KEY -----".to_owned(),
        "the PRIVATE KEY of it".to_owned(),
        "AKIA".to_owned(),
        "AKIAx".to_owned(),
        "AKIAiosfodnn7example".to_owned(),
        "elasticsearch.production.internal".to_owned(),
        "eyJa.abcdefgh.abcdefgh".to_owned(),
        "eyJhbGciOiJIUzI1NiJ9.a.b".to_owned(),
        "a-0123456789PRIVATE KEY----- x".to_owned(),
        format!("nghp_{}", repeated("aB3dE5fG7h", 36)),
        format!("\\xghp_{}", repeated("aB3dE5fG7h", 36)),
        format!("bot123456_{}", repeated("aB3dE5fG7h", 35)),
        format!("before {}", repeated("aB3dE5fG7h", 20)),
        format!("bearer_{}", repeated("aB3dE5fG7h", 20)),
        "4111111111111111_1".to_owned(),
        "4111/1111/1111/1111".to_owned(),
        format!("AROA{}", repeated("IOSFODNN7EXAMPLE", 16)),
        format!("AKIA{}", repeated("IOSFODNN7EXAMPLE", 17)),
        // Digests, also beside each other, and forty characters without the id of a key.
        repeated("0123456789abcdef", 40),
        repeated("0123456789ABCDEF", 40),
        repeated("aB3dE5fG7h", 40),
        "bearer of bad news".to_owned(),
        "Bearer authentication-is-required".to_owned(),
        "Bearer 12".to_owned(),
        "ghp_short".to_owned(),
        "ghp_".to_owned(),
        "xoxo-love".to_owned(),
        "pk_live_aB3dE5fG7haB3dE5fG7haB3d".to_owned(),
        "AIzasimilar".to_owned(),
        "pypi-attestations==0.0.22".to_owned(),
        "pypi-simple and hvs.".to_owned(),
        "hvs.example.org hvb.internal".to_owned(),
        "hf_hub_download hf_transfer".to_owned(),
        "bot123456: ready".to_owned(),
        "bot:aB3dE5fG7haB3dE5fG7haB3dE5fG7haB3dE5".to_owned(),
        "sk-ant-hill".to_owned(),
        "task-ant-aB3dE5fG7haB3dE5fG7haB3dE5fG7h".to_owned(),
        "https://hooks.slack.com/services/".to_owned(),
        // No valid last digit, no network, no length, not alone.
        "4111111111111112".to_owned(),
        "1111111111111117".to_owned(),
        "411111111111".to_owned(),
        "0.4111111111111111".to_owned(),
        "4111111111111111.5".to_owned(),
        "a4111111111111111".to_owned(),
        "4111111111111111a".to_owned(),
        "4111 1111-1111 1111".to_owned(),
        digits,
        "1795456991123456789".to_owned(),
        "+49 30 901820".to_owned(),
        "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8".to_owned(),
        "2026-11-23T17:43:11.123456Z".to_owned(),
        "192.168.100.100".to_owned(),
    ];
    for text in harmless {
        assert_eq!(shown(RedactedShapes::default(), &text), text);
    }
}

#[test]
fn a_secret_that_was_cut_off_is_one() {
    for (shape, secret, _) in secrets() {
        // The whole secret is in the text; what may be written ends in its middle.
        let Some(head) = secret.get(..secret.len() * 2 / 3) else { continue };
        if shape == Shape::Card || secret.contains(' ') || secret.contains("//") {
            continue;
        }
        let room = 4_096 - head.len();
        let text = format!("{} {secret}", ".".repeat(room - 1));
        let seen = shown(RedactedShapes::default(), &text);
        assert!(seen.ends_with(&format!(". {REDACTED}… [CUT]")), "{shape:?}: {}", &seen[4_000..]);
    }
}

#[test]
fn every_way_into_a_record_is_searched() {
    let (_, secret, _) = secrets().swap_remove(0);
    let shapes = RedactedShapes::default();
    let lines = logged_by(
        |builder| builder.redacted_shapes(shapes),
        || {
            let span = tracing::info_span!("s", a = secret, late = tracing::field::Empty);
            let _span = span.enter();
            span.record("late", format!("x {secret}"));
            let error: Box<dyn std::error::Error> = format!("refused {secret}").into();
            tracing::info!(b = %secret, c = ?Some(&secret), error = &*error, "said {secret}");
            tracing::info!(
                n = 4_111_111_111_111_111_u64,
                i = 4_111_111_111_111_111_i64,
                o = 4_111,
                "n"
            );
        },
    );
    assert!(!lines.text().contains("eyJ"), "{}", lines.text());
    let line = lines.last();
    assert_eq!(
        (&line["n"], &line["i"], &line["o"]),
        (&json!(REDACTED), &json!(REDACTED), &json!(4_111))
    );
    let lines = std::sync::Arc::new(Lines::default());
    let sink = std::sync::Arc::<Lines>::clone(&lines);
    let layer =
        RecordLayer::builder().redacted_shapes(RedactedShapes::default()).sink(sink).build();
    let fields = [("f", Value::Text(&secret)), ("n", Value::U64(4_111_111_111_111_111))];
    layer.handle().record(&Note::new(Level::INFO, "t").with_fields(&fields), &secret);
    assert_eq!(lines.text().matches(REDACTED).count(), 3, "{}", lines.text());
}

#[test]
fn numbers_beside_the_number_of_a_card_do_not_hide_it() {
    for (text, seen) in [
        ("4111111111111111 12/27 123", "[REDACTED] 12/27 123"),
        ("4111111111111111 4111111111111111", "[REDACTED] [REDACTED]"),
        ("4111 1111 1111 1111 12 27", "[REDACTED] 12 27"),
        ("12/27 4111-1111-1111-1111-x", "12/27 [REDACTED]-x"),
        ("7 4111111111111111 7x", "7 [REDACTED] 7x"),
        ("4111111111111111. Next", "[REDACTED]. Next"),
        ("4111111111111111 (x", "[REDACTED] (x"),
    ] {
        assert_eq!(shown(RedactedShapes::default(), text), seen);
    }
}

#[test]
fn where_secrets_end() {
    let of = |count| repeated("aB3dE5fG7h", count);
    let token = format!("ghp_{}", of(36));
    let jwe = format!("eyJhbGciOiJkaXIifQ..iv12.{}.tag4", of(20));
    for (text, seen) in [
        (format!("{token}/x"), "[REDACTED]/x".to_owned()),
        (format!("{jwe}.rest"), "[REDACTED].rest".to_owned()),
        (format!("eyJhbGciOiJIUzI1NiJ9.e30.{}-{}_x y", of(9), of(9)), "[REDACTED] y".to_owned()),
        (format!("glpat-{}-{}_{}", of(9), of(9), of(9)), REDACTED.to_owned()),
        (format!("Bearer {}== x", of(20)), "Bearer [REDACTED] x".to_owned()),
    ] {
        assert_eq!(shown(RedactedShapes::default(), &text), seen);
    }
}

#[test]
fn what_stands_beside_the_id_of_a_key_is_shown_unless_it_is_its_secret() {
    let id = format!("AKIA{}", repeated("IOSFODNN7EXAMPLE", 16));
    for beside in [
        repeated("0123456789abcdef", 40),
        repeated("0123456789ABCDEF", 40),
        repeated("aBcDeFgHiJ", 40),
        repeated("aB3dE5fG7h", 39),
        repeated("aB3dE5fG7h", 22),
    ] {
        let seen = shown(RedactedShapes::default(), &format!("{id} {beside}"));
        assert_eq!(seen, format!("{REDACTED} {beside}"));
    }
}

/// Only what stands at the end may have been longer.
#[test]
fn what_is_too_short_in_a_text_that_was_cut_off_is_shown() {
    let id = format!("AKIA{}", repeated("IOSFODNN7EXAMPLE", 16));
    let text =
        format!("ghp_short eyJhbGciOiJIUzI1NiJ9.x AKIA12 {id} {} ", repeated("aB3dE5fG7h", 22));
    let seen = shown(RedactedShapes::default(), &format!("{text}{}", ". ".repeat(4_096)));
    assert!(seen.starts_with(&text.replace(&id, REDACTED)), "{}", &seen[..200]);
    for end in ["ghp_", "aB3dE5fG7haB3dE5fG7"] {
        let text = format!("{id}{}{end}", " ".repeat(4_096 - id.len() - end.len()));
        let seen = shown(RedactedShapes::default(), &format!("{text}/{}", "x".repeat(4_096)));
        assert!(seen.ends_with(&format!("{end}… [CUT]")), "{}", &seen[seen.len() - 60..]);
    }
}

#[test]
fn numbers_are_hidden_if_they_are_cards_and_that_is_asked_for() {
    let number = |shapes, n: u64| {
        let lines = logged_by(|builder| builder.redacted_shapes(shapes), || tracing::info!(n, "m"));
        lines.last()["n"].clone()
    };
    let all = RedactedShapes::default();
    assert_eq!(number(all.clone(), 4_111_111_111_111_111), json!(REDACTED));
    assert_eq!(number(all.clone(), 4_111_111_111_111_112), json!(4_111_111_111_111_112_u64));
    let none = all.without(Shape::Card);
    assert_eq!(number(none, 4_111_111_111_111_111), json!(4_111_111_111_111_111_u64));
}

/// A scan that begins again at each piece would take hours for a text of a megabyte.
#[test]
fn long_texts_are_read_in_one_pass() {
    let limits = || {
        let mut limits = Limits::default();
        (limits.value_bytes, limits.total_bytes) = (1 << 20, 2 << 20);
        limits
    };
    let pieces = [
        "eyJ-",
        "eyJ.",
        "eyJ ",
        "-----BEGIN ",
        "-----BEGIN X-----",
        "AKIA ",
        "AKIA",
        "bearer ",
        "bearer a.",
        "ghp_ ",
        "4 ",
        "4111-",
        "4111111111111111 ",
        "\\n4",
        "a/",
    ];
    for piece in pieces {
        let text = piece.repeat((1 << 20) / piece.len());
        let lines = logged_by(
            |builder| {
                let none = RedactedKeys::insecure_none();
                let builder = builder.redacted_keys(none).limits(limits());
                builder.redacted_shapes(RedactedShapes::default())
            },
            || tracing::info!(text, "m"),
        );
        assert_eq!(
            lines.last()["text"].as_str().unwrap().contains(REDACTED),
            piece.starts_with("41111"),
            "{piece}"
        );
    }
}

proptest! {
    /// Texts made of the pieces that rules look for: nothing of them is lost but what is redacted.
    #[test]
    fn hostile_texts_lose_nothing_else(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "eyJ", ".", "-", "_", "-----BEGIN ", "PRIVATE KEY", "-----", "-----END ", "AKIA", "bearer ",
            "Bearer", "ghp_", "xoxb-", "4111", " ", "1111", "\\n", "a", "ä", "\n", "… [CUT]", "\"",
        ]), 0..400),
    ) {
        let text: String = pieces.concat();
        let seen = shown(RedactedShapes::default(), &text);
        let parts: Vec<&str> = seen.split(REDACTED).collect();
        prop_assert!(text.len() > 4_096 || text.starts_with(parts[0]), "{text:?} {seen:?}");
        let again = shown(RedactedShapes::default(), &seen);
        prop_assert!(seen.len() > 4_096 || again.len() <= seen.len() + 64, "{seen:?} {again:?}");
    }
}
