//! Mounts as the kubelet lays them out and swaps them.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use secrets_core::{ErrorKind, GetOptions, SecretProvider};
use tempfile::TempDir;

use crate::support::{Stop, block_on, error, listed, named, native, text};

use super::provider;

/// The steps of `AtomicWriter.Write` in `pkg/volume/util/atomic_writer.go` of Kubernetes, by their
/// numbers there.
struct Kubelet {
    mount: PathBuf,
    turn: u64,
}

impl Kubelet {
    fn new(mount: &Path) -> Self {
        Self { mount: mount.to_owned(), turn: 0 }
    }

    fn write(&mut self, payload: &BTreeMap<&str, String>) {
        let at = |name: &str| self.mount.join(name);
        // (2) the folder that is visible now
        let old = std::fs::read_link(at("..data")).ok();
        // (5), (6) a folder named by the time, with the new files
        self.turn += 1;
        let new = format!("..2026_11_23_04_38_00.{:09}", self.turn);
        for (path, content) in payload {
            let file = at(&new).join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
        // (8), (9) the link to it, in one step
        symlink(&new, at("..data_tmp")).unwrap();
        std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
        // (10) links for new files, to the first part of their paths
        for path in payload.keys() {
            let first = path.split('/').next().unwrap();
            if !at(first).is_symlink() {
                symlink(format!("..data/{first}"), at(first)).unwrap();
            }
        }
        // (11) no links for files that are gone
        for entry in std::fs::read_dir(&self.mount).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_kept = payload.keys().any(|path| path.split('/').next() == Some(&name));
            if !name.starts_with("..") && !is_kept {
                std::fs::remove_file(at(&name)).unwrap();
            }
        }
        // (12) nor the old folder
        if let Some(old) = old {
            std::fs::remove_dir_all(self.mount.join(old)).unwrap();
        }
    }
}

fn payload<const N: usize>(files: [(&'static str, &str); N]) -> BTreeMap<&'static str, String> {
    files.into_iter().map(|(path, content)| (path, content.to_owned())).collect()
}

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
    let swaps = swapping(Duration::ZERO, |mount, _| {
        let provider = provider(mount);
        let mut newest = 0;
        for _ in 0..READS {
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
        let mut turns = Vec::new();
        while turns.len() < 1_000 || written.load(Ordering::Relaxed) < 200 {
            let pair = block_on(provider.get_secrets(&wanted)).unwrap();
            let [certificate, key] = &pair[..] else { panic!("two answers") };
            let text = |answer: &secrets_core::Result<secrets_core::Secret>| {
                let secret = answer.as_ref().expect("a secret");
                secret.value.expose_secret_text().unwrap().to_owned()
            };
            let turn = turn_of(&text(certificate), 'c');
            assert_eq!(turn, turn_of(&text(key), 'k'), "of two swaps");
            turns.push(turn);
        }
        turns.dedup();
        assert!(turns.len() > 50, "only {} swaps were seen", turns.len());
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

#[test]
fn a_variable_that_names_a_file_of_a_mount_is_read_across_swaps() {
    use futures_util::FutureExt;
    use secrets_local::env::{EnvConfig, EnvProvider, FixedVariables};

    // About one open in eight thousand meets the folder that has just been removed.
    const READS: u64 = 60_000;
    let mount = TempDir::new().unwrap();
    let mut kubelet = Kubelet::new(mount.path());
    kubelet.write(&payload([("key", "x")]));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                kubelet.write(&payload([("key", "x")]));
            }
        });
        let _stop = Stop(&done);
        let variables = FixedVariables::from_iter([("KEY_FILE", mount.path().join("key"))]);
        let provider = EnvProvider::new(EnvConfig::new(), variables).unwrap();
        let key = named("key");
        for _ in 0..READS {
            // Without a runtime nothing stands between the reads.
            let read = crate::support::get(&provider, &key).now_or_never().expect("no waiting");
            assert_eq!(read.unwrap().value.expose_secret(), b"x");
        }
    });
}
