//! All required secrets at once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrets_core::memory::{Fault, FaultRule, Faults, Gate, MemoryProvider, Personality};
use secrets_core::{
    Capabilities, Consistency, Error, ErrorKind, GetOptions, Limits, NameRules, Operation,
    ProviderId, Result, Secret, SecretName, SecretProvider, SecretProviderExt, SecretRef, Support,
    async_trait,
};
use secrets_manager::audit_log::{
    AuditLog, AuditSink, Class, ErrorKind as AuditErrorKind, MemorySink, OnFailure,
};
use secrets_manager::{
    Alias, Format, RequiredFailure, RequiredReason, RequiredReport, SecretManager, SecretRules,
    Violation,
};
use tokio::time::Instant;

use crate::support::{TokioSleep, absent, build, builder, millis, noon, secs, value};

/// Every call takes a time; names say how each ends.
#[derive(Clone)]
struct Shop {
    id: ProviderId,
    capabilities: Capabilities,
    rules: NameRules,
    takes: Duration,
    /// So many answers are missing from each call for many.
    leaves_out: usize,
    /// How often each name was asked for, alone or among others.
    asked: Arc<Mutex<BTreeMap<String, u64>>>,
    calls: Arc<AtomicU64>,
    at_once: Arc<AtomicU64>,
    most_at_once: Arc<AtomicU64>,
}

impl Shop {
    fn new(batch: Support) -> Self {
        let mut capabilities = Capabilities::read_only(Consistency::Strong, Limits::new(1 << 20));
        capabilities.batch = batch;
        Self {
            id: ProviderId::new("shop", "test", ""),
            capabilities,
            rules: NameRules::new(|b| b.is_ascii_graphic(), b'%', 512),
            takes: millis(20),
            leaves_out: 0,
            asked: Arc::default(),
            calls: Arc::default(),
            at_once: Arc::default(),
            most_at_once: Arc::default(),
        }
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    fn most_often(&self) -> u64 {
        self.asked.lock().unwrap().values().copied().max().unwrap_or(0)
    }

    async fn one(&self, reference: &SecretRef) -> Result<Secret> {
        let name = reference.name().unwrap().as_str().to_owned();
        *self.asked.lock().unwrap().entry(name.clone()).or_default() += 1;
        if name.starts_with("hangs") {
            std::future::pending::<()>().await;
        }
        assert!(!name.starts_with("panics"), "of the provider");
        if name.starts_with("absent") {
            return Err(absent());
        }
        if name.starts_with("denied") {
            let error = Error::new(ErrorKind::PermissionDenied, "no such right");
            return Err(error.with_operation(Operation::GetSecret));
        }
        let id = secrets_core::VersionId::new("v1").unwrap();
        let text = if name.starts_with("weak") { "short" } else { "q7Zt0vR2mXc9LbW4" };
        Ok(Secret::new(value(text), secrets_core::VersionInfo::new(id, noon())))
    }

    async fn call(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(self.takes).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for Shop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shop")
    }
}

#[async_trait]
impl SecretProvider for Shop {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn name_rules(&self) -> &NameRules {
        &self.rules
    }

    async fn get_secret(&self, reference: &SecretRef, _options: GetOptions) -> Result<Secret> {
        self.call().await;
        self.one(reference).await
    }

    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        self.call().await;
        let mut answers = Vec::new();
        for (reference, _) in wanted.iter().skip(self.leaves_out) {
            answers.push(self.one(reference).await);
        }
        Ok(answers)
    }
}

fn required<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Vec<(SecretName, SecretRules)> {
    let rules = SecretRules::new().with_min_length(8);
    names.into_iter().map(|name| (SecretName::new(name.as_ref()).unwrap(), rules.clone())).collect()
}

fn many() -> Vec<(SecretName, SecretRules)> {
    required((0..500).map(|number| format!("service/secret-{number}")))
}

fn names(report: &RequiredReport) -> Vec<&str> {
    report.failures().iter().map(|failure| failure.name.as_str()).collect()
}

async fn timed(manager: &SecretManager, required: &[(SecretName, SecretRules)]) -> Duration {
    let start = Instant::now();
    manager.check_required(required).await.unwrap();
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn five_hundred_single_calls_of_20_ms_take_an_eighth_of_one_after_the_other_at_most() {
    for batch in [Support::No, Support::Emulated] {
        let shop = Shop::new(batch);
        let manager = build(shop.clone());
        let took = timed(&manager, &many()).await;
        assert!(took <= millis(20) * 500 / 8, "{took:?}");
        assert_eq!((shop.calls(), shop.most_often()), (500, 1));
        assert_eq!(shop.most_at_once.load(Ordering::SeqCst), 16, "as many as the policy says");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_with_calls_for_many_gets_one() {
    let shop = Shop::new(Support::Native);
    let manager = build(shop.clone());
    let took = timed(&manager, &many()).await;
    assert!(took <= millis(40), "{took:?}");
    assert_eq!((shop.calls(), shop.most_often()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_was_read_stays_in_the_cache_and_is_not_asked_for_again() {
    for batch in [Support::No, Support::Native] {
        let shop = Shop::new(batch);
        let manager = build(shop.clone());
        manager.get("service/secret-7").await.unwrap();
        timed(&manager, &many()).await;
        assert_eq!(shop.most_often(), 1, "what was there before");
        let calls = shop.calls();
        for number in 0..500 {
            manager.handle(&format!("service/secret-{number}")).await.unwrap();
        }
        assert_eq!(timed(&manager, &many()).await, Duration::ZERO);
        assert_eq!((shop.calls(), shop.most_often()), (calls, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn every_failure_is_in_one_report_sorted_and_says_what_is_wrong() {
    for batch in [Support::No, Support::Native] {
        let shop = Shop::new(batch);
        let manager = build(shop.clone());
        let list = ["weak/b", "good/a", "denied/c", "absent/d", "weak/a", "good/b"];
        let report = manager.check_required(&required(list)).await.unwrap_err();
        assert_eq!(names(&report), ["absent/d", "denied/c", "weak/a", "weak/b"]);
        assert_eq!(report.checked(), 6);
        assert_eq!(
            report.to_string(),
            "4 of 6 required secrets are not usable:\n  \
             `absent/d`: get_secret: not found: none\n  \
             `denied/c`: get_secret: permission denied: no such right\n  \
             `weak/a`: is shorter than 8 bytes\n  \
             `weak/b`: is shorter than 8 bytes"
        );
        let shown = format!("{report:?} {report}");
        assert!(!shown.contains("short\"") && !shown.contains("q7Zt0vR2mXc9LbW4"), "{shown}");
        assert_eq!(shop.most_often(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_stands_twice_is_read_once_and_held_to_all_its_rules() {
    for batch in [Support::No, Support::Native] {
        let shop = Shop::new(batch);
        let manager = build(shop.clone());
        let mut list = required(["weak/a", "good/a", "weak/a"]);
        list[2].1 = SecretRules::new().with_min_length(8).with_format(Format::Json);
        let report = manager.check_required(&list).await.unwrap_err();
        assert_eq!(shop.most_often(), 1);
        assert_eq!(names(&report), ["weak/a"]);
        let RequiredReason::Violations(found) = &report.failures()[0].reason else { panic!() };
        assert_eq!(found[0], Violation::TooShort { min: 8 });
        assert_eq!(found.len(), 2, "what both say stands there once");
    }
}

#[tokio::test(start_paused = true)]
async fn aliases_of_one_secret_are_read_once_and_held_to_their_own_rules() {
    for batch in [Support::No, Support::Native] {
        let shop = Shop::new(batch);
        let target = || Alias::new(SecretName::new("good/a").unwrap());
        let manager = builder(shop.clone())
            .alias(SecretName::new("one").unwrap(), target())
            .alias(SecretName::new("two").unwrap(), target())
            .build()
            .unwrap();
        let mut list = required(["one", "good/a", "two", "good/b"]);
        list[2].1 = SecretRules::new().with_min_length(99);
        let report = manager.check_required(&list).await.unwrap_err();
        assert_eq!(names(&report), ["two"], "{batch:?}");
        assert_eq!(shop.most_often(), 1, "{batch:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_ends_with_the_time_of_one_call_however_many_are_asked_for() {
    for (batch, calls) in [(Support::No, 16), (Support::Native, 1)] {
        let shop = Shop::new(batch);
        let manager = build(shop.clone());
        let list = required((0..500).map(|number| format!("hangs/{number}")));
        let start = Instant::now();
        let report = manager.check_required(&list).await.unwrap_err();
        assert!(start.elapsed() <= secs(6), "{:?}", start.elapsed());
        assert_eq!((report.failures().len(), shop.calls()), (500, calls));
        assert!(report.failures().iter().all(|failure| matches!(
            &failure.reason,
            RequiredReason::Unreadable(error) if error.kind() == ErrorKind::Timeout
        )));
    }
}

#[tokio::test(start_paused = true)]
async fn one_secret_that_hangs_keeps_no_other_from_being_checked() {
    let shop = Shop::new(Support::No);
    let manager = build(shop.clone());
    let list: Vec<_> = required(["hangs/1", "absent/1"]).into_iter().chain(many()).collect();
    let report = manager.check_required(&list).await.unwrap_err();
    assert_eq!(names(&report), ["absent/1", "hangs/1"]);
    assert_eq!(shop.calls(), 502);
}

/// Neither behind it nor beside it, whatever is in the cache already.
#[tokio::test(start_paused = true)]
async fn one_that_hangs_at_the_head_holds_nobody_up() {
    let shop = Shop::new(Support::No);
    let manager = build(shop.clone());
    let (hanging, known) = (["a/1", "hangs/1"], (0..15).map(|number| format!("known/{number}")));
    for name in known.clone() {
        manager.get(&name).await.unwrap();
    }
    let mut list = required(hanging);
    list.extend(required(known));
    list.extend(many());
    let checked = manager.check_required(&list);
    let done = async {
        tokio::time::sleep(millis(20) * 500 / 8).await;
        shop.calls()
    };
    let (report, calls) = tokio::join!(checked, done);
    assert_eq!(names(&report.unwrap_err()), ["hangs/1"]);
    assert_eq!(calls, 15 + 2 + 500, "long before the one that hangs was given up");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_panics_or_leaves_answers_out_is_told_of_each_secret() {
    for (batch, failed) in
        [(Support::No, vec!["panics/1"]), (Support::Native, vec!["a", "panics/1"])]
    {
        let manager = build(Shop::new(batch));
        let report = manager.check_required(&required(["panics/1", "a"])).await.unwrap_err();
        assert_eq!((names(&report), report.checked()), (failed, 2), "{batch:?}");
    }
    let mut shop = Shop::new(Support::Native);
    shop.leaves_out = 1;
    let report = build(shop).check_required(&required(["a", "b", "c"])).await.unwrap_err();
    assert_eq!(names(&report), ["a", "b", "c"], "nobody knows which");
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_leaves_nothing_behind() {
    for batch in [Support::No, Support::Native] {
        let shop = Shop::new(batch);
        let manager = build(shop.clone());
        let list = many();
        for cut in [0, 10, 30, 50] {
            let check = manager.check_required(&list);
            let cut = tokio::time::timeout(millis(cut), check).await;
            assert!(cut.is_err() || batch == Support::Native, "{batch:?}");
        }
        timed(&manager, &list).await;
    }
}

/// What cannot be recorded was not read: the service does not start.
#[tokio::test(start_paused = true)]
async fn an_audit_log_that_fails_closed_fails_all_of_them() {
    for batch in [Support::No, Support::Native] {
        let sink = Arc::new(MemorySink::new());
        let log = AuditLog::new(Arc::clone(&sink) as Arc<dyn AuditSink>);
        let log = log.on_failure(Class::EntityManagement, OnFailure::Refuse);
        let manager = builder(Shop::new(batch)).audit(log).build().unwrap();
        let list = required(["good/a", "good/b", "weak/c"]);
        sink.fail_with(Some(AuditErrorKind::StorageFull));
        let report = manager.check_required(&list).await.unwrap_err();
        assert_eq!(report.failures().len(), 3, "{batch:?}");
        let is_unreadable = |failure: &RequiredFailure| {
            matches!(&failure.reason, RequiredReason::Unreadable(error)
                if error.kind() == ErrorKind::Unavailable)
        };
        assert!(report.failures().iter().all(is_unreadable), "{report}");

        sink.fail_with(None);
        tokio::time::sleep(secs(60)).await;
        let report = manager.check_required(&list).await.unwrap_err();
        assert_eq!(names(&report), ["weak/c"], "{batch:?}");
        // A fetch and a read of each.
        assert!(sink.take().len() >= 6, "{batch:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_required_is_nothing_asked() {
    let shop = Shop::new(Support::Native);
    build(shop.clone()).check_required(&[]).await.unwrap();
    assert_eq!(shop.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_holds_on_all_personalities_with_faults() {
    for personality in Personality::ALL {
        let provider =
            MemoryProvider::builder(personality).sleeper(Arc::new(TokioSleep)).build().unwrap();
        for number in 0..40 {
            provider.put_text(&format!("s{number}"), "q7Zt0vR2mXc9LbW4").await.unwrap();
        }
        let manager = build(provider.clone());
        let list = required((0..40).map(|number| format!("s{number}")));
        let gate = Gate::new();
        let hang = FaultRule::new(Fault::Hang(gate));
        provider.inject(Faults::seeded(1).with(hang)).unwrap();
        let start = Instant::now();
        let report = manager.check_required(&list).await.unwrap_err();
        assert!(start.elapsed() <= secs(6), "{personality:?}: {:?}", start.elapsed());
        assert_eq!(report.failures().len(), 40);
        provider.inject(Faults::none()).unwrap();
        tokio::time::sleep(secs(60)).await;
        manager.check_required(&list).await.unwrap();
    }
}
