//! Secrets are wiped when the last reader lets go: no freed block holds one.

use std::hint::black_box;

use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{SecretName, SecretProviderExt, SecretValue};
use secrets_manager::lint::{Environment, Linter};
use secrets_manager::{Alias, Format, Pattern, SecretRules};

use crate::PROBE;
use crate::support::{
    NAME, Running, Scripted, build_with, builder, pass, policy, reference, secs, settle,
};

/// A provider that keeps nothing itself: it makes each value anew.
fn forgetful(canary: &'static [u8]) -> Scripted {
    Scripted::new(move |call, _| async move {
        let mut secret = crate::support::version(&format!("v{call}"));
        secret.value = SecretValue::copy_from_slice(canary);
        Ok(secret)
    })
}

#[tokio::test(start_paused = true)]
async fn rotated_values_are_wiped() {
    const CANARY: &[u8] = b"canary-rotated-5d1c";
    let scan = PROBE.scan_for(CANARY);
    let manager = build_with(forgetful(CANARY), policy());
    let running = Running::start(&manager).await;
    let mut handle = manager.handle(NAME).await.unwrap();
    for _ in 0..5 {
        let hit = manager.try_get(NAME).unwrap();
        handle.changed().await.unwrap();
        drop(hit);
    }
    manager.get("by-name").await.unwrap();
    pass(secs(5_000)).await; // nobody reads it any more
    running.stop().await;
    drop((handle, manager));
    assert!(scan.finish().is_clean());
}

#[tokio::test(start_paused = true)]
async fn evicted_and_invalidated_values_are_wiped() {
    const CANARY: &[u8] = b"canary-evicted-77a0";
    let scan = PROBE.scan_for(CANARY);
    let policy = policy().with_max_entries(3.try_into().unwrap());
    let manager = build_with(forgetful(CANARY), policy);
    let running = Running::start(&manager).await;
    for number in 0..20 {
        manager.get(&format!("name-{number}")).await.unwrap();
    }
    manager.invalidate_all();
    settle().await;
    running.stop().await;
    drop(manager);
    assert!(scan.finish().is_clean());
}

#[tokio::test(start_paused = true)]
async fn written_and_deleted_values_are_wiped() {
    const CANARY: &[u8] = b"canary-written-31fe";
    let scan = PROBE.scan_for(CANARY);
    let provider = MemoryProvider::new(Personality::Google);
    let manager = build_with(provider.clone(), policy());
    let running = Running::start(&manager).await;
    let cached = manager.cached();
    cached.put(NAME, SecretValue::copy_from_slice(CANARY)).await.unwrap();
    let handle = manager.handle(NAME).await.unwrap();
    cached.put_text(NAME, "another value").await.unwrap();
    cached.put(NAME, SecretValue::copy_from_slice(CANARY)).await.unwrap();
    use secrets_core::{DeleteMode, SecretProvider};
    cached.delete_secret(&reference(NAME), DeleteMode::Immediate).await.unwrap();
    settle().await;
    running.stop().await;
    drop((handle, manager, provider));
    assert!(scan.finish().is_clean());
}

/// Nothing of the manager is left when the run future ends by itself.
#[tokio::test(start_paused = true)]
async fn a_dropped_manager_leaves_nothing() {
    const CANARY: &[u8] = b"canary-dropped-e2b9";
    let scan = PROBE.scan_for(CANARY);
    let manager = build_with(forgetful(CANARY), policy());
    let running = Running::start(&manager).await;
    let live = manager.handle(NAME).await.unwrap().live();
    for number in 0..100 {
        manager.get(&format!("name-{number}")).await.unwrap();
    }
    drop(manager);
    drop(live);
    pass(secs(2)).await;
    assert!(running.is_finished());
    assert!(scan.finish().is_clean());
}

/// What is taken out of a value for an alias is wiped as the value itself: when it is replaced, when a
/// later value does not have it, and when nobody holds it any more.
#[tokio::test(start_paused = true)]
async fn fields_under_aliases_are_wiped() {
    const CANARY: &str = "canary-field-9b61";
    let scan = PROBE.scan_for(CANARY.as_bytes());
    let provider = Scripted::new(move |call, _| async move {
        let mut secret = crate::support::version(&format!("v{call}"));
        // Every third version lacks it.
        secret.value = match call % 3 {
            0 => SecretValue::copy_from_slice(br#"{"user":"app"}"#),
            _ => SecretValue::from_string(format!(r#"{{"call":{call},"field":"{CANARY}"}}"#)),
        };
        Ok(secret)
    });
    let target = || Alias::new(reference(NAME)).with_field("field");
    let manager = builder(provider)
        .alias(SecretName::new("held").unwrap(), target())
        .alias(SecretName::new("named").unwrap(), target())
        .build()
        .unwrap();
    let running = Running::start(&manager).await;
    let handle = manager.handle("held").await.unwrap();
    for _ in 0..7 {
        pass(secs(81)).await;
        let _ = manager.get("named").await;
        assert_eq!(handle.load().secret().unwrap().value.len(), CANARY.len());
    }
    drop(handle);
    let _ = manager.get("named").await;
    manager.invalidate(&reference("named"));
    let _ = manager.get("named").await;
    pass(secs(5_000)).await;
    running.stop().await;
    drop(manager);
    assert!(scan.finish().is_clean());
}

/// The same readers, holding copies that nobody wipes: the scan must see them.
#[tokio::test(start_paused = true)]
async fn the_scan_would_find_a_value_that_is_not_wiped() {
    const CANARY: &[u8] = b"canary-control-0c44";
    let scan = PROBE.scan_for(CANARY);
    let manager = build_with(forgetful(CANARY), policy());
    let running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let copied = handle
        .live()
        .map(|state| black_box(state.secret().map(|secret| secret.value.expose_secret().to_vec())));
    pass(secs(85)).await; // one rotation: the derived value is replaced
    running.stop().await; // orphaned: replaced again
    drop((copied, handle, manager));
    assert_eq!(scan.finish().sizes, [CANARY.len(); 3]);
}

#[test]
fn rules_leave_nothing_of_what_they_look_at() {
    const CANARY: &[u8] = b"canaryrules5d1c";
    let values: [&'static [u8]; 6] = [
        b"canaryrules5d1c",
        b"postgres://u:canaryrules5d1c@canaryrules5d1c.prod/canaryrules5d1c",
        b"{\"a\":\"canaryrules5d1c\",\"canaryrules5d1c\":\"\\u0061canaryrules5d1c\"}",
        b"{\"a\":canaryrules5d1c",
        b"-----BEGIN X-----\ncanaryrules5d1c\n-----END X-----",
        b"\"canaryrules5d1c\"",
    ];
    let scan = PROBE.scan_for(CANARY);
    for value in values {
        let value = SecretValue::copy_from_slice(value);
        for format in [Format::Text, Format::Pem, Format::Url, Format::Json] {
            let rules = SecretRules::new()
                .with_pattern(Pattern::new("(?i)[a-z]+(canary|rules)*").unwrap())
                .with_min_entropy_bits(400)
                .with_format(format);
            black_box(rules.violations(&value));
            black_box(rules.with_json_fields(["a", "b"]).violations(&value));
        }
    }
    assert!(scan.finish().is_clean());
}

#[test]
fn the_linter_leaves_nothing_of_what_it_looks_at() {
    const CANARY: &[u8] = b"canarylinted77a0";
    let values: [&'static [u8]; 5] = [
        b"canarylinted77a0\n",
        b"postgres://u:canarylinted77a0@canarylinted77a0.prod.x.y/canarylinted77a0",
        b"{\"password\":\"canarylinted77a0\",\"a\":\"\\u0061canarylinted77a0\"}",
        b"{\"password\":canarylinted77a0",
        b"sk_live_canarylinted77a0",
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings");
    let lines: &[u8] = b"password = canarylinted77a0\nurl: https://u:canarylinted77a0@h/\n";
    std::fs::write(&file, lines).unwrap();
    let scan = PROBE.scan_for(CANARY);
    let mut linter = Linter::new(Environment::Development);
    for (number, value) in values.into_iter().enumerate() {
        let mut secret = crate::support::version("v1");
        secret.value = SecretValue::copy_from_slice(value);
        linter.check_secret(&reference(&format!("s{number}")), &secret);
    }
    linter.check_settings_file(&file);
    assert!(linter.finish().findings().len() > 4);
    assert!(scan.finish().is_clean());
}
