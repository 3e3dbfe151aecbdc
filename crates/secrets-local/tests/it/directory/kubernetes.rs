//! Mounts as the kubelet lays them out and swaps them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use secrets_core::{ErrorKind, GetOptions, SecretProvider};
use tempfile::TempDir;

use crate::kubelet::{Kubelet, payload};
use crate::support::{Stop, block_on, error, listed, named, native, text};

use super::provider;

#[test]
fn a_mount_is_read_and_its_own_files_are_not() {
    let mount = TempDir::new().unwrap();
    let mut kubelet = Kubelet::new(mount.path());
    kubelet.write(&payload([("tls.crt", "certificate"), ("DB_PASSWORD", "x"), ("a/b", "y")]));
    let provider = provider(mount.path());
    block_on(async {
        let expected = ["native:DB_PASSWORD", "native:a/b", "tls.crt"];
        assert_eq!(listed(&provider).await, expected);
        assert_eq!(text(&provider, &named("tls.crt")).await, "certificate");
        assert_eq!(text(&provider, &native("DB_PASSWORD")).await, "x");
        assert_eq!(text(&provider, &native("a/b")).await, "y");
        for own in ["..data", "..data/tls.crt"] {
            assert_eq!(error(&provider, &native(own)).await.kind(), ErrorKind::InvalidName);
        }
        kubelet.write(&payload([("tls.crt", "renewed"), ("new", "z")]));
        assert_eq!(listed(&provider).await, ["new", "tls.crt"]);
        assert_eq!(text(&provider, &named("tls.crt")).await, "renewed");
        assert_eq!(error(&provider, &native("a/b")).await.kind(), ErrorKind::NotFound);
    });
}

/// Swaps a mount of a certificate and a key again and again, while `read` runs.
fn swapping(pause: Duration, read: impl FnOnce(&Path, &AtomicU64)) -> u64 {
    let mount = TempDir::new().unwrap();
    let mut kubelet = Kubelet::new(mount.path());
    let content = |turn: u64, what: &str| format!("{turn}:{}", what.repeat(5_000));
    let files =
        |turn: u64| payload([("tls.crt", &content(turn, "c")), ("tls.key", &content(turn, "k"))]);
    kubelet.write(&files(0));
    let (done, written) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            let _failed = Failed(&written);
            for turn in 1.. {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                kubelet.write(&files(turn));
                written.store(turn, Ordering::Relaxed);
                thread::sleep(pause);
            }
        });
        let _stop = Stop(&done);
        read(mount.path(), &written);
    });
    written.into_inner()
}

/// Lets readers that count swaps end when the swapping thread fails; the scope then fails the test.
struct Failed<'a>(&'a AtomicU64);

impl Drop for Failed<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(u64::MAX, Ordering::Relaxed);
        }
    }
}

/// The number of the swap that a file is of, if it is all there.
fn turn_of(content: &str, what: char) -> u64 {
    let (turn, rest) = content.split_once(':').expect("a whole file");
    assert_eq!((rest.len(), rest.chars().all(|c| c == what)), (5_000, true), "a torn file");
    turn.parse().unwrap()
}

#[test]
fn no_read_fails_or_is_torn_while_the_mount_is_swapped() {
    const READS: u64 = 4_000;
    let swaps = swapping(Duration::ZERO, |mount, written| {
        let provider = provider(mount);
        let mut newest = 0;
        let is_enough = |read: &u64| *read >= READS && written.load(Ordering::Relaxed) > 100;
        for _ in (0..).take_while(|read| !is_enough(read)) {
            for (file, what) in [("tls.crt", 'c'), ("tls.key", 'k')] {
                let turn = turn_of(&block_on(text(&provider, &named(file))), what);
                assert!(turn >= newest, "an old file came back");
                newest = turn;
            }
        }
    });
    assert!(swaps > 100, "{swaps} swaps show nothing");
}

#[test]
fn secrets_that_are_read_together_are_of_one_swap() {
    let swaps = swapping(Duration::from_micros(300), |mount, written| {
        let provider = provider(mount);
        let wanted = [named("tls.crt"), named("tls.key")]
            .map(|reference| (reference, GetOptions::default()));
        let (mut turns, mut reads) = (BTreeSet::new(), 0);
        let is_enough = |turns: &BTreeSet<u64>| {
            let written = written.load(Ordering::Relaxed);
            // All ones where the swapping has failed.
            written == u64::MAX || (written >= 200 && turns.len() > 50)
        };
        while reads < 1_000 || !is_enough(&turns) {
            reads += 1;
            let pair = block_on(provider.get_secrets(&wanted)).unwrap();
            let [certificate, key] = &pair[..] else { panic!("two answers") };
            let text = |answer: &secrets_core::Result<secrets_core::Secret>| {
                let secret = answer.as_ref().expect("a secret");
                secret.value.expose_secret_text().unwrap().to_owned()
            };
            let turn = turn_of(&text(certificate), 'c');
            assert_eq!(turn, turn_of(&text(key), 'k'), "of two swaps");
            turns.insert(turn);
        }
    });
    assert!(swaps > 100, "{swaps} swaps show nothing");
}

#[test]
fn no_list_misses_a_file_while_the_mount_is_swapped() {
    let swaps = swapping(Duration::from_millis(1), |mount, written| {
        let provider = provider(mount);
        while written.load(Ordering::Relaxed) < 200 {
            assert_eq!(block_on(listed(&provider)), ["tls.crt", "tls.key"]);
        }
    });
    assert!(swaps > 100, "{swaps} swaps show nothing");
}
