//! What is recorded of reads, fetches, handles and writes, and what happens where it cannot be.

use std::error::Error as _;
use std::sync::Arc;
use std::time::SystemTime;

use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{
    Capabilities, Consistency, DeleteMode, Effect, Error, ErrorKind, GetOptions, IdempotencyKey,
    Limits, MetadataPatch, NameRules, NativeId, Precondition, ProviderId, Result, Secret,
    SecretProvider, SecretProviderExt, SecretRef, SetOptions, VersionState, async_trait,
};
use secrets_manager::audit_log::{
    Action, Actor, AuditLog, AuditSink, ChainKey, Class, Code, Context,
    ErrorKind as AuditErrorKind, Event, FileTrail, Id, MemorySink, OnFailure, Outcome, Product,
    Result as AuditResult, Verifier, WriterName,
};
use secrets_manager::{NotRecorded, SecretManager};

use crate::support::{
    NAME, Running, Scripted, absent, builder, memory, millis, noon, pass, reference, secs, settle,
    text, unavailable, value, version,
};

/// A sink in memory, and the log of it that fails open.
pub(crate) fn open() -> (Arc<MemorySink>, AuditLog) {
    let sink = Arc::new(MemorySink::new());
    (Arc::clone(&sink), AuditLog::new(sink))
}

pub(crate) fn closed() -> (Arc<MemorySink>, AuditLog) {
    let (sink, log) = open();
    (sink, log.on_failure(Class::EntityManagement, OnFailure::Refuse))
}

pub(crate) fn audited(provider: impl SecretProvider, log: AuditLog) -> SecretManager {
    builder(provider).audit(log).build().unwrap()
}

/// Code, activity, secret, version and outcome in one line.
fn line(event: &Event) -> String {
    let Action::Entity { activity, entity, result: None } = &event.action else {
        panic!("{event:?}");
    };
    let code = event.code.unwrap();
    let version = entity.version.as_ref().map_or("-", Id::as_str);
    let outcome = match event.outcome {
        Outcome::Success => "ok".to_owned(),
        Outcome::Failure(reason) => reason.to_string(),
        Outcome::Unknown(reason) => format!("unknown:{reason}"),
    };
    format!("{code} {} {} {version} {outcome}", activity.name(), entity.id)
}

fn lines(sink: &MemorySink) -> Vec<String> {
    sink.take().iter().map(line).collect()
}

fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

pub(crate) fn alice() -> Context {
    let actor = Actor::user(id("alice"));
    Context::new().with_request_id(id("r-1")).with_actor(actor)
}

fn is_refused<T: std::fmt::Debug>(answer: Result<T>) {
    let error = answer.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, Effect::NotApplied));
    let source = error.source().unwrap().downcast_ref::<NotRecorded>().unwrap();
    assert!(source.audit_error().is_some() && error.is_transient());
}

#[tokio::test(start_paused = true)]
async fn fetches_reads_and_handles_are_events() {
    let (sink, log) = open();
    let provider = Scripted::new(|_, _| async { Ok(version("v1")) });
    let manager = audited(provider.clone(), log);
    let _running = Running::start(&manager).await;

    alice().scope(manager.get(NAME)).await.unwrap();
    let events = sink.take();
    let seen: Vec<_> = events.iter().map(line).collect();
    assert_eq!(seen, ["fetch Read billing/db v1 ok", "read Read billing/db v1 ok"]);
    for event in &events {
        assert_eq!(event.context, alice(), "{event:?}");
        assert_eq!(event.class(), Class::EntityManagement);
        let Action::Entity { entity, .. } = &event.action else { panic!() };
        assert_eq!(entity.store, Some(id("scripted:test")));
    }

    // From the cache: by every way to read.
    manager.get(NAME).await.unwrap();
    assert!(manager.try_get(NAME).is_some());
    let hit = alice().sync_scope(|| manager.try_get(NAME));
    assert!(hit.is_some());
    assert!(manager.cached().get_secret(&reference(NAME), GetOptions::default()).await.is_ok());
    let seen = sink.take();
    assert!(seen.iter().all(|event| line(event) == "read Read billing/db v1 ok"));
    let who: Vec<_> = seen.iter().map(|event| event.context.actor.is_some()).collect();
    assert_eq!(who, [false, false, true, false]);
    assert!(manager.try_get("not/there").is_none());

    alice().scope(manager.handle(NAME)).await.unwrap();
    let events = sink.take();
    assert_eq!(events.iter().map(line).collect::<Vec<_>>(), ["handle Read billing/db v1 ok"]);
    assert_eq!(events[0].context, alice());
    assert_eq!(provider.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_manager_fetches_by_itself_it_does_as_itself() {
    let (sink, log) = open();
    let manager = audited(Scripted::new(|_, _| async { Ok(version("v1")) }), log);
    let _running = alice().scope(Running::start(&manager)).await;
    let _handle = alice().scope(manager.handle(NAME)).await.unwrap();
    drop(sink.take());
    pass(secs(85)).await;
    let events = sink.take();
    assert_eq!(events.iter().map(line).collect::<Vec<_>>(), ["fetch Read billing/db v1 ok"]);
    let manager = Context::new().with_actor(Actor::service(id("secrets-manager")));
    assert_eq!(events[0].context, manager);
}

#[tokio::test(start_paused = true)]
async fn failures_are_events_with_their_kind() {
    let (sink, log) = open();
    let provider = Scripted::new(|call, _| async move {
        match call {
            1 => Err(absent()),
            2 => std::future::pending().await,
            3 => panic!("a provider panics"),
            _ => Err(unavailable()),
        }
    });
    let manager = audited(provider, log);
    for name in ["a", "b", "c", "d"] {
        manager.get(name).await.unwrap_err();
    }
    manager.get("Not A Name").await.unwrap_err();
    manager.handle("a").await.unwrap_err();
    let expected = [
        "fetch Read a - not_found",
        "read Read a - not_found",
        "fetch Read b - timeout",
        "read Read b - timeout",
        "fetch Read c - internal",
        "read Read c - internal",
        "fetch Read d - unavailable",
        "read Read d - unavailable",
        // Nothing can be called by a name that is none, so nothing is recorded of it.
        "handle Read a - not_found",
    ];
    assert_eq!(lines(&sink), expected);
}

#[tokio::test(start_paused = true)]
async fn each_secret_of_a_batch_is_an_event() {
    let (sink, log) = open();
    let provider = memory(Personality::Aws).await;
    provider.put_text("other", "two").await.unwrap();
    let manager = audited(provider.clone(), log);
    let ask = |name: &str| (reference(name), GetOptions::default());
    let wanted = [ask(NAME), ask("other"), ask("none")];
    let answers = manager.cached().get_secrets(&wanted).await.unwrap();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 2);
    let kinds = |seen: Vec<String>| {
        let kind = |line: &String| {
            let parts: Vec<_> = line.split(' ').collect();
            [parts[0], parts[2], parts[4]].join(" ")
        };
        seen.iter().map(kind).collect::<Vec<_>>()
    };
    let expected = [
        "fetch billing/db ok",
        "fetch other ok",
        "fetch none not_found",
        "read billing/db ok",
        "read other ok",
        "read none not_found",
    ];
    assert_eq!(kinds(lines(&sink)), expected);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_given_that_cannot_be_recorded() {
    let (sink, log) = closed();
    let manager = audited(memory(Personality::Aws).await, log.clone());
    let _running = Running::start(&manager).await;
    manager.get(NAME).await.unwrap();
    let handle = manager.handle(NAME).await.unwrap();
    // It cannot wait for a record, so it gives nothing, and the caller goes on to `get`.
    assert!(manager.try_get(NAME).is_none());
    assert_eq!(lines(&sink).len(), 3);

    sink.fail_with(Some(AuditErrorKind::StorageFull));
    let failures = log.failures();
    is_refused(manager.get(NAME).await);
    is_refused(manager.cached().get_secret(&reference(NAME), GetOptions::default()).await);
    is_refused(manager.handle(NAME).await);
    let wanted = [(reference(NAME), GetOptions::default())];
    for answer in manager.cached().get_secrets(&wanted).await.unwrap() {
        is_refused(answer);
    }
    assert_eq!(log.failures(), failures + 4);
    // Not even into the cache.
    manager.invalidate_all();
    is_refused(manager.get(NAME).await);
    // What is refused anyway is refused for its own reason.
    assert_eq!(manager.get("none").await.unwrap_err().kind(), ErrorKind::NotFound);
    // What was given out before is not taken back.
    assert_eq!(text(handle.load().secret().unwrap()), "one");

    sink.fail_with(None);
    pass(secs(60)).await;
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "one");
    assert!(handle.load().is_fresh());
}

/// A version that came in unrecorded is not shown by handles: they are stale until it is recorded.
#[tokio::test(start_paused = true)]
async fn a_refresh_that_cannot_be_recorded_does_not_count() {
    let (sink, log) = closed();
    let provider = Scripted::new(|call, _| async move { Ok(version(&format!("v{call}"))) });
    let manager = audited(provider.clone(), log);
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    sink.fail_with(Some(AuditErrorKind::Io));
    pass(secs(110)).await;
    assert!(provider.calls() > 1);
    let state = handle.load();
    assert_eq!((text(state.secret().unwrap()).as_str(), state.as_str()), ("v1", "stale"));
    assert!(handle.load_checked().is_ok(), "within its bound");
    sink.fail_with(None);
    pass(secs(60)).await;
    assert!(handle.load().is_fresh());
    assert_ne!(text(handle.load().secret().unwrap()), "v1");
}

#[tokio::test(start_paused = true)]
async fn where_losses_are_counted_everything_goes_on() {
    let (sink, log) = open();
    sink.fail_with(Some(AuditErrorKind::Overflow));
    let manager = audited(memory(Personality::Aws).await, log.clone());
    let _running = Running::start(&manager).await;
    manager.get(NAME).await.unwrap();
    assert!(manager.try_get(NAME).is_some());
    manager.handle(NAME).await.unwrap();
    manager.cached().put_text(NAME, "two").await.unwrap();
    assert_eq!(log.failures(), 5, "fetch, read, hit, handle, write");
}

/// Takes nothing and never says so.
#[derive(Debug)]
struct Hanging;

#[async_trait]
impl AuditSink for Hanging {
    fn append(&self, _event: &Event) -> AuditResult<()> {
        Ok(())
    }

    async fn append_durable(&self, _event: &Event) -> AuditResult<()> {
        std::future::pending().await
    }

    async fn flush(&self) -> AuditResult<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_trail_that_hangs_is_given_up_on() {
    let log =
        AuditLog::new(Arc::new(Hanging)).on_failure(Class::EntityManagement, OnFailure::Refuse);
    let provider = memory(Personality::Aws).await;
    let manager = audited(provider.clone(), log);
    let began = tokio::time::Instant::now();
    let late = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        let source = error.source().unwrap().downcast_ref::<NotRecorded>().unwrap();
        assert!(source.audit_error().is_none());
        assert!(source.to_string().contains("5s"), "{source}");
    };
    let db = reference(NAME);
    let write = manager.cached().set_secret(&db, value("two"), SetOptions::new());
    late(write.await.unwrap_err());
    assert_eq!(text(&provider.read(NAME).await.unwrap()), "one");
    assert_eq!(began.elapsed(), secs(5));
    // The fetch takes its own time limit.
    let error = manager.get(NAME).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{error}");
    assert!(began.elapsed() <= secs(16));
}

#[tokio::test(start_paused = true)]
async fn every_write_is_an_event() {
    let (sink, log) = open();
    let manager = audited(memory(Personality::Aws).await, log);
    let (cached, db) = (manager.cached(), reference(NAME));
    let seen = || lines(&sink).join("; ");

    let absent = SetOptions::new().when(Precondition::Absent);
    let new = cached.set_secret(&reference("new"), value("1"), absent.clone()).await.unwrap();
    assert_eq!(seen(), format!("set_secret Create new {} ok", new.id));
    cached.set_secret(&reference("new"), value("2"), absent).await.unwrap_err();
    assert_eq!(seen(), "set_secret Create new - already_exists");

    let base = manager.get(NAME).await.unwrap().version.id;
    drop(sink.take());
    let pending = cached.set_secret(&db, value("two"), SetOptions::pending()).await.unwrap();
    assert_eq!(seen(), format!("set_secret Update billing/db {} ok", pending.id));
    let token = IdempotencyKey::from_random([1; 16]);
    let promoted = alice().scope(cached.promote(&db, &pending.id, &base, &token)).await.unwrap();
    let events = sink.take();
    assert_eq!(line(&events[0]), format!("promote Activate billing/db {} ok", promoted.current));
    // What is asked for after it is asked for on behalf of who wrote.
    assert!(line(&events[1]).starts_with("fetch"), "{events:?}");
    assert!(events.iter().all(|event| event.context == alice()) && events.len() == 2);

    let pending = cached.set_secret(&db, value("three"), SetOptions::pending()).await.unwrap();
    cached.discard_pending(&db, &pending.id).await.unwrap();
    assert_eq!(lines(&sink)[1], format!("discard_pending Delete billing/db {} ok", pending.id));
    let patch = MetadataPatch::new();
    cached.update_metadata(&db, None, patch, Precondition::Any).await.unwrap();
    assert_eq!(seen(), "update_metadata Update billing/db - ok");
    let set = cached.set_version_state(&db, &base, VersionState::Disabled).await;
    let expected = if set.is_ok() { "ok" } else { "unsupported" };
    assert_eq!(seen(), format!("set_version_state Disable billing/db {base} {expected}"));
    cached.delete_secret(&db, DeleteMode::Recoverable { window: None }).await.unwrap();
    assert_eq!(seen(), "delete_secret Delete billing/db - ok");
    cached.restore_secret(&db).await.unwrap();
    assert_eq!(seen(), "restore_secret Resume billing/db - ok");
    cached.purge_secret(&db).await.unwrap_err();
    assert!(seen().starts_with("purge_secret Delete billing/db - "));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_cannot_be_recorded_is_not_made() {
    let (sink, log) = closed();
    let provider = memory(Personality::Aws).await;
    let manager = audited(provider.clone(), log);
    let (cached, db) = (manager.cached(), reference(NAME));

    let two = cached.set_secret(&db, value("two"), SetOptions::new()).await.unwrap();
    let expected = [
        "set_secret Update billing/db - unknown:intended".to_owned(),
        format!("set_secret Update billing/db {} ok", two.id),
    ];
    assert_eq!(lines(&sink), expected);

    sink.fail_with(Some(AuditErrorKind::StorageFull));
    is_refused(cached.set_secret(&db, value("three"), SetOptions::new()).await);
    is_refused(cached.delete_secret(&db, DeleteMode::Recoverable { window: None }).await);
    is_refused(cached.set_version_state(&db, &two.id, VersionState::Disabled).await);
    is_refused(cached.purge_secret(&db).await);
    is_refused(cached.restore_secret(&db).await);
    let token = IdempotencyKey::from_random([1; 16]);
    is_refused(cached.promote(&db, &two.id, &two.id, &token).await);
    is_refused(cached.discard_pending(&db, &two.id).await);
    let patch = MetadataPatch::new();
    is_refused(cached.update_metadata(&db, None, patch, Precondition::Any).await);
    assert_eq!(text(&provider.read(NAME).await.unwrap()), "two");
}

/// A write that has been made stands, whatever becomes of its record.
#[tokio::test(start_paused = true)]
async fn a_write_stands_though_its_outcome_cannot_be_recorded() {
    let (sink, log) = closed();
    let provider = Failing { sink: Arc::clone(&sink), ..Failing::new() };
    let manager = audited(provider, log.clone());
    let error = manager.cached().delete_secret(&reference(NAME), DeleteMode::Immediate).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(lines(&sink), ["delete_secret Delete billing/db - unknown:intended"]);
    assert_eq!(log.failures(), 1);
}

/// Lets the disk of the trail fill up while it is at work, or takes for ever.
#[derive(Debug)]
struct Failing {
    id: ProviderId,
    capabilities: Capabilities,
    rules: NameRules,
    sink: Arc<MemorySink>,
    hangs: bool,
}

impl Failing {
    fn new() -> Self {
        Self {
            id: ProviderId::new("failing", "test", ""),
            capabilities: Capabilities::read_only(Consistency::Strong, Limits::new(1 << 20)),
            rules: NameRules::new(|b| b.is_ascii_graphic(), b'%', 512),
            sink: Arc::default(),
            hangs: false,
        }
    }
}

#[async_trait]
impl SecretProvider for Failing {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn name_rules(&self) -> &NameRules {
        &self.rules
    }

    async fn get_secret(&self, _reference: &SecretRef, _options: GetOptions) -> Result<Secret> {
        std::future::pending().await
    }

    async fn delete_secret(
        &self,
        _reference: &SecretRef,
        _mode: DeleteMode,
    ) -> Result<secrets_core::Deleted> {
        self.sink.fail_with(Some(AuditErrorKind::StorageFull));
        if self.hangs {
            std::future::pending::<()>().await;
        }
        Err(Error::new(ErrorKind::Internal, "lost"))
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_is_recorded_as_given_up() {
    for (sink, log) in [open(), closed()] {
        let is_open = log.policy(Class::EntityManagement) == OnFailure::Proceed;
        let manager = audited(Failing { hangs: true, ..Failing::new() }, log);
        let read = tokio::time::timeout(millis(10), manager.get(NAME)).await;
        assert!(read.is_err());
        settle().await;
        assert_eq!(lines(&sink), ["fetch Read billing/db - unknown:cancelled"]);

        let db = reference(NAME);
        let write = manager.cached().delete_secret(&db, DeleteMode::Immediate);
        assert!(tokio::time::timeout(millis(10), write).await.is_err());
        let given_up = "delete_secret Delete billing/db - unknown:cancelled";
        let intended = "delete_secret Delete billing/db - unknown:intended";
        let expected: &[_] = if is_open { &[given_up] } else { &[intended, given_up] };
        assert_eq!(lines(&sink), expected);
    }
}

/// Keeps an event only when it is asked a second time, as a slow disk does.
#[derive(Debug, Default)]
struct Slow(MemorySink);

#[async_trait]
impl AuditSink for Slow {
    fn append(&self, event: &Event) -> AuditResult<()> {
        self.0.append(event)
    }

    async fn append_durable(&self, event: &Event) -> AuditResult<()> {
        tokio::time::sleep(secs(1)).await;
        self.0.append(event)
    }

    async fn flush(&self) -> AuditResult<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_is_recorded_though_nobody_waits_for_its_record() {
    let sink = Arc::new(Slow::default());
    let log = AuditLog::new(sink.clone()).on_failure(Class::EntityManagement, OnFailure::Refuse);
    let manager = audited(memory(Personality::Aws).await, log);
    let db = reference(NAME);
    let write = manager.cached().set_secret(&db, value("two"), SetOptions::new());
    // The intent takes a second, so does the outcome.
    assert!(tokio::time::timeout(millis(1_500), write).await.is_err());
    let seen = lines(&sink.0);
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen[1].ends_with(" ok"), "{seen:?}");

    let read = tokio::time::timeout(millis(500), manager.get("none")).await;
    assert!(read.is_err());
    assert_eq!(lines(&sink.0), ["fetch Read none - not_found"]);
    // The value was already there when the reader left.
    manager.invalidate_all();
    assert!(tokio::time::timeout(millis(500), manager.get(NAME)).await.is_err());
    let seen = lines(&sink.0);
    assert!(seen.len() == 1 && seen[0].starts_with("fetch") && seen[0].ends_with(" ok"));
}

#[tokio::test(start_paused = true)]
async fn any_native_id_can_be_recorded() {
    let (sink, log) = open();
    let manager = audited(Scripted::new(|_, _| async { Ok(version("v1")) }), log);
    for native in
        ["arn:aws:secretsmanager:eu-1:1:secret:x-AbCdEf", "zwei Wörter", &"ö".repeat(1_000)]
    {
        let native = SecretRef::from(NativeId::new(native).unwrap());
        manager.cached().get_secret(&native, GetOptions::default()).await.unwrap();
        let seen = sink.take();
        assert_eq!(seen.len(), 2);
        for event in &seen {
            let Action::Entity { entity, .. } = &event.action else { panic!() };
            assert!(entity.id.as_str().starts_with("native:"));
        }
    }
}

/// The whole way to the disk: the trail verifies, and has all of it in order without a value.
#[tokio::test]
async fn the_trail_on_the_disk_verifies_and_holds_no_value() {
    const CANARY: &str = "kanarienvogel-8f2e";
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("audit");
    let key = ChainKey::from_slice(&[7; 32]).unwrap();
    let product = Product::new(Code::new("example"), Code::new("billing"));
    let writer = WriterName::new("billing-1").unwrap();
    let trail = FileTrail::at(&folder, writer, product, key.clone()).open().await.unwrap();
    let log = AuditLog::new(Arc::new(trail.clone()));
    let log = log.on_failure(Class::EntityManagement, OnFailure::Refuse);

    let provider = memory(Personality::Google).await;
    let manager = builder(provider).audit(log).access_period(secs(0)).build().unwrap();
    let running = Running::start(&manager).await;
    let handle = alice().scope(manager.handle(NAME)).await.unwrap();
    manager.cached().put_text(NAME, CANARY).await.unwrap();
    assert_eq!(text(handle.load().secret().unwrap()), CANARY);
    manager.get("none").await.unwrap_err();
    running.stop().await;
    trail.flush().await.unwrap();

    let report = Verifier::new([key]).verify(&folder).unwrap();
    assert!(report.is_intact(), "{report:?}");
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let lines: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .flat_map(|path| {
            std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    assert!(!lines.concat().contains(CANARY));
    let codes: Vec<_> = lines
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|event| event["class_uid"] == 3004)
        .map(|event| {
            assert_eq!(event["entity"]["type"], "secret");
            assert!(event["unmapped"]["entity_store"].is_string());
            let code = event["metadata"]["event_code"].as_str().unwrap().to_owned();
            if code == "handle" || code == "loads" {
                assert_eq!(event["actor"]["user"]["uid"], "alice");
            }
            let outcome = event["status"].as_str().unwrap();
            format!("{code} {} {outcome}", event["entity"]["uid"].as_str().unwrap())
        })
        .collect();
    let expected = [
        "fetch billing/db Success",
        "handle billing/db Success",
        "set_secret billing/db Unknown",
        "set_secret billing/db Success",
        "fetch none Failure",
        "read none Failure",
    ];
    // When the sum of loads is told depends on the run future.
    let (sums, seen): (Vec<_>, Vec<_>) =
        codes.into_iter().partition(|line| line.starts_with("loads "));
    assert_eq!(sums, ["loads billing/db Success"]);
    assert_eq!(seen, expected);
}

/// A planted secret is in none of the events, whatever is done with it.
#[tokio::test(start_paused = true)]
async fn no_event_holds_a_value() {
    const CANARY: &str = "kanarienvogel-8f2e";
    let (sink, log) = closed();
    let provider = MemoryProvider::new(Personality::Azure);
    provider.put_text(NAME, CANARY).await.unwrap();
    let manager = audited(provider, log);
    manager.get(NAME).await.unwrap();
    manager.handle(NAME).await.unwrap();
    manager.cached().put_text(NAME, CANARY).await.unwrap();
    manager.cached().delete_secret(&reference(NAME), DeleteMode::Immediate).await.ok();
    let seen = sink.take();
    assert!(seen.len() > 5, "{seen:?}");
    assert!(!format!("{seen:?} {manager:?}").contains(CANARY));
    assert!(seen.iter().all(|event| event.time >= SystemTime::UNIX_EPOCH && event.time != noon()));
}
