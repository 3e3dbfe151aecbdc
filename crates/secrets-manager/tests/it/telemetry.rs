//! What operators see: spans, events and metrics, within their bounds and without a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use secrets_core::memory::Personality;
use secrets_core::{
    DeleteMode, ErrorKind, GetOptions, NativeId, SecretName, SecretProvider, SecretProviderExt,
    SecretRef,
};
use secrets_manager::audit_log::{Code, ErrorKind as AuditErrorKind};
use secrets_manager::{Alias, METRICS, MetricKind, SecretManager};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};

use crate::audit::open;
use crate::support::{
    NAME, Running, Scripted, Wall, absent, builder, memory, millis, pass, reference, secs,
    unavailable, value, version,
};

/// All that a manager tells, in memory.
#[derive(Clone, Default)]
struct Tap(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    /// By name and labels.
    metrics: BTreeMap<String, (MetricKind, Vec<f64>)>,
    labels: BTreeSet<(String, String, String)>,
    described: BTreeMap<String, (MetricKind, Option<Unit>, String)>,
    spans: Vec<Entry>,
    events: Vec<Entry>,
    open: usize,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    name: &'static str,
    level: String,
    fields: BTreeMap<String, String>,
}

impl Entry {
    fn get(&self, field: &str) -> &str {
        self.fields.get(field).map_or("-", String::as_str)
    }
}

impl Tap {
    fn with<R>(&self, work: impl FnOnce(&mut Told) -> R) -> R {
        work(&mut self.0.lock().unwrap())
    }

    /// Runs with everything told to this.
    fn on<F: Future>(&self, work: F) -> F::Output {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        metrics::with_local_recorder(self, || {
            tracing::subscriber::with_default(self.clone(), || runtime.block_on(work))
        })
    }

    /// Spans of calls as asker, operation, name, attempt and outcome.
    fn calls(&self) -> Vec<String> {
        let shown = |span: &Entry| {
            assert_eq!((span.name, span.level.as_str()), ("secrets.provider.call", "INFO"));
            assert_eq!(span.get("otel.kind"), "client");
            let fields = ["asker", "operation", "name", "attempt"];
            let mut shown = fields.map(|field| span.get(&format!("secrets.{field}"))).join(" ");
            shown += &format!(" {}", span.get("outcome"));
            shown
        };
        self.with(|told| std::mem::take(&mut told.spans)).iter().map(shown).collect()
    }

    fn events(&self) -> Vec<Entry> {
        self.with(|told| std::mem::take(&mut told.events))
    }

    fn last(&self, metric: &str) -> f64 {
        self.with(|told| *told.metrics[metric].1.last().unwrap())
    }

    fn count(&self, metric: &str) -> usize {
        self.with(|told| told.metrics[metric].1.len())
    }

    /// Everything that was told, as text.
    fn text(&self) -> String {
        self.with(|told| {
            format!("{:?} {:?} {:?} {:?}", told.labels, told.described, told.spans, told.events)
        })
    }
}

struct Cell(Tap, String);

impl Cell {
    fn new(tap: &Tap, key: &Key, kind: MetricKind) -> Arc<Self> {
        let mut text = key.name().to_owned();
        for label in key.labels() {
            text += &format!(" {}={}", label.key(), label.value());
        }
        tap.with(|told| {
            for label in key.labels() {
                let label = (key.name(), label.key(), label.value());
                told.labels.insert((label.0.into(), label.1.into(), label.2.into()));
            }
            told.metrics.entry(text.clone()).or_insert((kind, Vec::new()));
        });
        Arc::new(Self(tap.clone(), text))
    }

    fn put(&self, next: impl FnOnce(f64) -> f64) {
        self.0.with(|told| {
            let values = &mut told.metrics.get_mut(&self.1).unwrap().1;
            values.push(next(values.last().copied().unwrap_or_default()));
        });
    }
}

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        self.put(|before| before + value as f64);
    }

    fn absolute(&self, value: u64) {
        self.put(|_| value as f64);
    }
}

impl GaugeFn for Cell {
    fn increment(&self, value: f64) {
        self.put(|before| before + value);
    }

    fn decrement(&self, value: f64) {
        self.put(|before| before - value);
    }

    fn set(&self, value: f64) {
        self.put(|_| value);
    }
}

impl HistogramFn for Cell {
    fn record(&self, value: f64) {
        self.put(|_| value);
    }
}

impl Recorder for Tap {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        let told = (MetricKind::Counter, unit, help.into_owned());
        self.with(|all| all.described.insert(name.as_str().into(), told));
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        let told = (MetricKind::Gauge, unit, help.into_owned());
        self.with(|all| all.described.insert(name.as_str().into(), told));
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        let told = (MetricKind::Histogram, unit, help.into_owned());
        self.with(|all| all.described.insert(name.as_str().into(), told));
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Cell::new(self, key, MetricKind::Counter))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Cell::new(self, key, MetricKind::Gauge))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Cell::new(self, key, MetricKind::Histogram))
    }
}

impl Visit for Entry {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name().to_owned(), value.to_owned());
    }
}

impl Subscriber for Tap {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("secrets_manager")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let metadata = span.metadata();
        let level = metadata.level().to_string();
        let mut entry = Entry { name: metadata.name(), level, ..Entry::default() };
        span.record(&mut entry);
        self.with(|told| {
            told.spans.push(entry);
            told.open += 1;
            Id::from_u64(told.spans.len() as u64)
        })
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.with(|told| {
            if let Some(entry) = told.spans.get_mut(span.into_u64() as usize - 1) {
                values.record(entry);
            }
        });
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let level = metadata.level().to_string();
        let mut entry = Entry { name: metadata.name(), level, ..Entry::default() };
        event.record(&mut entry);
        self.with(|told| told.events.push(entry));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

const CALL: &str =
    "secrets.manager=main secrets.provider.kind=scripted secrets.operation=get_secret";

fn build(provider: impl SecretProvider) -> SecretManager {
    builder(provider).clock(Arc::new(Wall::new())).build().unwrap()
}

#[test]
fn each_call_is_a_span_and_a_measurement() {
    let tap = Tap::default();
    tap.on(async {
        let provider = Scripted::new(|call, _| async move {
            tokio::time::sleep(millis(250)).await;
            match call {
                1 => Ok(version("v1")),
                2 => Err(absent()),
                3 => std::future::pending().await,
                4 => panic!("a provider panics"),
                _ => std::future::pending().await,
            }
        });
        let manager = build(provider);
        manager.get(NAME).await.unwrap();
        for name in ["a", "b", "c"] {
            manager.get(name).await.unwrap_err();
        }
        assert!(tokio::time::timeout(secs(1), manager.get("d")).await.is_err());
        let native = SecretRef::from(NativeId::new("zwei Wörter").unwrap());
        let read = manager.cached().get_secret(&native, GetOptions::default());
        assert!(tokio::time::timeout(secs(1), read).await.is_err());
    });
    let expected = [
        "caller get_secret billing/db 1 ok",
        "caller get_secret a 1 not_found",
        "caller get_secret b 1 timeout",
        "caller get_secret c 1 internal",
        "caller get_secret d 1 cancelled",
        "caller get_secret native:zwei%20W%C3%B6rter 1 cancelled",
    ];
    assert_eq!(tap.calls(), expected);
    for (outcome, seconds) in [
        ("ok", 0.25),
        ("not_found", 0.25),
        ("timeout", 5.0),
        ("internal", 0.25),
        ("cancelled", 1.0),
    ] {
        let metric = format!("secrets.provider.call.duration {CALL} outcome={outcome}");
        assert!((tap.last(&metric) - seconds).abs() < 0.01, "{metric}");
    }
    let active = format!("secrets.provider.call.active {CALL}");
    assert!(tap.last(&active).abs() < 0.1);
    assert_eq!(tap.count(&active), 12);
}

#[test]
fn attempts_of_the_manager_are_counted_and_turns_are_told() {
    let tap = Tap::default();
    tap.on(async {
        let provider = Scripted::new(|call, _| async move {
            match call {
                1 => Ok(version("v1")),
                2..=6 => Err(unavailable()),
                7 => Ok(version("v2")),
                _ => Err(absent()),
            }
        });
        let manager = build(provider);
        let running = Running::start(&manager).await;
        let handle = manager.handle(NAME).await.unwrap();
        assert_eq!(tap.events().len(), 1, "that the run future has started");
        tap.calls();

        pass(secs(115)).await;
        assert!(!handle.load().is_fresh() || handle.load().secret().is_some());
        let calls = tap.calls();
        let manager_s = |attempt: u32, outcome: &str| {
            format!("manager get_secret billing/db {attempt} {outcome}")
        };
        let mut expected: Vec<_> =
            (1..=5).map(|attempt| manager_s(attempt, "unavailable")).collect();
        expected.push(manager_s(6, "ok"));
        assert_eq!(calls, expected);
        let turn = |event: &Entry| {
            let fields = ["level", "before", "state", "secrets.version", "error.type"];
            let field = |field: &&str| match *field {
                "level" => event.level.clone(),
                field => event.get(field).to_owned(),
            };
            assert_eq!(event.get("secrets.name"), NAME);
            fields.iter().map(field).collect::<Vec<_>>().join(" ")
        };
        let turns: Vec<_> = tap.events().iter().map(turn).collect();
        let expected =
            ["WARN fresh stale v1 unavailable", "INFO - - v2 -", "INFO stale fresh v2 -"];
        assert_eq!(turns, expected);

        pass(secs(85)).await;
        let turns: Vec<_> = tap.events().iter().map(turn).collect();
        assert_eq!(turns, ["WARN fresh gone v2 not_found"]);
        running.stop().await;
        let events = tap.events();
        assert_eq!(events.last().unwrap().get("message"), "the run future has stopped");
    });
}

#[test]
fn what_stands_still_is_told_each_ten_seconds() {
    let tap = Tap::default();
    tap.on(async {
        let (sink, log) = open();
        let provider = Scripted::new(|call, _| async move {
            if call <= 3 { Ok(version("v1")) } else { Err(unavailable()) }
        });
        let clock = Arc::new(Wall::new());
        let manager = builder(provider).clock(clock).audit(log).label(Code::new("second")).build();
        let manager = manager.unwrap();
        let running = Running::start(&manager).await;
        let manager_is = "secrets.manager=second";
        assert!(tap.last(&format!("secrets.manager.running {manager_is}")) > 0.5);
        let _held = [manager.handle("a").await.unwrap(), manager.handle("b").await.unwrap()];
        manager.get("c").await.unwrap();
        manager.get("d").await.unwrap_err();
        for _ in 0..17 {
            drop(_held[0].load());
        }
        sink.fail_with(Some(AuditErrorKind::Overflow));
        manager.get("c").await.unwrap();
        pass(secs(12)).await;
        let told = |metric: &str, labels: &str| {
            tap.last(&format!("{metric} {manager_is}{labels}")).round() as i64
        };
        assert_eq!(told("secrets.handle.count", " state=fresh"), 2);
        assert_eq!(told("secrets.handle.count", " state=stale"), 0);
        assert_eq!(told("secrets.cache.entries", " state=held"), 3);
        assert_eq!(told("secrets.cache.entries", " state=absent"), 1);
        assert_eq!(told("secrets.handle.loads", " secrets.provider.kind=scripted"), 17);
        assert_eq!(told("secrets.audit.lost", ""), 1);
        assert_eq!(told("secrets.handle.staleness", ""), 0);

        drop(_held[1].load());
        pass(secs(140)).await;
        assert_eq!(told("secrets.handle.count", " state=stale"), 2);
        let staleness = told("secrets.handle.staleness", "");
        assert!((30..=52).contains(&staleness), "{staleness}");
        assert_eq!(told("secrets.handle.loads", " secrets.provider.kind=scripted"), 18);
        running.stop().await;
        assert_eq!(told("secrets.manager.running", ""), 0);
        assert_eq!(told("secrets.handle.count", " state=orphaned"), 2);
    });
}

/// A handle on a field that the newest version does not have shows an old one, and counts as that.
#[test]
fn a_field_that_is_missed_counts_as_stale() {
    let tap = Tap::default();
    tap.on(async {
        let provider = Scripted::new(|call, _| async move {
            let mut secret = version(&format!("v{call}"));
            secret.value = value(if call == 1 { r#"{"user":"u"}"# } else { "{}" });
            Ok(secret)
        });
        let alias = Alias::new(reference(NAME)).with_field("user");
        let builder = builder(provider).alias(SecretName::new("user").unwrap(), alias);
        let manager = builder.build().unwrap();
        let _running = Running::start(&manager).await;
        let _held = [manager.handle("user").await.unwrap(), manager.handle(NAME).await.unwrap()];
        pass(secs(400)).await; // the second came at 80 s
        let told =
            |metric: &str| tap.last(&format!("{metric} secrets.manager=main")).round() as i64;
        let by_state = |state: &str| {
            let metric = "secrets.handle.count secrets.manager=main";
            tap.last(&format!("{metric} state={state}")).round() as i64
        };
        assert_eq!((by_state("fresh"), by_state("stale")), (1, 1));
        let staleness = told("secrets.handle.staleness");
        assert!((300..=325).contains(&staleness), "{staleness}");
        let report = manager.report().await;
        assert_eq!(report.not_fresh[0].staleness, secs(320));
        assert_eq!(report.oldest_staleness, Some(secs(320)));
    });
}

#[test]
fn hits_tell_nothing() {
    let tap = Tap::default();
    tap.on(async {
        let manager = build(memory(Personality::Aws).await);
        let _running = Running::start(&manager).await;
        let handle = manager.handle(NAME).await.unwrap();
        let before = tap.with(|told| (told.open, told.metrics.clone(), told.events.len()));
        for _ in 0..100 {
            assert!(manager.try_get(NAME).is_some() && handle.load_checked().is_ok());
            manager.get(NAME).await.unwrap();
        }
        let after = tap.with(|told| (told.open, told.metrics.clone(), told.events.len()));
        assert!(before == after);
    });
}

/// Everything that a manager does is done with a planted secret; then all that was told is within
/// the bounds that the table of metrics sets, and the secret is nowhere.
#[test]
fn all_that_is_told_is_in_the_table_and_none_of_it_is_secret() {
    const CANARY: &str = "kanarienvogel-8f2e";
    let tap = Tap::default();
    tap.on(async {
        let (_, log) = open();
        for personality in [Personality::Aws, Personality::Azure, Personality::Google] {
            let provider = memory(personality).await;
            provider.put_text("other", CANARY).await.unwrap();
            let clock = Arc::new(Wall::new());
            let manager = builder(provider).clock(clock).audit(log.clone()).build().unwrap();
            let running = Running::start(&manager).await;
            let cached = manager.cached();
            let handle = manager.handle(NAME).await.unwrap();
            cached.put_text(NAME, CANARY).await.unwrap();
            drop(handle.load());
            let wanted = ["other", NAME, "none"].map(|n| (reference(n), GetOptions::default()));
            manager.invalidate_all();
            let _ = cached.get_secrets(&wanted).await.unwrap();
            let _ = cached.describe_secret(&reference(NAME)).await;
            let _ = cached.health().await.unwrap();
            let delete = DeleteMode::Recoverable { window: None };
            let deleted = cached.delete_secret(&reference(NAME), delete).await;
            assert!(deleted.is_ok() || deleted.unwrap_err().kind() == ErrorKind::Unsupported);
            pass(secs(100)).await;
            running.stop().await;
        }
    });
    let text = tap.text();
    assert!(text.contains("set_secret") && text.contains("get_secrets"), "{text}");
    assert!(!text.contains(CANARY));

    let table: BTreeMap<_, _> = METRICS.iter().map(|metric| (metric.name, metric)).collect();
    assert_eq!(table.len(), METRICS.len());
    tap.with(|told| {
        let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (metric, label, value) in &told.labels {
            assert!(value.len() <= 32 && !value.contains('/'), "{metric} {label}={value}");
            seen.entry(metric).or_default().insert(label);
        }
        let kinds = told
            .metrics
            .iter()
            .map(|(key, (kind, _))| (key.split(' ').next().unwrap().to_owned(), *kind));
        let kinds: BTreeSet<_> = kinds.map(|(name, kind)| (name, format!("{kind:?}"))).collect();
        let expected = METRICS.iter().map(|m| (m.name.to_owned(), format!("{:?}", m.kind)));
        assert_eq!(kinds, expected.collect(), "all that is told is in the table, and all of that");
        for metric in METRICS {
            let labels: BTreeSet<_> = metric.labels.iter().copied().collect();
            assert_eq!(seen[metric.name], labels, "{}", metric.name);
            let (kind, unit, help) = &told.described[metric.name];
            assert_eq!((*kind, help.as_str()), (metric.kind, metric.help));
            assert_eq!(*unit == Some(Unit::Seconds), metric.unit == "s");
        }
        // The labels of one call, of each of these kinds, operations and outcomes, at most.
        assert!(told.metrics.len() < 150, "{}", told.metrics.len());
    });
}

/// A recorder and a subscriber that panic at whatever they are told of calls.
struct Hostile;

impl Recorder for Hostile {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        panic!("a recorder panics")
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        panic!("a recorder panics")
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("a recorder panics")
    }
}

/// Panics at new spans, or at what is recorded in them.
struct HostileSubscriber {
    at_birth: bool,
}

impl Subscriber for HostileSubscriber {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("secrets_manager")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        assert!(!self.at_birth, "a subscriber panics");
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {
        panic!("a subscriber panics")
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The provider panics in a write as well: a second panic in the course of that would end the process.
#[test]
fn who_listens_and_panics_keeps_no_call_from_being_made() {
    #[derive(Debug)]
    struct Panicking(Scripted);

    #[secrets_core::async_trait]
    impl SecretProvider for Panicking {
        fn id(&self) -> &secrets_core::ProviderId {
            self.0.id()
        }

        fn capabilities(&self) -> &secrets_core::Capabilities {
            self.0.capabilities()
        }

        fn name_rules(&self) -> &secrets_core::NameRules {
            self.0.name_rules()
        }

        async fn get_secret(
            &self,
            reference: &SecretRef,
            options: GetOptions,
        ) -> secrets_core::Result<secrets_core::Secret> {
            self.0.get_secret(reference, options).await
        }

        async fn delete_secret(
            &self,
            _: &SecretRef,
            _: DeleteMode,
        ) -> secrets_core::Result<secrets_core::Deleted> {
            panic!("a provider panics")
        }
    }

    for at_birth in [false, true] {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        let work = async {
            let provider = memory(Personality::Aws).await;
            let manager = build(provider);
            let _running = Running::start(&manager).await;
            assert_eq!(manager.get(NAME).await.unwrap().value.expose_secret(), b"one");
            manager.cached().put_text(NAME, "two").await.unwrap();
            assert_eq!(manager.get(NAME).await.unwrap().value.expose_secret(), b"two");

            let manager = build(Panicking(Scripted::new(|_, _| async { Ok(version("v1")) })));
            let deletion = tokio::spawn(async move {
                manager.cached().delete_secret(&reference(NAME), DeleteMode::Immediate).await
            });
            assert!(deletion.await.unwrap_err().is_panic(), "the provider's goes on");
        };
        metrics::with_local_recorder(&Hostile, || {
            tracing::subscriber::with_default(HostileSubscriber { at_birth }, || {
                runtime.block_on(work);
            });
        });
    }
}
