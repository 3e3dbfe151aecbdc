//! The code from names to the names of backends: every form means one name, every name has one form.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrets_core::{DecodedName, NameCase, NameRules, SecretName};

/// An alphabet, case and length like those of each kind of backend.
fn rules() -> [NameRules; 4] {
    [
        // Azure Key Vault: https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates
        NameRules::new(|b| b.is_ascii_alphanumeric() || b == b'-', b'-', 127)
            .case_insensitive()
            .with_companion_suffix("-pending"),
        // Google Secret Manager: https://cloud.google.com/secret-manager/docs/reference/rest
        NameRules::new(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_', b'_', 255)
            .with_companion_suffix("_pending"),
        // AWS Secrets Manager: https://docs.aws.amazon.com/secretsmanager/latest/apireference
        NameRules::new(|b| b.is_ascii_alphanumeric() || b"/_+=.@-".contains(&b), b'+', 512),
        // Environment variables (POSIX.1-2017, chapter 8).
        NameRules::new(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_', b'_', 255)
            .upper_case(),
    ]
}

fuzz_target!(|text: &str| {
    for rules in rules() {
        // One entry to a backend that ignores case: one meaning, one form.
        let form = match rules.case() {
            NameCase::Insensitive => text.to_ascii_lowercase(),
            _ => text.to_owned(),
        };
        assert_eq!(rules.decode(text), rules.decode(&form));
        match rules.decode(text) {
            DecodedName::Name(name) => assert_eq!(rules.encode(&name), Ok(form)),
            DecodedName::Companion(name) => assert_eq!(rules.encode_companion(&name), Ok(form)),
            DecodedName::Foreign => {}
        }
        let Ok(name) = SecretName::new(text) else { continue };
        let Ok(form) = rules.encode(&name) else { continue };
        assert!(form.len() <= rules.max_len());
        assert_eq!(rules.decode(&form), DecodedName::Name(name.clone()));
        if let Ok(companion) = rules.encode_companion(&name) {
            assert_eq!(rules.decode(&companion), DecodedName::Companion(name));
        }
    }
});
