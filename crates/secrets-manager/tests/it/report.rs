//! How the manager says it is, by what is wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use secrets_core::{
    Capabilities, Error, ErrorKind, GetOptions, Health, HealthStatus, ManualClock, NameRules,
    ProviderId, Result, Secret, SecretProvider, SecretRef, async_trait,
};
use secrets_manager::audit_log::ErrorKind as AuditErrorKind;
use secrets_manager::{
    Alias, HandleState, HealthPolicy, HealthReason, HealthReport, ManagerStatus, RunState,
    SecretManager, SecretManagerBuilder,
};
use tokio::time::Instant;

use crate::audit::open;
use crate::support::{
    NAME, Running, Scripted, Wall, absent, builder, clock, noon, pass, reference, secs,
    unavailable, value, version,
};

/// How a provider takes the question how it is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Unwell,
    Down,
    Failing,
    Hanging,
    Panicking,
    /// It says more than anybody reads, in the words of whoever answered it.
    Chatty,
}

/// A provider that is asked how it is.
#[derive(Debug)]
struct Asked {
    inner: Scripted,
    mood: Mood,
    questions: Arc<AtomicU64>,
}

impl Asked {
    fn new(inner: Scripted, mood: Mood) -> Self {
        Self { inner, mood, questions: Arc::default() }
    }
}

#[async_trait]
impl SecretProvider for Asked {
    fn id(&self) -> &ProviderId {
        self.inner.id()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn name_rules(&self) -> &NameRules {
        self.inner.name_rules()
    }

    async fn get_secret(&self, reference: &SecretRef, options: GetOptions) -> Result<Secret> {
        self.inner.get_secret(reference, options).await
    }

    async fn health(&self) -> Result<Health> {
        self.questions.fetch_add(1, Ordering::SeqCst);
        match self.mood {
            Mood::Well => Ok(Health::healthy()),
            Mood::Unwell => Ok(Health::degraded("slow today")),
            Mood::Down => Ok(Health::unhealthy("sealed")),
            Mood::Failing => Err(Error::new(ErrorKind::Unauthenticated, "who are you")),
            Mood::Hanging => std::future::pending().await,
            Mood::Panicking => panic!("a provider panics"),
            Mood::Chatty => {
                let mut health = Health::degraded("down\nhealthy: all is well\u{1b}[2J\u{202e}");
                health.findings.push("ä".repeat(100_000).into());
                health.findings.extend((0..1_000).map(|n| format!("finding {n}").into()));
                Ok(health)
            }
        }
    }
}

fn well(inner: Scripted) -> Asked {
    Asked::new(inner, Mood::Well)
}

fn good() -> Scripted {
    Scripted::new(|_, _| async { Ok(version("v1")) })
}

fn told(provider: impl SecretProvider) -> SecretManagerBuilder {
    builder(provider).clock(Arc::new(Wall::new()))
}

fn verdict(report: &HealthReport) -> String {
    report.to_string().lines().next().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_manager_is_healthy_while_all_is_fresh() {
    let provider = good();
    let manager = told(well(provider.clone())).build().unwrap();
    // Nothing is held, so nobody need run it.
    let report = manager.report().await;
    assert_eq!((verdict(&report).as_str(), report.run), ("healthy", RunState::NotRunning));

    let _running = Running::start(&manager).await;
    let _handle = manager.handle(NAME).await.unwrap();
    manager.get("by/name").await.unwrap();
    let calls = provider.calls();
    let report = manager.report().await;
    assert_eq!((report.status, report.reasons.len()), (ManagerStatus::Healthy, 0));
    assert_eq!((report.handles.fresh, report.handles.total()), (1, 1));
    assert_eq!((report.usage.entries, report.run), (2, RunState::Running));
    assert_eq!(report.providers[0].status, HealthStatus::Healthy);
    assert_eq!((report.oldest_staleness, report.audit_events_lost), (None, None));
    assert_eq!(provider.calls(), calls, "no value is read");
}

#[tokio::test(start_paused = true)]
async fn what_handles_show_decides() {
    let fails = Arc::new(AtomicUsize::new(0));
    let mode = Arc::clone(&fails);
    let provider = Scripted::new(move |_, _| {
        let mode = mode.load(Ordering::SeqCst);
        async move {
            match mode {
                0 => Ok(version("v1")),
                1 => Err(unavailable()),
                _ => Err(absent()),
            }
        }
    });
    let manager = told(well(provider)).build().unwrap();
    let running = Running::start(&manager).await;
    let _handle = manager.handle(NAME).await.unwrap();

    fails.store(1, Ordering::SeqCst);
    pass(secs(130)).await;
    let report = manager.report().await;
    assert_eq!(verdict(&report), "degraded: secret_stale");
    let held = &report.not_fresh[0];
    assert_eq!((held.state, held.is_usable), (HandleState::Stale, true));
    assert_eq!(held.error, Some(ErrorKind::Unavailable));
    assert_eq!(report.oldest_staleness.unwrap().as_secs(), 30);
    let shown = held.to_string();
    let expected = "billing/db of scripted:test, version v1, is stale, 30s past its time to live: \
                    unavailable";
    assert_eq!(shown, expected);

    pass(secs(1_000)).await;
    let report = manager.report().await;
    assert_eq!(verdict(&report), "unhealthy: secret_too_stale");
    assert!(!report.not_fresh[0].is_usable);

    fails.store(0, Ordering::SeqCst);
    pass(secs(60)).await;
    assert_eq!(verdict(&manager.report().await), "healthy");

    fails.store(2, Ordering::SeqCst);
    pass(secs(130)).await;
    let report = manager.report().await;
    assert_eq!(verdict(&report), "unhealthy: secret_gone");
    assert_eq!((report.handles.gone, report.not_fresh[0].error), (1, Some(ErrorKind::NotFound)));

    fails.store(0, Ordering::SeqCst);
    pass(secs(130)).await;
    running.stop().await;
    let report = manager.report().await;
    assert_eq!(verdict(&report), "degraded: not_running");
    assert_eq!((report.handles.orphaned, report.run), (1, RunState::NotRunning));
    pass(secs(1_200)).await;
    assert_eq!(verdict(&manager.report().await), "unhealthy: secret_too_stale, not_running");
}

/// The first versions expire late, those from the fourth on after a day.
fn expiring() -> Scripted {
    Scripted::new(|call, _| async move {
        let mut secret = version("v1");
        let days = [300, 30, 3, 1][(call as usize - 1).min(3)];
        secret.version.expires = Some(noon() + secs(days * 24 * 3_600));
        Ok(secret)
    })
}

async fn read_four(manager: &SecretManager) -> secrets_manager::SecretHandle {
    for name in ["a", "b", "c"] {
        manager.get(name).await.unwrap();
    }
    manager.handle("d").await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_expires_soon_is_named() {
    let clock: ManualClock = clock();
    let policy = HealthPolicy::new().with_expiry_horizon(secs(4 * 24 * 3_600));
    let manager = builder(well(expiring())).clock(Arc::new(clock.clone())).health(policy);
    let manager = manager.build().unwrap();
    let _running = Running::start(&manager).await;
    let handle = read_four(&manager).await;

    let report = manager.report().await;
    assert_eq!(verdict(&report), "degraded: expires_soon");
    let near: Vec<_> = report
        .near_expiry
        .iter()
        .map(|near| (near.reference.to_string(), near.left(report.at).unwrap(), near.is_held))
        .collect();
    let days = |days: u64| Duration::from_secs(days * 24 * 3_600);
    assert_eq!(near, [("d".to_owned(), days(1), true), ("c".to_owned(), days(3), false)]);
    assert!(report.to_string().contains("d of scripted:test, version v1, expires in 86400s"));

    clock.advance(days(1));
    pass(secs(2)).await;
    let report = manager.report().await;
    assert_eq!(verdict(&report), "unhealthy: secret_invalid, expires_soon");
    assert_eq!((report.handles.invalid, report.near_expiry[0].left(report.at)), (1, None));
    assert!(report.to_string().contains("version v1, has expired"));
    assert!(handle.load_checked().is_err());

    // The clock is set back: it is valid again.
    clock.set(noon() - days(300));
    pass(secs(2)).await;
    assert_eq!(verdict(&manager.report().await), "healthy");
}

#[tokio::test(start_paused = true)]
async fn lists_are_bounded_and_counts_are_not() {
    let policy = HealthPolicy::new().with_most_listed(2).with_expiry_horizon(secs(u64::MAX));
    let manager = told(well(expiring())).health(policy).build().unwrap();
    let _handle = read_four(&manager).await;
    let _more = [manager.handle("a").await.unwrap(), manager.handle("b").await.unwrap()];
    let report = manager.report().await;
    assert_eq!((report.near_expiry.len(), report.near_expiry_count), (2, 4));
    assert_eq!((report.not_fresh.len(), report.handles.orphaned), (2, 3));
    let names: Vec<_> = report.not_fresh.iter().map(|held| held.reference.to_string()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn providers_are_asked_side_by_side_and_not_too_often() {
    let moods =
        [Mood::Hanging, Mood::Hanging, Mood::Panicking, Mood::Failing, Mood::Down, Mood::Unwell];
    let first = well(good());
    let questions = Arc::clone(&first.questions);
    let mut builder = told(first);
    for (number, mood) in moods.into_iter().enumerate() {
        builder = builder.provider(Asked::new(good().scope(&format!("{number}")), mood));
    }
    let manager = builder.build().unwrap();
    let began = Instant::now();
    let many = futures_util::future::join_all((0..20).map(|_| manager.report())).await;
    assert_eq!(began.elapsed(), secs(2), "two that hang take as long as one");
    assert_eq!(questions.load(Ordering::SeqCst), 1, "one question for all who ask");
    let report = &many[0];
    assert!(many.iter().all(|other| other == report));
    assert_eq!(
        verdict(report),
        "degraded: provider_unhealthy, provider_failing, provider_degraded"
    );
    let seen: Vec<_> = report.providers.iter().map(|p| (p.status, p.error)).collect();
    let unknown = |kind| (HealthStatus::Unknown, Some(kind));
    let expected = [
        (HealthStatus::Healthy, None),
        unknown(ErrorKind::Timeout),
        unknown(ErrorKind::Timeout),
        unknown(ErrorKind::Internal),
        unknown(ErrorKind::Unauthenticated),
        (HealthStatus::Unhealthy, None),
        (HealthStatus::Degraded, None),
    ];
    assert_eq!(seen, expected);
    let text = report.to_string();
    assert!(text.contains("scripted:4 is unhealthy; sealed"), "{text}");
    assert!(text.contains("scripted:0 does not say how it is: timeout"), "{text}");

    pass(secs(4)).await;
    manager.report().await;
    assert_eq!(questions.load(Ordering::SeqCst), 1);
    pass(secs(2)).await;
    // Whoever asks for it may give up; the next one asks anew.
    assert!(tokio::time::timeout(secs(1), manager.report()).await.is_err());
    manager.report().await;
    assert_eq!(questions.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn lost_audit_events_are_told() {
    let (sink, log) = open();
    let manager = told(well(good())).audit(log).build().unwrap();
    manager.get(NAME).await.unwrap();
    assert_eq!(manager.report().await.audit_events_lost, Some(0));
    sink.fail_with(Some(AuditErrorKind::StorageFull));
    manager.get(NAME).await.unwrap();
    let report = manager.report().await;
    assert_eq!(verdict(&report), "degraded: audit_lost");
    assert!(report.to_string().ends_with("1 audit events were lost"));
}

/// A handle on a part that the newest version does not have shows by its own name.
#[tokio::test(start_paused = true)]
async fn aliases_are_told_by_their_names() {
    let provider = Scripted::new(|call, _| async move {
        let text = if call == 1 { r#"{"user":"u"}"# } else { "{}" };
        let mut secret = version(&format!("v{call}"));
        secret.value = value(text);
        Ok(secret)
    });
    let alias = Alias::new(reference(NAME)).with_field("user");
    let name = secrets_core::SecretName::new("user").unwrap();
    let manager = told(well(provider)).alias(name, alias).build().unwrap();
    let _running = Running::start(&manager).await;
    let _part = manager.handle("user").await.unwrap();
    let _whole = manager.handle(NAME).await.unwrap();
    assert_eq!(manager.report().await.handles.fresh, 2);
    pass(secs(85)).await;
    let report = manager.report().await;
    assert_eq!(verdict(&report), "degraded: secret_stale");
    assert_eq!((report.handles.fresh, report.handles.stale), (1, 1));
    let held = &report.not_fresh[0];
    assert_eq!((held.reference.to_string().as_str(), held.version.as_str()), ("user", "v1"));
}

#[test]
fn a_stalled_run_future_is_told() {
    let manager = builder(well(good())).build().unwrap();
    let paused = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    };
    let stalled = paused();
    let _handle = stalled.block_on(async {
        tokio::spawn(manager.run());
        crate::support::settle().await;
        manager.handle(NAME).await.unwrap()
    });
    // Nobody drives that runtime from here on, and its time stands still.
    let report = paused().block_on(async {
        tokio::time::advance(secs(30)).await;
        manager.report().await
    });
    assert_eq!(
        (verdict(&report).as_str(), report.run),
        ("unhealthy: run_stalled", RunState::Stalled)
    );
}

/// The table in the README says of each reason what it makes of the manager.
#[test]
fn the_readme_has_all_reasons() {
    let readme = include_str!("../../README.md");
    for reason in HealthReason::ALL {
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{reason}` |")));
        let row = row.unwrap_or_else(|| panic!("no row for {reason}"));
        assert!(row.contains(&format!("| {} |", reason.status())), "{row}");
    }
    assert!(HealthReason::ALL.is_sorted_by_key(|reason| std::cmp::Reverse(reason.status())));
}

#[tokio::test(start_paused = true)]
async fn no_report_holds_a_value() {
    const CANARY: &str = "kanarienvogel-8f2e";
    let provider = Scripted::new(|_, _| async {
        let mut secret = version("v1");
        secret.value = value(CANARY);
        secret.version.expires = Some(noon() + secs(60));
        Ok(secret)
    });
    let manager = told(well(provider)).build().unwrap();
    let _handle = manager.handle(NAME).await.unwrap();
    let report = manager.report().await;
    assert!(!report.not_fresh.is_empty() && !report.near_expiry.is_empty());
    assert!(!format!("{report} {report:?}").contains(CANARY));
}

/// It may quote what it was answered: nothing of that must look like a line of ours.
#[tokio::test(start_paused = true)]
async fn what_a_provider_says_is_bounded_and_on_one_line() {
    let manager = told(Asked::new(good(), Mood::Chatty)).build().unwrap();
    let report = manager.report().await;
    let findings = &report.providers[0].findings;
    assert_eq!(findings[0], "down\\nhealthy: all is well\\u{1b}[2J\\u{202e}");
    assert_eq!(findings[1], format!("{}…", "ä".repeat(256)));
    assert_eq!((findings.len(), &*findings[16]), (17, "and 986 more"));
    let text = report.to_string();
    assert_eq!(text.lines().filter(|line| line.contains("all is well")).count(), 1);
    assert!(text.len() < 2_000 && !text.contains('\u{1b}'), "{text}");
}
