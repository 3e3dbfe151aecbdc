//! Several processes with one store, and writers that are killed.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use secrets_core::{ErrorKind, SecretProvider, SetOptions};
use secrets_local::store::{FileStore, KeyFile, StoreError, StoreErrorKind};

use super::child::{self, Task};
use super::support::{Place, block_on, get, open, reference, set, value};

/// How many secrets each of the children adds.
const ADDED: usize = 20;
/// How often a child that is to be killed writes to another store first. The n-th call is counted
/// by each thread for itself: like this no other thread gets as far as the one that writes.
const WARM_UP: usize = 6;
/// Looked for by a child just before it writes, so that a trace shows where the write begins.
const BEGIN: &str = "/mainstay-write-begins";
/// And just after, if it lives.
const END: &str = "/mainstay-write-ends";

/// What the children of the tests below do.
pub(super) const TASKS: &[Task] = &[
    ("add", |folder, me| with_store(folder, async |store| add(store, me).await)),
    ("count", |folder, _| with_store(folder, async |store| count(store).await)),
    ("set", |folder, text| with_store(folder, async |store| drop(set(store, "b", text).await))),
    ("die", |folder, text| without_runtime(die(folder, text))),
    ("hold", |folder, _| hold(folder)),
    ("find-busy", |folder, _| find_busy(folder)),
];

fn with_store(folder: &Path, work: impl AsyncFnOnce(&FileStore)) {
    without_runtime(async {
        let key = KeyFile::read(folder.join("key")).unwrap();
        let store = open(&folder.join("store"), &key).await;
        work(&store).await;
    });
}

/// A store in a folder, with its mark in another one.
async fn marked(folder: &Path, name: &str, key: &KeyFile) -> FileStore {
    let builder = FileStore::at(folder.join(name)).state_folder(folder.join("state"));
    builder.open(key.clone()).await.unwrap()
}

/// Writes, to be killed meanwhile.
async fn die(folder: &Path, text: &str) {
    let key = KeyFile::read(folder.join("key")).unwrap();
    for _ in 0..WARM_UP {
        // Anew each time: some of what a write does is done by the first one alone.
        set(&marked(folder, "scratch", &key).await, "b", "x").await;
    }
    let store = marked(folder, "store", &key).await;
    let _ = std::fs::metadata(BEGIN);
    set(&store, "b", text).await;
    let _ = std::fs::metadata(END);
}

/// Runs a future right here: without a runtime the store does its work on the thread that calls.
fn without_runtime(future: impl Future<Output = ()>) {
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(pin!(future).poll(&mut context), Poll::Ready(()), "something was left to wait for");
}

async fn add(store: &FileStore, me: &str) {
    for n in 0..ADDED {
        set(store, &format!("{me}/{n}"), "x").await;
    }
}

/// Adds one to a number again and again, by compare-and-set.
async fn count(store: &FileStore) {
    let at = reference("counter");
    for _ in 0..ADDED {
        loop {
            let secret = store.get_secret(&at, Default::default()).await.unwrap();
            let number: u64 = secret.value.expose_secret_text().unwrap().parse().unwrap();
            let guard = secrets_core::Precondition::CurrentIs(secret.version.id);
            let next = value(&(number + 1).to_string());
            match store.set_secret(&at, next, SetOptions::new().when(guard)).await {
                Ok(_) => break,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict),
            }
        }
    }
}

/// Holds the writers' lock until it is killed.
fn hold(folder: &Path) {
    let lock = std::fs::File::open(folder.join("store.lock")).unwrap();
    lock.lock().unwrap();
    std::fs::write(folder.join("held"), "").unwrap();
    std::thread::sleep(Duration::from_secs(60));
}

/// Writes, and must not get to it.
fn find_busy(folder: &Path) {
    without_runtime(async {
        let key = KeyFile::read(folder.join("key")).unwrap();
        let store = FileStore::at(folder.join("store")).lock_timeout(Duration::from_millis(100));
        let store = store.open(key).await.unwrap();
        let write = store.set_secret(&reference("a"), value("2"), SetOptions::new()).await;
        let error = write.expect_err("another writer has the lock");
        let source = std::error::Error::source(&error).unwrap();
        let source = source.downcast_ref::<StoreError>().unwrap();
        assert_eq!(source.kind(), StoreErrorKind::Busy);
    });
}

fn start(folder: &Path, task: &str) -> Child {
    child::command(folder, task).stdout(Stdio::null()).spawn().expect("a process")
}

fn wait(mut child: Child) {
    assert!(child.wait().unwrap().success(), "a child failed");
}

#[test]
fn writers_in_several_processes_lose_no_update() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "counter", "0").await;
        let children: Vec<_> = ["add a", "add b", "add c", "count x", "count y"]
            .map(|task| start(place.folder.path(), task))
            .into_iter()
            .collect();
        children.into_iter().for_each(wait);
        for who in ["a", "b", "c"] {
            for n in 0..ADDED {
                assert_eq!(get(&store, &format!("{who}/{n}")).await.unwrap(), "x");
            }
        }
        assert_eq!(get(&store, "counter").await.unwrap(), (2 * ADDED).to_string());
        assert!(store.verify().await.unwrap().is_sound());
        let left: Vec<_> = std::fs::read_dir(place.folder.path()).unwrap().collect();
        assert_eq!(left.len(), 3, "key, store and lock: {left:?}");
    });
}

#[test]
fn writers_on_several_threads_lose_no_update() {
    let place = Place::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let store = place.create().await;
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let store = store.clone();
                tokio::spawn(async move { add(&store, &format!("w{writer}")).await })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let verification = store.verify().await.unwrap();
        assert_eq!((verification.secrets, verification.is_sound()), (8 * ADDED, true));
    });
}

#[test]
fn a_change_by_another_process_is_seen_and_hinted_at() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "a", "0").await;
        set(&store, "b", "old").await;
        let mut changes = store.changes().unwrap();
        wait(start(place.folder.path(), "set new"));
        assert_eq!(get(&store, "b").await.unwrap(), "new", "a read looks at the file");
        let hint = tokio::time::timeout(Duration::from_secs(60), changes.next()).await;
        assert_eq!(hint.expect("a hint").unwrap().reference, Some(reference("b")));
    });
}

#[test]
fn a_writer_that_waits_too_long_for_another_gives_up() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "a", "1").await;
        let mut holder = start(place.folder.path(), "hold");
        while !place.file("held").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let waiting = FileStore::at(place.path()).lock_timeout(Duration::from_millis(100));
        let waiting = waiting.open(place.key.clone()).await.unwrap();
        let error =
            waiting.set_secret(&reference("a"), value("2"), SetOptions::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.effect(), secrets_core::Effect::NotApplied);
        let source = std::error::Error::source(&error).unwrap();
        let source = source.downcast_ref::<StoreError>().unwrap();
        assert_eq!(source.kind(), StoreErrorKind::Busy);
        assert_eq!(get(&waiting, "a").await.unwrap(), "1", "readers need no lock");
        // The lock goes with the process that held it.
        holder.kill().unwrap();
        holder.wait().unwrap();
        set(&waiting, "a", "2").await;
    });
}

/// What a writer calls for memory and threads: being killed there is being killed at the next call
/// that touches a file. Any other call that a write makes, it is killed at.
const NO_FILES: &[&str] = &[
    "brk",
    "futex",
    "madvise",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "rt_sigaction",
    "rt_sigprocmask",
    "sched_yield",
    "sigaltstack",
];

/// What no write can do without: a trace that lacks one of them was not read rightly.
const NEEDED: &[&str] = &["openat", "flock", "write", "fsync", "rename", "close"];

#[test]
fn a_lock_on_a_file_that_was_replaced_meanwhile_is_no_lock() {
    let place = Place::new();
    block_on(async { drop(set(&place.create().await, "a", "1").await) });
    let lock = place.file("store.lock");
    std::fs::remove_file(&lock).unwrap();
    // The child makes the file and is held for four seconds before it locks it.
    let held = "inject=flock:delay_enter=4000000:when=1";
    let mut child = traced(&place, "flock", "find-busy", &["-o", "/dev/null", "-e", held]);
    let begun = Instant::now();
    while !lock.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the child locks nothing");
        std::thread::sleep(Duration::from_millis(1));
    }
    let other = std::fs::File::create(place.file("other")).unwrap();
    other.lock().unwrap();
    std::fs::rename(place.file("other"), &lock).unwrap();
    let in_time = child.try_wait().unwrap().is_none();
    assert!(in_time, "the file was replaced too late to show anything");
    wait(child);
    assert_eq!(block_on(async { get(&place.open().await, "a").await }).unwrap(), "1");
}

/// A run of a child under `strace`, of which only these calls are traced.
fn traced(place: &Place, calls: &str, task: &str, options: &[&str]) -> Child {
    let child = child::command(place.folder.path(), task);
    let mut command = Command::new("strace");
    command.args(["-f", "-e"]).arg(format!("trace={calls}")).args(options);
    command.arg(child.get_program()).args(child.get_args());
    command.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // Where cargo says that libraries may lie, the loader looks with calls of its own.
    command.env_remove("LD_LIBRARY_PATH");
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("strace is installed")
}

/// The calls of a write by which it is broken off: their names, and how often each is made on the
/// thread that writes, before the write begins and after. All that a traced write makes are there.
fn count_calls(place: &Place) -> Vec<(String, usize, usize)> {
    let file = place.file("trace");
    wait(traced(place, "all", "die traced", &["-o", file.to_str().unwrap()]));
    let trace = std::fs::read_to_string(&file).unwrap();
    // Each line is the thread, white space, and the call.
    let lines: Vec<(&str, &str)> = trace.lines().filter_map(|line| line.split_once(' ')).collect();
    let at = |mark| lines.iter().position(|(_, call)| call.contains(mark)).expect("a mark");
    let (begin, end) = (at(BEGIN), at(END));
    let writer = lines[begin].0;
    assert_eq!(writer, lines[end].0);
    let calls = |part: &[(&str, &str)], of_writer: bool| {
        let mut calls = BTreeMap::<String, usize>::new();
        for (_, text) in part.iter().filter(|(thread, _)| (*thread == writer) == of_writer) {
            let name = text.trim_start().split_once('(').map(|(name, _)| name);
            // What was interrupted goes on in a line that begins otherwise.
            let is_name =
                |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if let Some(name) = name.filter(is_name) {
                *calls.entry(name.to_owned()).or_default() += 1;
            }
        }
        calls
    };
    let (before, others) = (calls(&lines[..=begin], true), calls(&lines, false));
    let mut during = calls(&lines[begin + 1..end], true);
    during.retain(|call, _| !NO_FILES.contains(&call.as_str()));
    for needed in NEEDED {
        assert!(during.contains_key(*needed), "no {needed} in {during:?}");
    }
    let counts = during.into_iter().map(|(call, during)| {
        let of = |calls: &BTreeMap<String, usize>| calls.get(&call).copied().unwrap_or_default();
        let (before, others) = (of(&before), of(&others));
        assert!(before > others, "{call}: {before} calls, {others} of others");
        (call, before, during)
    });
    counts.collect()
}

/// Kills a writer as it enters its n-th call of one kind. True when it was killed.
fn kill_at(place: &Place, call: &str, n: usize, text: &str) -> bool {
    let inject = format!("inject={call}:signal=SIGKILL:when={n}");
    let mut child =
        traced(place, call, &format!("die {text}"), &["-o", "/dev/null", "-e", &inject]);
    !child.wait().unwrap().success()
}

#[test]
fn a_writer_killed_at_any_system_call_leaves_the_old_or_the_new_state() {
    block_on(async {
        let place = Place::in_memory();
        std::fs::create_dir(place.file("state")).unwrap();
        let store = place.create().await;
        set(&store, "a", "kept").await;
        set(&store, "b", "0").await;
        // Long enough for several calls of `write`.
        let long = secrets_core::SecretValue::from_vec(vec![7; 600_000]);
        store.set_secret(&reference("long"), long, SetOptions::new()).await.unwrap();
        let scratch = FileStore::at(place.file("scratch")).create(place.key.clone()).await.unwrap();
        for _ in 0..WARM_UP {
            set(&store, "b", "x").await;
            set(&scratch, "b", "x").await;
        }
        drop((store, scratch));
        // With marks from the beginning, so that each child finds what the one before it found.
        for name in ["store", "scratch"] {
            set(&marked(place.folder.path(), name, &place.key).await, "b", "x").await;
        }
        let calls = count_calls(&place);
        let mut last = "traced".to_owned();
        let (mut old, mut new, mut swept) = (0, 0, 0);
        for (call, before, during) in calls {
            for n in before + 1..=before + during {
                let text = format!("{call}-{n}");
                assert!(kill_at(&place, &call, n, &text), "{call} {n} was not reached");
                swept += temporaries(&place);
                let store = marked(place.folder.path(), "store", &place.key).await;
                assert_eq!(get(&store, "a").await.unwrap(), "kept");
                assert!(store.verify().await.unwrap().is_sound());
                let found = get(&store, "b").await.unwrap();
                assert!(found == text || found == last, "{call} {n}: {found}");
                if found == text {
                    new += 1
                } else {
                    old += 1
                }
                // The next writer goes on, and sweeps.
                last = format!("after-{text}");
                set(&store, "b", &last).await;
                assert_eq!(temporaries(&place), 0, "{call} {n}");
            }
        }
        assert!(old > 20 && new > 3 && swept > 3, "{old} old, {new} new, {swept} swept");
    });
}

fn temporaries(place: &Place) -> usize {
    let folders = [place.folder.path().to_owned(), place.file("state")];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    files.filter(|file| file.as_ref().unwrap().path().extension() == Some("tmp".as_ref())).count()
}
