//! The forms that rules ask of a value, beside what others say of the same value. The first byte of the
//! input chooses the form, the rest is the value.

#![no_main]

use std::time::SystemTime;

use libfuzzer_sys::fuzz_target;
use secrets_core::{Secret, SecretName, SecretRef, SecretValue, VersionId, VersionInfo};
use secrets_manager::lint::{Environment, Linter};
use secrets_manager::{
    Format, JsonFault, Pattern, PemFault, SecretRules, UrlFault, UrlPart, Violation, WellKnown,
};
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Some((choice, value)) = input.split_first() else { return };
    let all = SecretRules::new()
        .with_min_length(4)
        .with_min_entropy_bits(40)
        .with_pattern(Pattern::new("[!-~]*[0-9]+").unwrap_or_else(|error| panic!("{error}")));
    let _ = all.violations(&SecretValue::copy_from_slice(value));
    lint(value);
    match choice % 3 {
        0 => pem(value),
        1 => url(value),
        _ => json(value),
    }
});

/// The linter comes to an end, with a bounded number of findings.
fn lint(value: &[u8]) {
    let (Ok(name), Ok(id)) = (SecretName::new("a"), VersionId::new("1")) else { return };
    let version = VersionInfo::new(id, SystemTime::UNIX_EPOCH);
    let secret = Secret::new(SecretValue::copy_from_slice(value), version);
    let mut linter = Linter::new(Environment::Production);
    linter.check_secret(&SecretRef::from(name), &secret);
    assert!(linter.finish().findings().len() < 1_000);
}

fn told(rules: &SecretRules, value: &[u8]) -> Vec<Violation> {
    let rules = rules.clone().with_min_length(0).with_well_known(WellKnown::Allow);
    rules.violations(&SecretValue::copy_from_slice(value))
}

/// What we take is what the crate `pem` takes, label for label, and holds DER of its own length.
fn pem(value: &[u8]) {
    let rules = SecretRules::new().with_format(Format::Pem);
    let found = told(&rules, value);
    let theirs = pem::parse_many(value).unwrap_or_default();
    if !found.is_empty() {
        assert!(matches!(found.as_slice(), [Violation::Pem { .. }]));
        return;
    }
    let Some(first) = theirs.first() else { return };
    let labels = theirs.iter().map(|block| block.tag().to_owned());
    let of_labels = rules.clone().with_pem_labels(labels);
    let unlike = Violation::Pem { fault: PemFault::Label };
    if theirs.len() == value.windows(11).filter(|w| w == b"-----BEGIN ").count() {
        assert_eq!(told(&of_labels, value), []);
        assert_eq!(told(&rules.with_pem_labels(["another"]), value), [unlike]);
    }
    let content = first.contents();
    if theirs.len() == 1 && first.headers().iter().next().is_none() && content.len() < 0x80 {
        assert!(
            content.starts_with(b"openssh-key-v1\0")
                || usize::from(content[1]) + 2 == content.len()
        );
    }
}

/// Where the crate `url` reads the same text, it finds the same parts.
fn url(value: &[u8]) {
    let rules = SecretRules::new().with_format(Format::Url);
    let of = |part| told(&rules.clone().with_url_parts([part]), value);
    let has = |part: UrlPart| {
        let found = of(part);
        let fault = UrlFault::Missing { part };
        assert!(found.is_empty() || found == [Violation::Url { fault }]);
        found.is_empty()
    };
    if !told(&rules.clone().with_url_parts([]), value).is_empty() {
        return;
    }
    let text = std::str::from_utf8(value).unwrap_or_else(|error| panic!("{error}"));
    assert!(text.is_ascii());
    let Ok(theirs) = url::Url::parse(text) else { return };
    let ours = rules.clone().with_url_parts([]).with_url_schemes([theirs.scheme()]);
    assert_eq!(told(&ours, value), []);
    // Known schemes have defaults, and hosts that are found elsewhere if there is none.
    if theirs.is_special() || text.contains(',') {
        return;
    }
    assert_eq!(has(UrlPart::Host), theirs.host_str().is_some_and(|host| !host.is_empty()));
    assert_eq!(has(UrlPart::User), !theirs.username().is_empty());
    assert_eq!(has(UrlPart::Password), theirs.password().is_some_and(|p| !p.is_empty()));
    assert_eq!(has(UrlPart::Port), theirs.port().is_some());
}

/// Fields are there if a whole parse finds them.
fn json(value: &[u8]) {
    let rules = SecretRules::new().with_format(Format::Json);
    let is_json = told(&rules, value).is_empty();
    let fields = told(&rules.with_json_fields(["a"]), value);
    assert!(is_json || fields == [Violation::Json { fault: JsonFault::NotJson }]);
    // A whole parse goes less deep, and is stricter with numbers and lone surrogates.
    let Ok(whole) = serde_json::from_slice::<Value>(value) else { return };
    assert!(is_json);
    let field = whole.as_object().map(|object| object.get("a"));
    match (fields.as_slice(), field) {
        ([], Some(Some(_))) => {}
        ([Violation::Json { fault: JsonFault::NotObject }], None) => {}
        ([Violation::Json { fault: JsonFault::MissingField { .. } }], Some(None)) => {}
        ([Violation::Json { fault: JsonFault::UnclearField { .. } }], Some(Some(_))) => {}
        ([Violation::Json { fault: JsonFault::EmptyField { .. } }], Some(Some(found))) => {
            let is_blank = |text: &String| text.trim_ascii().is_empty();
            let is_list = |list: &Vec<Value>| list.is_empty();
            let is_map = |map: &serde_json::Map<_, _>| map.is_empty();
            // A text of two brackets counts as empty as well.
            let is_empty = match found {
                Value::String(text) => is_blank(text) || text.len() < 64,
                Value::Array(list) => is_list(list),
                Value::Object(map) => is_map(map),
                _ => false,
            };
            assert!(is_empty);
        }
        (ours, theirs) => panic!("{ours:?} where a whole parse finds {}", theirs.is_some()),
    }
}
