//! The README's table of states, row by row: what each way to read gives.

use secrets_core::{Secret, SecretName, SecretState};
use secrets_manager::{Alias, SecretHandle, SecretManager, SecretManagerBuilder, Unusable};
use std::sync::Arc;

use crate::support::{
    self, NAME, Running, Scripted, Wall, absent, build, builder, noon, pass, reference, secs,
    settle, text, unavailable, value,
};

/// The secret by its own name, and a field of it by an alias.
const NAMES: [&str; 2] = [NAME, "db-field"];

type Handles = [SecretHandle; 2];

/// `v1` is a JSON object with `v1` in it.
fn version(id: &str) -> Secret {
    let mut secret = support::version(id);
    secret.value = value(&format!(r#"{{"field":"{id}"}}"#));
    secret
}

fn told(secret: &Secret) -> String {
    match secret.value.json_field("field") {
        Ok(field) => field.expose_secret_text().unwrap().to_owned(),
        Err(_) => text(secret),
    }
}

/// In the order of the columns: `load`, `load_checked`, `try_get`, `get`. Both names give the same.
async fn seen(manager: &SecretManager, handles: &Handles) -> [String; 4] {
    let loaded = [loaded(manager, NAMES[0], &handles[0]), loaded(manager, NAMES[1], &handles[1])];
    let mut rows = Vec::new();
    for (name, [loaded, checked, hit]) in NAMES.into_iter().zip(loaded) {
        let got = manager.get(name).await.map(|secret| told(&secret));
        let got = got.unwrap_or_else(|error| format!("{:?}", error.kind()));
        rows.push([loaded, checked, hit, got]);
    }
    assert_eq!(rows[0], rows[1], "an alias is as good as the name");
    rows.remove(0)
}

fn loaded(manager: &SecretManager, name: &str, handle: &SecretHandle) -> [String; 3] {
    let value = |state: &SecretState| state.secret().map(told).unwrap_or_default();
    let loaded = handle.load();
    let why = |unusable: Unusable| unusable.kind().as_str().to_owned();
    let checked = handle.load_checked().map_or_else(why, |state| value(&state));
    let hit = manager.try_get(name).map(|hit| match hit.stale_since() {
        None => told(hit.secret()),
        Some(_) => format!("{}, stale", told(hit.secret())),
    });
    let loaded = format!("{}: {}", loaded.as_str(), value(&loaded));
    [loaded, checked, hit.unwrap_or("nothing".to_owned())]
}

async fn handles(manager: &SecretManager) -> Handles {
    [manager.handle(NAMES[0]).await.unwrap(), manager.handle(NAMES[1]).await.unwrap()]
}

fn aliased(builder: SecretManagerBuilder) -> SecretManager {
    let field = Alias::new(reference(NAME)).with_field("field");
    builder.alias(SecretName::new(NAMES[1]).unwrap(), field).build().unwrap()
}

/// Answers `v1`, and from the second call on as it is told.
fn then(answer: fn(u64) -> secrets_core::Result<Secret>) -> Scripted {
    Scripted::new(
        move |call, _| async move { if call == 1 { Ok(version("v1")) } else { answer(call) } },
    )
}

async fn running(provider: Scripted) -> (SecretManager, Running, Handles) {
    let manager = aliased(builder(provider).clock(Arc::new(Wall::new())));
    let running = Running::start(&manager).await;
    let handles = handles(&manager).await;
    (manager, running, handles)
}

#[tokio::test(start_paused = true)]
async fn fresh_and_stale() {
    let (manager, _running, handle) = running(then(|_| Err(unavailable()))).await;
    assert_eq!(seen(&manager, &handle).await, ["fresh: v1", "v1", "v1", "v1"]);
    for _ in 0..10 {
        pass(secs(99)).await; // until 990 s
    }
    assert_eq!(seen(&manager, &handle).await, ["stale: v1", "v1", "v1, stale", "v1"]);
    pass(secs(111)).await; // 1,101 s
    let row = ["stale: v1", "too stale", "nothing", "Unavailable"];
    assert_eq!(seen(&manager, &handle).await, row, "the last error");

    let (manager, _running, handle) = running(then(|_| panic!("on purpose"))).await;
    pass(secs(101)).await;
    assert_eq!(seen(&manager, &handle).await, ["stale: v1", "v1", "v1, stale", "v1"]);
}

#[tokio::test(start_paused = true)]
async fn assumed_to_have_changed() {
    for answers in [false, true] {
        let provider = Scripted::new(move |call, _| async move {
            if call > 1 {
                tokio::time::sleep(secs(if answers { 2 } else { 60 })).await;
            }
            Ok(version(&format!("v{call}")))
        });
        let (manager, _running, handle) = running(provider).await;
        manager.invalidate(&reference(NAME));
        let last = if answers { "v2" } else { "v1" };
        assert_eq!(seen(&manager, &handle).await, ["stale: v1", "v1", "nothing", last]);
    }
}

#[tokio::test(start_paused = true)]
async fn gone() {
    let (manager, _running, handle) = running(then(|_| Err(absent()))).await;
    pass(secs(81)).await;
    assert_eq!(seen(&manager, &handle).await, ["gone: v1", "gone", "nothing", "NotFound"]);
}

#[tokio::test(start_paused = true)]
async fn invalid() {
    let expiring = || async {
        let mut secret = version("v1");
        secret.version.expires = Some(noon() + secs(50));
        Ok(secret)
    };
    let provider = Scripted::new(move |_, _| expiring());
    let (manager, _running, handle) = running(provider.clone()).await;
    pass(secs(51)).await;
    assert_eq!(seen(&manager, &handle).await, ["invalid: v1", "expired", "nothing", "Expired"]);
    assert_eq!(provider.calls(), 3, "at first, ahead of the expiry, and after it");

    let early = || async {
        let mut secret = version("v2");
        secret.version.not_before = Some(noon() + secs(500));
        Ok(secret)
    };
    let provider = Scripted::new(move |call, _| async move {
        if call == 1 { Ok(version("v1")) } else { early().await }
    });
    let (manager, _running, handle) = running(provider).await;
    pass(secs(81)).await;
    let row = ["invalid: v2", "not yet valid", "nothing", "NotYetValid"];
    assert_eq!(seen(&manager, &handle).await, row);
}

#[tokio::test(start_paused = true)]
async fn orphaned() {
    let provider = then(|call| Ok(version(&format!("v{call}"))));
    let manager = aliased(builder(provider));
    let handle = handles(&manager).await;
    assert_eq!(seen(&manager, &handle).await, ["orphaned: v1", "v1", "nothing", "v1"]);
    pass(secs(101)).await;
    assert_eq!(seen(&manager, &handle).await, ["orphaned: v1", "v1", "nothing", "v2"], "after ttl");
    pass(secs(1_101)).await;
    assert_eq!(seen(&manager, &handle).await, ["orphaned: v2", "orphaned", "nothing", "v3"]);

    let provider = then(|call| Ok(version(&format!("v{call}"))));
    let (manager, running, handle) = running(provider).await;
    running.stop().await;
    assert_eq!(seen(&manager, &handle).await, ["orphaned: v1", "v1", "nothing", "v1"]);
}

#[test]
fn stalled() {
    let paused = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    };
    let provider = then(|call| Ok(version(&format!("v{call}"))));
    let manager = aliased(builder(provider));
    let stalled = paused();
    let held = stalled.block_on(async {
        tokio::spawn(manager.run());
        settle().await;
        handles(&manager).await
    });
    // Nobody drives that runtime from here on, and its time stands still.
    let other = paused();
    other.block_on(async {
        tokio::time::advance(secs(50)).await;
        let row = seen(&manager, &held).await;
        assert_eq!(row, ["fresh: v1", "stalled", "v1", "v1"]);
        tokio::time::advance(secs(80)).await;
        let row = seen(&manager, &held).await;
        assert_eq!(row, ["fresh: v1", "stalled", "v1", "v2"], "asked for by the reader itself");
    });
}

/// Only the caller of a write knows how long it may take.
#[tokio::test(start_paused = true)]
async fn a_write_has_no_limit_and_no_net() {
    use futures_util::FutureExt;
    use secrets_core::memory::{Fault, FaultRule, Faults, Gate, Personality};
    use secrets_core::{Operation, SecretProviderExt};
    let provider = support::memory(Personality::Aws).await;
    let gate = Gate::new();
    let hang = FaultRule::new(Fault::Hang(gate.clone())).on(Operation::SetSecret);
    provider.inject(Faults::seeded(0).with(hang)).unwrap();
    let manager = build(provider);
    let cached = manager.cached();
    let mut write = std::pin::pin!(cached.put_text(NAME, "two"));
    assert!(tokio::time::timeout(secs(3_600), &mut write).await.is_err());
    gate.open();
    assert!(write.now_or_never().is_some_and(|written| written.is_ok()));
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "two");
}
