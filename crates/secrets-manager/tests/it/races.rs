//! Real threads, real time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{Secret, SecretName, SecretProvider, SecretProviderExt, SetOptions};
use secrets_manager::{Alias, CachePolicy, SecretManager};

use crate::support::{
    NAME, Running, Scripted, millis, policy, reference, secs, text, value, version,
};

fn hasty() -> CachePolicy {
    policy()
        .with_ttl(millis(20))
        .with_stale_while_revalidate(millis(5))
        .with_stale_if_error(secs(5))
        .with_negative_ttl(millis(1))
}

/// Goes on for `least`, and until all that counts something has counted, however slow the machine is.
struct Turns {
    begun: Instant,
    least: Duration,
    counts: Vec<AtomicU64>,
}

impl Turns {
    fn new(least: Duration, counts: usize) -> Arc<Self> {
        let counts = (0..counts).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { begun: Instant::now(), least, counts })
    }

    fn count(&self, at: usize) {
        self.counts[at].fetch_add(1, Ordering::SeqCst);
    }

    fn go_on(&self) -> bool {
        let took = self.begun.elapsed();
        took < self.least || (took < secs(60) && self.idle().is_some())
    }

    /// One that has counted nothing.
    fn idle(&self) -> Option<usize> {
        self.counts.iter().position(|count| count.load(Ordering::SeqCst) == 0)
    }
}

fn number(secret: &Secret) -> u64 {
    text(secret).parse().unwrap()
}

/// `{"n":"7"}`, or the field of it.
fn number_in(secret: &Secret) -> u64 {
    match secret.value.json_field("n") {
        Ok(field) => field.expose_secret_text().unwrap().parse().unwrap(),
        Err(_) => number(secret),
    }
}

/// What was written before a read began is what the read gives, or something newer: by handle, by
/// name, by an alias of a field, checked or not, while refreshes, invalidations and hints are under
/// way all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_read_gives_what_was_written_before_it_or_newer() {
    for personality in Personality::ALL {
        let provider = MemoryProvider::builder(personality).announce_changes().build().unwrap();
        provider.put_text(NAME, r#"{"n":"0"}"#).await.unwrap();
        let alias = Alias::new(reference(NAME)).with_field("n");
        let builder = SecretManager::builder(provider).policy(hasty());
        let manager = builder.alias(SecretName::new("n").unwrap(), alias).build().unwrap();
        let running = Running::start(&manager).await;
        let (written, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let turns = Turns::new(millis(700), 6);
        let mut readers = Vec::new();
        for (reader, name) in (0..6).zip([NAME, NAME, NAME, "n", "n", "n"]) {
            let (manager, written, done) =
                (manager.clone(), Arc::clone(&written), Arc::clone(&done));
            let turns = Arc::clone(&turns);
            readers.push(tokio::spawn(async move {
                let handle = manager.handle(name).await.unwrap();
                let mut reads = 0_u64;
                while !done.load(Ordering::SeqCst) {
                    let before = written.load(Ordering::SeqCst);
                    let read = match reader % 3 {
                        0 => Some(number_in(handle.load().secret().unwrap())),
                        1 => manager.try_get(name).map(|hit| number_in(hit.secret())),
                        _ => Some(number_in(&manager.get(name).await.unwrap())),
                    };
                    if let Some(read) = read {
                        assert!(read >= before, "reader {reader} got {read} after {before}");
                        reads += 1;
                        turns.count(reader);
                    }
                    if read.is_none() || reads.is_multiple_of(16) {
                        tokio::task::yield_now().await;
                    }
                }
            }));
        }
        let mut next = 0;
        while turns.go_on() || next <= 20 {
            next += 1;
            let value = format!(r#"{{"n":"{next}"}}"#);
            manager.cached().put_text(NAME, &value).await.unwrap();
            written.store(next, Ordering::SeqCst);
            match next % 7 {
                0 => manager.invalidate(&reference(NAME)),
                3 => tokio::time::sleep(millis(1)).await,
                _ => tokio::task::yield_now().await,
            }
        }
        done.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.await.unwrap();
        }
        assert_eq!(turns.idle(), None, "each reader has read");
        drop(running);
    }
}

/// Names come and go under the readers: who finds something finds what belongs to the name.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_hit_is_always_of_its_own_name() {
    let provider = MemoryProvider::new(Personality::Google);
    let names: Vec<_> = (0..64).map(|number| format!("name-{number}")).collect();
    for name in &names {
        provider.put_text(name, name).await.unwrap();
    }
    let policy = hasty().with_max_entries(9.try_into().unwrap());
    let manager = SecretManager::builder(provider).policy(policy).build().unwrap();
    let running = Running::start(&manager).await;
    let done = Arc::new(AtomicBool::new(false));
    let turns = Turns::new(secs(1), 2);
    let mut readers = Vec::new();
    for reader in 0..2 {
        let (manager, names, done) = (manager.clone(), names.clone(), Arc::clone(&done));
        let turns = Arc::clone(&turns);
        readers.push(std::thread::spawn(move || {
            while !done.load(Ordering::SeqCst) {
                for name in names.iter().skip(reader) {
                    if let Some(hit) = manager.try_get(name) {
                        assert_eq!(text(hit.secret()), *name);
                        turns.count(reader);
                    }
                }
            }
        }));
    }
    let mut at = 0;
    while turns.go_on() {
        at = (at + 7) % names.len();
        let secret = manager.get(&names[at]).await.unwrap();
        assert_eq!(text(&secret), names[at]);
        assert!(manager.usage().entries <= 9);
    }
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.join().unwrap();
    }
    assert_eq!(turns.idle(), None, "each reader has hit something");
    drop(running);
}

/// Run futures come and go; handles are taken and dropped; nothing gets stuck.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn run_futures_come_and_go() {
    let provider = Scripted::new(|call, _| async move {
        tokio::time::sleep(Duration::from_micros(200)).await;
        Ok(version(&format!("v{call}")))
    });
    let manager = SecretManager::builder(provider).policy(hasty()).build().unwrap();
    let kept = manager.handle("kept").await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let mut users = Vec::new();
    for user in 0..3 {
        let (manager, done) = (manager.clone(), Arc::clone(&done));
        users.push(tokio::spawn(async move {
            while !done.load(Ordering::SeqCst) {
                let name = format!("user-{user}");
                let mut handle = manager.handle(&name).await.unwrap();
                assert!(handle.load().secret().is_some());
                let _ = tokio::time::timeout(millis(2), handle.changed()).await;
                assert!(manager.get("kept").await.is_ok());
            }
        }));
    }
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1) {
        let run = tokio::spawn(manager.run());
        tokio::time::sleep(millis(15)).await;
        run.abort();
        assert!(run.await.unwrap_err().is_cancelled());
        assert!(!kept.load().is_fresh(), "{:?}", kept.load());
    }
    let running = Running::start(&manager).await;
    tokio::time::sleep(millis(100)).await;
    done.store(true, Ordering::SeqCst);
    for user in users {
        user.await.unwrap();
    }
    let begun = Instant::now();
    while !kept.load().is_fresh() {
        assert!(begun.elapsed() < secs(60), "{:?}", kept.load());
        tokio::time::sleep(millis(1)).await;
    }
    drop(running);
}

/// A derivation that uses the manager from within a publish does not deadlock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_derivation_may_use_the_manager() {
    let provider = MemoryProvider::new(Personality::Aws);
    provider.put_text(NAME, "0").await.unwrap();
    let manager = SecretManager::builder(provider).policy(hasty()).build().unwrap();
    let running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let inner = manager.clone();
    let derived = handle.live().map(move |state| {
        let _ = inner.try_get(NAME);
        let _ = inner.usage();
        inner.invalidate(&reference("another"));
        state.secret().map(number)
    });
    for next in 1..50 {
        let (name, value) = (reference(NAME), value(&next.to_string()));
        let put = manager.cached().set_secret(&name, value, SetOptions::new());
        tokio::time::timeout(secs(60), put).await.unwrap().unwrap();
    }
    let begun = Instant::now();
    while *derived.load() != Some(49) {
        assert!(begun.elapsed() < secs(60));
        tokio::time::sleep(millis(1)).await;
    }
    drop(running);
}
