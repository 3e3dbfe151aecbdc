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
    tokio::time::timeout(Duration::from_secs(10), waited).await.expect("it shows in time");
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
    tokio::time::timeout(Duration::from_secs(10), following).await.unwrap().unwrap();
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
