//! Reads while the mount is swapped that the files are in: by each provider, and wherever the mount
//! is on the way.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use secrets_core::{GetOptions, SecretProvider};
use secrets_local::directory::{DirectoryConfig, DirectoryProvider};
use secrets_local::dotenv::{DotenvConfig, DotenvProvider};
use secrets_local::env::{EnvConfig, EnvProvider, FixedVariables};
use tempfile::TempDir;

use crate::kubelet::{Kubelet, payload};
use crate::support::{Stop, block_on, get, listed, named, native};

/// One look in some thousands meets the folder that has just been removed.
const SWAPS: u64 = 10_000;
/// On a machine that is busy with something else, fewer swaps have to do.
const LONGEST: Duration = Duration::from_secs(3);
/// Fewer show nothing, however long they take.
const LEAST: u64 = 100;

/// Calls `read` again and again while all files of a mount are swapped as fast as that goes. The
/// mount is `folder/mount`; `read` is given how often the files were swapped.
fn while_swapped(folder: &Path, mut read: impl FnMut()) {
    let mount = folder.join("mount");
    let mut kubelet = Kubelet::new(&mount);
    let swap = |kubelet: &mut Kubelet, turn: u64| {
        let turn = turn.to_string();
        let line = format!("KEY='{turn}'");
        let files = [(".env", &*line), ("key", &*turn), ("db/key", &*turn), ("db/other", &*turn)];
        kubelet.write(&payload(files));
    };
    fs::create_dir(&mount).unwrap();
    swap(&mut kubelet, 0);
    let (done, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let swapper = scope.spawn(|| {
            for turn in 1.. {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                swap(&mut kubelet, turn);
                swaps.store(turn, Ordering::Relaxed);
            }
        });
        let _stop = Stop(&done);
        let begun = Instant::now();
        let is_enough = || match swaps.load(Ordering::Relaxed) {
            swaps if begun.elapsed() < LONGEST => swaps >= SWAPS,
            swaps => swaps >= LEAST,
        };
        while !swapper.is_finished() && !is_enough() {
            read();
        }
    });
}

/// Reads without a runtime, so that nothing stands between two reads.
fn check(provider: &dyn SecretProvider, reference: &secrets_core::SecretRef) {
    let read = get(provider, reference).now_or_never().expect("no waiting");
    read.expect("a secret that was always there").value.expose_secret_text().expect("text");
}

#[test]
fn a_file_that_a_variable_names() {
    let folder = TempDir::new().unwrap();
    let at = |path: &str| folder.path().join(path);
    // By the mount's own link, by a link from elsewhere, by one to the mount itself.
    symlink("mount/key", at("linked")).unwrap();
    symlink("mount", at("elsewhere")).unwrap();
    let variables = [("A_FILE", at("mount/key")), ("B_FILE", at("linked"))];
    let variables = variables.into_iter().chain([("C_FILE", at("elsewhere/db/key"))]);
    let provider = EnvProvider::new(EnvConfig::new(), FixedVariables::from_iter(variables));
    let provider = provider.unwrap();
    let names = ["a", "b", "c"].map(named);
    while_swapped(folder.path(), || names.iter().for_each(|name| check(&provider, name)));
}

#[test]
fn a_dotenv_file() {
    let folder = TempDir::new().unwrap();
    let at = |path: &str| folder.path().join(path);
    symlink("mount/.env", at("linked")).unwrap();
    let providers = [at("mount/.env"), at("linked")]
        .map(|path| DotenvProvider::new(DotenvConfig::new(path)).unwrap());
    let key = named("key");
    while_swapped(folder.path(), || providers.iter().for_each(|from| check(from, &key)));
}

#[test]
fn a_folder_that_is_above_the_mount_or_inside_it() {
    let folder = TempDir::new().unwrap();
    let open = |root: &Path| DirectoryProvider::new(DirectoryConfig::new(root)).unwrap();
    let (above, inside) = (open(folder.path()), open(&folder.path().join("mount/db")));
    let (by_path, by_name) = (native("mount/key"), named("key"));
    while_swapped(folder.path(), || {
        check(&above, &by_path);
        check(&inside, &by_name);
    });
}

#[test]
fn many_from_a_folder_above_the_mount_are_of_one_swap() {
    let folder = TempDir::new().unwrap();
    let provider = DirectoryProvider::new(DirectoryConfig::new(folder.path())).unwrap();
    let wanted = ["mount/key", "mount/db/key", "mount/db/other"]
        .map(|path| (native(path), GetOptions::default()));
    while_swapped(folder.path(), || {
        let answers = provider.get_secrets(&wanted).now_or_never().expect("no waiting").unwrap();
        let mut turns: Vec<String> = answers
            .into_iter()
            .map(|answer| answer.unwrap().value.expose_secret_text().unwrap().to_owned())
            .collect();
        turns.dedup();
        assert_eq!(turns.len(), 1, "of several swaps: {turns:?}");
    });
}

#[test]
fn no_list_of_a_folder_above_the_mount_misses_a_file() {
    let folder = TempDir::new().unwrap();
    let provider = DirectoryProvider::new(DirectoryConfig::new(folder.path())).unwrap();
    let expected =
        ["native:mount/.env", "native:mount/db/key", "native:mount/db/other", "native:mount/key"];
    while_swapped(folder.path(), || assert_eq!(block_on(listed(&provider)), expected));
}
