//! What logs tell the recorder of themselves.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use metrics::with_local_recorder;
use obs::catalog::Catalog;
use obs::log::{JsonFlat, LogOutput, LogVolume, Quota, RateLimit, Stream, Target, Writer};
use obs::metric::{Exposition, MetricRecorder};
use obs::record::{Filter, RecordLayer};
use tracing::Level;
use tracing_subscriber::layer::SubscriberExt;

#[test]
fn records_are_counted_by_level_by_all_threads_and_told_to_the_recorder() {
    let volume = Arc::new(LogVolume::new());
    let layer = RecordLayer::builder()
        .filter("info".parse::<Filter>().unwrap())
        .sink(Arc::<LogVolume>::clone(&volume))
        .build();
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                tracing::dispatcher::with_default(&dispatch, || {
                    for n in 0..1_000 {
                        tracing::info!("info");
                        tracing::debug!("filtered out");
                        if n % 10 == 0 {
                            tracing::error!("error");
                        }
                    }
                });
            });
        }
    });
    let counts = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG].map(|l| volume.count(l));
    assert_eq!(counts, [2_000, 0, 20_000, 0]);
    let catalog = Catalog::new().with(obs::log::METRICS).unwrap();
    let recorder = MetricRecorder::builder().catalog(catalog).build();
    with_local_recorder(&recorder, || {
        volume.publish();
        volume.publish();
    });
    let page = page(&recorder);
    assert!(page.contains("log_records_total{level=\"info\"} 20000\n"), "{page}");
    assert!(page.contains("log_records_total{level=\"error\"} 2000\n"), "{page}");
}

/// A target that never comes back from its first record, as long as the test runs.
#[derive(Debug)]
struct Stuck;

impl Target for Stuck {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        loop {
            std::thread::park();
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn page(recorder: &MetricRecorder) -> String {
    let mut page = Vec::new();
    recorder.render(Exposition::accepted("text/plain"), &mut page).unwrap();
    String::from_utf8(page).unwrap()
}

/// The thread of the writer is stuck: who is dropped tells it.
#[test]
fn drops_are_told_to_the_recorder_while_the_target_is_stuck() {
    let recorder = MetricRecorder::builder().build();
    let (writer, guard) = Writer::builder("stuck").room(64 << 10).start(Stuck).unwrap();
    with_local_recorder(&recorder, || {
        let accepted = (0..1_000).filter(|_| writer.append(&[b'x'; 1_000])).count();
        let full = format!("{{outcome=\"full\",output=\"stuck\"}} {}\n", 1_000 - accepted);
        assert!(page(&recorder).contains(&full), "{}", page(&recorder));
        let totals = guard.shutdown(Duration::from_millis(20));
        let closed = format!("{{outcome=\"closed\",output=\"stuck\"}} {}\n", totals.dropped.closed);
        assert!(totals.dropped.closed > 0 && page(&recorder).contains(&closed));
    });
}

#[test]
fn what_outputs_of_one_writer_leave_out_is_told_as_one() {
    let recorder = MetricRecorder::builder().build();
    let (writer, guard) = Writer::builder("shared").start(Stream::new(std::io::sink())).unwrap();
    let output = || {
        let quota = Quota::new(NonZeroU32::MIN, Duration::from_secs(3_600));
        LogOutput::builder(JsonFlat::new(), &writer).rate_limit(RateLimit::new(quota)).build()
    };
    let layer = RecordLayer::builder().sink(output()).sink(output()).build();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        (0..10).for_each(|_| tracing::info!("m"));
    });
    with_local_recorder(&recorder, || {
        assert_eq!(guard.shutdown(Duration::from_secs(60)).written, 2);
        assert!(
            page(&recorder).contains("{outcome=\"limited\",output=\"shared\"} 18\n"),
            "{}",
            page(&recorder)
        );
        assert!(
            page(&recorder).contains("{outcome=\"written\",output=\"shared\"} 2\n"),
            "{}",
            page(&recorder)
        );
    });
}
