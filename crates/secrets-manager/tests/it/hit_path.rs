//! What a hit costs: no allocation, and no clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use secrets_core::memory::Personality;
use secrets_core::{Clock, SecretName, SecretProviderExt};
use secrets_manager::{Alias, SecretManager};

use crate::PROBE;
use crate::support::{NAME, Running, build, builder, memory, noon, pass, policy, reference, secs};

#[tokio::test(start_paused = true)]
async fn hits_do_not_allocate() {
    read_without_allocating(&build(memory(Personality::Aws).await), NAME).await;
}

/// An alias costs no more than a name: its part was taken out of the value when that came.
#[tokio::test(start_paused = true)]
async fn hits_by_an_alias_do_not_allocate() {
    let provider = memory(Personality::Aws).await;
    provider.put_text(NAME, r#"{"user":"app","password":"one"}"#).await.unwrap();
    let (field, whole) = (SecretName::new("password").unwrap(), SecretName::new("db").unwrap());
    let manager = builder(provider)
        .alias(field.clone(), Alias::new(reference(NAME)).with_field("password"))
        .alias(whole, Alias::new(&field))
        .build()
        .unwrap();
    for name in ["password", "db"] {
        read_without_allocating(&manager, name).await;
    }
}

async fn read_without_allocating(manager: &SecretManager, name: &str) {
    let _running = Running::start(manager).await;
    let handle = manager.handle(name).await.unwrap();
    let read = || {
        let hit = manager.try_get(name).unwrap();
        let state = handle.load();
        let checked = handle.load_checked().unwrap();
        hit.value().len()
            + state.secret().unwrap().value.len()
            + checked.secret().unwrap().value.len()
    };
    read();
    let (read, counts) = PROBE.count(|| (0..1_000).map(|_| read()).sum::<usize>());
    assert_eq!((read, counts.allocations), (9_000, 0));
    let (missed, counts) = PROBE.count(|| manager.try_get("not/there").is_none());
    assert_eq!((missed, counts.allocations), (true, 0));
}

#[tokio::test(start_paused = true)]
async fn stale_hits_do_not_allocate_either() {
    let manager = build(memory(Personality::Aws).await);
    let _running = Running::start(&manager).await;
    manager.get(NAME).await.unwrap();
    pass(secs(110)).await;
    let (hit, counts) = PROBE.count(|| manager.try_get(NAME).unwrap());
    assert!(hit.stale_since().is_some());
    assert_eq!(counts.allocations, 0);
}

#[derive(Debug, Default)]
struct Counting(Arc<AtomicU64>);

impl Clock for Counting {
    fn now(&self) -> SystemTime {
        self.0.fetch_add(1, Ordering::SeqCst);
        noon()
    }
}

#[tokio::test(start_paused = true)]
async fn unchecked_reads_do_not_read_the_clock() {
    let clock = Counting::default();
    let looks = Arc::clone(&clock.0);
    let provider = memory(Personality::Aws).await;
    let manager = builder(provider).policy(policy()).clock(Arc::new(clock)).build().unwrap();
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let before = looks.load(Ordering::SeqCst);
    for _ in 0..100 {
        assert!(manager.try_get(NAME).is_some() && handle.load().is_fresh());
    }
    assert_eq!(looks.load(Ordering::SeqCst), before);
}
