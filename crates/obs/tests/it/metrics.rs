//! The recorder: what is recorded is shown, and no more of it than there may be.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use metric_table::Metric;
use metrics::{counter, gauge, histogram, with_local_recorder};
use obs::catalog::{Catalog, CatalogErrorKind};
use obs::metric::{Exposition, MetricBackend, MetricRecorder};
use proptest::prelude::*;
use request_context::{Context, TraceContext};

use crate::child;
use crate::support::logged;

const TABLE: &[Metric] = &[
    Metric::counter("jobs.done", "{job}", "jobs \\ that \"were\"\ndone").with_labels(&["outcome"]),
    Metric::gauge("pool.usage", "1", "share of the pool in use"),
    Metric::histogram("job.duration", "s", "how long").with_buckets(&[0.1, 1.0, 10.0]),
];

pub(crate) fn recorder() -> MetricRecorder {
    MetricRecorder::builder().catalog(Catalog::new().with(TABLE).unwrap()).build()
}

pub(crate) fn text(recorder: &MetricRecorder, format: Exposition) -> String {
    let mut text = Vec::new();
    recorder.render(format, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// Without what the recorder says of itself.
fn others(recorder: &MetricRecorder, format: Exposition) -> String {
    let text = text(recorder, format);
    let lines = text.lines().filter(|line| !line.contains("obs_metric_"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// The value of the sample that begins with this.
pub(crate) fn value(recorder: &MetricRecorder, sample: &str) -> Option<f64> {
    let text = text(recorder, Exposition::Text);
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))?;
    Some(line.parse().unwrap())
}

fn some_of_each() {
    counter!("jobs.done", "outcome" => "done").increment(3);
    gauge!("pool.usage").set(0.25);
    let duration = histogram!("job.duration", "job.kind" => "mail");
    for seconds in [0.05, 0.1, 5.0, 11.0] {
        duration.record(seconds);
    }
}

#[test]
fn the_text_format_is_written_to_the_letter() {
    let recorder = recorder();
    with_local_recorder(&recorder, some_of_each);
    assert_eq!(
        others(&recorder, Exposition::Text),
        "# HELP job_duration_seconds how long\n\
         # TYPE job_duration_seconds histogram\n\
         job_duration_seconds_bucket{job_kind=\"mail\",le=\"0.1\"} 2\n\
         job_duration_seconds_bucket{job_kind=\"mail\",le=\"1.0\"} 2\n\
         job_duration_seconds_bucket{job_kind=\"mail\",le=\"10.0\"} 3\n\
         job_duration_seconds_bucket{job_kind=\"mail\",le=\"+Inf\"} 4\n\
         job_duration_seconds_sum{job_kind=\"mail\"} 16.15\n\
         job_duration_seconds_count{job_kind=\"mail\"} 4\n\
         # HELP jobs_done_total jobs \\\\ that \"were\"\\ndone\n\
         # TYPE jobs_done_total counter\n\
         jobs_done_total{outcome=\"done\"} 3\n\
         # HELP pool_usage_ratio share of the pool in use\n\
         # TYPE pool_usage_ratio gauge\n\
         pool_usage_ratio 0.25\n"
    );
}

#[test]
fn open_metrics_names_families_units_and_the_end() {
    let recorder = recorder();
    with_local_recorder(&recorder, some_of_each);
    let text = others(&recorder, Exposition::OpenMetrics);
    for line in [
        "# HELP jobs_done jobs \\\\ that \\\"were\\\"\\ndone",
        "# TYPE jobs_done counter",
        "jobs_done_total{outcome=\"done\"} 3",
        "# UNIT job_duration_seconds seconds",
        "# UNIT pool_usage_ratio ratio",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn what_is_described_late_has_its_unit_and_only_what_is_no_declaration() {
    let recorder = recorder();
    with_local_recorder(&recorder, || {
        gauge!("late.size").set(1);
        metrics::describe_gauge!("late.size", metrics::Unit::Bytes, "said late");
        metrics::describe_gauge!("pool.usage", metrics::Unit::Bytes, "something else");
        gauge!("pool.usage").set(1);
    });
    let text = others(&recorder, Exposition::Text);
    assert!(text.contains("# HELP late_size_bytes said late\n"), "{text}");
    assert!(text.contains("# HELP pool_usage_ratio share of the pool in use\n"), "{text}");
}

#[test]
fn what_is_not_finite_is_counted_and_not_recorded() {
    let recorder = recorder();
    with_local_recorder(&recorder, || {
        let (usage, duration) = (gauge!("pool.usage"), histogram!("job.duration"));
        for spoilt in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            usage.set(spoilt);
            usage.increment(spoilt);
            duration.record(spoilt);
        }
        usage.increment(f64::MAX);
        usage.increment(f64::MAX);
        duration.record(2.0);
    });
    assert_eq!(value(&recorder, "obs_metric_rejected_total{reason=\"not_finite\"}"), Some(9.0));
    assert_eq!(value(&recorder, "job_duration_seconds_sum"), Some(2.0));
    assert_eq!(value(&recorder, "pool_usage_ratio"), Some(f64::MAX));
}

#[test]
fn what_is_measured_is_said_once_and_does_not_expire() {
    let resource =
        obs::record::Resource::new("shop").with_version("1.2.3").with_environment("live");
    let recorder = MetricRecorder::builder().resource(resource).idle_after(Duration::ZERO).build();
    let start = Instant::now();
    for second in 0..3 {
        recorder.sweep(start + Duration::from_secs(second));
    }
    let target = "target_info{deployment_environment_name=\"live\",service_name=\"shop\",service_version=\"1.2.3\"}";
    assert_eq!(value(&recorder, target), Some(1.0));
    assert!(!text(&MetricRecorder::builder().build(), Exposition::Text).contains("target"));
}

#[test]
fn a_name_has_one_kind() {
    let recorder = recorder();
    with_local_recorder(&recorder, || {
        counter!("jobs.done").increment(1);
        gauge!("jobs.done").set(7);
        histogram!("jobs.done").record(7.0);
    });
    assert_eq!(value(&recorder, "jobs_done_total"), Some(1.0));
    assert_eq!(value(&recorder, "obs_metric_rejected_total{reason=\"kind\"}"), Some(2.0));
}

#[test]
fn two_names_that_become_one_are_not_both_shown() {
    let recorder = recorder();
    with_local_recorder(&recorder, || {
        counter!("jobs.done").increment(1);
        gauge!("jobs_done_total").set(7);
        gauge!("queue.length").set(1);
        gauge!("queue_length").set(2);
    });
    let text = others(&recorder, Exposition::Text);
    assert!(text.contains("\njobs_done_total 1\n") && !text.contains(" 7\n"), "{text}");
    assert_eq!(text.matches("\nqueue_length ").count(), 1, "{text}");
    assert_eq!(value(&recorder, "obs_metric_rejected_total{reason=\"collision\"}"), Some(2.0));
}

#[test]
fn labels_that_become_one_are_joined_and_sensitive_ones_are_not_shown() {
    let recorder = MetricRecorder::builder().longest_label(8).build();
    with_local_recorder(&recorder, || {
        counter!("a", "x.y" => "1", "x_y" => "2").increment(1);
        counter!("b", "api_key" => "hunter2").increment(1);
        counter!("b", "api_key" => "hunter3").increment(1);
        counter!("c", "path" => "ääääääää").increment(1);
        counter!("c", "path" => "ääääöööö").increment(1);
        histogram!("d", "le" => "mine").record(1);
    });
    assert_eq!(value(&recorder, "a_total{x_y=\"1;2\"}"), Some(1.0));
    assert_eq!(value(&recorder, "b_total{api_key=\"[REDACTED]\"}"), Some(2.0));
    assert_eq!(value(&recorder, "c_total{path=\"ääää… [CUT]\"}"), Some(2.0));
    assert_eq!(value(&recorder, "d_count{exported_le=\"mine\"}"), Some(1.0));
    assert!(!text(&recorder, Exposition::Text).contains("hunter"));
}

#[test]
fn who_calls_a_label_like_the_overflow_is_counted_there() {
    let recorder = MetricRecorder::builder().series_limit(1).build();
    with_local_recorder(&recorder, || {
        counter!("requests", "otel.metric.overflow" => "true").increment(1);
        counter!("requests", "path" => "/a").increment(2);
        counter!("requests", "path" => "/b").increment(4);
    });
    let text = others(&recorder, Exposition::Text);
    assert_eq!(text.matches("requests_total{").count(), 2, "{text}");
    assert!(text.contains("requests_total{otel_metric_overflow=\"true\"} 5\n"), "{text}");
}

#[test]
fn names_of_labels_are_bounded_as_well() {
    let recorder = MetricRecorder::builder().build();
    with_local_recorder(&recorder, || {
        for last in ["x", "y"] {
            let name = format!("{}{last}", "n".repeat(100_000));
            counter!("requests", name => "/").increment(1);
        }
    });
    let sample = format!("requests_total{{{}=\"/\"}}", "n".repeat(256));
    assert_eq!(value(&recorder, &sample), Some(2.0));
}

#[test]
fn beyond_the_limit_everything_is_in_one_series_and_the_sum_is_exact() {
    const VALUES: u64 = 20_000;
    let recorder = MetricRecorder::builder().series_limit(100).build();
    thread::scope(|scope| {
        for writer in 0..4_u64 {
            let recorder = &recorder;
            scope.spawn(move || {
                with_local_recorder(recorder, || {
                    for number in 0..VALUES {
                        let path = format!("/{}", number * 4 + writer);
                        counter!("requests", "path" => path).increment(1);
                    }
                });
            });
        }
    });
    let text = others(&recorder, Exposition::Text);
    let samples: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("requests_total")).collect();
    assert_eq!(samples.len(), 101);
    let sum: u64 =
        samples.iter().map(|it| it.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(sum, 4 * VALUES);
    assert!(text.contains("requests_total{otel_metric_overflow=\"true\"} 79900\n"), "{text}");
}

/// The most memory that this process ever used, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[test]
fn a_million_label_values_take_bounded_memory_and_a_bounded_page() {
    const NAME: &str = "metrics::a_million_label_values_take_bounded_memory_and_a_bounded_page";
    if child::folder().is_none() {
        let folder = tempfile::tempdir().unwrap();
        child::run(child::command(NAME, folder.path()));
        return;
    }
    let recorder = MetricRecorder::builder().build();
    let before = peak();
    with_local_recorder(&recorder, || {
        for number in 0..1_000_000_u64 {
            counter!("requests", "path" => format!("/{number}")).increment(1);
        }
        // 200 MB in all, cut to less than one.
        for number in 0..1_000 {
            let long = format!("{number}{}", "x".repeat(200_000));
            gauge!("depth", "path" => long).set(1);
        }
    });
    let page = text(&recorder, Exposition::Text);
    let added = peak() - before;
    assert!(added < 16 * 1024, "{added} KiB for 3,001 series");
    assert!(page.len() < 512 * 1024, "{} bytes", page.len());
    assert!(page.contains("requests_total{otel_metric_overflow=\"true\"} 998000\n"));
    assert_eq!(page.matches("\nrequests_total{").count(), 2_001);
}

#[test]
fn a_metric_with_too_many_series_is_said_once() {
    let recorder = MetricRecorder::builder().series_limit(10).build();
    let lines = logged(|| {
        let users = |range: std::ops::Range<u32>| {
            with_local_recorder(&recorder, || {
                range.for_each(|user| counter!("hits", "user" => user.to_string()).increment(1));
            });
            MetricBackend::upkeep(&recorder, Instant::now());
        };
        users(0..10);
        tracing::info!("full");
        (11..14).for_each(|end| users(10..end));
    });
    let all = lines.all();
    let said: Vec<_> = all.iter().map(|line| line["message"].as_str().unwrap()).collect();
    let too_many = "a metric has too many series; further ones are summed in one";
    assert_eq!(said, ["full", too_many]);
    assert_eq!((&all[1]["level"], &all[1]["metric"]), (&"WARN".into(), &"hits".into()));
}

#[test]
fn metrics_beyond_their_limit_are_counted() {
    let recorder = MetricRecorder::builder().metric_limit(5).build();
    with_local_recorder(&recorder, || {
        for number in 0..10 {
            counter!(format!("metric{number}")).increment(1);
        }
        gauge!("x".repeat(10_000)).set(1);
    });
    // Three are the recorder's own.
    assert_eq!(others(&recorder, Exposition::Text).matches("# TYPE").count(), 2);
    assert_eq!(value(&recorder, "obs_metric_rejected_total{reason=\"families\"}"), Some(9.0));
}

#[test]
fn what_nobody_uses_expires_and_what_is_held_does_not() {
    let window = Duration::from_secs(60);
    let recorder = MetricRecorder::builder().idle_after(window).build();
    let start = Instant::now();
    let count = |label| {
        with_local_recorder(&recorder, || counter!("requests", "path" => label).increment(1));
    };
    let held = with_local_recorder(&recorder, || counter!("requests", "path" => "/held"));
    count("/a");
    count("/b");
    assert_eq!(recorder.sweep(start), 0);
    count("/b");
    assert_eq!(recorder.sweep(start + window / 2), 0);
    assert_eq!(recorder.sweep(start + window), 1);
    assert_eq!(value(&recorder, "requests_total{path=\"/a\"}"), None);
    assert_eq!(value(&recorder, "requests_total{path=\"/b\"}"), Some(2.0));
    assert_eq!(recorder.sweep(start + window * 3), 1);
    assert_eq!(value(&recorder, "requests_total{path=\"/b\"}"), None);
    held.increment(1);
    assert_eq!(value(&recorder, "requests_total{path=\"/held\"}"), Some(1.0));
    drop(held);
    recorder.sweep(start + window * 4);
    assert_eq!(recorder.sweep(start + window * 5), 1);
    assert_eq!(value(&recorder, "obs_metric_expired_total"), Some(3.0));
    // It may come back.
    count("/a");
    assert_eq!(value(&recorder, "requests_total{path=\"/a\"}"), Some(1.0));
}

#[test]
fn a_gauge_that_is_set_to_what_it_was_is_in_use() {
    let recorder = MetricRecorder::builder().idle_after(Duration::from_secs(1)).build();
    let start = Instant::now();
    for second in 0..5 {
        with_local_recorder(&recorder, || gauge!("up", "of" => "db").set(1));
        assert_eq!(recorder.sweep(start + Duration::from_secs(second)), 0);
    }
    assert_eq!(recorder.sweep(start + Duration::from_secs(6)), 1);
}

#[test]
fn a_gauge_that_went_up_by_steps_is_there_when_it_comes_down() {
    let window = Duration::from_secs(1);
    let recorder = MetricRecorder::builder().idle_after(window).build();
    let start = Instant::now();
    with_local_recorder(&recorder, || gauge!("jobs.running", "kind" => "mail").increment(2));
    for seconds in 0..5 {
        assert_eq!(recorder.sweep(start + window * seconds), 0);
    }
    with_local_recorder(&recorder, || gauge!("jobs.running", "kind" => "mail").decrement(1));
    assert_eq!(value(&recorder, "jobs_running{kind=\"mail\"}"), Some(1.0));
    // Back at zero, or set to something, it is like any other.
    with_local_recorder(&recorder, || gauge!("jobs.running", "kind" => "mail").decrement(1));
    recorder.sweep(start + window * 5);
    assert_eq!(recorder.sweep(start + window * 6), 1);
    with_local_recorder(&recorder, || {
        gauge!("jobs.running", "kind" => "mail").increment(2);
        gauge!("jobs.running", "kind" => "mail").set(7);
    });
    recorder.sweep(start + window * 7);
    assert_eq!(recorder.sweep(start + window * 8), 1);
}

#[test]
fn nothing_that_is_recorded_while_series_expire_is_lost() {
    let recorder = MetricRecorder::builder().idle_after(Duration::ZERO).build();
    let (ends, start) = (AtomicBool::new(false), Instant::now());
    let expired = thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let recorder = &recorder;
                scope.spawn(move || {
                    for round in 0..300 {
                        let path = format!("/{writer}/{}", round % 3);
                        let series = format!("requests_total{{path=\"{path}\"}}");
                        let held =
                            with_local_recorder(recorder, || counter!("requests", "path" => path));
                        let before = value(recorder, &series).unwrap();
                        thread::yield_now();
                        held.increment(1);
                        assert_eq!(value(recorder, &series), Some(before + 1.0));
                    }
                })
            })
            .collect();
        let sweeper = scope.spawn(|| {
            let mut expired = 0;
            while !ends.load(Ordering::Relaxed) {
                expired += recorder.sweep(start);
            }
            expired
        });
        let ended: Vec<_> = writers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        ends.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok), "something was lost");
        sweeper.join().unwrap()
    });
    assert!(expired > 0, "nothing expired meanwhile");
}

#[test]
fn a_histogram_is_whole_on_every_page_however_many_record() {
    const EACH: u64 = 100_000;
    let recorder = recorder();
    let last = thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let recorder = &recorder;
                scope.spawn(move || {
                    let duration = with_local_recorder(recorder, || histogram!("job.duration"));
                    for number in 0..EACH {
                        duration.record([0.05, 0.5, 5.0, 50.0][(number + writer) as usize % 4]);
                    }
                })
            })
            .collect();
        let mut before = vec![0; 4];
        loop {
            let is_last = writers.iter().all(thread::ScopedJoinHandle::is_finished);
            let page = text(&recorder, Exposition::Text);
            let number = |line: &str| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
            let buckets: Vec<u64> =
                page.lines().filter(|line| line.contains("seconds_bucket")).map(number).collect();
            let count = page.lines().find(|line| line.starts_with("job_duration_seconds_count"));
            if let Some(count) = count {
                assert_eq!(buckets.len(), 4);
                assert!(buckets.is_sorted(), "{page}");
                assert_eq!(buckets[3], number(count), "{page}");
                assert!(buckets.iter().zip(&before).all(|(now, before)| now >= before), "{page}");
                before = buckets;
            }
            if is_last {
                return before;
            }
        }
    });
    assert_eq!(last, [EACH * 3 / 4, EACH * 3 / 2, EACH * 9 / 4, EACH * 3]);
    let sum = value(&recorder, "job_duration_seconds_sum").unwrap();
    assert!((sum - 55.55 * (EACH * 3 / 4) as f64).abs() < 1.0, "{sum}");
}

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

pub(crate) fn in_trace(header: &str, work: impl FnOnce()) {
    let trace: TraceContext = header.parse().unwrap();
    Context::new().with_trace(trace).sync_scope(work);
}

#[test]
fn a_bucket_keeps_one_exemplar_of_a_sampled_trace_an_exposition() {
    let clock = || std::time::UNIX_EPOCH + Duration::from_millis(1_700_000_000_007);
    let recorder =
        MetricRecorder::builder().catalog(Catalog::new().with(TABLE).unwrap()).clock(clock).build();
    with_local_recorder(&recorder, || {
        let duration = histogram!("job.duration");
        duration.record(0.5);
        in_trace(&SAMPLED.replace("-01", "-00"), || duration.record(0.6));
        let without = text(&recorder, Exposition::OpenMetrics);
        assert!(!without.contains("trace_id"), "{without}");
        in_trace(SAMPLED, || {
            duration.record(0.7);
            duration.record(0.8);
        });
        let exemplar = "job_duration_seconds_bucket{le=\"1.0\"} 4 # {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\",\
                        span_id=\"00f067aa0ba902b7\"} 0.7 1700000000.007\n";
        assert!(!text(&recorder, Exposition::Text).contains("trace_id"));
        let with = text(&recorder, Exposition::OpenMetrics);
        assert!(with.contains(exemplar), "{with}");
        in_trace(SAMPLED, || duration.record(0.9));
        assert!(text(&recorder, Exposition::OpenMetrics).contains("\"} 0.9 1700000000.007\n"));
    });
}

#[test]
fn a_counter_keeps_one_exemplar_of_a_sampled_trace_an_exposition() {
    let clock = || std::time::UNIX_EPOCH + Duration::from_millis(1_700_000_000_007);
    let recorder =
        MetricRecorder::builder().catalog(Catalog::new().with(TABLE).unwrap()).clock(clock).build();
    with_local_recorder(&recorder, || {
        let jobs = counter!("jobs.done", "outcome" => "done");
        jobs.increment(1);
        in_trace(&SAMPLED.replace("-01", "-00"), || jobs.increment(1));
        assert!(!text(&recorder, Exposition::OpenMetrics).contains("trace_id"));
        in_trace(SAMPLED, || {
            jobs.increment(3);
            jobs.increment(4);
        });
    });
    let exemplar = "jobs_done_total{outcome=\"done\"} 9 # {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\",\
                    span_id=\"00f067aa0ba902b7\"} 3 1700000000.007\n";
    assert!(!text(&recorder, Exposition::Text).contains("trace_id"));
    let with = text(&recorder, Exposition::OpenMetrics);
    assert!(with.contains(exemplar), "{with}");
}

#[test]
fn tables_that_disagree_are_refused() {
    const SAME: &[Metric] = &[Metric::gauge("pool.usage", "1", "share of the pool in use")];
    const OTHER: &[Metric] = &[Metric::gauge("pool.usage", "1", "something else")];
    const ALIKE: &[Metric] =
        &[Metric::gauge("jobs.done_total", "1", "x"), Metric::gauge("jobs_done.total", "{x}", "x")];
    let catalog = || Catalog::new().with(TABLE).unwrap();
    assert_eq!(catalog().with(SAME).unwrap().len(), 3);
    let refused = catalog().with(OTHER).unwrap_err();
    assert_eq!((refused.kind(), refused.metric()), (CatalogErrorKind::Disagree, "pool.usage"));
    let refused = catalog().with(ALIKE).unwrap_err();
    assert_eq!(refused.kind(), CatalogErrorKind::SameExposition);
    assert_eq!(
        refused.to_string(),
        "`jobs_done.total` and `jobs.done` have series of the same name in Prometheus' form"
    );
}

#[test]
fn collectors_get_the_format_that_they_ask_for() {
    let open = Exposition::OpenMetrics;
    let cases = [
        ("", Exposition::Text),
        ("*/*", Exposition::Text),
        ("application/openmetrics-text", open),
        ("APPLICATION/OPENMETRICS-TEXT; Version=\"1.0.0\"; charset=utf-8", open),
        ("application/openmetrics-text;version=0.0.1", Exposition::Text),
        ("application/openmetrics-text;q=0.4, text/plain;q=0.5", Exposition::Text),
        ("application/openmetrics-text;q=0.5, text/plain;q=0.5", open),
        ("application/openmetrics-text;q=0", Exposition::Text),
        ("application/openmetrics-text;q=NaN", Exposition::Text),
        ("application/openmetrics-text;q=0.5, */*;q=0.9, text/plain;q=0.1", open),
        ("text/plain;version=0.0.4", Exposition::Text),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;q=0.6,text/plain;q=0.3",
            open,
        ),
    ];
    for (accept, format) in cases {
        assert_eq!(Exposition::accepted(accept), format, "{accept}");
    }
}

/// Ends a write after this many bytes.
struct Short(usize);

impl std::io::Write for Short {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_collector_that_goes_away_stops_nothing() {
    let recorder = MetricRecorder::builder().build();
    with_local_recorder(&recorder, || {
        for number in 0..1_500 {
            counter!("requests", "path" => format!("/{number:0100}")).increment(1);
        }
    });
    let failed = recorder.render(Exposition::Text, &mut Short(70_000)).unwrap_err();
    assert_eq!(failed.kind(), std::io::ErrorKind::BrokenPipe);
    assert_eq!(text(&recorder, Exposition::Text).matches("requests_total{").count(), 1_500);
}

/// A collector that takes nothing until it is let.
struct Stuck {
    writes: mpsc::Sender<()>,
    is_let: mpsc::Receiver<()>,
}

impl std::io::Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writes.send(()).unwrap();
        self.is_let.recv().map_err(|_| std::io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_collector_that_hangs_keeps_nobody_waiting() {
    let recorder = MetricRecorder::builder().idle_after(Duration::from_secs(60)).build();
    let recorder = &recorder;
    let count = || with_local_recorder(recorder, || counter!("requests").increment(1));
    count();
    let ((writes, writing), (lets, is_let)) = (mpsc::channel(), mpsc::channel());
    thread::scope(|scope| {
        let hangs = scope
            .spawn(move || recorder.render(Exposition::OpenMetrics, &mut Stuck { writes, is_let }));
        writing.recv_timeout(Duration::from_secs(60)).unwrap();
        // Whoever records, adds, describes, sweeps or collects meanwhile; a thread, so that it fails and does not hang.
        let (done, is_done) = mpsc::channel();
        scope.spawn(move || {
            count();
            with_local_recorder(recorder, || {
                metrics::describe_gauge!("depth", metrics::Unit::Count, "said meanwhile");
                gauge!("depth").set(1);
            });
            recorder.sweep(Instant::now());
            done.send(text(recorder, Exposition::Text)).unwrap();
        });
        let page = is_done.recv_timeout(Duration::from_secs(60));
        drop(lets);
        assert!(page.unwrap().contains("\nrequests_total 2\n"));
        assert!(hangs.join().unwrap().is_err());
    });
}

proptest! {
    #[test]
    fn no_label_can_write_a_line_of_its_own(value in "\\PC*|[\"\\\\\n\r{}= ,#]*", name in "[a-z.\"\n{}]{1,9}") {
        let recorder = MetricRecorder::builder().redacted_keys(obs::record::RedactedKeys::insecure_none()).build();
        with_local_recorder(&recorder, || counter!("one", name.clone() => value.clone()).increment(1));
        let text = others(&recorder, Exposition::Text);
        prop_assert_eq!(text.split_terminator('\n').count(), 2, "{}", text);
        let ends_well = text.ends_with("\"} 1\n");
        prop_assert!(ends_well, "{}", text);
    }
}
