//! Files that are replaced while they are read, and followers that are killed meanwhile.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use service_settings::{Layers, Rules};

/// Two files that belong together: each holds the number of its version.
#[derive(Debug, Deserialize)]
struct Pair {
    one: u64,
    two: u64,
    filler: String,
}

impl Rules for Pair {}

fn layers(mount: &Path) -> Layers<Pair> {
    Layers::new().file(mount.join("one.toml")).file(mount.join("two.toml"))
}

fn version(pair: &Pair) -> u64 {
    assert_eq!(pair.one, pair.two, "a mix of two versions");
    assert_eq!(pair.filler.len(), 1_000);
    pair.one
}

/// The steps by which Kubernetes replaces what is mounted.
fn steps(mount: &Path, version: u64) -> Vec<Box<dyn Fn() + '_>> {
    let at = |name: String| mount.join(name);
    let new = at(format!("..{version}"));
    let (one, two) = (new.join("one.toml"), new.join("two.toml"));
    let text = format!("two = {version}\nfiller = '{}'\n", "x".repeat(1_000));
    let (half, _) = text.split_at(500);
    let half = half.to_owned();
    vec![
        Box::new(move || fs::create_dir(&new).unwrap()),
        Box::new(move || fs::write(&one, format!("one = {version}\n")).unwrap()),
        Box::new({
            let two = two.clone();
            move || fs::write(&two, &half).unwrap()
        }),
        Box::new(move || fs::write(&two, &text).unwrap()),
        Box::new(move || symlink(format!("..{version}"), at("..data_tmp".to_owned())).unwrap()),
        Box::new(move || {
            fs::rename(at("..data_tmp".to_owned()), at("..data".to_owned())).unwrap();
        }),
        Box::new(move || {
            let _ = fs::remove_dir_all(at(format!("..{}", version - 1)));
        }),
    ]
}

fn mounted() -> tempfile::TempDir {
    let mount = tempfile::tempdir().unwrap();
    for name in ["one.toml", "two.toml"] {
        symlink(format!("..data/{name}"), mount.path().join(name)).unwrap();
    }
    steps(mount.path(), 1).iter().for_each(|step| step());
    mount
}

#[test]
fn files_that_are_replaced_together_are_taken_together() {
    let mount = mounted();
    let (is_done, seen) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut versions = std::collections::BTreeSet::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Until enough of them were seen, too, however slow the reader is.
            let begun = Instant::now();
            let is_seen = || seen.load(Ordering::SeqCst) > 20 || begun.elapsed().as_secs() > 60;
            for version in (2..).take_while(|version| *version < 1_500 || !is_seen()) {
                // Old versions stay for a while: who is late reads them, and must not mix them.
                steps(mount.path(), version).iter().take(6).for_each(|step| step());
            }
            is_done.store(true, Ordering::SeqCst);
        });
        while !is_done.load(Ordering::SeqCst) {
            if let Ok(loaded) = layers(mount.path()).load() {
                versions.insert(version(&loaded.settings));
                seen.store(versions.len(), Ordering::SeqCst);
            }
        }
    });
    assert!(versions.len() > 20, "{} versions were seen", versions.len());
}

const MOUNT: &str = "SETTINGS_OF_THE_CHILD";

/// Follows the files, and says what it has taken; does nothing in a run of all tests.
#[tokio::test]
async fn child() {
    let Some(mount) = std::env::var_os(MOUNT) else { return };
    let follow = layers(Path::new(&mount)).load_and_follow(Duration::from_millis(1));
    let (reloading, follow) = follow.unwrap();
    tokio::spawn(follow);
    let mut told = 0;
    loop {
        let now = version(&reloading.settings().load().settings);
        if now != told {
            told = now;
            let mut out = std::io::stdout().lock();
            writeln!(out, "\ntaken {now}").and_then(|()| out.flush()).unwrap();
        }
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
}

fn follower(mount: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "killed::child", "--nocapture", "--test-threads=1"]);
    command.env(MOUNT, mount).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn until_taken(child: &mut Child, wanted: u64) {
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let mut taken = lines.map_while(Result::ok).filter_map(|line| {
        line.strip_prefix("taken ").map(|number| number.parse::<u64>().unwrap())
    });
    assert!(taken.any(|version| version == wanted), "version {wanted} is taken");
}

/// What the next start sees is the old version or the new one, as far as the replacement came.
#[test]
fn killed_at_each_step_of_a_reload_the_next_start_sees_one_version() {
    let mount = mounted();
    for (number, at) in (2..).zip(0..steps(mount.path(), 2).len()) {
        let mut child = follower(mount.path());
        until_taken(&mut child, number - 1);
        let all = steps(mount.path(), number);
        let (before, after) = all.split_at(at + 1);
        before.iter().for_each(|step| step());
        // SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
        let expected = if at >= 5 { number } else { number - 1 };
        let loaded = layers(mount.path()).load().unwrap();
        assert_eq!(version(&loaded.settings), expected, "step {at}");
        let mut next = follower(mount.path());
        until_taken(&mut next, expected);
        after.iter().for_each(|step| step());
        if expected != number {
            until_taken(&mut next, number);
        }
        next.kill().unwrap();
        next.wait().unwrap();
    }
}
