//! The exporter of others as what keeps the metrics of a process, below everything else that is set up.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use metric_table::Metric;
use obs::admin::AdminServer;
use obs::catalog::Catalog;
use obs::log::FileTarget;
use obs::metric::{Exposition, MetricSource, Samples, SourceError, StockPrometheus};
use obs::setup::{Observability, Output, Panics, SelfTest};
use peers::promtool_check_metrics;

use crate::child;

const WITHIN: Duration = Duration::from_secs(30);
const QUEUE: &[Metric] = &[Metric::counter("queue.jobs", "{job}", "jobs that were taken")];
const LEFT: Metric = Metric::gauge("shelf.room", "By", "room that is left");
const ROOM: &[Metric] = &[LEFT];

#[derive(Debug)]
struct Shelf;

impl MetricSource for Shelf {
    fn name(&self) -> &'static str {
        "shelf"
    }

    fn metrics(&self) -> &'static [Metric] {
        ROOM
    }

    fn collect(&self, samples: &mut Samples<'_>) -> Result<(), SourceError> {
        samples.sample(&LEFT, &[], 7.0);
        Ok(())
    }
}

/// What the admin listener answers to Prometheus, which prefers OpenMetrics.
fn scraped(server: &AdminServer) -> String {
    assert!(server.address().ip().is_loopback());
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(WITHIN)).unwrap();
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let request = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn another_backend_takes_the_place_of_the_recorder() {
    child::alone("backend::another_backend_takes_the_place_of_the_recorder", || {
        let log = child::folder().unwrap().join("log");
        let guard = Observability::builder()
            .catalog(Catalog::new().with(QUEUE).unwrap())
            .metric_source(Shelf)
            .metric_backend(StockPrometheus::with_sources)
            .metrics(|recorder| recorder.series_limit(1))
            .self_test(SelfTest::Require)
            .panics(Panics::LogThenPrevious)
            .output(Output::file("file", FileTarget::builder(&log)))
            .install()
            .unwrap();
        for user in ["a", "b", "c"] {
            metrics::counter!("queue.jobs", "user" => user).increment(2);
        }
        let address = ([127, 0, 0, 1], 0).into();
        let server = AdminServer::builder(guard.observability()).address(address).start().unwrap();
        let answer = scraped(&server);
        let (head, page) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
        assert!(page.contains("# HELP queue_jobs_total jobs that were taken\n"), "{page}");
        assert!(page.contains("queue_jobs_total{user=\"c\"} 2\n"), "{page}");
        assert!(page.contains("shelf_room_bytes 7\n"), "{page}");
        assert_eq!(promtool_check_metrics(page).unwrap(), "");
        let mut shown = Vec::new();
        guard.observability().metrics().render(Exposition::Text, &mut shown).unwrap();
        assert!(String::from_utf8(shown).unwrap().contains("obs_setup_probes_total 1\n"));
        // What cannot hold is not left out in silence.
        assert!(guard.shutdown(WITHIN).is_complete());
        let log = std::fs::read_to_string(log).unwrap();
        assert!(log.contains("another backend keeps them"), "{log}");
    });
}
