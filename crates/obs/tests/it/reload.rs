//! Settings that are read again while a service runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use obs::metric::Exposition;
use obs::settings::{ObservabilitySettings, ReloadErrorKind, Reloaded};
use obs::setup::{Expiry, Guard, Observability};
use serde_json::Value;
use service_settings::{Format, Layers};

use crate::child;
use crate::settings::{Settings, Theirs};

const SECOND: Duration = Duration::from_secs(1);

fn alone(test: &str, work: impl FnOnce()) {
    child::alone(&format!("reload::{test}"), work);
}

/// With a file output, which every set-up here has.
fn whole(text: &str) -> String {
    let folder = child::folder().unwrap();
    let folder = folder.to_str().unwrap();
    format!("outputs.file.to = 'file'\noutputs.file.file.path = '{folder}/log'\n{text}")
}

fn read(text: &str) -> ObservabilitySettings {
    let text = format!("[observability]\n{}", whole(text));
    Layers::<Settings>::new().defaults(Format::Toml, &text).load().unwrap().settings.observability
}

fn set_up(text: &str) -> Guard {
    Observability::builder().settings(&read(text)).unwrap().install().unwrap()
}

fn reload(guard: &Guard, text: &str) -> Reloaded {
    guard.observability().reload(&read(text)).unwrap()
}

fn lines() -> Vec<Value> {
    let text = std::fs::read_to_string(child::folder().unwrap().join("log")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What was logged by this test.
fn messages() -> Vec<String> {
    let own = lines().into_iter().filter(|line| line["target"] == "it::reload");
    own.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

fn page(guard: &Guard) -> String {
    let mut page = Vec::new();
    guard.observability().metrics().render(Exposition::Text, &mut page).unwrap();
    String::from_utf8(page).unwrap()
}

fn strings(all: &[&str]) -> Vec<String> {
    all.iter().map(|path| format!("observability.{path}")).collect()
}

#[test]
fn filters_shares_and_limits_hold_from_then_on() {
    alone("filters_shares_and_limits_hold_from_then_on", || {
        let traces = Theirs::default();
        let builder = Observability::builder().with_unredacted_traces(traces.clone());
        let guard = builder.settings(&read("")).unwrap().install().unwrap();
        traces.taken();
        let mut number = 0;
        let mut said = |text: &str, changed: &[&str]| {
            let reloaded = reload(&guard, text);
            assert_eq!(reloaded.changed, strings(changed), "{text}");
            assert_eq!((reloaded.needs_restart.len(), reloaded.overruled.len()), (0, 0));
            number += 1;
            tracing::debug!("debug {number}");
            tracing::info!("info {number}");
            tracing::warn!("warn {number}");
            let _ = tracing::debug_span!("detail");
            assert!(guard.observability().records().flush(10 * SECOND));
            let of_this = messages().into_iter();
            let ending = format!(" {number}");
            of_this.filter_map(|m| Some(m.strip_suffix(&ending)?.to_owned())).collect::<Vec<_>>()
        };
        assert_eq!(said("", &[]), ["info", "warn"]);
        assert_eq!(said("log.level = 'debug'", &["log"]), ["debug", "info", "warn"]);
        assert_eq!(said("log.targets = { 'it::reload' = 'warn' }", &["log"]), ["warn"]);
        assert!(traces.taken().is_empty());
        assert_eq!(said("traces.level = 'debug'", &["log", "traces"]), ["info", "warn"]);
        assert_eq!(traces.taken(), ["detail"]);
        let own = "outputs.file.log = { level = 'warn', targets = { 'obs' = 'trace' } }";
        assert_eq!(said(own, &["traces", "outputs.file.log"]), ["warn"]);
        let sampled = "outputs.file.sampling = { levels = { warn = 0.0 } }";
        assert_eq!(said(sampled, &["outputs.file.log", "outputs.file.sampling"]), ["info"]);
        let limited = "outputs.file.rate_limit = { burst = 1, every = '1h' }";
        let changed = ["outputs.file.sampling", "outputs.file.rate_limit"];
        assert_eq!(said(limited, &changed), ["info", "warn"]);
        assert_eq!(said(limited, &[]), [""; 0]);
        assert_eq!(said("", &["outputs.file.rate_limit"]), ["info", "warn"]);
        let page = page(&guard);
        assert!(page.contains("obs_settings_reloads_total{outcome=\"changed\"} 7\n"), "{page}");
        assert!(page.contains("obs_settings_reloads_total{outcome=\"unchanged\"} 2\n"), "{page}");
        assert!(guard.shutdown(SECOND).is_complete());
        // Names are told, and what was suppressed before the limit went.
        let lines = lines();
        let told = "the settings of logs and metrics were read again";
        let told: Vec<_> = lines.iter().filter(|line| line["message"] == told).collect();
        assert_eq!(told[0]["changed"], "observability.log");
        let suppressed = lines.iter().filter_map(|line| line["suppressed"].as_u64()).sum::<u64>();
        assert!(suppressed >= 2, "{suppressed}");
    });
}

/// Each of these waits for a restart, by this name.
const FIXED: &[(&str, &str)] = &[
    ("profile = 'staging'", "profile"),
    ("format = 'ecs'", "format"),
    ("read_environment = false", "read_environment"),
    ("self_test = 'skip'", "self_test"),
    ("panics = 'leave'", "panics"),
    ("log_bridge = false", "log_bridge"),
    ("shutdown_timeout = '1s'", "shutdown_timeout"),
    ("service.name = 'other'", "service"),
    ("redaction.keys = ['patient']", "redaction"),
    ("limits.fields = 3", "limits"),
    ("metrics.series_limit = 3", "metrics"),
    ("admin.enabled = true", "admin"),
    ("outputs.more = { to = 'stderr' }", "outputs.more"),
    ("outputs.file.enabled = false", "outputs.file"),
    ("outputs.file.format = 'ecs'", "outputs.file.format"),
    ("outputs.file.layout.spans = true", "outputs.file.layout"),
    ("outputs.file.room = '1MiB'", "outputs.file.room"),
    ("outputs.file.file.rotate_every = 'day'", "outputs.file.file"),
];

#[test]
fn what_waits_for_a_restart_is_named_and_left_as_it_is() {
    alone("what_waits_for_a_restart_is_named_and_left_as_it_is", || {
        let guard = set_up("");
        let shown = format!("{:?}", guard.observability().resource());
        for (text, path) in FIXED {
            // It is told as long as it differs from the start, not from the time before.
            for _ in 0..2 {
                let reloaded = reload(&guard, text);
                assert_eq!(reloaded.needs_restart, strings(&[path]), "{text}");
                assert!(reloaded.changed.is_empty() && reloaded.overruled.is_empty(), "{text}");
            }
        }
        assert_eq!(reload(&guard, ""), Reloaded::default());
        tracing::info!(patient = "p-1", a = 1, b = 2, c = 3, "as before");
        assert_eq!(format!("{:?}", guard.observability().resource()), shown);
        assert!(guard.shutdown(SECOND).is_complete());
        let lines = lines();
        let line = lines.iter().find(|line| line["message"] == "as before").unwrap();
        assert_eq!((&line["patient"], &line["c"]), (&"p-1".into(), &3.into()));
        assert_eq!(line["service.name"], "unknown_service");
    });
}

#[test]
fn what_makes_no_sense_changes_nothing() {
    alone("what_makes_no_sense_changes_nothing", || {
        let guard = set_up("log.level = 'warn'");
        let wrong =
            r#"{"log": {"level": "trace"}, "limits": {"fields": 0}, "shutdown_timeout": "0s"}"#;
        let wrong: ObservabilitySettings = serde_json::from_str(wrong).unwrap();
        let error = guard.observability().reload(&wrong).unwrap_err();
        assert_eq!(error.kind(), ReloadErrorKind::Problems);
        assert_eq!(error.problems().unwrap().iter().count(), 2);
        assert_eq!(guard.observability().filter().to_string(), "warn");
        assert!(page(&guard).contains("obs_settings_reloads_total{outcome=\"refused\"} 1\n"));
        assert!(guard.shutdown(SECOND).is_complete());
        let lines = lines();
        let refused = lines.iter().find(|line| line["target"] == "obs::settings").unwrap();
        assert!(refused["problems"].as_str().unwrap().contains("limits.fields"), "{refused}");
    });
}

#[test]
fn without_settings_at_the_start_there_is_nothing_to_change() {
    alone("without_settings_at_the_start_there_is_nothing_to_change", || {
        let guard = Observability::builder().install().unwrap();
        let error = guard.observability().reload(&read("log.level = 'warn'")).unwrap_err();
        assert_eq!(error.kind(), ReloadErrorKind::NoSettings);
        assert_eq!(guard.observability().filter().to_string(), "info");
    });
}

#[test]
fn the_environment_comes_before_settings_that_change() {
    alone("the_environment_comes_before_settings_that_change", || {
        let builder = Observability::builder().environment([("RUST_LOG".into(), "error".into())]);
        let builder = builder.with_unredacted_traces(Theirs::default());
        let guard = builder.settings(&read("")).unwrap().install().unwrap();
        let reloaded = reload(&guard, "log.level = 'debug'\ntraces.level = 'debug'");
        assert_eq!(reloaded.overruled, strings(&["log"]));
        assert_eq!(reloaded.changed, strings(&["traces"]));
        assert_eq!(guard.observability().filter().to_string(), "error");
    });
}

/// Nor what the builder was told after its settings.
#[test]
fn the_program_comes_before_settings_that_change() {
    alone("the_program_comes_before_settings_that_change", || {
        let builder = Observability::builder().settings(&read("log.level = 'info'")).unwrap();
        let builder =
            builder.filter("error".parse().unwrap()).trace_filter("warn".parse().unwrap());
        let builder = builder.with_unredacted_traces(Theirs::default());
        let guard = builder.install().unwrap();
        let observability = guard.observability();
        for _ in 0..2 {
            let reloaded = reload(&guard, "log.level = 'debug'\ntraces.level = 'debug'");
            assert_eq!(reloaded.overruled, strings(&["log", "traces"]));
            assert!(reloaded.changed.is_empty());
            assert_eq!(observability.filter().to_string(), "error");
            assert_eq!(observability.trace_filter().to_string(), "warn");
        }
        assert_eq!(reload(&guard, "log.level = 'info'"), Reloaded::default());
    });
}

/// Nobody is told that something changed where nothing takes it.
#[test]
fn traces_that_nobody_makes_do_not_change() {
    alone("traces_that_nobody_makes_do_not_change", || {
        let builder = Observability::builder().settings(&read("")).unwrap();
        let guard = builder.install().unwrap();
        for _ in 0..2 {
            let reloaded = reload(&guard, "traces.level = 'debug'");
            assert_eq!(reloaded.overruled, strings(&["traces"]));
            assert!(reloaded.changed.is_empty(), "{reloaded:?}");
            assert_eq!(guard.observability().trace_filter().to_string(), "info");
        }
        assert_eq!(reload(&guard, ""), Reloaded::default());
    });
}

/// What the program says beside the settings holds again when they say nothing any more.
#[test]
fn what_is_taken_out_gives_way_to_what_the_program_says() {
    alone("what_is_taken_out_gives_way_to_what_the_program_says", || {
        let builder = Observability::builder().filter("error,app=warn".parse().unwrap());
        let guard = builder.settings(&read("log.level = 'debug'")).unwrap().install().unwrap();
        assert_eq!(guard.observability().filter().to_string(), "app=warn,debug");
        reload(&guard, "");
        assert_eq!(guard.observability().filter().to_string(), "app=warn,error");
        // An operator's filter is not undone by settings that say nothing new.
        guard.observability().set_filter("trace".parse().unwrap(), Expiry::Never);
        reload(&guard, "");
        assert_eq!(guard.observability().filter().to_string(), "trace");
    });
}

static LATER: AtomicU64 = AtomicU64::new(0);

fn set_clock() -> Instant {
    static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *BEGIN.get_or_init(Instant::now) + Duration::from_secs(LATER.load(Ordering::SeqCst))
}

fn wait_for(what: impl Fn() -> bool) {
    let begin = Instant::now();
    while !what() {
        assert!(begin.elapsed() < 30 * SECOND, "did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_filter_that_ends_gives_way_to_the_one_that_was_read_meanwhile() {
    alone("a_filter_that_ends_gives_way_to_the_one_that_was_read_meanwhile", || {
        let builder = Observability::builder().steady_clock(set_clock);
        let guard = builder.settings(&read("")).unwrap().install().unwrap();
        let observability = guard.observability();
        for (round, level) in ["warn", "error", "debug", "warn", "error"].iter().enumerate() {
            observability.set_filter("trace".parse().unwrap(), Expiry::After(60 * SECOND));
            let text = format!("log.level = '{level}'");
            // From the second round on at the same time as it ends.
            if round == 0 {
                reload(&guard, &text);
                assert_eq!(observability.filter().to_string(), "trace");
            }
            std::thread::scope(|scope| {
                scope.spawn(|| LATER.fetch_add(60, Ordering::SeqCst));
                scope.spawn(|| reload(&guard, &text));
                scope.spawn(|| observability.records().end_expired(set_clock()));
            });
            wait_for(|| observability.filter().to_string() == *level);
            assert_eq!(observability.filter_expires_in(), None);
        }
    });
}

#[test]
fn no_record_is_lost_while_settings_change() {
    const EACH: u64 = 20_000;

    alone("no_record_is_lost_while_settings_change", || {
        let guard = set_up("outputs.file.room = '64MiB'");
        let base = "outputs.file.room = '64MiB'\n";
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let logging: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| (0..EACH).for_each(|number| tracing::info!(number, "counted")))
                })
                .collect();
            let reloading = scope.spawn(|| {
                let texts = [
                    "outputs.file.sampling = { levels = { info = 0.5 } }",
                    "outputs.file.rate_limit = { burst = 5, every = '1ms' }",
                    "log.level = 'debug'\noutputs.file.log = { level = 'info' }",
                    "traces.level = 'warn'",
                    "",
                ];
                let mut count = 0_u64;
                while !is_done.load(Ordering::SeqCst) {
                    for text in texts {
                        reload(&guard, &format!("{base}{text}"));
                        count += 1;
                    }
                }
                count
            });
            for thread in logging {
                thread.join().unwrap();
            }
            is_done.store(true, Ordering::SeqCst);
            assert!(reloading.join().unwrap() >= 5);
        });
        assert!(guard.observability().records().flush(10 * SECOND));
        let metric = |name: &str| -> u64 {
            let page = page(&guard);
            let value = page.split(name).nth(1).and_then(|rest| rest.lines().next());
            value.map_or(0, |value| value.parse().unwrap())
        };
        let left_out = |outcome: &str| {
            metric(&format!("log_output_records_total{{outcome=\"{outcome}\",output=\"file\"}} "))
        };
        let made = |level: &str| metric(&format!("log_records_total{{level=\"{level}\"}} "));
        let is_of_limit =
            |line: &Value| line["message"].as_str().unwrap().ends_with("log records suppressed");
        let written = || lines().iter().filter(|line| !is_of_limit(line)).count() as u64;
        // The probe is one, and what is said of the settings. Counts are told about once a second.
        wait_for(|| made("info") == 3 * EACH + 1);
        let told = || written() + left_out("sampled") + left_out("limited");
        wait_for(|| told() == made("info") + made("warn"));
        let limited = left_out("limited");
        assert!(limited > 0 && left_out("sampled") > 0);
        assert!(guard.shutdown(10 * SECOND).is_complete());
        let said: u64 = lines()
            .iter()
            .filter(|line| is_of_limit(line))
            .map(|line| line["suppressed"].as_u64().unwrap())
            .sum();
        assert_eq!(said, limited);
    });
}

#[test]
fn settings_are_followed_and_those_that_are_refused_are_told() {
    alone("settings_are_followed_and_those_that_are_refused_are_told", || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let folder = child::folder().unwrap();
        let path = folder.join("app.toml");
        let write = |text: &str| {
            let new = folder.join("new");
            std::fs::write(&new, format!("[observability]\n{}", whole(text))).unwrap();
            std::fs::rename(new, &path).unwrap();
        };
        write("");
        runtime.block_on(async {
            let layers = Layers::<Settings>::new().file(&path);
            let (settings, reading) = layers.load_and_follow(Duration::from_millis(10)).unwrap();
            let first = settings.settings().load().settings.observability.clone();
            let guard = Observability::builder().settings(&first).unwrap().install().unwrap();
            let reading = tokio::spawn(reading);
            let following = guard.observability().follow(&settings, |all| &all.observability);
            let following = tokio::spawn(following);
            let holds = async |filter: &str| {
                for _ in 0..3_000 {
                    if guard.observability().filter().to_string() == filter {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                panic!("{filter} does not hold");
            };
            write("log.level = 'warn'");
            holds("warn").await;
            write("log.level = 'loud'");
            for _ in 0..3_000 {
                if page(&guard).contains("reloads_total{outcome=\"refused\"} 1\n") {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert!(page(&guard).contains("reloads_total{outcome=\"refused\"} 1\n"));
            assert_eq!(guard.observability().filter().to_string(), "warn");
            write("log.level = 'debug'");
            holds("debug").await;
            reading.abort();
            let ended = tokio::time::timeout(10 * SECOND, following).await;
            ended.unwrap().unwrap();
            assert!(guard.shutdown(SECOND).is_complete());
        });
        let lines = lines();
        let refused = "settings were refused; those before them hold";
        let refused: Vec<_> = lines.iter().filter(|line| line["message"] == refused).collect();
        assert_eq!(refused.len(), 1);
        assert!(refused[0]["problems"].as_str().unwrap().contains("observability.log.level"));
    });
}
