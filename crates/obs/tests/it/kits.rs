//! Kits and typed metrics: what they emit is what they declare.

use std::collections::BTreeSet;
use std::time::Duration;

use metric_table::Metric;
use metrics::with_local_recorder;
use obs::catalog::Catalog;
use obs::metric::kit::{
    self, BatchMetrics, CacheMetrics, Evicted, PoolMetrics, QueueMetrics, Refused, RetryMetrics,
    SemaphoreMetrics,
};
use obs::metric::{CounterOf, Exposition, GaugeOf, HistogramOf, LabelValue, MetricRecorder};

use crate::metrics::{text, value};

fn recorder() -> MetricRecorder {
    MetricRecorder::builder().catalog(Catalog::new().with(kit::METRICS).unwrap()).build()
}

const MOMENT: Duration = Duration::from_millis(20);

fn everything() {
    let cache = CacheMetrics::new("c");
    cache.hit();
    cache.hit();
    cache.miss();
    cache.loaded(MOMENT);
    cache.load_failed(MOMENT);
    cache.evicted(Evicted::Expired);
    cache.evicted(Evicted::Size);
    cache.evicted(Evicted::Replaced);
    cache.entries(4);
    let queue = QueueMetrics::new("q");
    for _ in 0..4 {
        queue.adding().done();
    }
    queue.discarded(2);
    queue.taken(MOMENT);
    queue.adding().refused(Refused::Full);
    queue.adding().refused(Refused::Closed);
    drop(queue.adding());
    BatchMetrics::new("b").done(97, 3, MOMENT);
    let pool = PoolMetrics::new("p");
    pool.holds(3, 7);
    pool.may_hold(10);
    pool.lent(MOMENT);
    pool.timed_out();
    pool.given_back(MOMENT);
    let retry = RetryMetrics::new("r");
    let tried = |attempts| {
        let mut call = retry.begin();
        (1..=attempts).for_each(|attempt| assert_eq!(call.attempt(), attempt));
        assert_eq!(call.attempts(), attempts);
        call
    };
    tried(1).succeeded();
    tried(3).succeeded();
    tried(5).gave_up();
    drop(tried(2));
}

#[test]
fn each_kit_says_what_happened() {
    let recorder = recorder();
    with_local_recorder(&recorder, everything);
    let expected = [
        ("cache_requests_total{cache_name=\"c\",outcome=\"hit\"}", 2.0),
        ("cache_requests_total{cache_name=\"c\",outcome=\"miss\"}", 1.0),
        ("cache_load_duration_seconds_count{cache_name=\"c\",outcome=\"ok\"}", 1.0),
        ("cache_load_duration_seconds_bucket{cache_name=\"c\",outcome=\"error\",le=\"0.05\"}", 1.0),
        ("cache_load_duration_seconds_bucket{cache_name=\"c\",outcome=\"error\",le=\"0.01\"}", 0.0),
        ("cache_evictions_total{cache_name=\"c\",reason=\"size\"}", 1.0),
        ("cache_entries{cache_name=\"c\"}", 4.0),
        ("queue_added_total{queue_name=\"q\"}", 4.0),
        ("queue_discarded_total{queue_name=\"q\"}", 2.0),
        ("queue_length{queue_name=\"q\"}", 1.0),
        ("queue_refused_total{queue_name=\"q\",reason=\"full\"}", 1.0),
        ("queue_refused_total{queue_name=\"q\",reason=\"closed\"}", 1.0),
        ("queue_wait_time_seconds_count{queue_name=\"q\"}", 1.0),
        ("batch_items_total{batch_name=\"b\",outcome=\"error\"}", 3.0),
        ("batch_size_sum{batch_name=\"b\"}", 100.0),
        ("batch_duration_seconds_sum{batch_name=\"b\"}", 0.02),
        ("pool_count{pool_name=\"p\",state=\"used\"}", 7.0),
        ("pool_max{pool_name=\"p\"}", 10.0),
        ("pool_timeouts_total{pool_name=\"p\"}", 1.0),
        ("pool_use_time_seconds_sum{pool_name=\"p\"}", 0.02),
        ("retry_calls_total{outcome=\"ok\",retry_name=\"r\"}", 1.0),
        ("retry_calls_total{outcome=\"recovered\",retry_name=\"r\"}", 1.0),
        ("retry_calls_total{outcome=\"given_up\",retry_name=\"r\"}", 1.0),
        ("retry_calls_total{outcome=\"cancelled\",retry_name=\"r\"}", 1.0),
        ("retry_attempts_sum{retry_name=\"r\"}", 11.0),
    ];
    for (sample, expected) in expected {
        assert_eq!(value(&recorder, sample), Some(expected), "{sample}");
    }
}

#[test]
fn who_waits_counts_until_it_ends_even_if_it_is_cancelled() {
    let recorder = recorder();
    let pending = || value(&recorder, "semaphore_pending_requests{semaphore_name=\"s\"}").unwrap();
    let used = || value(&recorder, "semaphore_permits_used{semaphore_name=\"s\"}").unwrap();
    let semaphore = with_local_recorder(&recorder, || SemaphoreMetrics::new("s", 4));
    let waiting = [semaphore.waits(), semaphore.waits()];
    assert_eq!((pending(), used()), (2.0, 0.0));
    let permit = semaphore.entered(3, MOMENT);
    drop(waiting);
    assert_eq!((pending(), used()), (0.0, 3.0));
    semaphore.refused(Refused::Full);
    semaphore.refused(Refused::Closed);
    for reason in ["full", "closed"] {
        let sample = format!("semaphore_refused_total{{reason=\"{reason}\",semaphore_name=\"s\"}}");
        assert_eq!(value(&recorder, &sample), Some(1.0));
    }
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _permit = permit;
        std::panic::resume_unwind(Box::new("cancelled"));
    }));
    assert!(panicked.is_err());
    assert_eq!((pending(), used()), (0.0, 0.0));
    assert_eq!(value(&recorder, "semaphore_permits_max{semaphore_name=\"s\"}"), Some(4.0));
    let pool = with_local_recorder(&recorder, || PoolMetrics::new("p"));
    let waits = pool.waits();
    assert_eq!(value(&recorder, "pool_pending_requests{pool_name=\"p\"}"), Some(1.0));
    drop(waits);
    assert_eq!(value(&recorder, "pool_pending_requests{pool_name=\"p\"}"), Some(0.0));
}

/// Whoever takes something out may do so before who put it there knows.
#[test]
fn a_queue_is_never_shorter_than_empty() {
    let recorder = recorder();
    let length = || value(&recorder, "queue_length{queue_name=\"q\"}").unwrap();
    let queue = with_local_recorder(&recorder, || QueueMetrics::new("q"));
    let adding = queue.adding();
    assert_eq!(length(), 1.0);
    queue.taken(MOMENT);
    assert_eq!(length(), 0.0);
    adding.done();
    assert_eq!(
        (length(), value(&recorder, "queue_added_total{queue_name=\"q\"}")),
        (0.0, Some(1.0))
    );
    // Nobody waits for room any more.
    drop(queue.adding());
    queue.adding().refused(Refused::Closed);
    assert_eq!(
        (length(), value(&recorder, "queue_added_total{queue_name=\"q\"}")),
        (0.0, Some(1.0))
    );
}

#[test]
fn everything_that_kits_emit_is_declared_and_everything_declared_is_emitted() {
    let recorder = recorder();
    with_local_recorder(&recorder, || {
        everything();
        let semaphore = SemaphoreMetrics::new("s", 2);
        drop((semaphore.waits(), semaphore.entered(1, MOMENT)));
        drop(PoolMetrics::new("p").waits());
    });
    let page = text(&recorder, Exposition::OpenMetrics);
    let of = |start: &str| -> BTreeSet<String> {
        let lines = page.lines().filter_map(|line| line.strip_prefix(start));
        let names = lines.map(|line| line.split(' ').next().unwrap().to_owned());
        names.filter(|name| !name.starts_with("obs_metric")).collect()
    };
    assert_eq!(of("# HELP "), of("# TYPE "));
    assert_eq!(of("# TYPE ").len(), kit::METRICS.len());
    for metric in kit::METRICS {
        let name = metric.name.replace('.', "_");
        let sample = page.lines().find(|line| line.starts_with(&name)).unwrap();
        for label in metric.labels {
            assert!(
                sample.contains(&format!("{}=\"", label.replace('.', "_"))),
                "{sample}: {label}"
            );
        }
    }
}

#[derive(Clone, Copy)]
enum Channel {
    Shop,
    Phone,
}

impl LabelValue for Channel {
    const NAME: &'static str = "order.channel";

    fn value(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Phone => "phone",
        }
    }
}

#[derive(Clone, Copy)]
struct Paid(bool);

impl LabelValue for Paid {
    const NAME: &'static str = "order.paid";

    fn value(self) -> &'static str {
        if self.0 { "yes" } else { "no" }
    }
}

const ORDERS: CounterOf<(Channel, Paid)> = CounterOf::new("shop.orders", "{order}", "orders");
const OPEN: GaugeOf<()> = GaugeOf::new("shop.open", "{order}", "orders that are open");
const VALUE: HistogramOf<(Channel,)> =
    HistogramOf::new("shop.order.value", "EUR", "what orders are worth", &[10.0, 100.0]);
const TABLE: &[Metric] = &[ORDERS.metric(), OPEN.metric(), VALUE.metric()];

#[test]
fn typed_metrics_have_the_labels_of_their_types() {
    let recorder = MetricRecorder::builder().catalog(Catalog::new().with(TABLE).unwrap()).build();
    with_local_recorder(&recorder, || {
        ORDERS.of((Channel::Shop, Paid(true))).increment(2);
        ORDERS.of((Channel::Phone, Paid(false))).increment(1);
        OPEN.of(()).set(7);
        VALUE.of((Channel::Shop,)).record(99.5);
    });
    assert_eq!(ORDERS.metric().labels, ["order.channel", "order.paid"]);
    let shop = "shop_orders_total{order_channel=\"shop\",order_paid=\"yes\"}";
    let phone = "shop_orders_total{order_channel=\"phone\",order_paid=\"no\"}";
    assert_eq!((value(&recorder, shop), value(&recorder, phone)), (Some(2.0), Some(1.0)));
    assert_eq!(value(&recorder, "shop_open"), Some(7.0));
    let bucket = "shop_order_value_EUR_bucket{order_channel=\"shop\",le=\"100.0\"}";
    assert_eq!(value(&recorder, bucket), Some(1.0));
}
