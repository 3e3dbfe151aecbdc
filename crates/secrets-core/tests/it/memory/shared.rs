//! What holds for every personality.

use std::time::Duration;

use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{
    ErrorKind, GetOptions, Precondition, SecretProvider, SetOptions, Stage, VersionSelector,
};

use super::support::{get, kind, manual, name, set, set_pending, text, token, value};

#[tokio::test]
async fn pending_is_promoted_and_never_seen_from_outside() {
    for personality in Personality::ALL {
        let provider = MemoryProvider::new(personality);
        let (db, outside) = (name("billing/db"), provider.outside());
        let first = set(&provider, &db, "one").await;
        let second = set_pending(&provider, &db, "two").await;

        assert_eq!(text(&get(&provider, &db, VersionSelector::Current).await.unwrap()), "one");
        let pending = get(&provider, &db, VersionSelector::Pending).await.unwrap();
        assert_eq!((text(&pending), &pending.version.id), ("two", &second));
        assert_eq!(text(&outside.read(&db).unwrap()), "one");

        let promoted = provider.promote(&db, &second, &first, &token(1)).await.unwrap();
        assert_eq!(promoted.previous.as_ref(), Some(&first), "{personality:?}");
        let current = get(&provider, &db, VersionSelector::Current).await.unwrap();
        assert_eq!((text(&current), &current.version.id), ("two", &promoted.current));
        let previous = get(&provider, &db, VersionSelector::Previous).await.unwrap();
        assert_eq!((text(&previous), &previous.version.id), ("one", &first));
        assert_eq!(kind(get(&provider, &db, VersionSelector::Pending).await), ErrorKind::NotFound);
        assert_eq!(text(&outside.read(&db).unwrap()), "two");

        // Repeating it with its token changes nothing.
        let again = provider.promote(&db, &second, &first, &token(1)).await.unwrap();
        assert_eq!(again, promoted, "{personality:?}");
        let info = provider.describe_secret(&db).await.unwrap();
        assert_eq!((info.current, info.previous), (Some(promoted.current), Some(first)));
        assert_eq!(info.pending, None);
    }
}

#[tokio::test]
async fn preconditions_hold() {
    for personality in Personality::ALL {
        let provider = MemoryProvider::new(personality);
        let db = name("db");
        let absent = || SetOptions::new().when(Precondition::Absent);
        let one = provider.set_secret(&db, value("one"), absent()).await.unwrap().id;
        let again = provider.set_secret(&db, value("two"), absent()).await;
        assert_eq!(kind(again), ErrorKind::AlreadyExists, "{personality:?}");

        let over = |base: &secrets_core::VersionId| {
            SetOptions::new().when(Precondition::CurrentIs(base.clone()))
        };
        let two = provider.set_secret(&db, value("two"), over(&one)).await.unwrap().id;
        let stale = provider.set_secret(&db, value("three"), over(&one)).await;
        assert_eq!(kind(stale), ErrorKind::Conflict, "{personality:?}");
        let current = provider.get_secret(&db, GetOptions::default()).await.unwrap();
        assert_eq!((text(&current), &current.version.id), ("two", &two));
    }
}

#[tokio::test]
async fn a_token_makes_repeating_a_write_harmless() {
    for personality in Personality::ALL {
        let provider = MemoryProvider::new(personality);
        let db = name("db");
        let with = |number| SetOptions::new().with_token(token(number));
        let one = provider.set_secret(&db, value("one"), with(1)).await.unwrap().id;
        let same = provider.set_secret(&db, value("one"), with(1)).await.unwrap().id;
        assert_eq!(one, same, "{personality:?}");
        let other = provider.set_secret(&db, value("other"), with(1)).await;
        assert_eq!(kind(other), ErrorKind::Conflict, "{personality:?}");

        let two = provider.set_secret(&db, value("two"), with(2)).await.unwrap().id;
        assert_ne!(one, two);
        // A late repetition of the first write does not bring its value back.
        let late = provider.set_secret(&db, value("one"), with(1)).await.unwrap();
        assert_eq!(late.id, one, "{personality:?}");
        assert!(late.stages.contains(Stage::Previous) && !late.stages.contains(Stage::Current));
        assert_eq!(text(&get(&provider, &db, VersionSelector::Current).await.unwrap()), "two");
    }
}

/// A token that was used does not make another pending value go away.
#[tokio::test]
async fn a_token_of_another_promotion_takes_no_pending_value_away() {
    for personality in Personality::ALL {
        for promoted_before in [false, true] {
            let provider = MemoryProvider::new(personality);
            let db = name("db");
            let mut base = set(&provider, &db, "one").await;
            if promoted_before {
                let pending = set_pending(&provider, &db, "two").await;
                base = provider.promote(&db, &pending, &base, &token(1)).await.unwrap().current;
            } else {
                let options = SetOptions::new().with_token(token(1));
                base = provider.set_secret(&db, value("two"), options).await.unwrap().id;
            }
            let pending = set_pending(&provider, &db, "three").await;
            let promoted = provider.promote(&db, &pending, &base, &token(1)).await;
            let shown = provider.outside().read(&db).unwrap();
            match promoted {
                Ok(promoted) => {
                    assert_eq!(text(&shown), "three", "{personality:?}");
                    assert_eq!(promoted.previous, Some(base), "{personality:?}");
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Conflict, "{personality:?}");
                    assert_eq!(text(&shown), "two", "{personality:?}");
                    let waits = get(&provider, &db, VersionSelector::Pending).await.unwrap();
                    assert_eq!((text(&waits), &waits.version.id), ("three", &pending));
                }
            }
        }
    }
}

/// Reads lag, and a write that looks something up on its way does not trip over the one before.
#[tokio::test]
async fn reads_lag_and_writes_follow_one_another() {
    for personality in Personality::ALL {
        let (builder, clock) = manual(personality);
        let lag = Duration::from_secs(8);
        let (provider, db) = (builder.propagation(lag).build().unwrap(), name("db"));
        let read = |selector| get(&provider, &db, selector);
        set(&provider, &db, "one").await;
        assert_eq!(kind(read(VersionSelector::Current).await), ErrorKind::NotFound);
        clock.advance(lag);
        let base = set(&provider, &db, "two").await;
        let pending = set_pending(&provider, &db, "three").await;
        provider.promote(&db, &pending, &base, &token(1)).await.unwrap();
        assert_eq!(text(&read(VersionSelector::Current).await.unwrap()), "one", "{personality:?}");
        assert_eq!(kind(read(VersionSelector::Pending).await), ErrorKind::NotFound);
        assert_eq!(text(&provider.outside().read(&db).unwrap()), "three");
        clock.advance(lag);
        assert_eq!(text(&read(VersionSelector::Current).await.unwrap()), "three");
        assert_eq!(text(&read(VersionSelector::Previous).await.unwrap()), "two", "{personality:?}");
    }
}

/// A secret without a version reads as absent, takes no pending value, and is finished by a write.
#[tokio::test]
async fn an_empty_secret_does_not_exist_yet() {
    for personality in Personality::ALL {
        let (provider, db) = (MemoryProvider::new(personality), name("db"));
        let outside = provider.outside();
        if personality == Personality::Azure {
            assert_eq!(kind(outside.create_empty(&db)), ErrorKind::Unsupported);
            continue;
        }
        outside.create_empty(&db).unwrap();
        assert_eq!(kind(get(&provider, &db, VersionSelector::Current).await), ErrorKind::NotFound);
        // On AWS the first version is current whatever label is asked for.
        let pending = provider.set_secret(&db, value("untested"), SetOptions::pending()).await;
        assert_eq!(kind(pending), ErrorKind::NotFound, "{personality:?}");
        assert_eq!(kind(outside.read(&db)), ErrorKind::NotFound, "{personality:?}");
        assert_eq!(provider.describe_secret(&db).await.unwrap().current, None);
        set(&provider, &db, "one").await;
        assert_eq!(text(&outside.read(&db).unwrap()), "one");
    }
}
