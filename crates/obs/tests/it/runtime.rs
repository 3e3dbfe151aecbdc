//! Real runtimes of tokio that are idle, busy, blocked and gone.

use std::future::{Future, poll_fn};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use metrics::with_local_recorder;
use obs::catalog::Catalog;
use obs::metric::{Exposition, MetricRecorder};
use obs::runtime::{self, TaskMetrics, ThreadCount, TokioRuntime};
use tokio::runtime::{Builder, Runtime};

use crate::metrics::{text, value};

const WITHIN: Duration = Duration::from_secs(60);

fn two_workers() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}

fn watched(source: &TokioRuntime) -> MetricRecorder {
    MetricRecorder::builder().source(source.clone()).build()
}

fn of(recorder: &MetricRecorder, name: &str) -> Option<f64> {
    value(recorder, &format!("tokio_runtime_{name}{{tokio_runtime_name=\"app\"}}"))
}

/// Asks until it is as it is to be.
fn eventually(recorder: &MetricRecorder, name: &str, is_so: impl Fn(f64) -> bool) -> f64 {
    let start = Instant::now();
    loop {
        let found = of(recorder, name);
        if let Some(found) = found.filter(|found| is_so(*found)) {
            return found;
        }
        assert!(start.elapsed() < WITHIN, "{name}: {found:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Blocks as many workers, until what this gives is dropped.
fn block(runtime: &Runtime, workers: usize) -> Vec<mpsc::Sender<()>> {
    let blocked = (0..workers).map(|_| {
        let (release, released) = mpsc::channel();
        let (started, has_started) = mpsc::channel();
        runtime.spawn(async move {
            started.send(()).unwrap();
            let _ = released.recv_timeout(WITHIN);
        });
        has_started.recv_timeout(WITHIN).unwrap();
        release
    });
    blocked.collect()
}

/// The time that all workers together were busy, in seconds.
fn busy(recorder: &MetricRecorder) -> f64 {
    let page = text(recorder, Exposition::Text);
    let samples = page
        .lines()
        .filter(|line| line.starts_with("tokio_runtime_worker_busy_time_seconds_total"));
    samples.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
}

#[test]
fn a_blocked_worker_is_seen_while_it_is_blocked() {
    let runtime = two_workers();
    let source = TokioRuntime::new("app", runtime.handle());
    let recorder = watched(&source);
    let idle = busy(&recorder);
    assert!(idle < 1.0, "{idle}");
    let held = block(&runtime, 1);
    // Tokio itself says nothing of it until the worker comes back.
    let stall = eventually(&recorder, "worker_stall_seconds", |stall| stall > 1.5);
    let shown = busy(&recorder);
    assert!(shown - idle > 1.4 && shown - idle < stall + 1.0, "{shown} {idle}");
    // One of two, since it was asked a second ago or longer.
    let share = eventually(&recorder, "worker_utilization_ratio", |share| share > 0.35);
    assert!(share < 0.75, "{share}");
    drop(held);
    eventually(&recorder, "worker_stall_seconds", |stall| stall < 0.5);
    assert!(busy(&recorder) >= shown, "a counter fell");
    eventually(&recorder, "worker_utilization_ratio", |share| share < 0.2);
    assert_eq!(of(&recorder, "workers"), Some(2.0));
}

/// What it says of its workers now, of the last one and a half seconds.
fn shown_as_idle(recorder: &MetricRecorder) {
    let before = busy(recorder);
    thread::sleep(Duration::from_millis(1_500));
    assert!(busy(recorder) - before < 0.5, "{}", text(recorder, Exposition::Text));
    assert!(of(recorder, "worker_utilization_ratio").unwrap() < 0.4);
    assert!(of(recorder, "worker_stall_seconds").unwrap() < 0.5);
}

#[test]
fn a_runtime_that_is_gone_is_not_busy_without_a_heartbeat_either() {
    let runtime = two_workers();
    let recorder = watched(&TokioRuntime::new("app", runtime.handle()));
    runtime.spawn(std::future::pending::<()>());
    shown_as_idle(&recorder);
    runtime.shutdown_timeout(WITHIN);
    shown_as_idle(&recorder);
}

#[test]
fn a_runtime_that_nobody_drives_is_not_busy() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let source = TokioRuntime::new("app", runtime.handle());
    let recorder = watched(&source);
    // A connection that is kept, say.
    runtime.spawn(std::future::pending::<()>());
    shown_as_idle(&recorder);
    runtime.block_on(async { tokio::time::sleep(Duration::from_millis(10)).await });
    shown_as_idle(&recorder);
    // One that is to be driven is late then.
    runtime.spawn(source.heartbeat());
    runtime.block_on(async { tokio::time::sleep(Duration::from_millis(150)).await });
    busy(&recorder);
    thread::sleep(Duration::from_millis(1_200));
    assert!(of(&recorder, "worker_stall_seconds").unwrap() > 1.0);
    assert!(of(&recorder, "heartbeat_overdue_seconds").unwrap() > 1.0);
}

#[test]
fn the_heartbeat_tells_how_late_tasks_run_and_when_none_do() {
    let runtime = two_workers();
    let source = TokioRuntime::new("app", runtime.handle());
    let recorder = watched(&source);
    assert_eq!(of(&recorder, "heartbeat_overdue_seconds"), None);
    runtime.spawn(source.heartbeat());
    eventually(&recorder, "scheduling_delay_seconds_count", |count| count >= 3.0);
    let held = block(&runtime, 2);
    eventually(&recorder, "heartbeat_overdue_seconds", |late| late > 0.6);
    drop(held);
    let over = |bound: &str| {
        let labels = format!("{{tokio_runtime_name=\"app\",le=\"{bound}\"}}");
        value(&recorder, &format!("tokio_runtime_scheduling_delay_seconds_bucket{labels}")).unwrap()
    };
    let start = Instant::now();
    while over("+Inf") - over("0.5") < 1.0 {
        assert!(start.elapsed() < WITHIN, "{}", text(&recorder, Exposition::Text));
        thread::sleep(Duration::from_millis(20));
    }
    assert!(of(&recorder, "scheduling_delay_seconds_sum").unwrap() > 0.5);
    let rejected = "obs_metric_source_rejected_total{source=\"tokio\"}";
    assert_eq!(value(&recorder, rejected), Some(0.0));
    // A runtime that is gone has no busy workers, and no idle ones.
    runtime.shutdown_timeout(WITHIN);
    assert!(!text(&recorder, Exposition::Text).contains("tokio_runtime_worker"));
}

#[test]
fn tasks_and_those_that_wait_are_counted() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let recorder = watched(&TokioRuntime::new("app", runtime.handle()));
    let tasks: Vec<_> = (0..5).map(|_| runtime.spawn(async {})).collect();
    // Nobody runs them yet.
    assert_eq!(of(&recorder, "tasks"), Some(5.0));
    assert_eq!(of(&recorder, "global_queue_depth"), Some(5.0));
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(of(&recorder, "tasks"), Some(0.0));
    assert_eq!(of(&recorder, "global_queue_depth"), Some(0.0));
}

#[test]
fn threads_for_blocking_work_are_counted_without_workers() {
    for mut builder in [Builder::new_multi_thread(), Builder::new_current_thread()] {
        let threads = ThreadCount::watch(&mut builder);
        let runtime = builder.worker_threads(2).thread_keep_alive(Duration::ZERO).build().unwrap();
        let source = TokioRuntime::new("app", runtime.handle()).with_threads(threads);
        let recorder = watched(&source);
        eventually(&recorder, "blocking_threads", |count| count == 0.0);
        let releases: Vec<_> = (0..3)
            .map(|_| {
                let (release, released) = mpsc::channel::<()>();
                runtime.spawn_blocking(move || released.recv_timeout(WITHIN));
                release
            })
            .collect();
        eventually(&recorder, "blocking_threads", |count| count == 3.0);
        drop(releases);
        eventually(&recorder, "blocking_threads", |count| count == 0.0);
    }
}

/// Runs it on one thread, and gives what was measured of tasks.
fn measured<F: Future>(work: impl FnOnce() -> F) -> MetricRecorder {
    let catalog = Catalog::new().with(runtime::METRICS).unwrap();
    let recorder = MetricRecorder::builder().catalog(catalog).build();
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    with_local_recorder(&recorder, || runtime.block_on(work()));
    recorder
}

fn task(recorder: &MetricRecorder, metric: &str, name: &str) -> f64 {
    value(recorder, &format!("tokio_task_{metric}{{tokio_task_name=\"{name}\"}}")).unwrap()
}

#[test]
fn a_slow_poll_counts_under_the_name_of_its_task() {
    let recorder = measured(|| async {
        let (slow, quick) = (TaskMetrics::new("slow"), TaskMetrics::new("quick"));
        let quick = quick.slow_after(Duration::from_secs(30));
        let slow = slow.slow_after(Duration::from_millis(40));
        let slow = tokio::spawn(slow.monitor(async {
            tokio::task::yield_now().await;
            thread::sleep(Duration::from_millis(50));
        }));
        let quick = tokio::spawn(quick.monitor(async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }));
        slow.await.unwrap();
        quick.await.unwrap();
    });
    assert_eq!(task(&recorder, "slow_polls_total", "slow"), 1.0);
    assert_eq!(task(&recorder, "slow_polls_total", "quick"), 0.0);
    assert_eq!(task(&recorder, "poll_duration_seconds_count", "slow"), 2.0);
    assert_eq!(task(&recorder, "poll_duration_seconds_count", "quick"), 11.0);
    assert!(task(&recorder, "poll_duration_seconds_sum", "slow") >= 0.05);
}

#[test]
fn a_task_that_waits_for_another_one_to_end_is_late_and_that_one_is_not() {
    let recorder = measured(|| async {
        let (waits, blocks) = (TaskMetrics::new("waits"), TaskMetrics::new("blocks"));
        let (send, receive) = tokio::sync::oneshot::channel::<()>();
        let waits = tokio::spawn(waits.monitor(async { receive.await.unwrap() }));
        tokio::task::yield_now().await;
        let blocks = tokio::spawn(blocks.monitor(async {
            send.send(()).unwrap();
            thread::sleep(Duration::from_millis(200));
        }));
        waits.await.unwrap();
        blocks.await.unwrap();
    });
    assert_eq!(task(&recorder, "scheduling_delay_seconds_count", "waits"), 1.0);
    let late = task(&recorder, "scheduling_delay_seconds_sum", "waits");
    assert!((0.2..30.0).contains(&late), "{late}");
    assert_eq!(task(&recorder, "scheduling_delay_seconds_count", "blocks"), 0.0);
}

#[test]
fn a_task_counts_until_it_ends_is_dropped_or_panics() {
    let recorder = measured(|| async {
        let metrics = TaskMetrics::new("t");
        drop(metrics.monitor(async {}));
        let pending = tokio::spawn(metrics.monitor(std::future::pending::<()>()));
        tokio::task::yield_now().await;
        pending.abort();
        assert!(pending.await.unwrap_err().is_cancelled());
        let panics = tokio::spawn(metrics.monitor(async {
            std::panic::resume_unwind(Box::new("it failed"));
        }));
        assert!(panics.await.unwrap_err().is_panic());
    });
    assert_eq!(task(&recorder, "active", "t"), 0.0);
    let held = with_local_recorder(&recorder, || TaskMetrics::new("t").monitor(async {}));
    assert_eq!(task(&recorder, "active", "t"), 1.0);
    // It ends with its result, whoever keeps it.
    let mut held = std::pin::pin!(held);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(held.as_mut().poll(&mut context).is_ready());
    assert_eq!(task(&recorder, "active", "t"), 0.0);
    let dropped = with_local_recorder(&recorder, || TaskMetrics::new("t").monitor(async {}));
    drop(dropped);
    assert_eq!(task(&recorder, "active", "t"), 0.0);
    assert_eq!(task(&recorder, "poll_duration_seconds_count", "t"), 3.0);
}

#[test]
fn a_task_is_woken_by_whoever_has_its_last_waker() {
    let recorder = measured(|| async {
        let (send, receive) = tokio::sync::oneshot::channel::<u8>();
        let mut moved = Box::pin(TaskMetrics::new("t").monitor(receive));
        // Polled by this task once, and then by another one.
        poll_fn(|cx| {
            assert!(moved.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        let other = tokio::spawn(moved);
        tokio::task::yield_now().await;
        send.send(7).unwrap();
        let got = tokio::time::timeout(WITHIN, other).await.unwrap().unwrap();
        assert_eq!(got.unwrap(), 7);
    });
    assert_eq!(task(&recorder, "poll_duration_seconds_count", "t"), 3.0);
}

#[cfg(feature = "admin")]
mod admin {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use obs::admin::AdminServer;
    use obs::setup::Observability;

    use super::*;
    use crate::child;

    #[test]
    fn the_listener_tells_of_a_runtime_that_is_wedged() {
        child::alone("runtime::admin::the_listener_tells_of_a_runtime_that_is_wedged", || {
            let runtime = two_workers();
            let source = TokioRuntime::new("app", runtime.handle());
            runtime.spawn(source.heartbeat());
            let guard = Observability::builder().metric_source(source).install().unwrap();
            let address = ([127, 0, 0, 1], 0).into();
            let server = AdminServer::builder(guard.observability()).address(address).start();
            let server = server.unwrap();
            let _held = block(&runtime, 2);
            let ask = || {
                let mut stream = TcpStream::connect(server.address()).unwrap();
                stream.set_read_timeout(Some(WITHIN)).unwrap();
                stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
                let mut page = String::new();
                stream.read_to_string(&mut page).unwrap();
                let of = |name: &str| {
                    let sample =
                        format!("tokio_runtime_{name}_seconds{{tokio_runtime_name=\"app\"}} ");
                    let value = page.lines().find_map(|line| line.strip_prefix(&sample));
                    value.and_then(|value| value.parse::<f64>().ok()).unwrap_or_default()
                };
                (of("worker_stall"), of("heartbeat_overdue"))
            };
            let start = Instant::now();
            loop {
                let (stall, overdue) = ask();
                if stall > 1.0 && overdue > 1.0 {
                    break;
                }
                assert!(start.elapsed() < WITHIN, "{stall} {overdue}");
                thread::sleep(Duration::from_millis(50));
            }
        });
    }
}
