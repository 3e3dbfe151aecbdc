//! Settings that are secrets.

use secrets_core::{
    Error, ErrorKind, Result, SecretReference, SecretResolver, SecretValue, async_trait,
};
use service_settings::SecretSetting;

use crate::support::*;

struct Shelf;

#[async_trait]
impl SecretResolver for Shelf {
    async fn resolve(&self, reference: &SecretReference) -> Result<SecretValue> {
        match (reference.name().as_str(), reference.field()) {
            ("billing/db", Some("password")) => Ok(SecretValue::copy_from_slice(b"hunter2")),
            _ => Err(Error::new(ErrorKind::NotFound, "no such secret")),
        }
    }
}

#[tokio::test]
async fn references_are_resolved_by_whoever_holds_the_secrets() {
    let password = layers().load().unwrap().settings.database.password;
    assert!(!password.is_inline());
    assert_eq!(password.resolve(&Shelf).await.unwrap().expose_secret(), b"hunter2");
    let other = variables([("APP__DATABASE__PASSWORD", "secret://other")]);
    let password = layers().variables("APP", other).load().unwrap().settings.database.password;
    assert_eq!(password.resolve(&Shelf).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_value_in_the_settings_is_kept_and_known_for_what_it_is() {
    let inline = variables([("APP__DATABASE__PASSWORD", "hunter2")]);
    let loaded = layers().variables("APP", inline).load().unwrap();
    let password = &loaded.settings.database.password;
    assert!(matches!(password, SecretSetting::Inline(_)) && password.is_inline());
    assert_eq!(password.resolve(&Shelf).await.unwrap().expose_secret(), b"hunter2");
    assert!(!format!("{loaded:?}{}", loaded.explanation).contains("hunter2"));
}

#[test]
fn a_reference_that_is_none_is_refused_and_not_quoted() {
    for wrong in ["secret://", "secret:hunter2", "secret:///", "secret://a#", "secret://A B"] {
        let layers = layers().variables("APP", variables([("APP__DATABASE__PASSWORD", wrong)]));
        let text = message(&layers);
        assert!(text.contains("`database.password`: the reference to a secret"), "{wrong}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_password_in_a_url_is_masked() {
    for url in ["postgres://app:hunter2@db/x", "amqp://u:hunter2/@:hunter2@h:5672/v?a=b@c"] {
        let layers = layers().variables("APP", variables([("APP__DATABASE__URL", url)]));
        let loaded = layers.load().unwrap();
        assert_eq!(loaded.settings.database.url, url);
        let told = loaded.explanation.to_string();
        assert!(told.contains(":***@") && !told.contains("hunter2"), "{told}");
    }
}

/// As a value it would be a wrong secret, and nobody would be told.
#[test]
fn what_is_nearly_a_reference_is_no_value() {
    for written in [
        "Secret://db",
        "SECRET://db#password",
        " secret://db",
        "secrets://db",
        "secret//db",
        "secret:/db",
        "secret:db",
        "secret://",
    ] {
        let set = variables([("APP__DATABASE__PASSWORD", written)]);
        let told = message(&layers().variables("APP", set));
        let expected = "APP__DATABASE__PASSWORD: `database.password`: the reference to a secret has \
            not the form `secret://name#field`";
        assert!(told.ends_with(expected), "{written}: {told}");
    }
    for value in ["secret", "secrets", "secrets: all", "secretly", "a secret://db", ""] {
        let set = variables([("APP__DATABASE__PASSWORD", value)]);
        let password = layers().variables("APP", set).load().unwrap().settings.database.password;
        assert!(password.is_inline(), "{value}");
    }
}
