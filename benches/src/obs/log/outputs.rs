//! Lines that are written somewhere, by a thread that is not measured.

use std::fs::File;

use obs::log::{JsonFlat, LogOutput, Stream, Writer, WriterGuard};
use tracing::Dispatch;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};

use super::LINE;
use super::scene::{MakeDispatch, Scene, case};
use super::subscribers::by_records;
use crate::harness::{Case, Peer, Row};

const THREADS: [usize; 2] = [1, 2];

pub(super) fn rows() -> Vec<Row> {
    let to_null = THREADS.map(|threads| row("obs/event in 2 spans, to /dev/null", threads, null));
    let to_file = THREADS.map(|threads| row("obs/event in 2 spans, to a file", threads, file));
    to_null.into_iter().chain(to_file).collect()
}

fn row(path: &'static str, threads: usize, target: fn() -> File) -> Row {
    let peer = Peer::new("tracing-subscriber 0.3 JSON, tracing-appender 0.2", appender(target));
    let ours = ours(target).at_most_allocations(0.0);
    Row {
        path,
        threads,
        size: LINE,
        unit: "bytes",
        ours,
        within: None,
        peers: vec![peer.counted()],
    }
}

fn ours(target: fn() -> File) -> Case {
    let (writer, guard) = Writer::builder("bench").start(Stream::new(target())).expect("a thread");
    let output = LogOutput::builder(JsonFlat::new(), &writer).build();
    let watched = Watched { written: Written::Ours(writer), _end: End::Ours(guard) };
    let make: MakeDispatch = Box::new(move || {
        let _kept = &watched;
        by_records(output.clone())
    });
    case(Scene::EventInSpans, make)
}

fn appender(target: fn() -> File) -> Case {
    let (writer, guard) = NonBlockingBuilder::default().lossy(true).finish(target());
    let written = Written::Appender(writer.error_counter());
    let watched = Watched { written, _end: End::Appender(guard) };
    let make: MakeDispatch = Box::new(move || {
        let _kept = &watched;
        let json = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false);
        Dispatch::new(json.with_writer(writer.clone()).finish())
    });
    case(Scene::EventInSpans, make)
}

fn null() -> File {
    File::options().write(true).open("/dev/null").expect("the device")
}

/// Nobody sees it, and it is gone when it is closed.
fn file() -> File {
    tempfile::tempfile().expect("a file")
}

/// Says if lines were dropped: dropping is quicker than taking.
struct Watched {
    written: Written,
    _end: End,
}

enum Written {
    Ours(Writer),
    Appender(ErrorCounter),
}

#[expect(dead_code, reason = "what is in them ends the thread when it is dropped")]
enum End {
    Ours(WriterGuard),
    Appender(WorkerGuard),
}

impl Drop for Watched {
    fn drop(&mut self) {
        let (whose, dropped) = match &self.written {
            Written::Ours(writer) => ("ours", writer.status().totals.dropped.sum()),
            Written::Appender(counter) => ("tracing-appender", counter.dropped_lines() as u64),
        };
        if dropped > 0 {
            eprintln!("{whose} dropped {dropped} lines: its figures are too good");
        }
    }
}
