//! What holds for every personality.

use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{
    ErrorKind, GetOptions, Precondition, SecretProvider, SetOptions, Stage, VersionSelector,
};

use super::support::{get, kind, name, set, set_pending, text, token, value};

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
