//! How many records there were.

use std::sync::Arc;

use metrics::with_local_recorder;
use obs::catalog::Catalog;
use obs::log::LogVolume;
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
    let mut page = Vec::new();
    recorder.render(Exposition::accepted("text/plain"), &mut page).unwrap();
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("log_records_total{level=\"info\"} 20000\n"), "{page}");
    assert!(page.contains("log_records_total{level=\"error\"} 2000\n"), "{page}");
}
