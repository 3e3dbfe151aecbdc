//! Lines on their way out: all of them, whole, in order, and nobody waits.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use obs::log::{
    Health, JsonFlat, LogOutput, Standard, Stream, Target, Totals, Writer, WriterGuard,
};
use obs::record::{Filter, RecordLayer};
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt;

use crate::PROBE;

const LONG: Duration = Duration::from_secs(60);

/// What a test's target has got, and what it does with it.
#[derive(Debug, Default)]
struct Place {
    bytes: Mutex<Vec<u8>>,
    is_shut: Mutex<bool>,
    opened: Condvar,
    is_entered: AtomicBool,
}

/// A target in memory, which answers as the script says before it takes anything.
#[derive(Debug, Clone, Default)]
struct Played {
    place: Arc<Place>,
    script: Arc<Mutex<Vec<Answer>>>,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Error(io::ErrorKind),
    Part(usize),
    Panic,
}

impl Played {
    fn shut() -> Self {
        let played = Self::default();
        *played.place.is_shut.lock().unwrap() = true;
        played
    }

    fn open(&self) {
        *self.place.is_shut.lock().unwrap() = false;
        self.place.opened.notify_all();
    }

    fn wait_until_entered(&self) {
        let begun = Instant::now();
        while !self.place.is_entered.load(Ordering::SeqCst) {
            assert!(begun.elapsed() < LONG, "the target is never called");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.place.bytes.lock().unwrap().clone()).unwrap()
    }
}

impl Target for Played {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.place.is_entered.store(true, Ordering::SeqCst);
        let shut = self.place.is_shut.lock().unwrap();
        drop(self.place.opened.wait_while(shut, |is_shut| *is_shut).unwrap());
        let answer = self.script.lock().unwrap().pop();
        let taken = match answer {
            None => bytes.len(),
            Some(Answer::Part(most)) => bytes.len().min(most),
            Some(Answer::Error(kind)) => return Err(kind.into()),
            Some(Answer::Panic) => std::panic::panic_any("played"),
        };
        self.place.bytes.lock().unwrap().extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn started(target: impl Target, room: usize) -> (Writer, WriterGuard) {
    Writer::builder("test").room(room).start(target).unwrap()
}

fn is_sum(totals: &Totals) -> bool {
    totals.taken == totals.written + totals.dropped.sum() + totals.waiting
}

/// 8 threads, 100,000 lines each, into a real pipe: with room for all, and with room for few.
#[test]
fn lines_of_many_threads_arrive_whole_and_in_order() {
    for room in [1 << 30, 64 << 10] {
        let (reader, sink) = io::pipe().unwrap();
        let (writer, guard) = started(Stream::new(sink), room);
        let reading = std::thread::spawn(move || count_lines(BufReader::new(reader)));
        let writers: Vec<_> = (0..8)
            .map(|thread| {
                let writer = writer.clone();
                std::thread::spawn(move || {
                    let lines =
                        (0..100_000).map(|n| format!("{thread} {n} {}\n", "x".repeat(n % 60)));
                    lines.filter(|line| writer.append(line.as_bytes())).count()
                })
            })
            .collect();
        let accepted: usize = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
        let totals = guard.shutdown(LONG);
        let read = reading.join().unwrap();
        assert_eq!(totals.taken, 800_000);
        assert_eq!((totals.written, totals.waiting), (accepted as u64, 0));
        assert_eq!(read, accepted);
        assert!(is_sum(&totals), "{totals:?}");
        assert_eq!(totals.dropped.sum(), totals.dropped.full);
        assert!(room < 1 << 30 || totals.dropped.full == 0, "{totals:?}");
    }
}

/// Counts lines, each of which has to be whole, and after the one before it of the same thread.
fn count_lines(reader: impl BufRead) -> usize {
    let mut last = [-1_i64; 8];
    let mut count = 0;
    for line in reader.lines() {
        let line = line.unwrap();
        let [thread, number, filled] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("`{line}` is not whole")
        };
        let (thread, number): (usize, i64) = (thread.parse().unwrap(), number.parse().unwrap());
        assert_eq!(filled, "x".repeat(number as usize % 60), "{line}");
        assert!(number > last[thread], "{line} after {}", last[thread]);
        last[thread] = number;
        count += 1;
    }
    count
}

#[test]
fn a_pipe_that_nobody_reads_keeps_nobody_waiting() {
    let (reader, sink) = io::pipe().unwrap();
    let (writer, guard) = started(Stream::new(sink), 64 << 10);
    let line = [b'x'; 1_000];
    let begun = Instant::now();
    // The pipe may take all of the first, if the writer's thread comes late.
    let (mut offered, mut accepted) = (0, 0);
    loop {
        accepted += (0..10_000).filter(|_| writer.append(&line)).count();
        offered += 10_000;
        assert!(accepted < 300, "64 KiB in the pipe, twice 64 KiB in the writer: {accepted}");
        if !writer.flush(Duration::from_millis(20)) {
            break;
        }
    }
    while !matches!(writer.status().health, Health::Blocked(_)) {
        assert!(begun.elapsed() < LONG, "{:?}", writer.status());
        std::thread::sleep(Duration::from_millis(20));
    }
    let closing = Instant::now();
    let totals = guard.shutdown(Duration::from_millis(100));
    assert!(closing.elapsed() < Duration::from_secs(20), "{:?}", closing.elapsed());
    assert_eq!((totals.taken, totals.waiting), (offered, 0));
    assert!(is_sum(&totals) && totals.dropped.closed > 0 && totals.dropped.full > 9_000);
    assert!(!writer.append(b"too late\n"));
    assert_eq!(writer.status().totals.dropped.closed, totals.dropped.closed + 1);
    assert_eq!(writer.status().health, Health::Closed);
    drop(reader);
    assert!(is_sum(&writer.status().totals));
}

#[test]
fn a_fifo_whose_reader_comes_late_gets_what_waited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    // Open for both, so that opening does not wait for a reader.
    let fifo = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    let mut reader = std::fs::File::open(&path).unwrap();
    let (writer, guard) = started(Stream::new(fifo), 1 << 20);
    let line = format!("{}\n", "x".repeat(999));
    assert!((0..500).all(|_| writer.append(line.as_bytes())));
    assert!(!writer.flush(Duration::from_millis(50)), "nobody reads");
    let reading = std::thread::spawn(move || {
        let mut got = vec![0; 500_000];
        reader.read_exact(&mut got).map(|()| got)
    });
    assert!(writer.flush(LONG));
    assert_eq!(guard.shutdown(LONG).written, 500);
    assert_eq!(reading.join().unwrap().unwrap(), line.repeat(500).into_bytes());
}

#[test]
fn a_target_that_fails_is_tried_again_and_gets_each_line_once() {
    let played = Played::default();
    let answers = [
        Answer::Part(7),
        Answer::Error(io::ErrorKind::StorageFull),
        Answer::Panic,
        Answer::Error(io::ErrorKind::WouldBlock),
        Answer::Part(1),
        Answer::Error(io::ErrorKind::Interrupted),
        Answer::Part(0),
        Answer::Error(io::ErrorKind::StorageFull),
    ];
    *played.script.lock().unwrap() = answers.to_vec();
    let (writer, guard) = started(played.clone(), 64 << 10);
    for n in 0..100 {
        assert!(writer.append(format!("line {n}\n").as_bytes()));
    }
    assert!(writer.flush(LONG));
    let status = writer.status();
    // Full twice, nothing taken once, and once the panic; the others are no errors.
    assert_eq!((status.errors, status.health), (4, Health::Working), "{status:?}");
    assert_eq!(status.last_error.unwrap().kind, io::ErrorKind::StorageFull);
    let expected: String = (0..100).map(|n| format!("line {n}\n")).collect();
    assert_eq!(played.text(), expected);
    assert_eq!(guard.shutdown(LONG).written, 100);
}

#[test]
fn what_a_failing_target_costs_is_told_apart_from_too_much() {
    let played = Played::default();
    *played.script.lock().unwrap() = vec![Answer::Error(io::ErrorKind::StorageFull); 1_000];
    let (writer, guard) = started(played.clone(), 64 << 10);
    let line = [b'x'; 4_000];
    writer.append(&line);
    let begun = Instant::now();
    while !matches!(writer.status().health, Health::Failing(_)) {
        assert!(begun.elapsed() < LONG);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!((0..100).filter(|_| writer.append(&line)).count(), 16);
    let totals = writer.status().totals;
    assert_eq!((totals.taken, totals.waiting), (101, 17));
    assert_eq!((totals.dropped.io, totals.dropped.full), (84, 0));
    let totals = guard.shutdown(Duration::from_millis(50));
    assert_eq!((totals.dropped.io, totals.dropped.closed, totals.written), (84, 17, 0));
}

fn output_to(writer: &Writer) -> tracing::subscriber::DefaultGuard {
    let output = LogOutput::builder(JsonFlat::new(), writer).build();
    let layer = RecordLayer::builder().sink(output).build();
    tracing::subscriber::set_default(tracing_subscriber::registry().with(layer))
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn drops_are_said_by_themselves_once_there_is_room() {
    let played = Played::shut();
    let (writer, guard) = started(played.clone(), 64 << 10);
    let default = output_to(&writer);
    tracing::info!("first");
    played.wait_until_entered();
    let long = "x".repeat(3_000);
    (0..100).for_each(|n| tracing::info!(n, long));
    drop(default);
    let dropped = writer.status().totals.dropped;
    assert!(dropped.full > 50 && dropped.sum() == dropped.full, "{dropped:?}");
    played.open();
    // Nobody logs any more.
    let begun = Instant::now();
    while writer.status().totals.waiting > 0 || !played.text().contains("dropped") {
        assert!(begun.elapsed() < LONG, "{:?}", writer.status());
        std::thread::sleep(Duration::from_millis(2));
    }
    let totals = guard.shutdown(LONG);
    let lines = lines(&played.text());
    let said: Vec<_> = lines.iter().filter(|line| line["target"] == "obs::log").collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0]["message"], format!("{} log records dropped", dropped.full));
    assert_eq!(
        (&said[0]["level"], &said[0]["full"], &said[0]["output"]),
        (&json!("WARN"), &json!(dropped.full), &json!("test"))
    );
    assert_eq!(totals.written, lines.len() as u64);
    assert_eq!(totals.taken, 101 + 1, "the line that says it is one, too");
    assert!(is_sum(&totals));
}

#[test]
fn drops_are_said_before_the_end() {
    let played = Played::shut();
    let (writer, guard) = started(played.clone(), 64 << 10);
    let default = output_to(&writer);
    tracing::info!("first");
    played.wait_until_entered();
    (0..100).for_each(|_| tracing::info!("{}", "x".repeat(3_000)));
    drop(default);
    let ending = std::thread::spawn(move || guard.shutdown(LONG));
    while writer.append(b"") {
        std::thread::yield_now();
    }
    played.open();
    let totals = ending.join().unwrap();
    assert!(played.text().contains(" log records dropped"));
    assert!(is_sum(&totals) && totals.waiting == 0);
}

#[test]
fn what_is_in_the_buffer_is_written_when_the_guard_is_dropped() {
    let played = Played::default();
    let unwound = std::panic::catch_unwind({
        let played = played.clone();
        move || {
            let (writer, _guard) = started(played, 64 << 10);
            assert!(writer.append(b"the last words\n"));
            std::panic::panic_any("unwinds")
        }
    });
    assert!(unwound.is_err());
    assert_eq!(played.text(), "the last words\n");
}

#[test]
fn a_writer_ends_on_the_only_thread_of_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let played = Played::default();
    let (writer, guard) = started(played.clone(), 64 << 10);
    runtime.block_on(async {
        tokio::spawn(async move { assert!(writer.append(b"a line\n")) }).await.unwrap();
        assert_eq!(guard.shutdown(LONG).written, 1);
    });
    assert_eq!(played.text(), "a line\n");
}

#[test]
fn a_line_allocates_nothing_once_it_runs() {
    let played = Played::default();
    let (writer, guard) = started(played, 8 << 20);
    let default = output_to(&writer);
    let log = || tracing::info!(user = "alice", status = 200, "request done");
    (0..100).for_each(|_| log());
    let (_, counts) = PROBE.count(|| (0..1_000).for_each(|_| log()));
    assert_eq!(counts.allocations, 0, "{counts:?}");
    drop(default);
    let totals = guard.shutdown(LONG);
    assert_eq!((totals.taken, totals.written), (1_100, 1_100));
}

#[test]
fn an_output_may_take_less_than_the_others() {
    let (all, few) = (Played::default(), Played::default());
    let (all_writer, all_guard) = started(all.clone(), 64 << 10);
    let (few_writer, few_guard) = started(few.clone(), 64 << 10);
    let filter: Filter = "warn,it::writer=error".parse().unwrap();
    let layer = RecordLayer::builder()
        .sink(LogOutput::builder(JsonFlat::new(), &all_writer).build())
        .sink(LogOutput::builder(JsonFlat::new(), &few_writer).filter(filter).build())
        .build();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        tracing::info!("info");
        tracing::warn!("warn");
        tracing::warn!(target: "elsewhere", "warn elsewhere");
        tracing::error!("error");
    });
    assert_eq!((all_guard.shutdown(LONG).written, few_guard.shutdown(LONG).written), (4, 2));
    let messages: Vec<_> = lines(&few.text()).iter().map(|line| line["message"].clone()).collect();
    assert_eq!(messages, ["warn elsewhere", "error"]);
}

#[test]
fn the_standard_streams_are_written_to_beside_their_locks() {
    let held = io::stderr().lock();
    let (writer, guard) = Writer::builder("stderr").start(Standard::error().unwrap()).unwrap();
    assert!(writer.append(b"a line on standard error, from a test\n"));
    assert!(writer.flush(LONG));
    drop(held);
    assert_eq!(guard.shutdown(LONG).written, 1);
    assert!(Standard::output().is_ok());
}

#[test]
fn tasks_run_about_once_a_second_and_may_panic() {
    let (writer, guard) = started(Played::default(), 64 << 10);
    let (sender, ticks) = std::sync::mpsc::channel();
    writer.on_tick(|_| std::panic::panic_any("a task"));
    writer.on_tick(move |now| {
        let _ = sender.send(now);
    });
    let first = ticks.recv_timeout(LONG).unwrap();
    let second = ticks.recv_timeout(LONG).unwrap();
    assert!(second - first >= Duration::from_millis(900));
    assert!(writer.append(b"still there\n"));
    assert_eq!(guard.shutdown(LONG).written, 1);
}

#[test]
fn tasks_run_while_a_target_fails_or_has_no_room() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::WouldBlock] {
        let played = Played::default();
        *played.script.lock().unwrap() = vec![Answer::Error(kind); 100_000];
        let (writer, guard) = started(played.clone(), 64 << 10);
        let (sender, ticks) = std::sync::mpsc::channel();
        writer.append(b"waits\n");
        played.wait_until_entered();
        writer.on_tick(move |now| {
            let _ = sender.send(now);
        });
        // The pauses are of two seconds at most, and the line still waits.
        for _ in 0..2 {
            ticks.recv_timeout(Duration::from_secs(20)).unwrap();
        }
        assert_eq!((writer.status().totals.waiting, played.text()), (1, String::new()), "{kind}");
        played.script.lock().unwrap().clear();
        assert_eq!(guard.shutdown(LONG).written, 1);
    }
}
