//! What an output leaves out because it was told to: that it says so, and that the sum is right.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use obs::log::{
    JsonFlat, LogOutput, LogOutputBuilder, Quota, RateLimit, Ratio, Sampling, Stream, Writer,
    WriterGuard,
};
use obs::record::{Note, RecordHandle, RecordLayer, RecordSink};
use request_context::Context;
use serde_json::json;
use tracing::Level;
use tracing_subscriber::layer::SubscriberExt;

use crate::PROBE;
use crate::support::Memory;

const LONG: Duration = Duration::from_secs(60);

fn quota(burst: u32, every: Duration) -> Quota {
    Quota::new(NonZeroU32::new(burst).unwrap(), every)
}

/// An output into memory, and a subscriber whose only sink it is.
struct Log {
    memory: Memory,
    writer: Writer,
    guard: WriterGuard,
    output: Arc<LogOutput>,
    dispatch: tracing::Dispatch,
    handle: RecordHandle,
}

impl Log {
    fn new(
        now: fn() -> SystemTime,
        change: impl FnOnce(LogOutputBuilder) -> LogOutputBuilder,
    ) -> Self {
        let memory = Memory::default();
        let (writer, guard) =
            Writer::builder("test").room(64 << 20).start(Stream::new(memory.clone())).unwrap();
        let output = change(LogOutput::builder(JsonFlat::new(), &writer).clock(now)).build();
        let sink = Arc::<LogOutput>::clone(&output);
        let layer = RecordLayer::builder().clock(now).sink(sink).build();
        let handle = layer.handle();
        let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
        Self { memory, writer, guard, output, dispatch, handle }
    }

    fn limited(now: fn() -> SystemTime, limit: RateLimit) -> Self {
        Self::new(now, |output| output.rate_limit(limit))
    }

    fn messages(&self) -> Vec<String> {
        assert!(self.output.flush(LONG));
        self.memory.messages()
    }
}

static SECONDS: AtomicU64 = AtomicU64::new(0);

fn by_seconds() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_392_000 + SECONDS.load(Ordering::SeqCst))
}

#[test]
fn a_place_is_heard_so_often_and_says_what_was_not_heard() {
    let limit = RateLimit::new(quota(3, Duration::from_secs(10)));
    let log = Log::limited(by_seconds, limit.errors(quota(1, Duration::from_secs(10))));
    tracing::dispatcher::with_default(&log.dispatch, || {
        let noisy = |n: u32| tracing::warn!(n, "noisy {n}");
        let fails = |n: u32| tracing::error!("fails {n}");
        (0..10).for_each(noisy);
        (0..10).for_each(fails);
        tracing::warn!("quiet");
        SECONDS.fetch_add(10, Ordering::SeqCst);
        (10..12).for_each(noisy);
        // An hour back: who was heard before is heard at once, not in an hour.
        SECONDS.store(0, Ordering::SeqCst);
        SECONDS.fetch_add(100_000, Ordering::SeqCst);
        noisy(12);
        SECONDS.fetch_sub(3_600, Ordering::SeqCst);
        noisy(13);
        SECONDS.fetch_add(3_600, Ordering::SeqCst);
        fails(10);
    });
    assert!(log.output.left_out().limited == 7 + 9 + 1, "{:?}", log.output.left_out());
    let messages = log.messages();
    assert_eq!(
        messages,
        [
            "noisy 0",
            "noisy 1",
            "noisy 2",
            "fails 0",
            "quiet",
            "7 log records suppressed",
            "noisy 10",
            "1 log records suppressed",
            "noisy 12",
            "noisy 13",
            "9 log records suppressed",
            "fails 10",
        ]
    );
    let said = &log.memory.lines()[5];
    assert_eq!(
        (&said["level"], &said["target"], &said["suppressed"]),
        (&json!("WARN"), &json!("it::limit"), &json!(7))
    );
}

#[test]
fn errors_may_all_be_heard() {
    let limit = RateLimit::new(quota(1, Duration::from_secs(3_600))).all_errors();
    let log = Log::limited(SystemTime::now, limit);
    tracing::dispatcher::with_default(&log.dispatch, || {
        (0..5).for_each(|_| tracing::error!("error"));
        (0..5).for_each(|_| tracing::info!("info"));
    });
    let messages = log.messages();
    assert_eq!(messages[..6], ["error", "error", "error", "error", "error", "info"]);
    assert_eq!(messages[6..], ["4 log records suppressed"], "said before the end");
}

#[test]
fn a_place_that_is_silent_is_spoken_for() {
    let log = Log::limited(SystemTime::now, RateLimit::new(quota(2, Duration::from_millis(50))));
    tracing::dispatcher::with_default(&log.dispatch, || {
        (0..20).for_each(|_| tracing::info!("burst"));
    });
    let begun = Instant::now();
    while !log.memory.text().contains("suppressed") {
        assert!(begun.elapsed() < LONG, "nobody says what was suppressed");
        std::thread::sleep(Duration::from_millis(10));
    }
    let said = log.memory.lines().pop().unwrap();
    assert_eq!(said["suppressed"], log.output.left_out().limited);
}

/// One place, 8 threads: nobody is lost between those that were heard and those that were not.
#[test]
fn threads_share_a_quota_and_the_sum_is_exact() {
    for every in [Duration::from_secs(3_600), Duration::from_nanos(100)] {
        let log = Log::limited(SystemTime::now, RateLimit::new(quota(50, every)));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    tracing::dispatcher::with_default(&log.dispatch, || {
                        (0..10_000).for_each(|_| tracing::info!("heard"));
                    });
                });
            }
        });
        assert!(log.output.flush(LONG));
        let lines = log.memory.lines();
        let heard = lines.iter().filter(|line| line["message"] == "heard").count() as u64;
        let suppressed: u64 = lines.iter().filter_map(|line| line["suppressed"].as_u64()).sum();
        assert_eq!(heard + suppressed, 80_000);
        assert_eq!(suppressed, log.output.left_out().limited);
        assert!(heard == 50 || every.as_secs() == 0, "{heard}");
    }
}

#[test]
fn the_first_record_of_each_place_is_heard_and_places_take_bounded_memory() {
    let log = Log::limited(SystemTime::now, RateLimit::new(quota(1, Duration::from_secs(3_600))));
    let line = |place: u32| {
        let target = format!("place{place}");
        log.handle.record(&Note::new(Level::INFO, &target).at("file.rs", place), &"first");
    };
    for _ in 0..2 {
        (0..20_000).for_each(line);
    }
    assert_eq!(log.output.left_out().limited, 20_000);
    assert!(log.writer.flush(LONG));
    assert_eq!(log.memory.text().lines().count(), 20_000);
    // All the room that there may be; what comes then needs none.
    (20_000..200_000).for_each(line);
    let (_, counts) = PROBE.count(|| (200_000..300_000).for_each(line));
    assert!(counts.bytes < 16 << 20, "the names above, and little else: {counts:?}");
}

#[test]
fn what_is_suppressed_allocates_nothing() {
    let log = Log::limited(SystemTime::now, RateLimit::new(quota(1, Duration::from_secs(3_600))));
    tracing::dispatcher::with_default(&log.dispatch, || {
        let noisy = || tracing::info!(user = "alice", "noisy");
        (0..10).for_each(|_| noisy());
        let (_, counts) = PROBE.count(|| (0..1_000).for_each(|_| noisy()));
        assert_eq!(counts.allocations, 0, "{counts:?}");
    });
}

fn in_trace(number: u64, work: impl FnOnce()) {
    // As a generator of random ids would.
    let id = u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let trace = format!("00-{id:032x}-00f067aa0ba902b7-01");
    Context::new().with_trace(trace.parse().unwrap()).sync_scope(work);
}

/// Which of 1,000 traces of 5 records are heard.
fn heard(sampling: Sampling) -> Vec<bool> {
    let log = Log::new(SystemTime::now, |output| output.sampling(sampling));
    tracing::dispatcher::with_default(&log.dispatch, || {
        for trace in 0..1_000 {
            in_trace(trace, || {
                (0..3).for_each(|_| tracing::info!(trace, "a"));
                let _span = tracing::info_span!("s").entered();
                (0..2).for_each(|_| tracing::info!(trace, "b"));
            });
        }
    });
    assert!(log.output.flush(LONG));
    let mut counts = vec![0; 1_000];
    for line in log.memory.lines() {
        counts[line["trace"].as_u64().unwrap() as usize] += 1;
    }
    assert!(counts.iter().all(|count| [0, 5].contains(count)), "a trace was torn");
    let left_out = log.output.left_out().sampled;
    assert_eq!(counts.iter().sum::<u64>() + left_out, 5_000);
    counts.iter().map(|count| *count == 5).collect()
}

#[test]
fn records_of_a_trace_are_taken_together_and_a_larger_share_takes_more() {
    let share = |ratio: f64| heard(Sampling::new().level(Level::INFO, Ratio::new(ratio).unwrap()));
    let shares = [share(0.0), share(0.1), share(0.5), share(1.0)];
    let counts = shares.each_ref().map(|heard| heard.iter().filter(|is_heard| **is_heard).count());
    assert!(counts[0] == 0 && counts[3] == 1_000, "{counts:?}");
    assert!((60..140).contains(&counts[1]) && (430..570).contains(&counts[2]), "{counts:?}");
    for (less, more) in shares.iter().zip(&shares[1..]) {
        assert!(less.iter().zip(more).all(|(less, more)| !less || *more));
    }
}

#[test]
fn shares_are_by_level_and_target_and_what_has_no_trace_is_left_to_chance() {
    let sampling = Sampling::new()
        .level(Level::INFO, Ratio::NONE)
        .target("app::db", Level::INFO, Ratio::ALL)
        .target("app", Level::INFO, Ratio::NONE)
        .target("chance", Level::INFO, Ratio::new(0.5).unwrap());
    let log = Log::new(SystemTime::now, |output| output.sampling(sampling));
    tracing::dispatcher::with_default(&log.dispatch, || {
        tracing::info!("no");
        tracing::warn!("yes, a warning");
        tracing::info!(target: "app::db::pool", "yes, below app::db");
        tracing::info!(target: "app::dbx", "no");
        (0..2_000).for_each(|_| tracing::info!(target: "chance", "perhaps"));
    });
    let messages = log.messages();
    assert_eq!(messages[..2], ["yes, a warning", "yes, below app::db"]);
    assert!((850..1_150).contains(&(messages.len() - 2)), "{}", messages.len());
    assert_eq!(log.output.left_out().sampled as usize, 2_004 - messages.len());
    for no in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert!(Ratio::new(no).is_err());
    }
    drop(log.guard);
}
