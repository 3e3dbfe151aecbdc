//! Names of the application's own: one entry and one call for all of a secret's, and what each may do.

use std::sync::Arc;

use futures_util::StreamExt;
use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{
    Change, ChangeHint, DeleteMode, Effect, ErrorKind, GetOptions, IdempotencyKey, MetadataPatch,
    NativeId, Operation, PageRequest, Precondition, Result, Secret, SecretFilter, SecretName,
    SecretProvider, SecretProviderExt, SecretRef, SecretReference, SecretResolver, SetOptions,
    VersionId, VersionSelector, VersionState,
};
use secrets_manager::audit_log::{Action, AuditLog, Event, MemorySink};
use secrets_manager::{
    Alias, BuildError, SecretManager, SecretManagerBuilder, UnusableKind, repeatable, with_secret,
};

use crate::resource::{Resource, classify};
use crate::shelf::{Entry, Shelf};
use crate::support::{
    NAME, Running, Scripted, TokioSleep, Wall, absent, builder, noon, pass, policy, reference,
    secs, settle, text, unavailable, value, version,
};

fn name(name: &str) -> SecretName {
    SecretName::new(name).unwrap()
}

fn whole() -> Alias {
    Alias::new(reference(NAME))
}

fn field(field: &str) -> Alias {
    whole().with_field(field)
}

/// `db` is all of it, `db-user` and `db-password` are fields, `db-before` is the version before.
fn aliased(builder: SecretManagerBuilder) -> SecretManager {
    builder
        .alias(name("db"), whole())
        .alias(name("db-user"), field("user"))
        .alias(name("db-password"), field("password"))
        .alias(name("db-before"), whole().with_version(VersionSelector::Previous))
        .build()
        .unwrap()
}

fn json(password: &str) -> String {
    format!(r#"{{"user":"app","password":"{password}"}}"#)
}

/// A store with the current value `one`.
async fn store(personality: Personality) -> MemoryProvider {
    let builder = MemoryProvider::builder(personality).sleeper(Arc::new(TokioSleep));
    let provider = builder.announce_changes().build().unwrap();
    provider.put_text(NAME, &json("one")).await.unwrap();
    provider
}

async fn got(manager: &SecretManager, name: &str) -> Result<String> {
    manager.get(name).await.map(|secret| text(&secret))
}

fn hit(manager: &SecretManager, name: &str) -> Option<String> {
    manager.try_get(name).map(|hit| text(hit.secret()))
}

/// Answers documents by the number of the call; versions are numbered too.
fn documents(document: impl Fn(u64) -> String + Send + Sync + 'static) -> Scripted {
    let document = Arc::new(document);
    Scripted::new(move |call, _| {
        let mut secret = version(&call.to_string());
        secret.value = value(&document(call));
        async move { Ok(secret) }
    })
}

#[tokio::test(start_paused = true)]
async fn all_names_of_a_secret_are_one_entry_and_one_call() {
    let provider = store(Personality::Aws).await;
    let manager = aliased(builder(provider.clone()));
    let _running = Running::start(&manager).await;
    assert_eq!(got(&manager, "db-password").await.unwrap(), "one");
    assert_eq!(hit(&manager, "db-user").unwrap(), "app", "found along with the other");
    for name in ["db", NAME] {
        assert_eq!(hit(&manager, name).unwrap(), json("one"));
        assert_eq!(got(&manager, name).await.unwrap(), json("one"));
    }
    let first = manager.handle("db-user").await.unwrap();
    let other = manager.handle("db").await.unwrap();
    assert_eq!((first.reference(), other.reference()), (&reference(NAME), &reference(NAME)));
    assert_eq!((provider.calls(Operation::GetSecret), manager.usage().entries), (1, 1));
    assert_eq!(manager.usage().pinned, 1);
}

/// Whoever comes first: one question in the batch, one answer for each who asked.
#[tokio::test(start_paused = true)]
async fn a_batch_asks_once_for_all_names_of_a_secret() {
    for batches in [false, true] {
        let shelf = Shelf::new("one").able(|c| {
            c.batch = if batches { secrets_core::Support::Native } else { c.batch };
        });
        shelf.put(NAME, Entry::current(r#"{"user":"app"}"#));
        shelf.put("other", Entry::current("x"));
        let manager = aliased(builder(shelf.clone()));
        let names = ["db-user", "other", NAME, "db-password", "db", "db-user", "db-none"];
        let wanted = names.map(|name| (reference(name), GetOptions::default()));
        let answers = manager.cached().get_secrets(&wanted).await.unwrap();
        let told = |answer: &Result<Secret>| match answer {
            Ok(secret) => text(secret),
            Err(error) => error.to_string(),
        };
        let told: Vec<_> = answers.iter().map(told).collect();
        let document = r#"{"user":"app"}"#;
        let no_field = "get_secret: not found: no such field in the secret";
        let want = ["app", "x", document, no_field, document, "app"];
        assert_eq!(told[..6], want);
        let asked: Vec<_> = shelf.calls().into_iter().flat_map(|(_, names)| names).collect();
        assert_eq!(asked, [NAME, "other", "db-none"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_is_seen_under_every_name_at_once() {
    for personality in Personality::ALL {
        for through in [NAME, "db"] {
            let manager = aliased(builder(store(personality).await));
            let _running = Running::start(&manager).await;
            let names = ["db-password", "db", NAME];
            let mut handles = Vec::new();
            for name in names {
                handles.push(manager.handle(name).await.unwrap());
            }
            let follower = handles[0].live().map(|state| state.secret().map(text));
            let cached = manager.cached();
            let written = cached.put_text(through, &json("two")).await.unwrap();
            let want = ["two".to_owned(), json("two"), json("two")];
            for ((name, handle), want) in names.iter().zip(&handles).zip(want) {
                assert_eq!(hit(&manager, name).unwrap(), want);
                let (shown, checked) = (handle.load(), handle.load_checked().unwrap());
                assert_eq!(text(shown.secret().unwrap()), want);
                assert_eq!(checked.secret().unwrap().version.id, written.id);
                assert!(shown.is_fresh());
                assert_eq!(got(&manager, name).await.unwrap(), want);
            }
            assert_eq!(*follower.load(), Some("two".to_owned()));
        }
    }
}

/// A field that is not there, a value that is no object: an error for who wants that field, and for
/// nobody else.
#[tokio::test(start_paused = true)]
async fn a_missing_field_disturbs_nobody_else() {
    for (document, kind) in [
        (r#"{"user":"app"}"#, ErrorKind::NotFound),
        (r#"{"user":"app","password":null}"#, ErrorKind::InvalidValue),
    ] {
        let provider = documents(|_| document.to_owned());
        let manager = aliased(builder(provider.clone()));
        let _running = Running::start(&manager).await;
        for _ in 0..3 {
            let error = got(&manager, "db-password").await.unwrap_err();
            assert_eq!((error.kind(), error.operation()), (kind, Some(Operation::GetSecret)));
            let handle = manager.handle("db-password").await.unwrap_err();
            assert_eq!(handle.kind(), kind);
            assert!(manager.try_get("db-password").is_none());
            assert_eq!(hit(&manager, "db-user").unwrap(), "app");
            assert_eq!(got(&manager, "db").await.unwrap(), document);
        }
        assert_eq!(manager.handle("db-user").await.unwrap().load().as_str(), "fresh");
        assert_eq!((provider.calls(), manager.usage().pinned), (1, 0), "no handle was left behind");
    }
    let manager = aliased(builder(documents(|_| "no object".to_owned())));
    for name in ["db-user", "db-password"] {
        assert_eq!(got(&manager, name).await.unwrap_err().kind(), ErrorKind::InvalidValue);
    }
    assert_eq!(got(&manager, "db").await.unwrap(), "no object");
}

/// The first two versions have the field, those from the third to the twentieth do not.
fn losing() -> Scripted {
    documents(|call| match call {
        3..=20 => r#"{"user":"app"}"#.to_owned(),
        call => json(&format!("p{call}")),
    })
}

#[tokio::test(start_paused = true)]
async fn a_handle_keeps_the_last_good_field_within_bounds_and_says_so() {
    let manager = aliased(builder(losing()).clock(Arc::new(Wall::new())));
    let _running = Running::start(&manager).await;
    let user = manager.handle("db-user").await.unwrap();
    let mut password = manager.handle("db-password").await.unwrap();
    pass(secs(81)).await; // the second
    let shown = password.changed().await.unwrap();
    assert_eq!((text(shown.secret().unwrap()), shown.as_str()), ("p2".to_owned(), "fresh"));
    pass(secs(80)).await; // the third, at 160 s
    let shown = password.changed().await.unwrap();
    assert_eq!((text(shown.secret().unwrap()), shown.as_str()), ("p2".to_owned(), "stale"));
    let secrets_core::SecretState::Stale { since, .. } = &*shown else { panic!() };
    assert_eq!(*since, noon() + secs(160));
    assert_eq!(user.load().as_str(), "fresh");
    assert_eq!(text(password.load_checked().unwrap().secret().unwrap()), "p2");
    assert!(manager.try_get("db-password").is_none(), "it is not what is current");
    assert_eq!(got(&manager, "db-password").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(manager.handle("db-password").await.unwrap_err().kind(), ErrorKind::NotFound);

    // The second was confirmed at 80 s: it may be used until 1,180 s, as if the provider had failed.
    pass(secs(1_018)).await; // 1,179 s
    assert!(password.load_checked().is_ok());
    pass(secs(2)).await; // 1,181 s
    let unusable = password.load_checked().unwrap_err();
    assert_eq!(unusable.kind(), UnusableKind::TooStale);
    assert_eq!(unusable.last_error().unwrap().kind(), ErrorKind::NotFound);
    assert_eq!(text(password.load().secret().unwrap()), "p2", "kept for who takes it as it is");
    assert!(user.load_checked().is_ok());

    pass(secs(450)).await; // the twenty-first, at 1,600 s
    assert_eq!(password.load().as_str(), "fresh");
    assert_eq!(text(password.load_checked().unwrap().secret().unwrap()), "p21");
    assert_eq!(hit(&manager, "db-password").unwrap(), "p21");
}

/// What is kept for nobody is not kept.
#[tokio::test(start_paused = true)]
async fn the_last_good_field_goes_with_its_last_handle() {
    let manager = aliased(builder(losing()));
    let _running = Running::start(&manager).await;
    let _user = manager.handle("db-user").await.unwrap();
    let password = manager.handle("db-password").await.unwrap();
    pass(secs(161)).await; // the third
    assert_eq!(password.load().as_str(), "stale");
    drop(password);
    pass(secs(80)).await;
    let error = manager.handle("db-password").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    pass(secs(1_400)).await; // the twenty-first, at 1,600 s
    assert_eq!(text(manager.handle("db-password").await.unwrap().load().secret().unwrap()), "p21");
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_goes_goes_under_all_names() {
    let provider = store(Personality::Google).await;
    let manager = aliased(builder(provider));
    let running = Running::start(&manager).await;
    let handle = manager.handle("db-password").await.unwrap();
    manager.cached().delete_secret(&reference("db"), DeleteMode::Immediate).await.unwrap();
    assert_eq!(handle.load().as_str(), "gone");
    assert_eq!(handle.load_checked().unwrap_err().kind(), UnusableKind::Gone);
    assert_eq!(got(&manager, "db-password").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(manager.try_get("db-user").is_none());
    manager.cached().put_text("db", &json("new")).await.unwrap();
    assert_eq!(text(handle.load_checked().unwrap().secret().unwrap()), "new");
    running.stop().await;
    assert_eq!(handle.load().as_str(), "orphaned");
}

/// A line that is forgotten and comes anew counts its values from one again.
#[tokio::test(start_paused = true)]
async fn what_comes_anew_is_looked_at_anew() {
    let provider = documents(|call| json(&format!("p{call}")));
    let manager = aliased(builder(provider));
    let _running = Running::start(&manager).await;
    for call in 1..4 {
        assert_eq!(got(&manager, "db-password").await.unwrap(), format!("p{call}"));
        assert_eq!(hit(&manager, "db-password").unwrap(), format!("p{call}"));
        manager.invalidate(&reference("db-user"));
        assert!(manager.try_get("db-password").is_none() && manager.try_get(NAME).is_none());
    }
    // The same for one whose value goes while its line is waited for.
    let failing = Scripted::new(|call, _| async move {
        match call {
            2 => Err(absent()),
            _ => Ok(Secret { value: value(&json(&format!("p{call}"))), ..version("same") }),
        }
    });
    let manager = aliased(builder(failing));
    let _running = Running::start(&manager).await;
    assert_eq!(got(&manager, "db-password").await.unwrap(), "p1");
    pass(secs(121)).await;
    assert!(got(&manager, "db-password").await.is_err());
    assert!(manager.try_get("db-password").is_none());
    pass(secs(11)).await;
    assert_eq!(got(&manager, "db-password").await.unwrap(), "p3");
    assert_eq!(hit(&manager, "db-password").unwrap(), "p3");
}

/// A stale read by an alias has the secret asked for, each time anew.
#[tokio::test(start_paused = true)]
async fn a_stale_read_by_an_alias_wakes_the_run_future() {
    let provider = Scripted::new(|call, _| async move {
        if call == 2 { Err(unavailable()) } else { Ok(version(&call.to_string())) }
    });
    let manager = aliased(builder(provider.clone()));
    let _running = Running::start(&manager).await;
    got(&manager, "db").await.unwrap();
    pass(secs(101)).await;
    assert!(manager.try_get("db").unwrap().stale_since().is_some());
    settle().await;
    assert_eq!(provider.calls(), 2, "it failed");
    pass(secs(5)).await;
    assert!(manager.try_get("db").unwrap().stale_since().is_some());
    settle().await;
    assert_eq!(provider.calls(), 3, "and is asked again");
    assert_eq!(hit(&manager, "db").unwrap(), "3");
    assert!(manager.try_get("db").unwrap().stale_since().is_none());
}

/// All that writes, through what is not another name for the secret itself.
#[tokio::test(start_paused = true)]
async fn writes_through_a_part_are_refused_before_any_call() {
    let provider = store(Personality::Aws).await;
    let manager = aliased(builder(provider.clone()));
    let cached = manager.cached();
    let (log, version) = (provider.log().len(), VersionId::new("x").unwrap());
    let token = IdempotencyKey::from_random([7; 16]);
    for alias in ["db-password", "db-before"] {
        let r = reference(alias);
        let patch = MetadataPatch::new().description(Change::Set("x".into()));
        let mode = DeleteMode::Recoverable { window: None };
        let refused = [
            cached.set_secret(&r, value("x"), SetOptions::new()).await.map(drop).unwrap_err(),
            cached.set_secret(&r, value("x"), SetOptions::pending()).await.map(drop).unwrap_err(),
            cached.promote(&r, &version, &version, &token).await.map(drop).unwrap_err(),
            cached.discard_pending(&r, &version).await.unwrap_err(),
            cached.update_metadata(&r, None, patch, Precondition::Any).await.unwrap_err(),
            cached.set_version_state(&r, &version, VersionState::Disabled).await.unwrap_err(),
            cached.delete_secret(&r, mode).await.map(drop).unwrap_err(),
            cached.restore_secret(&r).await.unwrap_err(),
            cached.purge_secret(&r).await.unwrap_err(),
        ];
        let operations = [
            Operation::SetSecret,
            Operation::SetSecret,
            Operation::Promote,
            Operation::DiscardPending,
            Operation::UpdateMetadata,
            Operation::SetVersionState,
            Operation::DeleteSecret,
            Operation::RestoreSecret,
            Operation::PurgeSecret,
        ];
        for (error, operation) in refused.iter().zip(operations) {
            assert_eq!(
                (error.kind(), error.operation()),
                (ErrorKind::Unsupported, Some(operation))
            );
            assert_eq!(error.effect(), Effect::NotApplied);
        }
    }
    assert_eq!(provider.log().len(), log, "nobody was called");
}

/// Staged rotation through another name for the secret.
#[tokio::test(start_paused = true)]
async fn all_that_writes_goes_through_a_plain_alias() {
    let provider = store(Personality::Aws).await;
    let manager = aliased(builder(provider.clone()));
    let (cached, db) = (manager.cached(), reference("db"));
    let base = manager.get("db").await.unwrap().version.id;
    let staged = cached.set_secret(&db, value(&json("two")), SetOptions::pending()).await.unwrap();
    let pending = GetOptions::version(VersionSelector::Pending);
    let read = cached.get_secret(&reference("db-password"), pending).await.unwrap();
    assert_eq!(text(&read), "two", "a field of another version than the alias's");
    let token = IdempotencyKey::from_random([1; 16]);
    cached.promote(&db, &staged.id, &base, &token).await.unwrap();
    assert_eq!(got(&manager, "db-password").await.unwrap(), "two");
    assert_eq!(got(&manager, "db-before").await.unwrap(), json("one"));
    let listed = cached.list_versions(&reference("db-user"), PageRequest::first()).await.unwrap();
    assert_eq!(listed.items.len(), 2);
    let described = cached.describe_secret(&reference("db-user")).await.unwrap();
    assert_eq!(described.reference, reference(NAME));
    cached.delete_secret(&db, DeleteMode::Immediate).await.unwrap();
    assert_eq!(provider.read(NAME).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn an_alias_of_one_version_has_no_others() {
    let manager = aliased(builder(store(Personality::Aws).await));
    let _running = Running::start(&manager).await;
    let cached = manager.cached();
    cached.put_text("db", &json("two")).await.unwrap();
    assert_eq!(got(&manager, "db-before").await.unwrap(), json("one"));
    assert_eq!(hit(&manager, "db-before").unwrap(), json("one"), "listed like any other");
    let before = reference("db-before");
    let read = async |version| cached.get_secret(&before, GetOptions::version(version)).await;
    assert_eq!(text(&read(VersionSelector::Previous).await.unwrap()), json("one"));
    assert_eq!(read(VersionSelector::Pending).await.unwrap_err().kind(), ErrorKind::Unsupported);
    let handle = manager.handle("db-before").await.unwrap();
    cached.put_text(NAME, &json("three")).await.unwrap();
    assert!(manager.try_get("db-before").is_none(), "it is another one now");
    settle().await;
    assert_eq!(text(handle.load_checked().unwrap().secret().unwrap()), json("two"));

    let field = reference("db-password");
    let handle = cached.handle_of(&field, VersionSelector::Previous).await;
    assert_eq!(handle.unwrap_err().kind(), ErrorKind::Unsupported);
    let handle = cached.handle_of(&reference("db"), VersionSelector::Previous).await.unwrap();
    assert_eq!(text(handle.load().secret().unwrap()), json("two"));
}

#[tokio::test(start_paused = true)]
async fn aliases_of_aliases_lead_to_the_secret() {
    let provider = store(Personality::Azure).await;
    let nested = r#"{"db":{"user":"app","pass word":"s\"3"},"text":"{\"inner\":\"x\"}"}"#;
    provider.put_text("all", nested).await.unwrap();
    let native = SecretRef::from(NativeId::new("all").unwrap());
    let manager = builder(provider.clone())
        .alias(name("password"), Alias::new(name("db")).with_field("pass word"))
        .alias(name("db"), Alias::new(name("everything")).with_field("db"))
        .alias(name("everything"), Alias::new(reference("all")))
        .alias(name("inner"), Alias::new(name("text")).with_field("inner"))
        .alias(name("text"), Alias::new(reference("all")).with_field("text"))
        .alias(name("native"), Alias::new(native).with_field("text"))
        .build()
        .unwrap();
    assert_eq!(got(&manager, "password").await.unwrap(), "s\"3");
    assert_eq!(got(&manager, "db").await.unwrap(), r#"{"user":"app","pass word":"s\"3"}"#);
    assert_eq!(got(&manager, "inner").await.unwrap(), "x");
    assert_eq!(provider.calls(Operation::GetSecret), 1);
    assert_eq!(got(&manager, "native").await.unwrap(), r#"{"inner":"x"}"#);
    manager.cached().put_text("everything", r#"{"db":{"pass word":"y"}}"#).await.unwrap();
    assert_eq!(got(&manager, "password").await.unwrap(), "y");
    assert_eq!(got(&manager, "native").await.unwrap_err().kind(), ErrorKind::NotFound);
    let settings: SecretReference = "secret://db#pass word".parse().unwrap();
    let resolved = manager.resolve(&settings).await.unwrap();
    assert_eq!(resolved.expose_secret(), b"y");
    let settings: SecretReference = "secret://password".parse().unwrap();
    assert_eq!(manager.resolve(&settings).await.unwrap().expose_secret(), b"y");
}

#[test]
fn aliases_that_lead_nowhere_are_refused() {
    let build = |aliases: &[(&str, Alias)]| {
        let mut builder = SecretManager::builder(MemoryProvider::new(Personality::Aws));
        for (alias, target) in aliases {
            builder = builder.alias(name(alias), target.clone());
        }
        builder.build().map(drop)
    };
    let to = |target: &str| Alias::new(name(target));
    let before = || VersionSelector::Previous;

    let error = build(&[("a", to("b")), ("a", to("c"))]).unwrap_err();
    assert!(matches!(&error, BuildError::SameAlias { name } if name.as_str() == "a"));
    assert_eq!(error.to_string(), "two aliases are called `a`");

    let error = build(&[("a", to("a"))]).unwrap_err();
    assert_eq!(error.to_string(), "aliases lead back to where they were: `a`, then `a`");
    assert!(build(&[("a", to("a").with_field("x"))]).is_err());
    let error = build(&[("x", to("a")), ("a", to("b")), ("b", to("c")), ("c", to("a"))]);
    let error = error.unwrap_err();
    let told = "aliases lead back to where they were: `x`, then `a`, then `b`, then `c`, then `a`";
    assert_eq!(error.to_string(), told);
    assert!(matches!(error, BuildError::AliasCycle { names } if names.len() == 5));

    let pending = to("b").with_version(VersionSelector::Pending);
    let error = build(&[("a", pending), ("b", to("c").with_version(before()))]).unwrap_err();
    assert!(matches!(&error, BuildError::AliasVersions { name } if name.as_str() == "a"));
    let same = to("b").with_version(before());
    assert!(build(&[("a", same), ("b", to("c").with_version(before()))]).is_ok());
    assert!(build(&[("a", to("b").with_version(before())), ("b", to("c"))]).is_ok());
}

/// The provider's own secret of an alias's name is out of the way.
#[tokio::test(start_paused = true)]
async fn an_alias_goes_before_a_secret_of_its_name() {
    let provider = store(Personality::Aws).await;
    provider.put_text("db", "the secret itself").await.unwrap();
    let manager = aliased(builder(provider.clone()));
    let _running = Running::start(&manager).await;
    assert_eq!(got(&manager, "db").await.unwrap(), json("one"));
    let native = provider.name_rules().encode(&name("db")).unwrap();
    let native = SecretRef::from(NativeId::new(&native).unwrap());
    let itself = manager.cached().get_secret(&native, GetOptions::default()).await.unwrap();
    assert_eq!(text(&itself), "the secret itself");
    assert_eq!(hit(&manager, "db").unwrap(), json("one"));
    provider.put_text("db", "changed").await.unwrap();
    settle().await;
    assert_eq!(got(&manager, "db").await.unwrap(), json("one"));
    let all = manager.cached().list_secrets(&SecretFilter::all(), PageRequest::first()).await;
    assert_eq!(all.unwrap().items.len(), 2, "lists have the provider's secrets");
}

/// Aliases are the main provider's.
#[tokio::test(start_paused = true)]
async fn other_providers_have_no_aliases() {
    let other = MemoryProvider::builder(Personality::Google).scope("other").build().unwrap();
    other.put_text("db", "another").await.unwrap();
    let manager = aliased(builder(store(Personality::Aws).await).provider(other.clone()));
    let there = manager.provider(other.id()).unwrap();
    assert_eq!(text(&there.get("db").await.unwrap()), "another");
    assert_eq!(there.get("db-user").await.unwrap_err().kind(), ErrorKind::NotFound);
    let main = manager.provider(manager.cached().id()).unwrap();
    assert_eq!(text(&main.get("db-user").await.unwrap()), "app");
}

#[tokio::test(start_paused = true)]
async fn word_of_a_change_reaches_all_names() {
    let provider = store(Personality::Aws).await;
    let manager = aliased(builder(provider.clone()));
    let _running = Running::start(&manager).await;
    let handle = manager.handle("db-password").await.unwrap();
    let mut hints = manager.cached().changes().unwrap();
    provider.put_text(NAME, &json("two")).await.unwrap();
    settle().await;
    assert_eq!(text(handle.load_checked().unwrap().secret().unwrap()), "two");
    let mut names = Vec::new();
    for _ in 0..5 {
        let hint: ChangeHint = hints.next().await.unwrap();
        names.push(hint.reference.unwrap().to_string());
    }
    assert_eq!(names.remove(0), NAME);
    names.sort();
    assert_eq!(names, ["db", "db-before", "db-password", "db-user"]);
}

/// Bounds of validity are those of the version.
#[tokio::test(start_paused = true)]
async fn validity_is_minded_under_every_name() {
    let provider = Scripted::new(|_, _| async {
        let mut secret = Secret { value: value(&json("one")), ..version("v1") };
        secret.version.expires = Some(noon() + secs(50));
        Ok(secret)
    });
    let manager = aliased(builder(provider).clock(Arc::new(Wall::new())));
    let _running = Running::start(&manager).await;
    let handle = manager.handle("db-password").await.unwrap();
    pass(secs(51)).await;
    assert_eq!(handle.load().as_str(), "invalid");
    assert_eq!(handle.load_checked().unwrap_err().kind(), UnusableKind::Expired);
    assert_eq!(got(&manager, "db-password").await.unwrap_err().kind(), ErrorKind::Expired);
    assert!(manager.try_get("db-password").is_none());
    let ignore = GetOptions::default().ignore_validity();
    let read = manager.cached().get_secret(&reference("db-password"), ignore).await.unwrap();
    assert_eq!(text(&read), "one");
}

/// The last good field expires by its own version's bounds, not by those of the newest.
#[tokio::test(start_paused = true)]
async fn a_field_that_is_left_behind_expires_with_its_version() {
    let provider = Scripted::new(|call, _| async move {
        let mut secret = version(&call.to_string());
        if call == 1 {
            secret.value = value(&json("one"));
            secret.version.expires = Some(noon() + secs(500));
        }
        Ok(secret)
    });
    let manager = aliased(builder(provider).clock(Arc::new(Wall::new())));
    let _running = Running::start(&manager).await;
    let handle = manager.handle("db-password").await.unwrap();
    pass(secs(81)).await;
    assert_eq!(handle.load().as_str(), "stale");
    pass(secs(418)).await; // 499 s
    assert!(handle.load_checked().is_ok());
    tokio::time::sleep(secs(1)).await; // 500 s
    settle().await;
    assert_eq!(handle.load().as_str(), "invalid");
    assert_eq!(handle.load_checked().unwrap_err().kind(), UnusableKind::Expired);
}

/// However many names there are, values count by themselves, and an alias has its place in the index.
#[tokio::test(start_paused = true)]
async fn aliases_take_no_room_from_values() {
    let provider = documents(|_| json("one"));
    let policy = policy().with_max_entries(1.try_into().unwrap());
    let mut builder = builder(provider).policy(policy);
    for number in 0..100 {
        builder = builder.alias(name(&format!("alias-{number}")), field("password"));
    }
    let manager = builder.build().unwrap();
    let _running = Running::start(&manager).await;
    got(&manager, NAME).await.unwrap();
    assert!((0..100).all(|number| manager.try_get(&format!("alias-{number}")).is_some()));
    got(&manager, "another").await.unwrap();
    assert!((0..100).all(|number| manager.try_get(&format!("alias-{number}")).is_none()));
    assert_eq!(manager.usage().entries, 1);
}

/// The resource takes the version before: a field of it stands in for the field, and for nothing else.
#[tokio::test(start_paused = true)]
async fn a_field_is_used_across_a_rotation_as_a_field() {
    let provider = store(Personality::Aws).await;
    provider.put_text(NAME, &json("two")).await.unwrap();
    let manager = aliased(builder(provider));
    let _running = Running::start(&manager).await;
    let resource = Resource::accepting(&["one", &json("one")]);
    for (name, want) in [("db-password", "one".to_owned()), ("db", json("one"))] {
        let handle = manager.handle(name).await.unwrap();
        for _ in 0..2 {
            let login = repeatable(|attempt| resource.clone().login(attempt));
            assert_eq!(with_secret(&handle, classify, login).await.unwrap(), want);
        }
        assert_eq!(resource.logins(&want).accepted, 2, "{name}");
    }
    assert_eq!(resource.refused(), 2, "the newest field, and the newest value");
}

/// The trail names the secret, whatever it was called by.
#[tokio::test(start_paused = true)]
async fn the_audit_trail_names_the_secret() {
    let sink = Arc::new(MemorySink::new());
    let provider = store(Personality::Aws).await;
    let manager = aliased(builder(provider).audit(AuditLog::new(Arc::clone(&sink) as Arc<_>)));
    let _running = Running::start(&manager).await;
    got(&manager, "db-password").await.unwrap();
    assert!(manager.try_get("db-user").is_some());
    manager.handle("db").await.unwrap();
    let cached = manager.cached();
    let wanted = ["db-user", NAME].map(|name| (reference(name), GetOptions::default()));
    cached.get_secrets(&wanted).await.unwrap();
    cached.put_text("db", &json("two")).await.unwrap();
    let refused = cached.put_text("db-user", "two").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    let events = sink.take();
    let about = |event: &Event| match &event.action {
        Action::Entity { entity, .. } => entity.id.as_str().to_owned(),
        action => panic!("{action:?}"),
    };
    let about: Vec<_> = events.iter().map(about).collect();
    assert!(about.len() >= 7 && about.iter().all(|id| id == NAME), "{about:?}");
}

/// Neither the parts nor what they were taken from show in anything that is printed.
#[tokio::test(start_paused = true)]
async fn nothing_shows_the_parts() {
    const CANARY: &str = "canary-in-a-part";
    let provider = documents(|call| match call {
        2 => format!(r#"{{"user":"{CANARY}"}}"#),
        _ => json(CANARY),
    });
    let builder = builder(provider).alias(name("nothing"), field("missing"));
    let described = format!("{builder:?}");
    let manager = aliased(builder);
    let _running = Running::start(&manager).await;
    let handle = manager.handle("db-password").await.unwrap();
    let hit = format!("{:?}", manager.try_get("db-password").unwrap());
    pass(secs(81)).await; // the second
    let error = manager.get("db-password").await.unwrap_err();
    let missing = manager.get("nothing").await.unwrap_err();
    pass(secs(2_000)).await;
    let shown = [
        described,
        hit,
        format!("{manager:?} {handle:?} {:?} {:?}", handle.load(), handle.live()),
        format!("{error} {error:?} {missing} {missing:?}"),
        format!("{:?}", handle.load_checked().map(drop)),
    ];
    for text in shown {
        assert!(!text.contains("canary") && !text.contains("99, 97, 110"), "{text}");
    }
}

/// Writes, invalidations, handles that come and go and readers under all names, on several threads:
/// what was written is given under every name when the write has returned, and hits and handles never
/// go back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promises_hold_under_all_names_on_several_threads() {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    let provider = MemoryProvider::new(Personality::Google);
    let document = |n: u64| format!(r#"{{"user":"{n}","password":"{n}"}}"#);
    provider.put_text(NAME, &document(0)).await.unwrap();
    let manager = aliased(SecretManager::builder(provider));
    let running = tokio::spawn(manager.run());
    let (written, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let under_way = Arc::new(tokio::sync::Barrier::new(4));
    let number = |secret: &Secret| text(secret).parse::<u64>().unwrap();
    let mut tasks = Vec::new();
    for at in 0..3 {
        let (manager, written, is_over) =
            (manager.clone(), Arc::clone(&written), Arc::clone(&is_over));
        let under_way = Arc::clone(&under_way);
        tasks.push(tokio::spawn(async move {
            let name = ["db-user", "db-password", "db-user"][at];
            let mut handle = manager.handle(name).await.unwrap();
            let (mut seen, mut rounds) = ([0; 2], 0_u64);
            under_way.wait().await;
            while !is_over.load(Ordering::Acquire) {
                rounds += 1;
                let least = written.load(Ordering::Acquire);
                let got = number(&manager.get(name).await.unwrap());
                assert!(got >= least, "{got} {least}");
                let hit = manager.try_get(name).map(|hit| number(hit.secret()));
                let loaded = number(handle.load_checked().unwrap().secret().unwrap());
                for (now, before) in [hit, Some(loaded)].into_iter().zip(&mut seen) {
                    let now = now.unwrap_or_else(|| least.max(*before));
                    assert!(now >= least && now >= *before, "{now} {least} {before}");
                    *before = now;
                }
                if rounds.is_multiple_of(7) {
                    drop(handle);
                    handle = manager.handle(name).await.unwrap();
                }
                if at == 2 && rounds.is_multiple_of(5) {
                    manager.invalidate(&reference("db-password"));
                }
                if rounds == 1 {
                    under_way.wait().await;
                }
                tokio::task::yield_now().await;
            }
        }));
    }
    let all_are_under_way = async || {
        let waited = tokio::time::timeout(secs(60), under_way.wait()).await;
        waited.expect("all three read");
    };
    all_are_under_way().await;
    for n in 1..=1_000 {
        if n == 500 {
            all_are_under_way().await;
        }
        manager.cached().put_text("db", &document(n)).await.unwrap();
        written.store(n, Ordering::Release);
    }
    is_over.store(true, Ordering::Release);
    for task in tasks {
        task.await.unwrap();
    }
    running.abort();
}
