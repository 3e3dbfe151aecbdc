//! Several writers, readers beside them, and writers that are killed.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use secrets_core::{Effect, ErrorKind, SecretProvider, SecretProviderExt, SetOptions};
use secrets_local::dotenv::{DotenvConfig, DotenvProvider};

use crate::support::{
    Child, Stop, block_on, block_on_paused, folder_for_child, is_quiet, named, names_in, native,
    text, value,
};

use super::{Place, by_dotenvy, provider};

#[test]
fn no_write_of_several_threads_is_lost() {
    let place = Place::new("FIRST=x\n");
    thread::scope(|scope| {
        for writer in 0..8 {
            let provider = place.provider();
            scope.spawn(move || {
                for turn in 0..10 {
                    let key = native(&format!("K_{writer}_{turn}"));
                    let write = provider.set_secret(&key, value("x"), SetOptions::new());
                    block_on(write).unwrap();
                }
            });
        }
    });
    assert_eq!(by_dotenvy(&place.text()).unwrap().len(), 81);
    assert_eq!(names_in(place.folder.path()), [".env", ".env.lock"]);
}

#[test]
fn no_write_of_several_processes_is_lost() {
    if let Some(folder) = folder_for_child() {
        return inside_a_writer(&folder);
    }
    let place = Place::new("FIRST=x\n");
    let child = Child {
        test: "dotenv::writers::no_write_of_several_processes_is_lost",
        folder: place.folder.path(),
    };
    let mut children: Vec<_> = ["A", "B", "C"]
        .map(|writer| child.command().env("WRITER", writer).stdout(Stdio::null()).spawn().unwrap())
        .into();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(by_dotenvy(&place.text()).unwrap().len(), 31);
}

fn inside_a_writer(folder: &Path) {
    let writer = std::env::var("WRITER").unwrap();
    let provider = provider(&folder.join(".env"));
    for turn in 0..10 {
        let key = native(&format!("{writer}_{turn}"));
        block_on(provider.set_secret(&key, value("x"), SetOptions::new())).unwrap();
    }
}

#[test]
fn a_reader_sees_the_file_before_a_write_or_after_it() {
    let value = |turn: usize| format!("{turn}:").repeat(2_000);
    let place = Place::new(format!("A='{}'\nEND=x\n", value(0)));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _stop = Stop(&done);
            let provider = place.provider();
            for turn in 1..200 {
                block_on(provider.put_text("a", &value(turn))).unwrap();
            }
        });
        let (mut reads, mut newest) = (0, 0);
        while !done.load(Ordering::Relaxed) || reads < 10 {
            let entries = by_dotenvy(&place.text()).unwrap();
            assert_eq!(entries.len(), 2);
            let turn: usize = entries[0].1.split(':').next().unwrap().parse().unwrap();
            assert_eq!(entries[0].1, value(turn));
            assert!(turn >= newest, "an old file came back");
            (reads, newest) = (reads + 1, turn);
        }
    });
}

#[test]
fn an_edit_of_somebody_who_does_not_know_the_lock_is_not_lost() {
    // Large, so that it takes a while from reading it to putting the new one in place.
    let filler = format!("# {}\n", "x".repeat(998)).repeat(4_000);
    let place = Place::new(format!("A=1\n{filler}"));
    let lock = place.folder.path().join(".env.lock");
    thread::scope(|scope| {
        scope.spawn(|| block_on(place.provider().put_text("a", "2")).unwrap());
        while !lock.exists() {
            thread::yield_now();
        }
        // The writer has begun. If it has not read yet or has ended, nothing is shown this time.
        thread::sleep(Duration::from_millis(30));
        let edited = place.folder.path().join("edited");
        std::fs::write(&edited, format!("A=1\n{filler}FOREIGN=x\n")).unwrap();
        std::fs::rename(edited, place.path()).unwrap();
    });
    let entries = by_dotenvy(&place.text()).unwrap();
    assert!(entries.contains(&("FOREIGN".to_owned(), "x".to_owned())));
    assert!(entries.contains(&("A".to_owned(), "2".to_owned())));
}

#[test]
fn a_write_goes_to_where_the_link_leads_in_the_end() {
    let place = Place::new("");
    let at = |name: &str| place.folder.path().join(name);
    std::fs::remove_file(place.path()).unwrap();
    for release in ["1", "2"] {
        std::fs::create_dir(at(release)).unwrap();
        std::fs::write(at(release).join(".env"), format!("A={release}\n")).unwrap();
    }
    symlink("1/.env", place.path()).unwrap();
    let lock = std::fs::File::create(at("1/.env.lock")).unwrap();
    lock.lock().unwrap();
    thread::scope(|scope| {
        let writer = scope.spawn(|| block_on(place.provider().put_text("a", "new")));
        // It has followed the link and waits for the lock. If it has not, nothing is shown this time.
        thread::sleep(Duration::from_millis(100));
        symlink("2/.env", at("next")).unwrap();
        std::fs::rename(at("next"), place.path()).unwrap();
        drop(lock);
        writer.join().unwrap().unwrap();
    });
    assert_eq!(block_on(text(&place.provider(), &named("a"))), "new");
    assert_eq!(std::fs::read(at("1/.env")).unwrap(), b"A=1\n");
}

#[test]
fn a_lock_that_is_held_ends_the_wait() {
    let place = Place::new("A=1\n");
    let lock = std::fs::File::create(place.folder.path().join(".env.lock")).unwrap();
    lock.lock().unwrap();
    let config = DotenvConfig::new(place.path()).with_lock_timeout(Duration::from_millis(50));
    let provider = DotenvProvider::new(config).unwrap();
    block_on(async {
        let begun = Instant::now();
        let error = provider.put_text("a", "2").await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Timeout, Effect::NotApplied));
        assert!(error.is_transient());
        assert!(begun.elapsed() >= Duration::from_millis(50));
        // Readers do not wait for writers.
        assert_eq!(text(&provider, &named("a")).await, "1");
        drop(lock);
        provider.put_text("a", "2").await.unwrap();
    });
}

#[test]
fn a_writer_that_is_killed_leaves_the_old_file_or_the_new_one() {
    if let Some(folder) = folder_for_child() {
        return inside_an_endless_writer(&folder);
    }
    let place = Place::new("A='0'\nEND=x\n");
    let child = Child {
        test: "dotenv::writers::a_writer_that_is_killed_leaves_the_old_file_or_the_new_one",
        folder: place.folder.path(),
    };
    let mut turns = Vec::new();
    for round in 0..20_u64 {
        let mut writer = child.command().stdout(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        let before = place.text();
        while place.text() == before && begun.elapsed() < Duration::from_secs(60) {
            thread::yield_now();
        }
        thread::sleep(Duration::from_micros(round * 173));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let entries = by_dotenvy(&place.text()).expect("a whole file");
        let [(a, length), (end, x)] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!((&**a, &**end, &**x), ("A", "END", "x"));
        assert!(length.bytes().all(|byte| byte == b'0'), "{length}");
        turns.push(length.len());
    }
    assert!(turns.iter().any(|turn| *turn != turns[0]), "nobody wrote anything: {turns:?}");
    block_on(place.provider().put_text("a", "end")).unwrap();
    assert_eq!(names_in(place.folder.path()), [".env", ".env.lock"]);
}

fn inside_an_endless_writer(folder: &Path) {
    let provider = provider(&folder.join(".env"));
    block_on(async {
        for turn in 1_usize.. {
            provider.put_text("a", &"0".repeat(turn * 37 % 20_000)).await.unwrap();
        }
    });
}

#[test]
fn changes_are_hinted_at() {
    let place = Place::new("A=1\n");
    let config = DotenvConfig::new(place.path()).with_poll_interval(Duration::from_millis(10));
    let provider = DotenvProvider::new(config).unwrap();
    block_on_paused(async {
        let mut hints = provider.changes().unwrap();
        assert_eq!(hints.next().await.unwrap().reference, None, "the first look is a hint");
        assert!(is_quiet(&mut hints).await);
        for change in ["A=22\n", "A=22\n\n"] {
            std::fs::write(place.path(), change).unwrap();
            // Twice: whoever writes in place may be seen half-way.
            for _ in 0..2 {
                assert_eq!(hints.next().await.unwrap().reference, None);
            }
            assert!(is_quiet(&mut hints).await);
        }
        std::fs::remove_file(place.path()).unwrap();
        hints.next().await.unwrap();
        assert!(is_quiet(&mut hints).await, "no change, no hint");
    });
}
