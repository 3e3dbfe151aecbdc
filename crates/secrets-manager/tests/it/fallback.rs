//! Chains of providers: who is asked, who answers, and what an error does.

use std::sync::{Arc, Mutex};

use futures_util::{FutureExt, StreamExt};
use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{
    Capabilities, ChangeHint, DeleteMode, Error, ErrorKind, GetOptions, Health, HealthStatus,
    IdempotencyKey, MetadataPatch, NameRules, NativeId, Operation, PageRequest, PageToken,
    Precondition, Promoted, ProviderId, Result, Secret, SecretFilter, SecretProvider,
    SecretProviderExt, SecretRef, SecretValue, SetOptions, Staging, Support, VersionId,
    VersionInfo, VersionSelector, VersionState, async_trait,
};
use secrets_manager::{Fallback, OnUnavailable};

use crate::shelf::{Entry, Shelf};
use crate::support::{NAME, Running, Wall, build, noon, reference, secs, text, value};

fn full(scope: &str) -> Shelf {
    Shelf::new(scope)
}

fn two() -> (Shelf, Shelf) {
    (full("one"), full("two"))
}

fn chain(one: &Shelf, two: &Shelf) -> Fallback {
    Fallback::new(one.clone()).then(two.clone())
}

async fn current(chain: &Fallback) -> Result<String> {
    read(chain, VersionSelector::Current).await
}

async fn read(chain: &Fallback, version: VersionSelector) -> Result<String> {
    let read = chain.get_secret(&reference(NAME), GetOptions::version(version)).await;
    read.map(|secret| text(&secret))
}

fn id(id: &str) -> VersionSelector {
    VersionSelector::Id(VersionId::new(id).unwrap())
}

const ALL: [ErrorKind; 19] = [
    ErrorKind::NotFound,
    ErrorKind::AlreadyExists,
    ErrorKind::Conflict,
    ErrorKind::InvalidName,
    ErrorKind::InvalidValue,
    ErrorKind::TooLarge,
    ErrorKind::PermissionDenied,
    ErrorKind::Unauthenticated,
    ErrorKind::Disabled,
    ErrorKind::Expired,
    ErrorKind::NotYetValid,
    ErrorKind::PendingDeletion,
    ErrorKind::Destroyed,
    ErrorKind::Throttled,
    ErrorKind::Timeout,
    ErrorKind::Unavailable,
    ErrorKind::Integrity,
    ErrorKind::Unsupported,
    ErrorKind::Internal,
];

/// Every kind of error of the primary, under both settings, for one and for many.
#[tokio::test]
async fn only_not_found_goes_on_and_an_outage_by_choice() {
    use ErrorKind::{NotFound, Throttled, Timeout, Unavailable};
    for setting in [OnUnavailable::Fail, OnUnavailable::Fall] {
        for kind in ALL {
            let (one, two) = two();
            let (one, two) = (one.able(|c| c.batch = Support::Native), two);
            two.put(NAME, Entry::current("theirs"));
            two.put("other", Entry::current("other"));
            one.mood(kind);
            let chain = chain(&one, &two).on_unavailable(setting);
            let is_outage = matches!(kind, Unavailable | Timeout | Throttled);
            let goes_on = kind == NotFound || is_outage && setting == OnUnavailable::Fall;
            let read = current(&chain).await;
            let wanted = [NAME, "other"].map(|name| (reference(name), GetOptions::default()));
            let many = chain.get_secrets(&wanted).await;
            if goes_on {
                assert_eq!(read.unwrap(), "theirs", "{kind:?}");
                let many = many.unwrap().into_iter().map(Result::unwrap);
                assert!(many.map(|secret| text(&secret)).eq(["theirs", "other"]), "{kind:?}");
                continue;
            }
            let error = read.unwrap_err();
            assert_eq!((error.kind(), two.count()), (kind, 0), "{error}");
            assert_eq!(error.operation(), Some(Operation::GetSecret));
            assert!(error.to_string().contains("`shelf:one`"), "{error}");
            let source = std::error::Error::source(&error).unwrap();
            assert!(source.to_string().contains("the mood is such"), "{source}");
            let error = many.unwrap_err();
            assert_eq!((error.kind(), error.operation()), (kind, Some(Operation::GetSecrets)));
            assert!(error.to_string().contains("`shelf:one`"), "{error}");
        }
    }
}

#[tokio::test]
async fn what_all_lack_is_not_found_and_an_outage_is_not_forgotten() {
    let (one, two) = two();
    let chain = chain(&one, &two).on_unavailable(OnUnavailable::Fall);
    let error = current(&chain).await.unwrap_err();
    assert_eq!((error.kind(), one.count(), two.count()), (ErrorKind::NotFound, 1, 1));

    one.mood(ErrorKind::Unavailable);
    let error = current(&chain).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "nobody may believe that it is gone");
    assert!(error.to_string().contains("`shelf:one`"), "{error}");

    one.mood(None);
    two.mood(ErrorKind::Throttled);
    let error = current(&chain).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Throttled);
    assert!(error.to_string().contains("`shelf:two`"), "{error}");

    let many = [NAME, "other"].map(|name| (reference(name), GetOptions::default()));
    let answers = chain.get_secrets(&many).await.unwrap();
    assert!(answers.iter().all(|a| a.as_ref().is_err_and(|e| e.kind() == ErrorKind::Throttled)));
}

/// A version that the first store does not have is not taken from the second, if the first has the
/// secret: whatever way there is to tell.
#[tokio::test]
async fn versions_of_two_stores_are_not_mixed() {
    let ways: [fn(&mut Capabilities); 4] = [
        |_| {},
        |c| c.describe = Support::No,
        |c| (c.describe, c.versions) = (Support::No, Support::No),
        |c| (c.describe, c.versions, c.staging) = (Support::No, Support::No, Staging::No),
    ];
    for way in ways {
        let (one, two) = (full("one").able(way), full("two"));
        let theirs = Entry { current: Some("t2"), previous: Some("t1"), pending: Some("t3") };
        two.put(NAME, theirs);
        let chain = chain(&one, &two);
        let reads = chain.capabilities().clone();
        let mut selectors = vec![(VersionSelector::Previous, "t1")];
        if reads.versions.is_available() {
            selectors.push((id("~1~t2"), "t2"));
        }
        if reads.staging != Staging::No {
            selectors.push((VersionSelector::Pending, "t3"));
        }
        for (version, theirs) in &selectors {
            assert_eq!(read(&chain, version.clone()).await.unwrap(), *theirs, "all of it theirs");
        }
        one.put(NAME, Entry::current("ours"));
        for (version, _) in &selectors {
            two.calls();
            let error = read(&chain, version.clone()).await.unwrap_err();
            assert_eq!((error.kind(), two.count()), (ErrorKind::NotFound, 0), "{version:?}");
            assert!(error.to_string().contains("`shelf:one`"), "{error}");
            let wanted = [NAME, "x"].map(|n| (reference(n), GetOptions::version(version.clone())));
            let many = chain.get_secrets(&wanted).await.unwrap();
            assert_eq!(many[0].as_ref().unwrap_err().kind(), ErrorKind::NotFound);
        }
        assert_eq!(current(&chain).await.unwrap(), "ours");
    }
}

/// A first value that waits covers the other store for who asks for a version by name, and not for
/// plain readers.
#[tokio::test]
async fn a_secret_that_is_only_pending_is_there_for_those_who_ask_for_versions() {
    for describes in [Support::Native, Support::No] {
        let plain = |c: &mut Capabilities| (c.describe, c.versions) = (describes, describes);
        let (one, two) = (full("one").able(plain), full("two"));
        one.put(NAME, Entry { pending: Some("o1"), ..Entry::default() });
        two.put(NAME, Entry { current: Some("t2"), previous: Some("t1"), pending: None });
        let chain = chain(&one, &two);
        assert_eq!(current(&chain).await.unwrap(), "t2");
        assert_eq!(read(&chain, VersionSelector::Pending).await.unwrap(), "o1");
        let previous = read(&chain, VersionSelector::Previous).await;
        assert_eq!(previous.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

/// Nobody can tell whether a store that is out has the secret.
#[tokio::test]
async fn other_versions_never_pass_over_an_outage() {
    let (one, two) = two();
    two.put(NAME, Entry { current: Some("t2"), previous: Some("t1"), pending: Some("t3") });
    one.mood(ErrorKind::Unavailable);
    let chain = chain(&one, &two).on_unavailable(OnUnavailable::Fall);
    for version in [VersionSelector::Previous, VersionSelector::Pending, id("~1~t2")] {
        assert_eq!(read(&chain, version).await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert_eq!(two.count(), 0);
    assert_eq!(current(&chain).await.unwrap(), "t2");
}

/// It cannot be told whether the first store has the secret: that is no reason to go on.
#[tokio::test]
async fn who_may_not_be_asked_about_the_secret_is_not_passed_over() {
    let (one, two) = two();
    two.put(NAME, Entry { current: Some("t2"), previous: Some("t1"), pending: None });
    one.mood_on(Operation::DescribeSecret, ErrorKind::PermissionDenied);
    let chain = chain(&one, &two);
    let error = read(&chain, VersionSelector::Previous).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.operation()),
        (ErrorKind::PermissionDenied, Some(Operation::GetSecret))
    );
    assert_eq!(two.count(), 0);
}

/// A store without versions has its current one, by its id too.
#[tokio::test]
async fn a_store_without_versions_has_only_what_is_current() {
    let (one, two) = (full("one"), Shelf::plain("two"));
    two.put(NAME, Entry::current("t1"));
    let chain = chain(&one, &two);
    assert_eq!(read(&chain, id("~1~t1")).await.unwrap(), "t1");
    for version in [VersionSelector::Previous, VersionSelector::Pending, id("~1~t0"), id("t1")] {
        let error = read(&chain, version.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{version:?}");
    }
    let info = chain.describe_secret(&reference(NAME)).await.unwrap();
    assert_eq!(info.current.unwrap().as_str(), "~1~t1");
    let page = chain.list_versions(&reference(NAME), PageRequest::first()).await.unwrap();
    assert_eq!((page.items[0].id.as_str(), page.items.len(), page.next), ("~1~t1", 1, None));
    let absent = chain.describe_secret(&reference("x")).await.unwrap_err();
    assert_eq!(
        (absent.kind(), absent.operation()),
        (ErrorKind::NotFound, Some(Operation::DescribeSecret))
    );
}

#[tokio::test]
async fn a_name_that_a_later_store_cannot_express_is_not_there() {
    let short = NameRules::new(|b| b.is_ascii_graphic(), b'%', 8);
    let (one, two) = (full("one"), full("two").named_by(short));
    two.put("short", Entry::current("t1"));
    let chain = chain(&one, &two);
    assert_eq!(
        chain
            .get_secret(&reference("short"), GetOptions::default())
            .await
            .unwrap()
            .version
            .id
            .as_str(),
        "~1~t1"
    );
    two.calls();
    assert_eq!(current(&chain).await.unwrap_err().kind(), ErrorKind::NotFound);
    let wanted = [NAME, "short"].map(|name| (reference(name), GetOptions::default()));
    let answers = chain.get_secrets(&wanted).await.unwrap();
    assert_eq!(answers[0].as_ref().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(text(answers[1].as_ref().unwrap()), "t1");
    assert_eq!(
        chain.describe_secret(&reference(NAME)).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    let asked: Vec<_> = two.calls().into_iter().flat_map(|(_, names)| names).collect();
    assert_eq!(asked, ["short"]);

    let narrow = Fallback::new(two.clone()).then(one.clone());
    one.put(NAME, Entry::current("t1"));
    let error = narrow.get_secret(&reference(NAME), GetOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidName, "the primary's rules are the chain's");
}

/// Who does not understand a native id does not have it.
#[tokio::test]
async fn native_ids_find_the_provider_whose_they_are() {
    let native = SecretRef::from(NativeId::new("arn:of:two").unwrap());
    let (one, two) = two();
    one.mood_of("native:arn:of:two", ErrorKind::InvalidName);
    let chain = chain(&one, &two);
    let read = async || chain.get_secret(&native, GetOptions::default()).await;
    assert_eq!(read().await.unwrap_err().kind(), ErrorKind::NotFound);
    two.put("native:arn:of:two", Entry::current("t1"));
    assert_eq!(text(&read().await.unwrap()), "t1");
    let options = GetOptions::version(VersionSelector::Previous);
    let previous = chain.get_secret(&native, options).await;
    assert_eq!(previous.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(chain.describe_secret(&native).await.is_ok());
    two.mood_of("native:arn:of:two", ErrorKind::InvalidName);
    assert_eq!(read().await.unwrap_err().kind(), ErrorKind::InvalidName, "nobody understands it");
}

/// One batch each; what is there does not go on, and who has no batches is asked side by side.
#[tokio::test]
async fn many_are_one_batch_for_each_provider() {
    let batching = |scope| {
        full(scope).able(|c| {
            (c.batch, c.limits) = (Support::Native, c.limits.with_batch(20));
        })
    };
    let (one, two, three) = (batching("one"), batching("two"), full("three"));
    one.put("a", Entry::current("one-a"));
    two.put("b", Entry { current: Some("two-b"), previous: Some("two-b0"), pending: None });
    three.put("c", Entry::current("three-c"));
    three.put("a", Entry::current("covered"));
    let chain = chain(&one, &two).then(three.clone());
    assert_eq!(chain.capabilities().batch, Support::Native);
    assert_eq!(chain.capabilities().limits.batch, 20);
    let wanted: Vec<_> =
        ["c", "a", "b", "a", "none"].map(|n| (reference(n), GetOptions::default())).into();
    let answers = chain.get_secrets(&wanted).await.unwrap();
    let told = |answer: &Result<Secret>| {
        answer.as_ref().map_or_else(|e| e.kind().as_str().to_owned(), text)
    };
    let told: Vec<_> = answers.iter().map(told).collect();
    assert_eq!(told, ["three-c", "one-a", "two-b", "one-a", "not found"]);
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(one.calls(), [(Operation::GetSecrets, names(&["c", "a", "b", "a", "none"]))]);
    assert_eq!(two.calls(), [(Operation::GetSecrets, names(&["c", "b", "none"]))]);
    let singles = [(Operation::GetSecret, names(&["c"])), (Operation::GetSecret, names(&["none"]))];
    assert_eq!(three.calls(), singles);
    assert!(chain.get_secrets(&[]).await.unwrap().is_empty());
    assert_eq!(one.count() + two.count() + three.count(), 0);
}

#[tokio::test]
async fn a_batch_that_fails_later_fails_only_what_went_on() {
    let batching = |scope| full(scope).able(|c| c.batch = Support::Native);
    let (one, two) = (batching("one"), batching("two"));
    one.put("a", Entry::current("one-a"));
    two.mood(ErrorKind::PermissionDenied);
    let wanted = ["a", "b", "c"].map(|name| (reference(name), GetOptions::default()));
    let answers = chain(&one, &two).get_secrets(&wanted).await.unwrap();
    assert_eq!(text(answers[0].as_ref().unwrap()), "one-a");
    for answer in &answers[1..] {
        let error = answer.as_ref().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert_eq!(error.operation(), Some(Operation::GetSecret));
        assert!(error.to_string().contains("`shelf:two`"), "{error}");
    }
}

async fn listed(
    chain: &Fallback,
    filter: &SecretFilter,
    request: PageRequest,
) -> Result<Vec<String>> {
    let (mut names, mut request) = (Vec::new(), request);
    loop {
        let limit = request.limit;
        let page = chain.list_secrets(filter, request).await?;
        names.extend(page.items.iter().map(|info| info.reference.to_string()));
        let Some(next) = page.next else { return Ok(names) };
        request = PageRequest::after(next);
        request.limit = limit;
    }
}

#[tokio::test]
async fn lists_name_nothing_twice() {
    for describes in [Support::Native, Support::No] {
        let shelf = |scope| full(scope).able(|c| c.describe = describes);
        let (one, two, three) = (shelf("one"), shelf("two"), shelf("three"));
        let put = |shelf: &Shelf, names: &[&str]| {
            names.iter().for_each(|name| shelf.put(name, Entry::current("x")));
        };
        put(&one, &["a/1", "a/2", "a/3", "b/1"]);
        put(&two, &["a/2", "a/4", "b/1", "a/11"]);
        put(&three, &["a/1", "a/4", "a/5", "b/1", "b/2"]);
        let chain = chain(&one, &two).then(three.clone());
        let one_each = PageRequest::first().with_limit(std::num::NonZeroU32::MIN);
        for request in [PageRequest::first(), one_each] {
            let names = listed(&chain, &SecretFilter::prefix("a/"), request.clone()).await.unwrap();
            assert_eq!(names, ["a/1", "a/2", "a/3", "a/11", "a/4", "a/5"]);
            let names = listed(&chain, &SecretFilter::all(), request).await.unwrap();
            assert_eq!(names.len(), 8, "{names:?}");
        }
        three.mood(ErrorKind::Unavailable);
        let lists = chain.clone().on_unavailable(OnUnavailable::Fall);
        let error = listed(&lists, &SecretFilter::all(), PageRequest::first()).await.unwrap_err();
        assert!(error.to_string().contains("`shelf:three`"), "never less than all: {error}");
    }
}

#[tokio::test]
async fn tokens_are_of_one_chain_and_name_the_provider() {
    let (one, two) = two();
    for shelf in [&one, &two] {
        for name in ["a", "b", "c"] {
            shelf.put(
                &format!("{name}/{shelf:?}").to_lowercase().replace(['(', ')', ':'], "-"),
                Entry::current("x"),
            );
        }
    }
    let (ours, theirs) = (chain(&one, &two), chain(&two, &one));
    let filter = SecretFilter::all();
    let mut request = PageRequest::first();
    let mut tokens = Vec::new();
    while let Some(token) = ours.list_secrets(&filter, request).await.unwrap().next {
        tokens.push(token.clone());
        request = PageRequest::after(token);
    }
    assert_eq!(tokens.len(), 3, "{tokens:?}");
    for token in &tokens {
        let refused = theirs.list_secrets(&filter, PageRequest::after(token.clone())).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidValue, "{token:?}");
    }
    let mark = tokens[0].as_str().split('/').next().unwrap();
    let wrong = [
        "",
        "1",
        "/1",
        "0/2",
        &format!("{mark}/0"),
        &format!("{mark}/2"),
        &format!("{mark}/01"),
        &format!("{mark}/+1"),
        &format!("{mark}/1/x"),
        mark,
    ];
    for token in wrong {
        let request = PageRequest::after(PageToken::new(token));
        let error = ours.list_secrets(&filter, request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{token:?}");
    }
}

#[tokio::test]
async fn versions_are_those_of_the_one_that_has_the_secret() {
    let (one, two) = two();
    two.put(NAME, Entry { current: Some("t2"), previous: Some("t1"), pending: Some("t3") });
    let chain = chain(&one, &two);
    let ids = async |chain: &Fallback| {
        let (mut ids, mut request) = (Vec::new(), PageRequest::first());
        loop {
            let page = chain.list_versions(&reference(NAME), request).await.unwrap();
            ids.extend(page.items.iter().map(|info| info.id.to_string()));
            let Some(next) = page.next else { return ids };
            request = PageRequest::after(next);
        }
    };
    assert_eq!(ids(&chain).await, ["~1~t2", "~1~t1", "~1~t3"]);
    one.put(NAME, Entry { current: Some("o2"), previous: Some("o1"), pending: None });
    assert_eq!(ids(&chain).await, ["o2", "o1"]);
    one.mood_of(NAME, ErrorKind::PermissionDenied);
    let error = chain.list_versions(&reference(NAME), PageRequest::first()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn hints_come_from_all_and_end_with_the_first() {
    let hinting = |scope| full(scope).able(|c| c.changes = Support::Native);
    let (one, two, mute) = (hinting("one"), hinting("two"), full("three"));
    let chain = chain(&one, &two).then(mute);
    let mut hints = chain.changes().unwrap();
    let mut hint = ChangeHint::secret(reference(NAME));
    hint.version = Some(VersionId::new("v9").unwrap());
    one.hint(&hint);
    assert_eq!(hints.next().await.unwrap(), hint);
    two.hint(&hint);
    let theirs = hints.next().await.unwrap();
    assert_eq!((theirs.reference, theirs.version), (hint.reference, None), "it may be covered");
    assert!(hints.next().now_or_never().is_none());
    two.end_hints();
    assert_eq!(hints.next().await, None, "who listens again misses nothing");
    assert!(chain.changes().is_some());
}

#[tokio::test]
async fn health_is_that_of_all() {
    let (one, two) = two();
    let (strict, lenient) =
        (chain(&one, &two), chain(&one, &two).on_unavailable(OnUnavailable::Fall));
    let status = async |chain: &Fallback| chain.health().await.map(|health| health.status);
    assert_eq!(status(&strict).await.unwrap(), HealthStatus::Healthy);

    two.feels(Health::unhealthy("out of memory"));
    let health = strict.health().await.unwrap();
    assert_eq!(health.status, HealthStatus::Degraded);
    assert_eq!(health.findings, ["shelf:two: out of memory"]);
    two.mood(ErrorKind::Unavailable);
    assert_eq!(status(&strict).await.unwrap(), HealthStatus::Degraded);

    one.feels(Health::unhealthy("sealed"));
    assert_eq!(status(&strict).await.unwrap(), HealthStatus::Unhealthy);
    assert_eq!(status(&lenient).await.unwrap(), HealthStatus::Degraded);
    one.mood(ErrorKind::Unauthenticated);
    let error = status(&strict).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.to_string().contains("`shelf:one`"), "{error}");
    assert_eq!(status(&lenient).await.unwrap(), HealthStatus::Degraded);
}

#[test]
fn chains_are_told_apart_by_all_their_parts() {
    let id = |scopes: &[&str]| {
        let mut chain = Fallback::new(full(scopes[0]));
        for scope in &scopes[1..] {
            chain = chain.then(full(scope));
        }
        chain.id().clone()
    };
    let different = [
        id(&["a"]),
        id(&["a", "b"]),
        id(&["b", "a"]),
        id(&["a", "b", "c"]),
        id(&["a > shelf:b"]),
        id(&["a \\> shelf:b"]),
        id(&["a", "b > shelf:c"]),
    ];
    for (at, one) in different.iter().enumerate() {
        assert!(different[at + 1..].iter().all(|other| other != one), "{one}");
    }
    assert_eq!(id(&["a", "b"]).to_string(), "fallback:shelf:a > shelf:b");
    let as_whom = |one: &str, two: &str| {
        let memory = |scope, identity: &str| {
            MemoryProvider::builder(Personality::Aws)
                .scope(scope)
                .identity(identity)
                .build()
                .unwrap()
        };
        Fallback::new(memory("a", one)).then(memory("b", two)).id().clone()
    };
    assert_ne!(as_whom("x", ""), as_whom("", "x"));
    assert_eq!(as_whom("x", "y").to_string(), "fallback:memory:a > memory:b as x > y");
}

/// A primary that nobody can write through takes no part in what the chain can do beside reading.
#[test]
fn capabilities_of_a_read_only_primary_are_those_of_the_others() {
    let able = Fallback::new(Shelf::plain("env")).then(full("cloud"));
    let capabilities = able.capabilities();
    assert_eq!(
        (capabilities.versions, capabilities.previous),
        (Support::Emulated, Support::Emulated)
    );
    assert_eq!((capabilities.describe, capabilities.list), (Support::Emulated, Support::No));
    assert_eq!((capabilities.write, capabilities.staging), (Support::No, Staging::No));

    let written = full("main").able(|c| (c.write, c.previous) = (Support::Native, Support::No));
    let chain = Fallback::new(written).then(full("cloud"));
    assert_eq!(chain.capabilities().previous, Support::No, "what is written there has none");
}

/// What the documentation says of deletions, on each personality.
#[tokio::test]
async fn a_deletion_uncovers_what_the_primary_then_calls_not_found() {
    for personality in Personality::ALL {
        let primary = MemoryProvider::new(personality);
        let second = MemoryProvider::builder(Personality::Google).scope("second").build().unwrap();
        second.put_text(NAME, "theirs").await.unwrap();
        let chain = Fallback::new(primary).then(second);
        let name = reference(NAME);
        chain.set_secret(&name, value("ours"), SetOptions::new()).await.unwrap();
        assert_eq!(current(&chain).await.unwrap(), "ours");
        if chain.capabilities().recover.is_available() {
            chain.delete_secret(&name, DeleteMode::Recoverable { window: None }).await.unwrap();
            let error = current(&chain).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PendingDeletion, "{personality:?}");
            chain.restore_secret(&name).await.unwrap();
            assert_eq!(current(&chain).await.unwrap(), "ours");
        }
        if chain.capabilities().delete.is_available() {
            chain.delete_secret(&name, DeleteMode::Immediate).await.unwrap();
            assert_eq!(current(&chain).await.unwrap(), "theirs", "{personality:?}");
            let gone = chain.delete_secret(&name, DeleteMode::Immediate).await.unwrap_err();
            assert_eq!(gone.kind(), ErrorKind::NotFound, "nothing of the others is ever deleted");
            assert_eq!(current(&chain).await.unwrap(), "theirs");
        }
    }
}

/// Both stores count from 1.
#[tokio::test]
async fn no_id_means_versions_of_two_stores() {
    let google = |scope| MemoryProvider::builder(Personality::Google).scope(scope).build().unwrap();
    let (one, two) = (google("one"), google("two"));
    two.put_text(NAME, "theirs").await.unwrap();
    let chain = Fallback::new(one).then(two);
    let theirs = chain.read(NAME).await.unwrap().version.id;
    let by_id = |version: &VersionId| VersionSelector::Id(version.clone());
    assert_eq!(read(&chain, by_id(&theirs)).await.unwrap(), "theirs");

    let ours = chain.put_text(NAME, "ours").await.unwrap().id;
    assert_ne!(theirs, ours);
    assert_eq!(read(&chain, by_id(&ours)).await.unwrap(), "ours");
    assert_eq!(read(&chain, by_id(&theirs)).await.unwrap_err().kind(), ErrorKind::NotFound);
    let wanted = [theirs, ours].map(|id| (reference(NAME), GetOptions::version(by_id(&id))));
    let many = chain.get_secrets(&wanted).await.unwrap();
    assert_eq!(many[0].as_ref().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(text(many[1].as_ref().unwrap()), "ours");
}

/// The primary lags and does not know of the secret yet; the other store has one of the same number.
#[tokio::test(start_paused = true)]
async fn what_was_written_covers_the_other_store_though_the_primary_lags() {
    let google = |scope| {
        MemoryProvider::builder(Personality::Google)
            .scope(scope)
            .clock(Arc::new(Wall::new()))
            .declared_delay(secs(60))
    };
    let other = google("other").build().unwrap();
    other.put_text(NAME, "theirs").await.unwrap();
    tokio::time::sleep(secs(60)).await;
    let primary = google("primary").propagation(secs(30)).build().unwrap();
    let manager = build(Fallback::new(primary).then(other));
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    assert_eq!(text(handle.load().secret().unwrap()), "theirs");
    manager.cached().put_text(NAME, "ours").await.unwrap();
    for _ in 0..12 {
        manager.invalidate(&reference(NAME));
        assert_eq!(text(&manager.get(NAME).await.unwrap()), "ours");
        assert_eq!(text(handle.load().secret().unwrap()), "ours");
        tokio::time::sleep(secs(10)).await;
    }
}

/// A chain within a chain has ids that begin as those of the outer one's later providers do.
#[tokio::test]
async fn no_id_means_versions_of_two_stores_of_chains_of_chains() {
    let google = |scope| MemoryProvider::builder(Personality::Google).scope(scope).build().unwrap();
    let (one, two, three) = (google("one"), google("two"), google("three"));
    let inner = Fallback::new(one).then(two.clone());
    let chain = Fallback::new(inner).then(three.clone());
    let by_id = |version: &VersionId| VersionSelector::Id(version.clone());
    three.put_text(NAME, "third").await.unwrap();
    let third = chain.read(NAME).await.unwrap().version.id;
    assert_eq!(read(&chain, by_id(&third)).await.unwrap(), "third");

    two.put_text(NAME, "second").await.unwrap();
    let second = chain.read(NAME).await.unwrap().version.id;
    assert_eq!(read(&chain, by_id(&second)).await.unwrap(), "second");
    let error = read(&chain, by_id(&third)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "never another value");
    assert_ne!(second, third);
}

/// Who knows only ids of its own form is not asked for those of others.
#[tokio::test]
async fn ids_of_later_providers_are_not_put_to_the_primary() {
    let (one, two) = two();
    two.put(NAME, Entry { current: Some("t2"), previous: Some("t1"), pending: None });
    let chain = chain(&one, &two);
    one.calls();
    assert_eq!(read(&chain, id("~1~t1")).await.unwrap(), "t1");
    assert_eq!(one.calls(), [(Operation::DescribeSecret, vec![NAME.to_owned()])]);
    let wanted = ["~1~t1", "~1~t2"].map(|v| (reference(NAME), GetOptions::version(id(v))));
    assert!(chain.get_secrets(&wanted).await.unwrap().iter().all(Result::is_ok));
    assert!(one.calls().iter().all(|(operation, _)| *operation == Operation::DescribeSecret));

    // Nor are later ones for those of the primary.
    two.calls();
    assert_eq!(read(&chain, id("t1")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(two.calls(), [(Operation::DescribeSecret, vec![NAME.to_owned()])]);
}

/// A store whose own ids look like those of later providers; it notes the ids that it is given.
#[derive(Debug)]
struct Tilde {
    inner: MemoryProvider,
    given: Arc<Mutex<Vec<String>>>,
}

impl Tilde {
    fn note(&self, id: &VersionId) {
        self.given.lock().unwrap().push(id.to_string());
    }

    fn own() -> VersionId {
        VersionId::new("~1~1").unwrap()
    }
}

#[async_trait]
impl SecretProvider for Tilde {
    fn id(&self) -> &ProviderId {
        self.inner.id()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn name_rules(&self) -> &NameRules {
        self.inner.name_rules()
    }

    async fn get_secret(&self, _: &SecretRef, options: GetOptions) -> Result<Secret> {
        if let VersionSelector::Id(id) = options.version {
            self.note(&id);
        }
        Ok(Secret::new(value("tilde"), VersionInfo::new(Self::own(), noon())))
    }

    async fn set_secret(
        &self,
        _: &SecretRef,
        _: SecretValue,
        options: SetOptions,
    ) -> Result<VersionInfo> {
        if let Precondition::CurrentIs(id) = &options.precondition {
            self.note(id);
        }
        Ok(VersionInfo::new(Self::own(), noon()))
    }

    async fn promote(
        &self,
        _: &SecretRef,
        pending: &VersionId,
        base: &VersionId,
        _: &IdempotencyKey,
    ) -> Result<Promoted> {
        [pending, base].into_iter().for_each(|id| self.note(id));
        Ok(Promoted::new(Self::own(), Some(Self::own())))
    }

    async fn discard_pending(&self, _: &SecretRef, pending: &VersionId) -> Result<()> {
        self.note(pending);
        Ok(())
    }

    async fn update_metadata(
        &self,
        _: &SecretRef,
        version: Option<&VersionId>,
        _: MetadataPatch,
        precondition: Precondition,
    ) -> Result<()> {
        version.into_iter().for_each(|id| self.note(id));
        if let Precondition::CurrentIs(id) = &precondition {
            self.note(id);
        }
        Ok(())
    }

    async fn set_version_state(
        &self,
        _: &SecretRef,
        version: &VersionId,
        _: VersionState,
    ) -> Result<()> {
        self.note(version);
        let error = Error::new(ErrorKind::Conflict, "not now").with_version(version.clone());
        Err(error.with_operation(Operation::SetVersionState))
    }
}

/// What a chain calls a version of its primary it takes back in every call.
#[tokio::test]
async fn ids_that_a_chain_gives_are_understood_by_its_writes() {
    let given = Arc::new(Mutex::new(Vec::new()));
    let inner = MemoryProvider::new(Personality::Aws);
    let chain = Fallback::new(Tilde { inner, given: Arc::clone(&given) }).then(full("two"));
    let (name, token) = (reference(NAME), IdempotencyKey::from_random([1; 16]));
    let id = chain.put_text(NAME, "x").await.unwrap().id;
    assert_eq!(id.as_str(), "~0~~1~1");
    let is_current = || Precondition::CurrentIs(id.clone());
    assert_eq!(chain.read(NAME).await.unwrap().version.id, id);
    assert_eq!(read(&chain, VersionSelector::Id(id.clone())).await.unwrap(), "tilde");
    let options = SetOptions::new().when(is_current());
    chain.set_secret(&name, value("x"), options).await.unwrap();
    let promoted = chain.promote(&name, &id, &id, &token).await.unwrap();
    assert_eq!((&promoted.current, promoted.previous.as_ref()), (&id, Some(&id)));
    chain.discard_pending(&name, &id).await.unwrap();
    let patch = MetadataPatch::default();
    chain.update_metadata(&name, Some(&id), patch, is_current()).await.unwrap();
    let set = chain.set_version_state(&name, &id, VersionState::Disabled).await;
    assert_eq!(set.unwrap_err().version(), Some(&id));
    let given: Vec<_> = std::mem::take(&mut given.lock().unwrap());
    assert_eq!(given, ["~1~1"; 8]);
}
