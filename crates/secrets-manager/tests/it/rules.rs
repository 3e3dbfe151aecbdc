//! What rules find in values, and in themselves.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use secrets_core::SecretValue;
use secrets_manager::{
    Format, InvalidPattern, JsonFault, Pattern, PemFault, RulesProblem, SecretRules, UrlFault,
    UrlPart, Violation, WellKnown,
};

fn told(rules: &SecretRules, value: impl AsRef<[u8]>) -> Vec<Violation> {
    rules.violations(&SecretValue::copy_from_slice(value.as_ref()))
}

fn pattern(text: &str) -> SecretRules {
    lenient().with_pattern(Pattern::new(text).unwrap())
}

fn lenient() -> SecretRules {
    SecretRules::new().with_well_known(WellKnown::Allow).with_min_length(0)
}

#[test]
fn an_empty_value_and_what_many_know_are_refused_unless_told_otherwise() {
    assert_eq!(told(&SecretRules::default(), ""), [Violation::TooShort { min: 1 }]);
    assert_eq!(told(&SecretRules::default(), "<your-key>"), [Violation::WellKnown]);
    assert_eq!(told(&SecretRules::default(), "ChangeMe\n"), [Violation::WellKnown]);
    assert_eq!(told(&SecretRules::default(), "AKIAIOSFODNN7EXAMPLE"), [Violation::WellKnown]);
    assert_eq!(told(&SecretRules::default(), "q7Zt0vR2mXc9LbW4"), []);
    let lax = lenient().with_min_length(0);
    assert_eq!(told(&lax, ""), []);
    assert_eq!(told(&lax, "changeme"), []);
}

#[test]
fn lengths_count_bytes_and_include_their_limits() {
    let rules = SecretRules::new().with_min_length(4).with_max_length(6);
    assert_eq!(told(&rules, "ab7"), [Violation::TooShort { min: 4 }]);
    assert_eq!(told(&rules, "ab7z"), []);
    assert_eq!(told(&rules, "äöü"), [], "six bytes");
    assert_eq!(told(&rules, "äöüz"), [Violation::TooLong { max: 6 }]);
}

#[test]
fn a_pattern_is_about_the_whole_value() {
    let digits = pattern("[0-9]+");
    assert_eq!(told(&digits, "0123"), []);
    for other in ["0123x", "x0123", "0123\n", "\n0123", "", "01 23"] {
        assert!(told(&digits, other).contains(&Violation::Pattern), "{other:?}");
    }
    // Each alternative alone, and the longer one though the shorter matches first.
    assert_eq!(told(&pattern("a|ab"), "ab"), []);
    assert_eq!(told(&pattern("a|b"), "ab"), [Violation::Pattern]);
    // Flags inside do not loosen the ends.
    assert_eq!(told(&pattern("(?m)^a$"), "a\nb"), [Violation::Pattern]);
    assert_eq!(told(&pattern("(?x) a b # a comment"), "ab"), []);
    assert_eq!(told(&pattern("(?x) a b # a comment"), "ab\n"), [Violation::Pattern]);
    assert_eq!(told(&digits, [0x31, 0xff]), [Violation::Pattern], "not UTF-8");
}

#[test]
fn a_pattern_that_is_none_or_too_large_is_refused_when_it_is_made() {
    let of = |text: &str| Pattern::new(text).map_err(|error: InvalidPattern| error.to_string());
    for text in ["(", "a)(?:b", "[z-a]", r"(a)\1", "(?=a)", "a{2,1}"] {
        assert!(of(text).unwrap_err().starts_with("not a pattern that can be used: "), "{text}");
    }
    assert!(of(&"a".repeat(1025)).is_err());
    assert!(of("(?:a{1000}){1000}").is_err());
    assert!(of("((((a{100}){100}){100}){100}").is_err());
    assert!(of(&"(".repeat(1000)).is_err());
    assert!(of("[A-Za-z0-9_-]{20,255}").is_ok());
}

#[test]
fn matching_takes_linear_time_whatever_pattern_and_value() {
    let value = "a".repeat(64 << 10);
    for text in ["(a*)*b", "(a|a)*b", "(a|aa)+c", "(.*)(.*)(.*)(.*)(.*)x", "(?:a?){40}a{40}b"] {
        let start = Instant::now();
        assert_eq!(told(&pattern(text), &value), [Violation::Pattern], "{text}");
        // Linear is under a second in a debug build; a backtracking engine would not come back.
        assert!(start.elapsed() < Duration::from_secs(20), "{text}");
    }
    assert_eq!(told(&pattern("a*"), format!("{value}a")), [Violation::Pattern], "over the limit");
    assert_eq!(told(&pattern("a*"), value), []);
}

#[test]
fn text_is_utf_8() {
    let rules = lenient().with_format(Format::Text);
    assert_eq!(told(&rules, "grün"), []);
    assert_eq!(told(&rules, [0xc3, 0x28]), [Violation::Text]);
}

/// A block around these bytes, as openssl writes it.
fn block(label: &str, der: &[u8]) -> String {
    let text = base64(der);
    let lines: Vec<_> =
        text.as_bytes().chunks(64).map(|l| std::str::from_utf8(l).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3)
            .fold(0_usize, |bits, at| bits << 8 | group.get(at).map_or(0, |b| usize::from(*b)));
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let c = ALPHABET[bits >> shift & 63] as char;
            text.push(if at <= group.len() { c } else { '=' });
        }
    }
    text
}

/// A SEQUENCE of so many bytes of content.
fn der(len: usize) -> Vec<u8> {
    let mut bytes = vec![0x30];
    match len {
        0..0x80 => bytes.push(len as u8),
        0x80..0x100 => bytes.extend([0x81, len as u8]),
        _ => bytes.extend([0x82, (len >> 8) as u8, len as u8]),
    }
    bytes.extend((0..len).map(|at| at as u8));
    bytes
}

fn pem_fault(text: impl AsRef<[u8]>) -> Option<PemFault> {
    let rules = lenient().with_format(Format::Pem);
    match told(&rules, text).as_slice() {
        [] => None,
        [Violation::Pem { fault }] => Some(*fault),
        other => panic!("{other:?}"),
    }
}

/// Made with `openssl genpkey -algorithm ed25519`; it guards nothing.
const ED25519: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
    -----END PRIVATE KEY-----\n";

#[test]
fn pem_is_whole() {
    assert_eq!(pem_fault(ED25519), None);
    assert_eq!(pem_fault(ED25519.replace('\n', "\r\n")), None);
    assert_eq!(pem_fault(ED25519.trim_end()), None);
    for len in [0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x100, 5000] {
        assert_eq!(pem_fault(block("CERTIFICATE", &der(len))), None, "{len}");
    }
    let chain = format!("subject=a\n{}\n{}", block("CERTIFICATE", &der(900)), ED25519);
    assert_eq!(pem_fault(&chain), None, "several, with text between");
    assert_eq!(pem_fault(block("EC PARAMETERS", b"\x06\x01\x2a")), None, "one OID");
    assert_eq!(pem_fault(block("OPENSSH PRIVATE KEY", b"openssh-key-v1\0 and more")), None);
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n\
        AAECAwQF\n-----END RSA PRIVATE KEY-----\n";
    assert_eq!(pem_fault(old), None);
}

#[test]
fn each_fault_of_pem_is_told_by_its_name() {
    use PemFault::*;
    let whole = block("CERTIFICATE", &der(300));
    let lines: Vec<_> = whole.lines().collect();
    let without = |at: usize| {
        let kept = lines.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, l)| *l);
        kept.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(pem_fault(""), Some(NoBlock));
    assert_eq!(pem_fault("hello"), Some(NoBlock));
    assert_eq!(pem_fault(without(0)), Some(NoBlock));
    assert_eq!(pem_fault(without(2)), Some(Content), "a line got lost");
    assert_eq!(pem_fault(without(lines.len() - 2)), Some(Content));
    assert_eq!(pem_fault(without(lines.len() - 1)), Some(NoEnd));
    assert_eq!(pem_fault(whole.replace("END CERTIFICATE", "END CERT")), Some(NoEnd));
    assert_eq!(pem_fault(format!("{}\n{whole}", lines[0])), Some(NoEnd), "begun twice");
    assert_eq!(pem_fault(whole.replace('\n', "\\n")), Some(EscapedLineEnds));
    assert_eq!(pem_fault(ED25519.replace("MC4", "MC!")), Some(Base64));
    assert_eq!(pem_fault(ED25519.replace("n9g\n", "n9\n")), Some(Base64), "not groups of four");
    assert_eq!(pem_fault(block("X", &der(4)).replace('=', "")), None, "six bytes need no padding");
    assert_eq!(pem_fault(block("X", &der(2)).replace('=', "")), Some(Base64));
    assert_eq!(pem_fault(block("X", &der(2)).replace("==", "=")), Some(Base64));
    assert_eq!(pem_fault("-----BEGIN X-----\nMAB=\n-----END X-----"), Some(Base64), "loose bits");
    assert_eq!(pem_fault("-----BEGIN X-----\nMAA=\n-----END X-----"), None);
    assert_eq!(pem_fault("-----BEGIN X-----\n-----END X-----"), Some(Content), "nothing in it");
    assert_eq!(pem_fault(block("X", &[0x30, 0x80, 0, 0])), Some(Content), "indefinite length");
    assert_eq!(pem_fault(block("X", &[0x30, 0x81, 1, 0])), Some(Content), "not the shortest");
    assert_eq!(pem_fault(block("X", &[0x31, 0])), Some(Content), "no SEQUENCE");
    assert_eq!(pem_fault(block("OPENSSH PRIVATE KEY", &der(40))), Some(Content));
    assert_eq!(pem_fault([0xff; 100]), Some(NoBlock));
    // One whole block does not make up for another that a reader would skip.
    let damaged = ED25519.replacen("KEY-----", "KEY----", 1);
    for beside in [&damaged, "-----END X-----\n", "-----BEGIN CERTIF", "-----BEGIN-----\n"] {
        assert_eq!(pem_fault(format!("{whole}{beside}")), Some(Stray), "{beside}");
    }
    assert_eq!(pem_fault(format!("{damaged}{whole}")), Some(Stray));
    assert_eq!(pem_fault(format!("----- a line -----\n{whole}")), None);
}

#[test]
fn every_block_has_one_of_the_labels() {
    let rules = lenient().with_format(Format::Pem).with_pem_labels(["PRIVATE KEY"]);
    assert_eq!(told(&rules, ED25519), []);
    let label = [Violation::Pem { fault: PemFault::Label }];
    assert_eq!(told(&rules, block("CERTIFICATE", &der(9))), label);
    assert_eq!(told(&rules, format!("{ED25519}{}", block("CERTIFICATE", &der(9)))), label);
    let both = rules.with_pem_labels(["PRIVATE KEY", "CERTIFICATE"]);
    assert_eq!(told(&both, format!("{ED25519}{}", block("CERTIFICATE", &der(9)))), []);
}

fn url_faults(rules: &SecretRules, text: impl AsRef<[u8]>) -> Vec<UrlFault> {
    let of = |violation| match violation {
        Violation::Url { fault } => fault,
        other => panic!("{other:?}"),
    };
    told(rules, text).into_iter().map(of).collect()
}

#[test]
fn urls_are_read_by_their_grammar() {
    let rules = lenient().with_format(Format::Url);
    for url in [
        "postgres://app:s3cr3t@db.internal:5432/app?sslmode=verify-full",
        "mongodb://a:b@one:27017,two:27017,three/db?replicaSet=rs0",
        "redis://:p%40ss@[::1]:6379/0",
        "https://hooks.example.org/services/T0/B0/XXX#x",
        "amqps://u:p@[fe80::1%25eth0]/%2f",
        "a+b-c.d://h",
    ] {
        assert_eq!(url_faults(&rules, url), [], "{url}");
    }
    for (url, fault) in [
        ("", UrlFault::NotUrl),
        ("db.internal:5432", UrlFault::NotUrl),
        ("mailto:a@b", UrlFault::NotUrl),
        ("://h", UrlFault::NotUrl),
        ("1a://h", UrlFault::NotUrl),
        ("http://", UrlFault::NotUrl),
        ("http://a b/", UrlFault::Host),
        ("http://h/a b", UrlFault::Encoding),
        ("http://h/%zz", UrlFault::Encoding),
        ("http://h/%4", UrlFault::Encoding),
        ("http://h/ü", UrlFault::Encoding),
        ("http://h/?a=\"", UrlFault::Encoding),
        ("postgres://u:p@ss@h/d", UrlFault::Encoding),
        ("postgres://u:pa#ss@h/d", UrlFault::Host),
        ("postgres://u:pa/ss@h/d", UrlFault::Host),
        ("postgres://u:pa?ss@h/d", UrlFault::Host),
        ("http://h:0/", UrlFault::Host),
        ("http://h:65536/", UrlFault::Host),
        ("http://h:+80/", UrlFault::Host),
        ("http://h:/", UrlFault::Host),
        ("http://:80/", UrlFault::Host),
        ("http://a,,b/", UrlFault::Host),
        ("http://[::1/", UrlFault::Host),
        ("http://[::g]/", UrlFault::Host),
        ("http://[::1]x/", UrlFault::Host),
        ("http://[fe80::1%25]/", UrlFault::Host),
        ("http://[fe80::1%25e%zz]/", UrlFault::Host),
        ("http://[fe80::1%eth0]/", UrlFault::Host),
        ("postgres:///app", UrlFault::Missing { part: UrlPart::Host }),
        ("postgres://u:p@/app", UrlFault::Missing { part: UrlPart::Host }),
    ] {
        assert_eq!(url_faults(&rules, url), [fault], "{url}");
    }
    assert_eq!(url_faults(&rules, b"http://h/\xff"), [UrlFault::NotUrl]);
    assert_eq!(url_faults(&rules, "http://h/\n"), [UrlFault::Encoding], "a line end behind it");
}

#[test]
fn schemes_and_parts_are_asked_for() {
    use UrlPart::*;
    let parts = [Host, Port, User, Password, Path];
    let rules = lenient()
        .with_format(Format::Url)
        .with_url_schemes(["postgres", "postgresql"])
        .with_url_parts(parts);
    assert_eq!(url_faults(&rules, "PostgreSQL://u:p@h:1/d"), []);
    let missing = |parts: &[UrlPart]| -> Vec<_> {
        parts.iter().map(|part| UrlFault::Missing { part: *part }).collect()
    };
    assert_eq!(url_faults(&rules, "postgres://h"), missing(&[Port, User, Password, Path]));
    assert_eq!(url_faults(&rules, "postgres://u:@h:1/d"), missing(&[Password]));
    assert_eq!(url_faults(&rules, "postgres://:p@h:1/d"), missing(&[User]));
    assert_eq!(url_faults(&rules, "postgres://u:p@h:1//"), missing(&[Path]));
    assert_eq!(url_faults(&rules, "postgres://u:p@a:1,b/d"), missing(&[Port]));
    assert_eq!(url_faults(&rules, "mysql://u:p@h:1/d"), [UrlFault::Scheme]);
    let path = lenient().with_format(Format::Url).with_url_parts([Path]);
    assert_eq!(url_faults(&path, "sqlite:///var/lib/app.db"), []);
}

fn json(fields: &[&str]) -> SecretRules {
    lenient().with_json_fields(fields.iter().copied())
}

#[test]
fn json_has_its_fields() {
    let of = |rules: &SecretRules, text: &str| -> Vec<JsonFault> {
        let fault = |violation| match violation {
            Violation::Json { fault } => fault,
            other => panic!("{other:?}"),
        };
        told(rules, text).into_iter().map(fault).collect()
    };
    let any = lenient().with_format(Format::Json);
    for text in ["{}", "[1, 2]", "\"text\"", " 1 ", "null"] {
        assert_eq!(of(&any, text), [], "{text}");
    }
    for text in ["", "{", "{}{}", "nul", "'a'", "{a:1}", "[1,]", "\"\u{1}\""] {
        assert_eq!(of(&any, text), [JsonFault::NotJson], "{text}");
    }
    let rules = json(&["user", "password"]);
    assert_eq!(of(&rules, r#"{"user":"u","password":"p","more":{"user":""}}"#), []);
    assert_eq!(of(&rules, r#"["user","password"]"#), [JsonFault::NotObject]);
    let (user, password) = ("user".to_owned(), "password".to_owned());
    assert_eq!(
        of(&rules, r#"{"user":"","Password":"p"}"#),
        [
            JsonFault::EmptyField { field: user.clone() },
            JsonFault::MissingField { field: password.clone() }
        ]
    );
    for empty in [r#"" ""#, "{ }", "[\n]", r#""\t""#] {
        let text = format!(r#"{{"user":{empty},"password":0}}"#);
        assert_eq!(of(&rules, &text), [JsonFault::EmptyField { field: user.clone() }], "{text}");
    }
    for unclear in [r#"{"user":null,"password":"p"}"#, r#"{"user":1,"user":1,"password":"p"}"#] {
        assert_eq!(of(&rules, unclear), [JsonFault::UnclearField { field: user.clone() }]);
    }
    let named = lenient().with_format(Format::Json).with_json_fields(["a"]);
    assert_eq!(of(&named, r#"{"a":[0]}"#), []);
}

#[test]
fn deep_and_huge_values_end_soon_and_do_not_overflow() {
    let start = Instant::now();
    let depth = 1 << 20;
    let deep = ["[".repeat(depth), "]".repeat(depth)].concat();
    let nested = format!("{{\"a\":{deep}}}");
    assert_eq!(told(&lenient().with_format(Format::Json), &deep), []);
    assert_eq!(told(&json(&["a"]), &nested), []);
    assert_eq!(told(&json(&["a"]), "{\"a\":".repeat(depth)).len(), 1);
    let every = SecretRules::new()
        .with_min_length(32)
        .with_min_entropy_bits(128)
        .with_pattern(Pattern::new("(a|b)*c").unwrap());
    for format in [Format::Text, Format::Pem, Format::Url, Format::Json] {
        for byte in [0_u8, b'-', b'a', b'{', b'"', b'=', 0xff] {
            let _ = told(&every.clone().with_format(format), vec![byte; 4 << 20]);
        }
    }
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn what_is_plainly_weak_falls_short_of_64_bits_and_what_is_random_does_not() {
    let rules = lenient().with_min_entropy_bits(64);
    let short = [Violation::Entropy { min_bits: 64 }];
    for weak in [
        "hunter2",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "abcabcabcabcabcabcabcabcabcabcabcabc",
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "00000000000000000000000000000001",
    ] {
        assert_eq!(told(&rules, weak), short, "{weak}");
    }
    assert_eq!(told(&rules, "9f86d081884c7d659a2feaa0c55ad015"), []);
    assert_eq!(told(&rules, "pFq3-VxW0_dTz8KmLr5YcA"), []);
}

#[test]
fn rules_that_no_value_can_keep_or_that_have_no_effect_are_problems() {
    use RulesProblem::*;
    let new = SecretRules::new;
    let many = || (0..65).map(|at| at.to_string());
    for (rules, problem) in [
        (new().with_min_length(5).with_max_length(4), LengthsCross),
        (
            new().with_min_length(65_537).with_pattern(Pattern::new("a*").unwrap()),
            TooLongForPattern,
        ),
        (new().with_pem_labels(["X"]), NotPem),
        (new().with_format(Format::Text).with_url_schemes(["x"]), NotUrl),
        (new().with_url_parts([UrlPart::Host]), NotUrl),
        (new().with_format(Format::Pem).with_json_fields(["x"]), NotJson),
        (new().with_json_fields(many()), TooManyListed { setting: "json_fields" }),
        (new().with_max_length(16).with_min_entropy_bits(65), EntropyOutOfReach),
        (new().with_min_entropy_bits(40_000), EntropyOutOfReach),
    ] {
        assert_eq!(rules.problems(), [problem], "{rules:?}");
        assert!(problem.to_string().contains(problem.setting()), "{problem}");
    }
    assert_eq!(new().problems(), []);
    let most = new().with_max_length(16).with_min_entropy_bits(64).with_json_fields(["a"]);
    assert_eq!(most.problems(), []);
}

#[test]
fn settings_are_read_by_their_names_and_others_are_refused() {
    let read = |text: &str| serde_json::from_str::<SecretRules>(text).map_err(|e| e.to_string());
    assert_eq!(read("{}").unwrap(), SecretRules::new());
    let whole = r#"{"min_length":8,"max_length":99,"pattern":"[a-z]+","format":"url",
        "url_schemes":["https"],"url_parts":["host","password"],"min_entropy_bits":20,
        "well_known":"allow"}"#;
    let expected = SecretRules::new()
        .with_min_length(8)
        .with_max_length(99)
        .with_pattern(Pattern::new("[a-z]+").unwrap())
        .with_format(Format::Url)
        .with_url_schemes(["https"])
        .with_url_parts([UrlPart::Host, UrlPart::Password])
        .with_min_entropy_bits(20)
        .with_well_known(WellKnown::Allow);
    assert_eq!(read(whole).unwrap(), expected);
    assert_eq!(
        read(r#"{"format":"pem","pem_labels":["PRIVATE KEY"]}"#).unwrap(),
        SecretRules::new().with_format(Format::Pem).with_pem_labels(["PRIVATE KEY"])
    );
    assert!(read(r#"{"min_lenght":8}"#).unwrap_err().contains("unknown field `min_lenght`"));
    assert!(read(r#"{"pattern":"("}"#).unwrap_err().contains("not a pattern that can be used"));
    assert!(read(r#"{"min_length":-1}"#).is_err());
    assert!(read(r#"{"format":"PEM"}"#).is_err());
}

fn any_rules() -> impl Strategy<Value = SecretRules> {
    let format = proptest::option::of(proptest::sample::select(vec![
        Format::Text,
        Format::Pem,
        Format::Url,
        Format::Json,
    ]));
    (format, 0..40_usize, proptest::option::of(0..60_usize), 0..200_u32, any::<bool>()).prop_map(
        |(format, min, max, bits, fields)| {
            let mut rules = SecretRules::new().with_min_length(min).with_min_entropy_bits(bits);
            rules = rules.with_pattern(Pattern::new("[ -~]*").unwrap());
            if let Some(max) = max {
                rules = rules.with_max_length(max);
            }
            if let Some(format) = format {
                rules = rules.with_format(format);
            }
            if fields { rules.with_json_fields(["password"]) } else { rules }
        },
    )
}

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        "[ -~\\n]{0,300}".prop_map(String::into_bytes),
        "-----BEGIN [A-Z ]{1,9}-----\n[A-Za-z0-9+/=\n]{0,90}\n-----END [A-Z ]{1,9}-----"
            .prop_map(String::into_bytes),
        "[a-z]{1,6}://[!-~]{0,60}".prop_map(String::into_bytes),
        "\\{\"(user|password)\":[\"0-9a-z\\[\\]{},:\\\\]{0,40}\\}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn no_value_breaks_the_check_and_no_violation_tells_of_it(
        rules in any_rules(),
        value in hostile(),
    ) {
        // Runs of six characters that do not come from the words of the messages.
        let canary = "Zq7#kV";
        let mut value = value;
        value.extend_from_slice(canary.as_bytes());
        let found = told(&rules, &value);
        let text = format!("{found:?} {}", found.iter().map(ToString::to_string).collect::<String>());
        prop_assert!(!text.contains(canary));
        // Its length shows nowhere, but for a limit that happens to be the same.
        let says_length = text.contains(&format!(" {} bytes", value.len()));
        prop_assert!(!says_length, "{}", text);
    }

    #[test]
    fn any_der_in_any_width_of_line_is_pem_and_none_that_lost_a_byte_is(
        len in 0..700_usize, width in 1..80_usize, cut in 1..5_usize,
    ) {
        let whole = der(len);
        let text = base64(&whole);
        let lines: Vec<_> =
            text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let pem = |body: &str| format!("-----BEGIN A B-----\n{body}\n-----END A B-----");
        prop_assert_eq!(pem_fault(pem(&lines.join("\n"))), None);
        let short = &whole[..whole.len().saturating_sub(cut)];
        prop_assert!(pem_fault(pem(&base64(short))).is_some());
    }

    #[test]
    fn an_encoded_password_is_found_in_its_url_whatever_it_is(password in "\\PC{1,20}") {
        let encoded: String = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let rules = lenient().with_format(Format::Url)
            .with_url_parts([UrlPart::Host, UrlPart::User, UrlPart::Password]);
        prop_assert_eq!(url_faults(&rules, format!("postgres://u:{encoded}@h/d")), []);
    }

    #[test]
    fn random_secrets_keep_the_rules(
        hex in random(HEX, 32), token in random(TOKEN, 22), password in random(PRINTABLE, 20),
        bytes in proptest::array::uniform32(any::<u8>()),
    ) {
        // Half of what they have, as the documentation says; never mistaken for what is known.
        let rules = |bits| SecretRules::new().with_min_length(16).with_min_entropy_bits(bits);
        prop_assert_eq!(told(&rules(64), hex), []);
        prop_assert_eq!(told(&rules(66), token), []);
        prop_assert_eq!(told(&rules(65), password), []);
        prop_assert_eq!(told(&rules(128), bytes), []);
    }
}

const HEX: &[u8] = b"0123456789abcdef";
const TOKEN: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const PRINTABLE: &[u8] =
    b"!#$%&()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~";

/// Characters drawn evenly; a regular expression as a strategy draws its ranges evenly instead.
fn random(alphabet: &'static [u8], len: usize) -> impl Strategy<Value = String> {
    let characters = proptest::collection::vec(proptest::sample::select(alphabet), len);
    characters.prop_map(|bytes| String::from_utf8(bytes).unwrap())
}
