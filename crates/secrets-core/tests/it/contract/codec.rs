//! The code from names to the names of backends: injective, reversible, clear of companions.

use proptest::prelude::*;
use secrets_core::{DecodedName, InvalidName, NameCase, NameRules, SecretName};

/// Rules like those of each kind of backend.
pub(crate) fn all_rules() -> Vec<(&'static str, NameRules)> {
    let azure = NameRules::new(|b| b.is_ascii_alphanumeric() || b == b'-', b'-', 127)
        .case_insensitive()
        .with_companion_suffix("-pending");
    let google = NameRules::new(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b), b'_', 255)
        .with_companion_suffix("_pending");
    let aws = NameRules::new(|b| b.is_ascii_alphanumeric() || b"/_+=.@-".contains(&b), b'+', 512);
    let environment = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    let environment = NameRules::new(environment, b'_', 255).upper_case();
    let file = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-%".contains(&b);
    let file = NameRules::new(file, b'%', 255).case_insensitive();
    vec![
        ("azure", azure),
        ("google", google),
        ("aws", aws),
        ("environment", environment),
        ("file", file),
        ("tight", NameRules::new(|b| b.is_ascii_hexdigit(), b'a', 24)),
    ]
}

fn name(text: &str) -> SecretName {
    SecretName::new(text).unwrap()
}

/// Names that lean on what the code treats specially.
fn names() -> impl Strategy<Value = SecretName> {
    let segment = "[a-z0-9_-][a-z0-9._-]{0,12}|[-_a0f][-_.a0f]{0,12}|[a-z]-pending|_?pending_?";
    prop::collection::vec(segment, 1..5).prop_map(|segments| name(&segments.join("/")))
}

#[test]
fn the_forms_of_one_name() {
    let forms: Vec<String> = all_rules()
        .iter()
        .take(5)
        .map(|(_, rules)| rules.encode(&name("a/b-c_d.e")).unwrap())
        .collect();
    let wanted =
        ["a-2fb--c-5fd-2ee", "a_2fb-c__d_2ee", "a/b-c_d.e", "A_2FB_2DC__D_2EE", "a%2fb-c_d.e"];
    assert_eq!(forms, wanted);
}

#[test]
fn rules_know_their_own_faults() {
    for (backend, rules) in all_rules() {
        assert_eq!(rules.problems(), Vec::<&str>::new(), "{backend}");
    }
    let letters: fn(u8) -> bool = |b| b.is_ascii_alphanumeric();
    let unsound = [
        (NameRules::new(letters, b'-', 100), "the escape byte is not allowed in names"),
        (
            NameRules::new(|b| b.is_ascii_lowercase(), b'x', 100),
            "a hexadecimal digit is not allowed in names",
        ),
        (
            NameRules::new(letters, b'x', 8).with_companion_suffix("xpending"),
            "no name fits beside the companion suffix",
        ),
        (
            NameRules::new(letters, b'x', 100).with_companion_suffix("x0pending"),
            "the companion suffix could end the form of a name",
        ),
        (
            NameRules::new(letters, b'x', 100).with_companion_suffix("xxpending"),
            "the companion suffix could end the form of a name",
        ),
        (
            NameRules::new(letters, b'x', 100).with_companion_suffix("pending"),
            "the companion suffix could end the form of a name",
        ),
        (
            NameRules::new(letters, b'x', 100).with_companion_suffix("x-pending"),
            "the companion suffix could end the form of a name",
        ),
        (
            NameRules::new(letters, b'x', 100).case_insensitive().with_companion_suffix("xPending"),
            "the companion suffix could end the form of a name",
        ),
        (NameRules::new(|_| true, 0xff, 100), "the escape byte is not allowed in names"),
        (
            NameRules::new(letters, b'G', 100).upper_case(),
            "the escape byte is a letter in the backend's case",
        ),
        (
            NameRules::new(letters, b'G', 100).case_insensitive(),
            "the escape byte is a letter in the backend's case",
        ),
        (NameRules::new(|b| b.is_ascii_lowercase(), b'x', 9).upper_case(), "the escape byte"),
    ];
    for (rules, problem) in unsound {
        let problems = rules.problems();
        let found = problems.iter().any(|found| found.starts_with(problem));
        // The last one breaks another rule: its digits are capitals that it does not take.
        let digits = rules.case() == NameCase::Upper && !problems.is_empty();
        assert!(found || digits, "{problem}: {problems:?}");
    }
}

/// Each of these is refused where a lenient decoder would take it for the name beside it.
#[test]
fn only_the_one_form_is_a_name() {
    let all = all_rules();
    let rules = |wanted| all.iter().find(|(backend, _)| *backend == wanted).unwrap().1;
    let foreign = [
        ("azure", "a-62c"),    // an escape for what stands for itself
        ("azure", "a-"),       // cut short
        ("azure", "a-2"),      // cut short
        ("azure", "a-ffb"),    // no byte of a name
        ("azure", "-2e"),      // a name that starts with a dot
        ("azure", "-pending"), // a companion of nothing
        ("azure", "a-pending-pending"),
        ("azure", ""),
        ("google", "a_2Fb"),
        ("google", "a__pending_"),
        ("environment", "a"),
        ("environment", "A_2fB"),
        ("file", "a%"),
        ("file", "%2e%2e"),
        ("aws", "a+2fb"),
        ("aws", "A"),
        ("aws", "a//b"),
    ];
    for (backend, form) in foreign {
        assert_eq!(rules(backend).decode(form), DecodedName::Foreign, "{backend} {form:?}");
    }
    // To a backend that ignores case these are one entry each, so they have one meaning.
    assert_eq!(rules("azure").decode("A-2FB"), DecodedName::Name(name("a/b")));
    assert_eq!(rules("azure").decode("A-pending"), DecodedName::Companion(name("a")));
    assert_eq!(rules("azure").decode("a-PENDING"), DecodedName::Companion(name("a")));
    let companion = rules("azure").decode("a-2fb-pending");
    assert_eq!(companion, DecodedName::Companion(name("a/b")));
    // Doubled, the same letters are a name of their own.
    assert_eq!(rules("azure").decode("a-2fb--pending"), DecodedName::Name(name("a/b-pending")));
    assert_eq!(rules("azure").decode("a---pending"), DecodedName::Companion(name("a-")));
}

#[test]
fn what_is_too_long_is_refused_and_never_cut() {
    for (backend, rules) in all_rules() {
        let room = rules.max_len() - rules.companion_suffix().len();
        let fits = name(&"b".repeat(room.min(256)));
        assert!(rules.encode(&fits).is_ok() || backend == "tight", "{backend}");
        if room < 256 {
            let long = name(&"b".repeat(room + 1));
            let refused = rules.encode(&long);
            let fits = matches!(refused, Err(InvalidName::TooLong { max, .. }) if max == room);
            assert!(fits, "{backend}: {refused:?}");
            assert!(rules.encode_companion(&long).is_err());
        }
        // A name's escapes count.
        let escaped = name(&["x"; 100].join("/"));
        if let Ok(form) = rules.encode(&escaped) {
            assert!(form.len() <= room, "{backend}");
        }
    }
}

#[test]
fn without_a_suffix_there_are_no_companions() {
    for (backend, rules) in all_rules() {
        let companion = rules.encode_companion(&name("a"));
        assert_eq!(companion.is_ok(), !rules.companion_suffix().is_empty(), "{backend}");
    }
}

#[test]
fn a_native_name_is_accepted_by_the_alphabet_and_the_length() {
    let rules = all_rules()[0].1;
    assert!(rules.accepts("Billing-2Fx") && rules.accepts(&"x".repeat(127)));
    for unfit in ["", "a/b", "a b", "ä", "../x", "a\0", &"x".repeat(128)] {
        assert!(!rules.accepts(unfit), "{unfit:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_form_means_its_name(name in names()) {
        for (backend, rules) in all_rules() {
            let Ok(form) = rules.encode(&name) else { continue };
            prop_assert!(form.len() + rules.companion_suffix().len() <= rules.max_len());
            prop_assert!(rules.accepts(&form), "{}: {}", backend, form);
            prop_assert_eq!(rules.decode(&form), DecodedName::Name(name.clone()), "{}", backend);
            if let Ok(companion) = rules.encode_companion(&name) {
                prop_assert!(rules.accepts(&companion), "{}: {}", backend, companion);
                prop_assert_eq!(rules.decode(&companion), DecodedName::Companion(name.clone()));
            }
        }
    }

    /// Also where `A` and `a` are one letter.
    #[test]
    fn two_names_never_meet(one in names(), other in names()) {
        prop_assume!(one != other);
        for (backend, rules) in all_rules() {
            let forms = |name| {
                let forms = [rules.encode(name), rules.encode_companion(name)];
                forms.into_iter().flatten().map(|form| form.to_ascii_lowercase())
            };
            for form in forms(&one) {
                prop_assert!(forms(&other).all(|other| other != form), "{}: {}", backend, form);
            }
        }
    }

    #[test]
    fn a_name_never_has_the_form_of_a_companion(one in names(), other in names()) {
        for (backend, rules) in all_rules() {
            let (Ok(form), Ok(companion)) = (rules.encode(&one), rules.encode_companion(&other))
            else { continue };
            prop_assert_ne!(form, companion, "{}", backend);
        }
    }

    #[test]
    fn whatever_decodes_encodes_to_the_same(form in ".{0,20}|[a-fA-F0-9_%+/.-]{0,20}|[a-f0-9-]{0,9}-pending") {
        for (backend, rules) in all_rules() {
            let decoded = rules.decode(&form);
            // One entry to a backend that ignores case: one meaning, one form.
            let form = match rules.case() {
                NameCase::Insensitive => form.to_ascii_lowercase(),
                _ => form.clone(),
            };
            prop_assert_eq!(&rules.decode(&form), &decoded, "{}", backend);
            match decoded {
                DecodedName::Name(name) => {
                    prop_assert_eq!(rules.encode(&name), Ok(form.clone()), "{}", backend);
                }
                DecodedName::Companion(name) => {
                    let companion = rules.encode_companion(&name);
                    prop_assert_eq!(companion, Ok(form.clone()), "{}", backend);
                }
                DecodedName::Foreign => {}
            }
        }
    }
}
