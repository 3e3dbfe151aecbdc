//! Many users at once, hints at changes, and what is printed.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::num::NonZeroU32;
use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use secrets_core::memory::{Fault, FaultRule, Faults, Gate, MemoryProvider, Personality};
use secrets_core::{
    MetadataPatch, Operation, SecretFilter, SecretProvider, SecretProviderExt, SetOptions,
    VersionSelector,
};

use super::support::{drain, get, name, set, set_pending, text, token, value};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_reads_at_once() {
    for personality in Personality::ALL {
        let provider = MemoryProvider::new(personality);
        let db = name("db");
        set(&provider, &db, "0").await;
        // Between the requests of a read others get their turn.
        let rule = FaultRule::new(Fault::Yield).step(NonZeroU32::new(2).unwrap());
        provider.inject(Faults::seeded(0).with(rule)).unwrap();
        let reads: Vec<_> = (0..10_000)
            .map(|_| {
                let (provider, db) = (provider.clone(), db.clone());
                tokio::spawn(async move { get(&provider, &db, VersionSelector::Current).await })
            })
            .collect();
        for number in 1..20 {
            set(&provider, &db, &number.to_string()).await;
        }
        let written: BTreeSet<String> = (0..20).map(|number| number.to_string()).collect();
        for read in reads {
            let secret = read.await.unwrap().unwrap();
            assert!(written.contains(text(&secret)));
        }
        assert_eq!(provider.calls(Operation::GetSecret), 10_000);
        let current = get(&provider, &db, VersionSelector::Current).await.unwrap();
        assert_eq!(text(&current), "19", "{personality:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_once_lose_nothing() {
    for personality in Personality::ALL {
        let provider = MemoryProvider::new(personality);
        let db = name("db");
        set(&provider, &db, "first").await;
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let (provider, db) = (provider.as_identity(&writer.to_string()), db.clone());
                tokio::spawn(async move {
                    let mut ids = Vec::new();
                    for number in 0..10 {
                        let text = format!("{writer}.{number}");
                        // On Google somebody else's change of the metadata is tried again a few
                        // times, and then the caller's turn.
                        let info = loop {
                            let options = SetOptions::new().with_token(token(writer * 10 + number));
                            match provider.set_secret(&db, value(&text), options).await {
                                Ok(info) => break info,
                                Err(error) => assert!(error.is_transient(), "{error}"),
                            }
                        };
                        ids.push(info.id);
                    }
                    ids
                })
            })
            .collect();
        let mut ids = BTreeSet::new();
        for writer in writers {
            ids.extend(writer.await.unwrap());
        }
        assert_eq!(ids.len(), 80, "{personality:?}");
        assert_eq!(drain(provider.versions(db)).await.unwrap().len(), 81, "{personality:?}");
    }
}

#[tokio::test]
async fn changes_are_announced_to_every_listener() {
    for personality in Personality::ALL {
        let quiet = MemoryProvider::new(personality);
        assert!(quiet.changes().is_none());
        assert!(!quiet.capabilities().changes.is_available());

        let provider = MemoryProvider::builder(personality).announce_changes().build().unwrap();
        assert!(provider.capabilities().changes.is_available());
        let (mut first, mut second) = (provider.changes().unwrap(), provider.changes().unwrap());
        assert!(first.next().now_or_never().is_none());
        let db = name("db");
        set(&provider, &db, "one").await;
        provider.outside().write(&db, value("two")).unwrap();
        get(&provider, &db, VersionSelector::Current).await.unwrap();
        for listener in [&mut first, &mut second] {
            for _ in 0..2 {
                let hint = listener.next().now_or_never().flatten().unwrap();
                assert_eq!(hint.reference.as_ref(), Some(&db));
            }
            assert!(listener.next().now_or_never().is_none());
        }
        // One that does not listen is told once that anything may have changed.
        drop(second);
        for number in 0..1100 {
            provider.outside().write(&db, value(&number.to_string())).unwrap();
        }
        assert_eq!(first.next().now_or_never().flatten().unwrap().reference, None);
        // A listener that waits is woken, and hears of the end.
        let waiting = tokio::spawn(async move { first.collect::<Vec<_>>().await.len() });
        tokio::task::yield_now().await;
        set(&provider, &db, "last").await;
        drop(provider);
        assert!(waiting.await.unwrap() > 0);
    }
}

/// The events of a cloud do not wait for whoever made the change.
#[tokio::test]
async fn a_write_that_is_dropped_half_way_is_announced() {
    for personality in Personality::ALL {
        let provider = MemoryProvider::builder(personality).announce_changes().build().unwrap();
        let db = name("db");
        let base = set(&provider, &db, "one").await;
        let pending = set_pending(&provider, &db, "two").await;
        let mut hints = provider.changes().unwrap();
        // Hangs at each request in turn; the last ones of a promotion come after readers see it.
        let mut announced = 0;
        for step in 1..=16 {
            let hang =
                FaultRule::new(Fault::Hang(Gate::new())).step(NonZeroU32::new(step).unwrap());
            provider.inject(Faults::seeded(0).with(hang)).unwrap();
            let promoting = token(1);
            let promotion = provider.promote(&db, &pending, &base, &promoting);
            if promotion.now_or_never().is_some() {
                break;
            }
            let shown = provider.outside().read(&db).unwrap();
            let hint = hints.next().now_or_never().flatten();
            if text(&shown) == "two" && announced == 0 {
                assert_eq!(hint.and_then(|hint| hint.reference), Some(db.clone()));
                announced += 1;
            }
        }
        assert_eq!(announced, 1, "{personality:?}: no step came after the change");
    }
}

/// A listener that listens anew when it is woken, as an inline executor has it.
struct Relisten(MemoryProvider);

impl std::task::Wake for Relisten {
    fn wake(self: Arc<Self>) {
        drop(self.0.changes());
    }
}

#[test]
fn whoever_is_woken_may_listen_at_once() {
    let personality = Personality::Aws;
    let provider = MemoryProvider::builder(personality).announce_changes().build().unwrap();
    let mut hints = provider.changes().unwrap();
    let waker = std::task::Waker::from(Arc::new(Relisten(provider.clone())));
    let mut context = std::task::Context::from_waker(&waker);
    assert!(hints.poll_next_unpin(&mut context).is_pending());
    let (told, done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        provider.outside().write(&name("db"), value("one")).unwrap();
        provider.outside().delete_named("db").unwrap();
        told.send(()).unwrap();
    });
    done.recv_timeout(std::time::Duration::from_secs(60)).expect("no deadlock");
    // The write and the deletion.
    assert!(hints.next().now_or_never().flatten().is_some());
    assert!(hints.next().now_or_never().flatten().is_some());
}

const CANARY: &str = "canary-7f3b9a-do-not-print";

/// Everything that is printed of everything, error chains included.
async fn printed(provider: &MemoryProvider) -> String {
    let db = name("db");
    let mut printed = Vec::new();
    let current = get(provider, &db, VersionSelector::Current).await;
    printed.push(format!("{provider:?} {:?} {current:?}", provider.outside()));
    for entry in provider.log() {
        printed.push(format!("{entry:?} {entry}"));
    }
    printed.push(format!("{:?}", provider.describe_secret(&db).await));
    printed.push(format!("{:?}", drain(provider.secrets(SecretFilter::all())).await));
    printed.push(format!("{:?}", drain(provider.versions(db.clone())).await));
    let unfit = MetadataPatch::new().tag("mainstay-x", "v").tag("aws:x", "v");
    let failures = [
        provider.set_secret(&db, value(&CANARY.repeat(3000)), SetOptions::new()).await,
        provider.set_secret(&db, value(CANARY), SetOptions::new().with_metadata(unfit)).await,
        provider.set_secret(&db, value(CANARY), SetOptions::new().with_token(token(1))).await,
    ];
    for failure in failures {
        let error = failure.unwrap_err();
        printed.push(format!("{error:?} {error}"));
        let mut source = error.source();
        while let Some(cause) = source {
            printed.push(format!("{cause:?} {cause}"));
            source = cause.source();
        }
    }
    printed.join("\n")
}

#[tokio::test]
async fn no_value_is_ever_printed() {
    for personality in Personality::ALL {
        let provider = MemoryProvider::new(personality);
        let db = name("db");
        let first = SetOptions::new().with_token(token(1));
        provider.set_secret(&db, value("other"), first).await.unwrap();
        set(&provider, &db, CANARY).await;
        set_pending(&provider, &db, CANARY).await;
        let printed = printed(&provider).await;
        assert!(printed.len() > 1000, "{printed}");
        assert!(!printed.contains("canary"), "{personality:?}: {printed}");
        // The same as bytes, as derived formatting shows them.
        assert!(!printed.contains("99, 97, 110, 97, 114, 121"), "{personality:?}: {printed}");
    }
}

#[test]
fn a_provider_is_what_a_service_needs_it_to_be() {
    fn usable<T: Clone + Send + Sync + std::fmt::Debug + 'static>() {}
    usable::<MemoryProvider>();
    usable::<secrets_core::memory::Outside>();
    let _: Arc<dyn SecretProvider> = Arc::new(MemoryProvider::new(Personality::Aws));
    for personality in Personality::ALL {
        let provider = MemoryProvider::new(personality);
        assert_eq!(provider.name_rules().problems(), Vec::<&str>::new());
        assert_eq!(provider.id().to_string(), format!("memory:{}", personality.as_str()));
    }
}
