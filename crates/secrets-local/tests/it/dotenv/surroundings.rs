//! Permissions, links, mount points and full disks.

use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::Path;

use secrets_core::{
    Effect, Error, ErrorKind, Health, HealthStatus, SecretProvider, SecretProviderExt, SecretValue,
};

use crate::support::{
    Child, block_on, error, folder_for_child, is_root, mode, named, names_in, set_mode, shows, text,
};

use super::{Place, provider};

async fn refused(path: &Path) -> Error {
    provider(path).put_text("a", "new").await.expect_err("this cannot be written")
}

#[test]
fn a_new_file_is_for_its_owner_alone() {
    let place = Place::new("");
    let path = place.folder.path().join("new.env");
    block_on(provider(&path).put_text("a", "x")).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&place.folder.path().join("new.env.lock")), 0o600);
    assert_eq!(names_in(place.folder.path()), [".env", "new.env", "new.env.lock"]);
}

#[test]
fn a_write_keeps_the_permissions_of_the_file() {
    let place = Place::new("A=1\n");
    for (turn, kept) in [0o600, 0o640, 0o644, 0o664, 0o700].into_iter().enumerate() {
        set_mode(&place.path(), kept);
        block_on(place.provider().put_text("a", &turn.to_string())).unwrap();
        assert_eq!(mode(&place.path()), kept, "{kept:o}");
    }
}

#[test]
fn a_write_keeps_the_owner_of_the_file() {
    // Only root can give files away, as who runs a deployment often is.
    if !is_root() {
        return check_owner_without_rights();
    }
    let place = Place::new("A=1\n");
    chown(place.path(), Some(65534), Some(65534)).unwrap();
    block_on(place.provider().put_text("a", "2")).unwrap();
    let metadata = std::fs::metadata(place.path()).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (65534, 65534));
}

#[test]
fn whoever_may_write_the_file_may_take_its_lock() {
    if let Some(folder) = folder_for_child() {
        block_on(provider(&folder.join(".env")).put_text("a", "3")).unwrap();
        return;
    }
    for (kept, expected) in [(0o600, 0o600), (0o644, 0o600), (0o664, 0o660), (0o620, 0o660)] {
        let place = Place::new("A=1\n");
        set_mode(&place.path(), kept);
        block_on(place.provider().put_text("a", "2")).unwrap();
        assert_eq!(mode(&place.folder.path().join(".env.lock")), expected, "{kept:o}");
    }
    // Root writes first, and the owner of the file after it.
    let place = Place::new("A=1\n");
    if is_root() {
        for path in [place.folder.path(), &place.path()] {
            chown(path, Some(65534), Some(65534)).unwrap();
        }
        set_mode(place.folder.path(), 0o755);
    }
    block_on(place.provider().put_text("a", "2")).unwrap();
    again(&place, "dotenv::surroundings::whoever_may_write_the_file_may_take_its_lock")
        .run_as_nobody();
    assert_eq!(place.text(), "A='3'\n");
}

#[test]
fn a_lock_that_somebody_else_put_there_is_not_given_away() {
    let place = Place::new("A=1\n");
    let precious = place.folder.path().join("precious");
    std::fs::write(&precious, "x").unwrap();
    set_mode(&precious, 0o600);
    std::fs::hard_link(&precious, place.folder.path().join(".env.lock")).unwrap();
    set_mode(&place.path(), 0o666);
    if is_root() {
        chown(place.path(), Some(65534), Some(65534)).unwrap();
    }
    block_on(place.provider().put_text("a", "2")).unwrap();
    assert_eq!(mode(&precious), 0o600);
    assert!(crate::support::is_owner(&precious));
}

/// Whoever is not root keeps his own files his.
fn check_owner_without_rights() {
    let place = Place::new("A=1\n");
    let before = std::fs::metadata(place.path()).unwrap();
    block_on(place.provider().put_text("a", "2")).unwrap();
    let after = std::fs::metadata(place.path()).unwrap();
    assert_eq!((before.uid(), before.gid()), (after.uid(), after.gid()));
}

#[test]
fn a_file_marked_read_only_is_not_replaced() {
    let place = Place::new("A=1\n");
    set_mode(&place.path(), 0o444);
    let error = block_on(refused(&place.path()));
    assert_eq!((error.kind(), error.effect()), (ErrorKind::PermissionDenied, Effect::NotApplied));
    assert_eq!(place.text(), "A=1\n");
}

#[test]
fn a_link_stays_and_what_it_points_to_is_replaced() {
    let place = Place::new("A=1\n");
    let links = place.folder.path().join("links");
    std::fs::create_dir(&links).unwrap();
    symlink("../.env", links.join("one")).unwrap();
    block_on(provider(&links.join("one")).put_text("a", "2")).unwrap();
    assert!(links.join("one").is_symlink());
    assert!(!place.path().is_symlink());
    assert_eq!(place.text(), "A='2'\n");
    // Both names take one lock.
    assert_eq!(names_in(&links), ["one"]);
    assert_eq!(names_in(place.folder.path()), [".env", ".env.lock", "links"]);
}

#[test]
fn a_link_to_nothing_and_a_missing_folder_are_refused() {
    let place = Place::new("");
    let dangling = place.folder.path().join("dangling");
    symlink("absent", &dangling).unwrap();
    block_on(async {
        for path in [dangling, place.folder.path().join("no/folder/.env")] {
            // Neither are its secrets gone: a mount may be missing.
            for error in [refused(&path).await, error(&provider(&path), &named("a")).await] {
                let expected = (ErrorKind::Unavailable, Effect::NotApplied);
                assert_eq!((error.kind(), error.effect()), expected, "{error}");
            }
            assert_eq!(provider(&path).health().await.unwrap().status, HealthStatus::Unhealthy);
        }
    });
    assert_eq!(names_in(place.folder.path()), [".env", "dangling"]);
}

#[test]
fn links_that_others_put_in_the_way_are_not_followed() {
    let place = Place::new("A=1\n");
    let victim = place.folder.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    symlink("victim", place.folder.path().join("..env.tmp")).unwrap();
    block_on(place.provider().put_text("a", "2")).unwrap();
    assert_eq!(place.text(), "A='2'\n");
    std::fs::remove_file(place.folder.path().join(".env.lock")).unwrap();
    symlink("victim", place.folder.path().join(".env.lock")).unwrap();
    // At once, not when the wait for the lock is over.
    assert_eq!(block_on(refused(&place.path())).kind(), ErrorKind::Unavailable);
    assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
}

#[test]
fn what_a_dead_writer_left_is_taken_away() {
    let place = Place::new("A=1\n");
    std::fs::write(place.folder.path().join("..env.tmp"), "A='half").unwrap();
    block_on(place.provider().put_text("a", "2")).unwrap();
    assert_eq!(names_in(place.folder.path()), [".env", ".env.lock"]);
}

#[test]
fn the_health_of_a_file_is_who_may_touch_it() {
    let place = Place::new("A=canary-5d\n");
    let health = |path: &Path| -> Health { block_on(provider(path).health()).unwrap() };
    for (bits, status, finding) in [
        (0o600, HealthStatus::Healthy, None),
        (0o640, HealthStatus::Degraded, Some("others can read")),
        (0o604, HealthStatus::Degraded, Some("others can read")),
        (0o620, HealthStatus::Degraded, Some("others can write")),
        (0o666, HealthStatus::Degraded, Some("others can write")),
    ] {
        set_mode(&place.path(), bits);
        let health = health(&place.path());
        assert_eq!(health.status, status, "{bits:o}");
        let found = health.findings.first().map(|text| text.to_string());
        assert_eq!(found.is_some(), finding.is_some());
        assert!(finding.is_none_or(|finding| found.unwrap().starts_with(finding)));
    }
    let absent = health(&place.folder.path().join("absent"));
    assert_eq!(absent.status, HealthStatus::Degraded);
    assert_eq!(health(place.folder.path()).status, HealthStatus::Unhealthy);
}

#[test]
fn a_file_that_gives_no_secret_is_unhealthy() {
    let place = Place::new("");
    set_mode(&place.path(), 0o600);
    let large = vec![b'#'; 10 * 1024 * 1024 + 1];
    for (bytes, finding) in [
        (&b"A=x\nB=canary-5d canary\n"[..], "line 2 of `"),
        (b"A=x\xff\n", "is not UTF-8"),
        (&large, "has more than 10485760 bytes"),
    ] {
        std::fs::write(place.path(), bytes).unwrap();
        let health = block_on(place.provider().health()).unwrap();
        assert_eq!(health.status, HealthStatus::Unhealthy, "{finding}");
        assert!(health.findings[0].contains(finding), "{:?}", health.findings);
        assert!(!health.findings[0].contains("canary"), "{:?}", health.findings);
    }
    // An entry that refers to nothing spoils itself alone.
    std::fs::write(place.path(), "A=x\nB=$UNKNOWN\n").unwrap();
    assert_eq!(block_on(place.provider().health()).unwrap().status, HealthStatus::Healthy);
}

/// A test of this file once more, in a process of its own, where it finds the folder.
fn again<'a>(place: &'a Place, test: &'a str) -> Child<'a> {
    Child { test, folder: place.folder.path() }
}

#[test]
fn a_file_that_is_a_mount_point_is_not_written_in_place() {
    if let Some(folder) = folder_for_child() {
        return inside_a_mounted_file(&folder);
    }
    let place = Place::new("A=1\n");
    again(&place, "dotenv::surroundings::a_file_that_is_a_mount_point_is_not_written_in_place")
        .run_with_mounts("mount --bind \"$FOLDER/.env\" \"$FOLDER/.env\"");
}

fn inside_a_mounted_file(folder: &Path) {
    let path = folder.join(".env");
    let error = block_on(refused(&path));
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Unsupported, Effect::NotApplied));
    assert!(error.to_string().contains("is a mount point"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"A=1\n");
    assert_eq!(names_in(folder), [".env", ".env.lock"], "no temporary file is left");
    assert_eq!(block_on(text(&provider(&path), &named("a"))), "1");
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    if let Some(folder) = folder_for_child() {
        return inside_a_small_disk(&folder);
    }
    let place = Place::new("");
    again(&place, "dotenv::surroundings::a_full_disk_leaves_the_old_file").run_with_mounts(
        "mkdir \"$FOLDER/disk\"; mount -t tmpfs -o size=64k none \"$FOLDER/disk\"",
    );
}

fn inside_a_small_disk(folder: &Path) {
    let disk = folder.join("disk");
    let path = disk.join(".env");
    let provider = provider(&path);
    block_on(async {
        provider.put_text("a", "1").await.unwrap();
        let large = SecretValue::from_vec(vec![b'x'; 100_000]);
        let error = provider.put("a", large).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, Effect::NotApplied));
        assert!(!shows(&error, "xxx"));
        assert_eq!(names_in(&disk), [".env", ".env.lock"], "no temporary file is left");
        assert_eq!(text(&provider, &named("a")).await, "1");
        provider.put_text("a", "2").await.unwrap();
    });
}

#[test]
fn a_read_only_file_system_is_read_and_not_written() {
    if let Some(folder) = folder_for_child() {
        return inside_a_read_only_file_system(&folder);
    }
    let place = Place::new("A=1\n");
    again(&place, "dotenv::surroundings::a_read_only_file_system_is_read_and_not_written")
        .run_with_mounts(
            "mount --bind \"$FOLDER\" \"$FOLDER\"; mount -o remount,bind,ro \"$FOLDER\"",
        );
}

fn inside_a_read_only_file_system(folder: &Path) {
    let path = folder.join(".env");
    block_on(async {
        assert_eq!(text(&provider(&path), &named("a")).await, "1");
        let error = refused(&path).await;
        let expected = (ErrorKind::PermissionDenied, Effect::NotApplied);
        assert_eq!((error.kind(), error.effect()), expected);
    });
}

#[test]
fn who_may_not_read_or_write_is_told_so() {
    if let Some(folder) = folder_for_child() {
        return inside_without_rights(&folder);
    }
    let place = Place::new("A=1\n");
    set_mode(place.folder.path(), 0o755);
    set_mode(&place.path(), 0o600);
    let shared = place.folder.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::write(shared.join(".env"), "A=1\n").unwrap();
    set_mode(&shared, 0o777);
    set_mode(&shared.join(".env"), 0o666);
    again(&place, "dotenv::surroundings::who_may_not_read_or_write_is_told_so").run_as_nobody();
}

fn inside_without_rights(folder: &Path) {
    block_on(async {
        let unreadable = folder.join(".env");
        if std::fs::metadata(&unreadable).unwrap().uid()
            != std::fs::metadata("/proc/self").unwrap().uid()
        {
            let error = error(&provider(&unreadable), &named("a")).await;
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            assert_eq!(refused(&unreadable).await.kind(), ErrorKind::PermissionDenied);

            // It could be replaced here, and would then belong to somebody else.
            let foreign = folder.join("shared/.env");
            assert_eq!(text(&provider(&foreign), &named("a")).await, "1");
            assert_eq!(refused(&foreign).await.kind(), ErrorKind::PermissionDenied);
            // Nor does a lock stay that its owner could not take.
            assert_eq!(names_in(&folder.join("shared")), [".env"]);
            assert_eq!(std::fs::read(&foreign).unwrap(), b"A=1\n");
        }
    });
}
