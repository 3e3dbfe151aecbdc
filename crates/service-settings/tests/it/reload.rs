//! Files that change while the service runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use service_settings::Reloading;

use crate::support::*;

const SOON: Duration = Duration::from_millis(10);

fn port(reloading: &Reloading<Settings>) -> u16 {
    reloading.settings().load().settings.port
}

async fn until(what: impl Fn() -> bool) {
    let waited = async {
        while !what() {
            tokio::time::sleep(SOON).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waited).await.expect("it shows in time");
}

fn put(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

#[tokio::test]
async fn a_file_that_is_written_or_replaced_is_read_again() {
    let (folder, path) = file("app.toml", "port = 1");
    let (reloading, follow) = layers().file(path.clone()).load_and_follow(SOON).unwrap();
    let following = tokio::spawn(follow);
    assert_eq!(port(&reloading), 1);
    put(&path, "port = 2");
    until(|| port(&reloading) == 2).await;
    // As editors do.
    let new = folder.path().join(".app.toml.swp");
    put(&new, "port = 3");
    fs::rename(&new, &path).unwrap();
    until(|| port(&reloading) == 3).await;
    drop(reloading);
    tokio::time::timeout(Duration::from_secs(60), following).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_says_so() {
    let (_folder, path) = file("app.toml", "port = 1");
    let (reloading, follow) = layers().file(path.clone()).load_and_follow(SOON).unwrap();
    tokio::spawn(follow);
    let version = reloading.settings().version();
    for bad in ["port = 'x'", "port =", "prot = 1"] {
        put(&path, bad);
        until(|| reloading.rejected().load().is_some()).await;
        assert_eq!((port(&reloading), reloading.settings().version()), (1, version));
    }
    put(&path, "port = 2");
    until(|| reloading.rejected().load().is_none()).await;
    assert_eq!(port(&reloading), 2, "what is good again is taken");
    fs::remove_file(&path).unwrap();
    until(|| reloading.rejected().load().is_some()).await;
    let problems = reloading.rejected().load().clone().unwrap();
    assert!(problems.to_string().contains("is not there"), "{problems}");
    assert_eq!(port(&reloading), 2);
}

/// A ConfigMap: the file is a link, through a link that is replaced in one step.
#[tokio::test]
async fn a_mount_of_kubernetes_is_followed() {
    let mount = tempfile::tempdir().unwrap();
    let at = |name: &str| mount.path().join(name);
    for (version, port) in [("..1", 1), ("..2", 2)] {
        fs::create_dir(at(version)).unwrap();
        put(&at(version).join("app.toml"), &format!("port = {port}"));
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/app.toml", at("app.toml")).unwrap();
    let (reloading, follow) = layers().file(at("app.toml")).load_and_follow(SOON).unwrap();
    tokio::spawn(follow);
    assert_eq!(port(&reloading), 1);
    symlink("..2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    fs::remove_dir_all(at("..1")).unwrap();
    until(|| port(&reloading) == 2).await;
    assert!(reloading.rejected().load().is_none());
}

/// Each part is sound by itself: what a writer has not ended must not count.
#[tokio::test(start_paused = true)]
async fn a_file_that_is_half_written_is_not_taken() {
    let (_folder, path) = file("app.toml", "port = 1");
    let interval = Duration::from_secs(1);
    let (reloading, follow) = layers().file(path.clone()).load_and_follow(interval).unwrap();
    tokio::spawn(follow);
    let version = reloading.settings().version();
    let whole = "port = 7\ndebug = true\nratio = 0.5\n# done";
    for end in 0..whole.len() {
        put(&path, whole.get(..end).unwrap());
        tokio::time::sleep(interval).await;
        assert_eq!((reloading.settings().version(), port(&reloading)), (version, 1), "{end}");
        assert!(reloading.rejected().load().is_none(), "{end}");
    }
    put(&path, whole);
    until(|| port(&reloading) == 7).await;
}

/// What is good and what is refused show once each.
#[tokio::test(start_paused = true)]
async fn a_good_reload_wakes_nobody_who_waits_for_a_bad_one() {
    let (_folder, path) = file("app.toml", "port = 1");
    let (reloading, follow) = layers().file(path.clone()).load_and_follow(SOON).unwrap();
    tokio::spawn(follow);
    let version = reloading.rejected().version();
    for port_now in 2..5 {
        put(&path, &format!("port = {port_now}"));
        until(|| port(&reloading) == port_now).await;
    }
    assert_eq!(reloading.rejected().version(), version);
}

#[tokio::test]
async fn rules_that_panic_are_told_and_end_nothing() {
    #[derive(Debug, serde::Deserialize)]
    struct Odd {
        port: u16,
    }
    impl service_settings::Rules for Odd {
        fn problems(&self) -> Vec<service_settings::Problem> {
            assert_ne!(self.port, 13, "hunter2");
            Vec::new()
        }
    }
    let (_folder, path) = file("app.toml", "port = 1");
    let layers = service_settings::Layers::<Odd>::new().file(path.clone());
    let (reloading, follow) = layers.load_and_follow(SOON).unwrap();
    let following = tokio::spawn(follow);
    put(&path, "port = 13");
    until(|| reloading.rejected().load().is_some()).await;
    let told = reloading.rejected().load().clone().unwrap().to_string();
    assert!(told.contains("the rules of the settings panicked") && !told.contains("hunter2"));
    assert_eq!(reloading.settings().load().settings.port, 1);
    let version = reloading.rejected().version();
    tokio::time::sleep(SOON * 10).await;
    assert_eq!(reloading.rejected().version(), version, "it is tried once");
    put(&path, "port = 14");
    until(|| reloading.settings().load().settings.port == 14).await;
    assert!(reloading.rejected().load().is_none());
    assert!(!following.is_finished());
}

/// Without a pause the clock of a paused runtime would stand still, and another task have no turn.
#[test]
fn an_interval_of_nothing_is_no_busy_loop() {
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.toml");
        fs::write(&path, "port = 1\n").unwrap();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (_reloading, follow) = layers().file(path).load_and_follow(Duration::ZERO).unwrap();
            let a_second = tokio::time::timeout(Duration::from_secs(1), follow).await;
            assert!(a_second.is_err(), "it goes on");
        });
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(60)).unwrap();
}
