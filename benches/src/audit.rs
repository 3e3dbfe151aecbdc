//! Events of the audit trail, by one writer and by many, durable and not. One operation is
//! a thousand events; the files lie in the system's folder for temporary files.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use audit_log::{
    Action, AuditSink, ChainKey, Code, Entity, EntityActivity, Event, FileTrail, Id, Product,
    WriterName,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::harness::{Case, Peer, Row};

/// In one operation.
const EVENTS: u64 = 1_000;
/// 5,000 events a second.
const BOUND: Duration = Duration::from_millis(200);
/// About as long as the line that the trail writes.
const LINE: [u8; 720] = [b'x'; 720];

pub(crate) fn rows() -> Vec<Row> {
    [1, 16].into_iter().flat_map(|writers| [durable(writers), taken_along(writers)]).collect()
}

fn durable(writers: usize) -> Row {
    Row {
        path: "audit/1,000 events, each durable",
        threads: 1,
        size: writers,
        unit: "writers",
        ours: ours(writers, |trail, event, count| {
            Box::pin(async move {
                for _ in 0..count {
                    trail.append_durable(&event).await.expect("the disk takes it");
                }
            })
        }),
        within: (writers == 16).then_some(BOUND),
        peers: vec![Peer::new("a plain line and fdatasync each", plain(writers))],
    }
}

fn taken_along(writers: usize) -> Row {
    Row {
        path: "audit/1,000 events, taken along and written",
        threads: 1,
        size: writers,
        unit: "writers",
        ours: ours(writers, |trail, event, count| {
            Box::pin(async move {
                for number in 0..count {
                    trail.append(&event).expect("there is room");
                    if number % 1_000 == 999 {
                        trail.flush().await.expect("the disk takes it");
                    }
                }
                trail.flush().await.expect("the disk takes it");
            })
        }),
        within: None,
        peers: vec![Peer::new("tracing-appender 0.2, plain lines", appender(writers))],
    }
}

type Writing = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn event() -> Event {
    let id = Id::new("billing/db-password").expect("an identifier");
    let secret = Entity::new(Code::new("secret"), id);
    Event::new(Action::entity(EntityActivity::Read, secret), SystemTime::UNIX_EPOCH)
}

fn share(operations: u64, writers: usize) -> u64 {
    (operations * EVENTS).div_ceil(writers as u64)
}

/// A trail, its folder and the runtime of those who write to it.
fn ours(writers: usize, write: fn(FileTrail, Event, u64) -> Writing) -> Case {
    let prepare = move || {
        let folder = TempDir::new().expect("a folder");
        let runtime = Runtime::new().expect("a runtime");
        let product = Product::new(Code::new("example"), Code::new("bench"));
        let (name, key) = (WriterName::new("bench"), ChainKey::from_slice(&[7; 32]));
        let (name, key) = (name.expect("a name"), key.expect("a key"));
        let trail = FileTrail::at(folder.path(), name, product, key).queue(1 << 30).open();
        let trail = runtime.block_on(trail).expect("a trail");
        move |operations| {
            let _ = &folder;
            let count = share(operations, writers);
            let tasks = (0..writers).map(|_| runtime.spawn(write(trail.clone(), event(), count)));
            let tasks: Vec<_> = tasks.collect();
            runtime.block_on(async {
                for task in tasks {
                    task.await.expect("a writer");
                }
            });
        }
    };
    Case::new(prepare).by_wall()
}

/// Each thread has its line on the disk before it writes the next.
fn plain(writers: usize) -> Case {
    let prepare = move || {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("plain");
        let file: File = OpenOptions::new().append(true).create(true).open(path).expect("a file");
        let file = Arc::new(Mutex::new(file));
        move |operations| {
            let _ = &folder;
            let count = share(operations, writers);
            std::thread::scope(|scope| {
                for _ in 0..writers {
                    let file = Arc::clone(&file);
                    scope.spawn(move || {
                        for _ in 0..count {
                            let mut file = file.lock().expect("the others live");
                            file.write_all(&LINE).and_then(|()| file.sync_data()).expect("room");
                        }
                    });
                }
            });
        }
    };
    Case::new(prepare).by_wall()
}

/// Lines handed to the thread of tracing-appender, until it has written all.
fn appender(writers: usize) -> Case {
    let prepare = move || {
        let folder = TempDir::new().expect("a folder");
        move |operations| {
            let file = tracing_appender::rolling::never(folder.path(), "plain");
            let builder = tracing_appender::non_blocking::NonBlockingBuilder::default();
            let (writer, guard) = builder.lossy(false).finish(file);
            let count = share(operations, writers);
            std::thread::scope(|scope| {
                for _ in 0..writers {
                    let mut writer = writer.clone();
                    scope.spawn(move || {
                        for _ in 0..count {
                            writer.write_all(&LINE).expect("its thread lives");
                        }
                    });
                }
            });
            drop(guard);
        }
    };
    Case::new(prepare).by_wall()
}
