//! What is asked when a page is made: values of others, and what becomes of sources that misbehave.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use metric_table::Metric;
use metrics::{gauge, with_local_recorder};
use obs::metric::{Buckets, Exposition, MetricRecorder, MetricSource, Samples, SourceError};
use peers::{PrometheusClient, promtool_check_metrics};
use serde_json::json;

use crate::metrics::{text, value};
use crate::support::logged;

const TIME: Metric =
    Metric::counter("arena.time", "s", "how long was cleaned").with_labels(&["arena"]);
const SIZE: Metric = Metric::gauge("arena.size", "By", "how large arenas are");
const PAUSES: Metric = Metric::histogram("arena.pauses", "s", "how long it paused");
const TABLE: &[Metric] = &[TIME, SIZE, PAUSES];
const UNDECLARED: Metric = Metric::gauge("arena.other", "By", "not in the table");

type Say = Box<dyn Fn(&mut Samples<'_>) -> Result<(), SourceError> + Send + Sync>;

struct Arenas {
    keep_for: Duration,
    say: Say,
}

impl std::fmt::Debug for Arenas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Arenas")
    }
}

impl MetricSource for Arenas {
    fn name(&self) -> &'static str {
        "arenas"
    }

    fn metrics(&self) -> &'static [Metric] {
        TABLE
    }

    fn keep_for(&self) -> Duration {
        self.keep_for
    }

    fn collect(&self, samples: &mut Samples<'_>) -> Result<(), SourceError> {
        (self.say)(samples)
    }
}

fn arenas(
    say: impl Fn(&mut Samples<'_>) -> Result<(), SourceError> + Send + Sync + 'static,
) -> Arenas {
    Arenas { keep_for: Duration::ZERO, say: Box::new(say) }
}

fn recorder(
    say: impl Fn(&mut Samples<'_>) -> Result<(), SourceError> + Send + Sync + 'static,
) -> MetricRecorder {
    MetricRecorder::builder().source(arenas(say)).build()
}

/// What is shown of arenas.
fn arenas_shown(recorder: &MetricRecorder, format: Exposition) -> String {
    let text = text(recorder, format);
    let lines = text.lines().filter(|line| line.contains("arena_"));
    lines.map(|line| format!("{line}\n")).collect()
}

fn failures(recorder: &MetricRecorder, reason: &str) -> f64 {
    let sample =
        format!("obs_metric_source_failures_total{{reason=\"{reason}\",source=\"arenas\"}}");
    value(recorder, &sample).unwrap()
}

fn rejected(recorder: &MetricRecorder) -> f64 {
    // What is left out of a page is counted on the next one.
    text(recorder, Exposition::Text);
    value(recorder, "obs_metric_source_rejected_total{source=\"arenas\"}").unwrap()
}

fn all(samples: &mut Samples<'_>) -> Result<(), SourceError> {
    samples.sample(&TIME, &[("arena", "a\"b")], 0.25);
    samples.sample(&TIME, &[("arena", "c")], 3.0);
    samples.sample(&SIZE, &[], -2.0);
    samples.histogram(&PAUSES, &[], Buckets::new(&[0.1, 1.0], &[2, 0, 1]).with_sum(5.5));
    samples.histogram(&PAUSES, &[("of", "b")], Buckets::new(&[0.5], &[2, 1]));
    Ok(())
}

#[test]
fn what_sources_say_is_shown_by_their_tables() {
    let recorder = recorder(all);
    let lines = "\
         # HELP arena_time_seconds_total how long was cleaned\n\
         # TYPE arena_time_seconds_total counter\n\
         arena_time_seconds_total{arena=\"a\\\"b\"} 0.25\n\
         arena_time_seconds_total{arena=\"c\"} 3\n\
         # HELP arena_size_bytes how large arenas are\n\
         # TYPE arena_size_bytes gauge\n\
         arena_size_bytes -2\n\
         # HELP arena_pauses_seconds how long it paused\n\
         # TYPE arena_pauses_seconds histogram\n\
         arena_pauses_seconds_bucket{le=\"0.1\"} 2\n\
         arena_pauses_seconds_bucket{le=\"1.0\"} 2\n\
         arena_pauses_seconds_bucket{le=\"+Inf\"} 3\n\
         arena_pauses_seconds_sum 5.5\n\
         arena_pauses_seconds_count 3\n\
         arena_pauses_seconds_bucket{of=\"b\",le=\"0.5\"} 2\n\
         arena_pauses_seconds_bucket{of=\"b\",le=\"+Inf\"} 3\n\
         arena_pauses_seconds_count{of=\"b\"} 3\n";
    assert_eq!(arenas_shown(&recorder, Exposition::Text), lines);
    let open_metrics = arenas_shown(&recorder, Exposition::OpenMetrics);
    assert!(open_metrics.contains("# UNIT arena_time_seconds seconds\n"), "{open_metrics}");
    assert!(!open_metrics.contains("count{of=\"b\"}"), "{open_metrics}");
}

#[test]
fn collectors_read_it() {
    let recorder = recorder(all);
    assert_eq!(promtool_check_metrics(&text(&recorder, Exposition::Text)).unwrap(), "");
    let client = PrometheusClient::start().unwrap();
    let families = client.open_metrics(&text(&recorder, Exposition::OpenMetrics)).unwrap();
    let families = families.as_array().unwrap();
    let time = families.iter().find(|it| it["name"] == "arena_time_seconds").unwrap();
    assert_eq!((&time["type"], &time["unit"]), (&json!("counter"), &json!("seconds")));
    assert_eq!(time["samples"][0]["labels"], json!({ "arena": "a\"b" }));
    assert_eq!(time["samples"][0]["value"], 0.25);
}

#[test]
fn what_is_no_sample_is_left_out_and_counted() {
    let recorder = recorder(|samples| {
        samples.sample(&UNDECLARED, &[], 1.0);
        samples.sample(&SIZE, &[], f64::NAN);
        samples.sample(&SIZE, &[], f64::INFINITY);
        samples.sample(&TIME, &[], -1.0);
        samples.sample(&PAUSES, &[], 1.0);
        samples.histogram(&SIZE, &[], Buckets::new(&[1.0], &[1, 1]));
        samples.histogram(&PAUSES, &[], Buckets::new(&[1.0], &[1]));
        samples.histogram(&PAUSES, &[], Buckets::new(&[2.0, 1.0], &[1, 1, 1]));
        samples.histogram(&PAUSES, &[], Buckets::new(&[f64::INFINITY], &[1, 1]));
        samples.histogram(&PAUSES, &[], Buckets::new(&[1.0], &[1, 1]).with_sum(f64::NAN));
        Ok(())
    });
    assert_eq!(arenas_shown(&recorder, Exposition::Text), "");
    assert_eq!(value(&recorder, "obs_metric_source_rejected_total{source=\"arenas\"}"), Some(20.0));
}

#[test]
fn a_series_is_shown_once_and_no_more_than_there_may_be() {
    let source = || {
        arenas(|samples| {
            for arena in 0..5 {
                samples.sample(&TIME, &[("arena", &arena.to_string())], f64::from(arena));
            }
            Ok(())
        })
    };
    let recorder = MetricRecorder::builder().source(source()).source(source()).build();
    let shown = arenas_shown(&recorder, Exposition::Text);
    assert_eq!(shown.matches("arena_time_seconds_total{").count(), 5, "{shown}");
    assert_eq!(rejected(&recorder), 10.0);

    let recorder = MetricRecorder::builder().source(source()).series_limit(3).build();
    let shown = arenas_shown(&recorder, Exposition::Text);
    assert_eq!(shown.matches("arena_time_seconds_total{").count(), 3, "{shown}");
    assert!(rejected(&recorder) >= 4.0);

    // Of all sources together.
    let of = |first: i32| {
        arenas(move |samples| {
            for arena in first..first + 2 {
                samples.sample(&TIME, &[("arena", &arena.to_string())], 1.0);
            }
            Ok(())
        })
    };
    let recorder = MetricRecorder::builder().source(of(0)).source(of(2)).series_limit(3).build();
    let shown = arenas_shown(&recorder, Exposition::Text);
    assert_eq!(shown.matches("arena_time_seconds_total{").count(), 3, "{shown}");
}

#[test]
fn labels_of_sources_are_redacted_and_cut() {
    const SECRETS: Metric =
        Metric::gauge("held", "1", "what is held").with_labels(&["password", "long"]);

    #[derive(Debug)]
    struct Careless;

    impl MetricSource for Careless {
        fn name(&self) -> &'static str {
            "careless"
        }

        fn metrics(&self) -> &'static [Metric] {
            const TABLE: &[Metric] = &[SECRETS];
            TABLE
        }

        fn collect(&self, samples: &mut Samples<'_>) -> Result<(), SourceError> {
            let long = "x".repeat(1 << 20);
            samples.sample(&SECRETS, &[("password", "hunter2"), ("long", &long)], 1.0);
            Ok(())
        }
    }

    let recorder = MetricRecorder::builder().source(Careless).build();
    let shown = text(&recorder, Exposition::Text);
    assert!(shown.contains("password=\"[REDACTED]\"") && !shown.contains("hunter2"), "{shown}");
    assert!(shown.len() < 4_000);
}

#[test]
fn one_that_fails_shows_what_it_said_and_is_told_once() {
    let recorder = recorder(|samples| {
        samples.sample(&SIZE, &[], 7.0);
        Err(SourceError::new("cannot read the rest").because("it is gone"))
    });
    let lines = logged(|| {
        assert_eq!(value(&recorder, "arena_size_bytes"), Some(7.0));
        assert_eq!(failures(&recorder, "failed"), 2.0);
    });
    let told = lines.text();
    assert_eq!(told.matches("a source of metrics does not say everything").count(), 1, "{told}");
    assert!(told.contains("cannot read the rest") && told.contains("it is gone"), "{told}");
}

#[test]
fn one_that_panics_harms_itself_alone() {
    #[derive(Debug)]
    struct Other;

    impl MetricSource for Other {
        fn name(&self) -> &'static str {
            "other"
        }

        fn metrics(&self) -> &'static [Metric] {
            const TABLE: &[Metric] = &[UNDECLARED];
            TABLE
        }

        fn collect(&self, samples: &mut Samples<'_>) -> Result<(), SourceError> {
            samples.sample(&UNDECLARED, &[], 1.0);
            Ok(())
        }
    }

    let panics = arenas(|samples| {
        samples.sample(&SIZE, &[], 7.0);
        panic!("no arena")
    });
    let recorder = MetricRecorder::builder().source(panics).source(Other).build();
    with_local_recorder(&recorder, || gauge!("recorded").set(1));
    let page = text(&recorder, Exposition::Text);
    assert!(!page.contains("arena_size_bytes"), "{page}");
    assert!(page.contains("arena_other_bytes 1\n") && page.contains("recorded 1\n"), "{page}");
    assert_eq!(failures(&recorder, "panicked"), 2.0);
}

#[test]
fn two_pages_at_once_ask_once_and_nobody_waits_for_one_that_hangs() {
    let (entered, is_entered): (Sender<()>, Receiver<()>) = channel();
    let (leave, may_leave) = channel::<()>();
    let (entered, may_leave) = (Mutex::new(entered), Mutex::new(may_leave));
    let recorder = recorder(move |samples| {
        entered.lock().unwrap().send(()).unwrap();
        may_leave.lock().unwrap().recv().unwrap();
        samples.sample(&SIZE, &[], 1.0);
        Ok(())
    });
    let first = thread::spawn({
        let recorder = recorder.clone();
        move || arenas_shown(&recorder, Exposition::Text)
    });
    is_entered.recv().unwrap();

    let began = Instant::now();
    let late = text(&recorder, Exposition::Text);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(!late.contains("arena_size_bytes"), "{late}");
    assert!(late.contains("{reason=\"late\",source=\"arenas\"} 1\n"), "{late}");

    let second = thread::spawn({
        let recorder = recorder.clone();
        move || arenas_shown(&recorder, Exposition::Text)
    });
    // It waits for the answer to the first one by now, or asks again if that was given before.
    thread::sleep(Duration::from_millis(200));
    leave.send(()).unwrap();
    assert!(first.join().unwrap().contains("arena_size_bytes 1\n"));
    let again = is_entered.recv_timeout(Duration::from_millis(200));
    assert!(again.is_err(), "it was asked twice");
    assert!(second.join().unwrap().contains("arena_size_bytes 1\n"));
}

#[test]
fn a_source_that_makes_a_page_itself_ends() {
    let recorder_of_it = Arc::new(Mutex::new(None::<MetricRecorder>));
    let within = Arc::clone(&recorder_of_it);
    let recorder = recorder(move |samples| {
        let recorder = within.lock().unwrap().clone();
        assert!(!text(&recorder.unwrap(), Exposition::Text).contains("arena_size"));
        samples.sample(&SIZE, &[], 1.0);
        Ok(())
    });
    *recorder_of_it.lock().unwrap() = Some(recorder.clone());
    assert_eq!(arenas_shown(&recorder, Exposition::Text).lines().count(), 3);
    assert_eq!(recorder_of_it.lock().unwrap().take().map(drop), Some(()));
}

/// Seconds of the clock below.
static NOW: AtomicU64 = AtomicU64::new(0);

fn clock() -> Instant {
    static BEGAN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    *BEGAN + Duration::from_secs(NOW.load(Ordering::Relaxed))
}

#[test]
fn what_was_said_is_kept_as_long_as_the_source_wants() {
    let asked = AtomicU64::new(0);
    let mut source = arenas(move |samples| {
        samples.sample(&SIZE, &[], (asked.fetch_add(1, Ordering::Relaxed) + 1) as f64);
        Ok(())
    });
    source.keep_for = Duration::from_secs(10);
    let recorder = MetricRecorder::builder().source(source).steady_clock(clock).build();
    for (seconds, expected) in [(0, 1.0), (9, 1.0), (10, 2.0), (19, 2.0), (20, 3.0)] {
        NOW.store(seconds, Ordering::Relaxed);
        assert_eq!(value(&recorder, "arena_size_bytes"), Some(expected), "{seconds}");
    }
}

/// A source whose other answer panics.
#[derive(Debug)]
struct Hasty;

impl MetricSource for Hasty {
    fn name(&self) -> &'static str {
        "arenas"
    }

    fn metrics(&self) -> &'static [Metric] {
        TABLE
    }

    fn keep_for(&self) -> Duration {
        std::panic::panic_any("kept")
    }

    fn collect(&self, samples: &mut Samples<'_>) -> Result<(), SourceError> {
        samples.sample(&SIZE, &[], 1.0);
        Ok(())
    }
}

#[test]
fn a_source_that_panics_at_whatever_it_is_asked_brings_itself_in_trouble_only() {
    let recorder = MetricRecorder::builder().source(Hasty).build();
    with_local_recorder(&recorder, || gauge!("others").set(7));
    for pages in 1..=3 {
        let page = text(&recorder, Exposition::Text);
        assert!(page.contains("others 7\n") && !page.contains("arena_size_bytes 1"), "{page}");
        assert_eq!(failures(&recorder, "panicked"), f64::from(2 * pages), "this asks, too");
    }
}

#[test]
fn a_name_of_a_source_is_nobody_elses() {
    let recorder = recorder(all);
    with_local_recorder(&recorder, || gauge!("arena.size").set(1));
    let page = text(&recorder, Exposition::Text);
    assert_eq!(page.matches("# TYPE arena_size_bytes").count(), 1, "{page}");
    assert!(page.contains("arena_size_bytes -2\n"), "{page}");
    assert_eq!(value(&recorder, "obs_metric_rejected_total{reason=\"collision\"}"), Some(1.0));
}

#[test]
fn a_recorder_without_sources_says_nothing_of_them() {
    let page = text(&MetricRecorder::builder().build(), Exposition::Text);
    assert!(!page.contains("source"), "{page}");
}

#[cfg(feature = "stock-prometheus")]
#[test]
fn the_stock_backend_shows_them_too() {
    use obs::catalog::Catalog;
    use obs::metric::{MetricBackend, StockPrometheus};

    let backend = StockPrometheus::new(&Catalog::new()).with_source(arenas(all));
    let mut page = Vec::new();
    backend.render(Exposition::Text, &mut page).unwrap();
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("arena_time_seconds_total{arena=\"a\\\"b\"} 0.25\n"), "{page}");
    assert_eq!(promtool_check_metrics(&page).unwrap(), "");
}

#[cfg(feature = "stock-prometheus")]
#[test]
fn the_stock_backend_says_what_is_measured_as_ours_does() {
    use obs::catalog::Catalog;
    use obs::metric::{MetricBackend, StockPrometheus};
    use obs::record::Resource;

    let resource = Resource::new("orders").with_version("1.4.2");
    let backend = StockPrometheus::new(&Catalog::new()).with_resource(&resource);
    let mut page = Vec::new();
    backend.render(Exposition::Text, &mut page).unwrap();
    let page = String::from_utf8(page).unwrap();
    let ours = text(&MetricRecorder::builder().resource(resource).build(), Exposition::Text);
    let target = ours.lines().find(|line| line.starts_with("target_info{")).unwrap();
    assert_eq!(target, "target_info{service_name=\"orders\",service_version=\"1.4.2\"} 1");
    assert!(page.lines().any(|line| line == target), "{page}");
    assert_eq!(promtool_check_metrics(&page).unwrap(), "");
}
