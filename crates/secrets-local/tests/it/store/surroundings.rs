//! What a path may name, who may read what, full disks and mount points.

use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use secrets_core::{Effect, Error, ErrorKind, HealthStatus, SecretProvider, SetOptions};
use secrets_local::store::{
    FileStore, KeyFile, StoreError, StoreErrorKind, Unlock, Warning, inspect_file,
};

use crate::support::{is_root, make_pipe, mode, names_in, set_mode};

use super::child::{Task, prepared};
use super::hooked::{Hooked, Step};
use super::support::{Place, block_on, get, open, reference, set, value};

async fn open_error(path: &Path, unlock: impl Into<Unlock>) -> StoreError {
    FileStore::at(path).open(unlock).await.expect_err("no store opens here")
}

/// The error of a failed write: of the contract, and the one behind it.
async fn write_error(store: &FileStore) -> (ErrorKind, Effect, StoreErrorKind) {
    let error = store.set_secret(&reference("a"), value("2"), SetOptions::new()).await.unwrap_err();
    (error.kind(), error.effect(), behind(&error).kind())
}

fn behind(error: &Error) -> &StoreError {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref())
        .expect("a store error")
}

#[test]
fn what_is_not_a_store_is_refused_by_kind() {
    block_on(async {
        let place = Place::new();
        let at = |name: &str| place.file(name);
        std::fs::write(at("empty"), "").unwrap();
        std::fs::write(at("text"), "DB_PASSWORD=secret\n").unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        symlink(at("absent"), at("dangling")).unwrap();
        symlink(at("loop"), at("loop")).unwrap();
        make_pipe(&at("pipe"));
        for (name, kind) in [
            ("absent", StoreErrorKind::NotFound),
            ("dangling", StoreErrorKind::NotFound),
            ("empty", StoreErrorKind::NotAStore),
            ("text", StoreErrorKind::NotAStore),
            ("folder", StoreErrorKind::NotAStore),
            ("pipe", StoreErrorKind::NotAStore),
            ("loop", StoreErrorKind::Io),
        ] {
            let error = open_error(&at(name), place.key.clone()).await;
            assert_eq!(error.kind(), kind, "{name}: {error}");
            assert_eq!(inspect_file(at(name)).unwrap_err().kind(), kind, "{name}");
        }
        let error = open_error(Path::new("/dev/zero"), place.key.clone()).await;
        assert_eq!(error.kind(), StoreErrorKind::NotAStore);
    });
}

#[test]
fn creating_never_replaces_a_file() {
    block_on(async {
        let place = Place::new();
        std::fs::write(place.path(), "precious").unwrap();
        let error = FileStore::at(place.path()).create(place.key.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(place.path()).unwrap(), b"precious");
        let error =
            FileStore::at(place.path()).open_or_create(place.key.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NotAStore);
        assert_eq!(std::fs::read(place.path()).unwrap(), b"precious");
    });
}

#[test]
fn a_missing_store_is_not_a_missing_secret() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "a", "1").await;
        std::fs::remove_file(place.path()).unwrap();
        let error = get(&store, "a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(behind(&error).kind(), StoreErrorKind::NotFound);
        // Nothing is made in its place.
        write_error(&store).await;
        assert!(!place.path().exists());
    });
}

#[test]
fn a_link_stays_and_what_it_points_to_is_replaced() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "a", "1").await;
        let link = place.file("link");
        symlink("store", &link).unwrap();
        let linked = open(&link, &place.key).await;
        set(&linked, "a", "2").await;
        assert!(link.is_symlink());
        assert!(!place.path().is_symlink());
        assert_eq!(get(&store, "a").await.unwrap(), "2");
        // Both writers take one lock.
        assert!(place.file("store.lock").exists());
        assert!(!place.file("link.lock").exists());
    });
}

#[test]
fn a_link_that_is_turned_before_a_write_takes_the_write_along_whole() {
    block_on(async {
        let place = Place::new();
        let (link, other) = (place.file("link"), place.file("other"));
        drop(set(&place.create().await, "a", "1").await);
        symlink("store", &link).unwrap();
        let hooked = Hooked::default();
        let linked = FileStore::at(&link).environment(hooked.environment());
        let linked = linked.open(place.key.clone()).await.unwrap();
        // A copy that went on by itself.
        std::fs::copy(place.path(), &other).unwrap();
        drop(set(&open(&other, &place.key).await, "b", "of the other").await);
        let before = std::fs::read(place.path()).unwrap();
        let (once, turned) = (AtomicBool::new(false), place.file("turned"));
        hooked.on(move |step, _| {
            if step == Step::Lock && !once.swap(true, Ordering::SeqCst) {
                symlink("other", &turned)?;
                std::fs::rename(&turned, &link)?;
            }
            Ok(())
        });
        set(&linked, "a", "2").await;
        assert!(std::fs::read(place.path()).unwrap() == before, "no write is for two files");
        let other = open(&other, &place.key).await;
        assert_eq!(get(&other, "a").await.unwrap(), "2");
        assert_eq!(get(&other, "b").await.unwrap(), "of the other");
    });
}

#[test]
fn a_disk_that_fails_to_read_is_not_taken_for_a_forger() {
    block_on(async {
        let place = Place::new();
        drop(set(&place.create().await, "a", "1").await);
        let hooked = Hooked::default();
        let builder = || FileStore::at(place.path()).environment(hooked.environment());
        let store = builder().open(place.key.clone()).await.unwrap();
        hooked.on(|step, _| match step {
            Step::Read => Err(std::io::Error::other("the disk does not answer")),
            _ => Ok(()),
        });
        // The record, the header; and the index, whose bytes come behind the header's.
        let error = get(&store, "a").await.unwrap_err();
        assert_eq!(
            (error.kind(), behind(&error).kind()),
            (ErrorKind::Unavailable, StoreErrorKind::Io)
        );
        assert!(behind(&error).to_string().contains("the record of secret `a`"), "{error:?}");
        let error = builder().open(place.key.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Io);
        let (path, reads) = (place.path(), AtomicUsize::new(0));
        hooked.on(move |step, at| match step {
            // Two reads for the header, when its slots are looked at, and two more for the index.
            Step::Read if at == path && reads.fetch_add(1, Ordering::SeqCst) >= 4 => {
                Err(std::io::Error::other("the disk does not answer"))
            }
            _ => Ok(()),
        });
        let error = builder().open(place.key.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Io);
        assert!(error.to_string().contains("the index"), "{error}");
        hooked.off();
        assert_eq!(get(&store, "a").await.unwrap(), "1");
    });
}

#[test]
fn a_relative_path_means_one_file_wherever_the_process_goes() {
    let place = Place::new();
    block_on(async { drop(set(&place.create().await, "a", "1").await) });
    let child = prepared(&place, "other-folder");
    crate::support::run(child.command().current_dir(place.folder.path()));
}

fn from_a_relative_path(folder: &Path, _: &str) {
    let key = key_in(folder);
    block_on(async {
        let store = open(Path::new("store"), &key).await;
        std::env::set_current_dir("/").unwrap();
        assert_eq!(get(&store, "a").await.unwrap(), "1");
        set(&store, "a", "2").await;
        assert_eq!(get(&open(&folder.join("store"), &key).await, "a").await.unwrap(), "2");
    });
}

#[test]
fn a_lock_is_not_taken_through_a_link() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "a", "1").await;
        let lock = place.file("store.lock");
        std::fs::write(place.file("victim"), "precious").unwrap();
        // What would be locked there is not what other writers lock.
        for target in ["victim", "absent"] {
            std::fs::remove_file(&lock).unwrap();
            symlink(target, &lock).unwrap();
            let refused = (ErrorKind::Unavailable, Effect::NotApplied, StoreErrorKind::Io);
            assert_eq!(write_error(&store).await, refused, "{target}");
        }
        assert_eq!(std::fs::read(place.file("victim")).unwrap(), b"precious");
        assert!(!place.file("absent").exists());
        std::fs::remove_file(&lock).unwrap();
        set(&store, "a", "2").await;
    });
}

#[test]
fn what_is_created_is_for_its_owner_alone() {
    block_on(async {
        let place = Place::new();
        let state = place.file("state");
        std::fs::create_dir(&state).unwrap();
        let store = FileStore::at(place.path()).state_folder(&state);
        let store = store.create(place.key.clone()).await.unwrap();
        set(&store, "a", "1").await;
        let mut files = vec![place.path(), place.file("key"), place.file("store.lock")];
        files.extend(std::fs::read_dir(&state).unwrap().map(|file| file.unwrap().path()));
        assert_eq!(files.len(), 5, "{files:?}");
        for file in files {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    });
}

#[test]
fn a_write_keeps_who_may_read_and_takes_no_right_to_write_along() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        for (given, kept) in [(0o640, 0o640), (0o666, 0o644), (0o777, 0o644), (0o600, 0o600)] {
            set_mode(&place.path(), given);
            set(&store, "a", "1").await;
            assert_eq!(mode(&place.path()), kept, "{given:o}");
        }
    });
}

#[test]
fn a_file_marked_read_only_is_not_replaced() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "a", "1").await;
        set_mode(&place.path(), 0o400);
        let before = std::fs::read(place.path()).unwrap();
        let refused = (ErrorKind::PermissionDenied, Effect::NotApplied, StoreErrorKind::ReadOnly);
        assert_eq!(write_error(&store).await, refused);
        assert_eq!(get(&place.open().await, "a").await.unwrap(), "1");
        assert!(before == std::fs::read(place.path()).unwrap());
        set_mode(&place.path(), 0o600);
        set(&store, "a", "2").await;
    });
}

#[test]
fn key_files_that_others_can_write_are_refused_and_read_warned_about() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        let key = place.file("key");
        for refused in [0o620, 0o602, 0o666, 0o606, 0o660] {
            set_mode(&key, refused);
            let error = KeyFile::read(&key).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::KeyFile, "{refused:o}");
        }
        for warned in [0o644, 0o440, 0o404, 0o640] {
            set_mode(&key, warned);
            let read = KeyFile::read(&key).unwrap();
            let warning = Warning::KeyFileReadable { path: key.clone(), mode: warned };
            assert_eq!(read.warnings(), [warning]);
            let store = open(&place.path(), &read).await;
            assert_eq!(store.warnings().len(), 1);
            let health = store.health().await.unwrap();
            assert_eq!(health.status, HealthStatus::Degraded);
        }
        for quiet in [0o600, 0o400] {
            set_mode(&key, quiet);
            assert_eq!(KeyFile::read(&key).unwrap().warnings(), []);
        }
        assert_eq!(store.health().await.unwrap().status, HealthStatus::Healthy);
    });
}

#[test]
fn key_files_of_another_user_are_refused() {
    let place = Place::new();
    public(&place);
    if is_root() {
        // Root is asked first: who owns the key it would use is not root.
        chown(place.file("key"), Some(65_533), None).unwrap();
        with_a_foreign_key(place.folder.path(), "key");
        prepared(&place, "foreign-key key").run_as_nobody();
        chown(place.file("key"), Some(65_534), None).unwrap();
        prepared(&place, "own-key").run_as_nobody();
    } else {
        with_a_key_of_ones_own(place.folder.path(), "");
        // In a user namespace of our own the true root is somebody else.
        prepared(&place, "foreign-key /etc/passwd").run_with_mounts(":");
    }
}

fn with_a_foreign_key(folder: &Path, key: &str) {
    let key = folder.join(key);
    let (foreign, _) = owner(&key);
    assert_ne!(foreign, owner(Path::new("/proc/self")).0);
    let error = KeyFile::read(&key).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::KeyFile);
    assert!(error.to_string().contains(&format!("belongs to user {foreign}")), "{error}");
}

/// Ours, and root's, which is how a container without rights finds a mounted one.
fn with_a_key_of_ones_own(folder: &Path, _: &str) {
    let own = folder.join("key");
    assert_eq!(owner(&own).0, owner(Path::new("/proc/self")).0);
    KeyFile::read(&own).unwrap();
}

#[test]
fn key_files_have_exactly_32_bytes() {
    let place = Place::new();
    for len in [0, 31, 33, 64] {
        let path = place.file("short");
        std::fs::write(&path, vec![7; len]).unwrap();
        set_mode(&path, 0o600);
        assert_eq!(KeyFile::read(&path).unwrap_err().kind(), StoreErrorKind::KeyFile, "{len}");
        let value = secrets_core::SecretValue::from_vec(vec![7; len]);
        let error = KeyFile::from_value(&value).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::KeyFile, "{len}");
    }
    block_on(async {
        drop(place.create().await);
        let bytes = std::fs::read(place.file("key")).unwrap();
        let key = KeyFile::from_value(&secrets_core::SecretValue::from_vec(bytes)).unwrap();
        open(&place.path(), &key).await;
    });
    assert_eq!(KeyFile::read(place.file("absent")).unwrap_err().kind(), StoreErrorKind::NotFound);
    let error = KeyFile::read(place.folder.path()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotAStore);
    let error = KeyFile::generate(place.file("key")).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::AlreadyExists);
}

#[test]
fn a_key_mounted_as_kubernetes_does_opens_the_store() {
    block_on(async {
        let place = Place::new();
        drop(place.create().await);
        // mount/key -> ..data/key, mount/..data -> ..2026/, as the kubelet's atomic writer lays
        // out.
        let mount = place.file("mount");
        std::fs::create_dir_all(mount.join("..2026")).unwrap();
        std::fs::copy(place.file("key"), mount.join("..2026/key")).unwrap();
        set_mode(&mount.join("..2026/key"), 0o644);
        symlink("..2026", mount.join("..data")).unwrap();
        symlink("..data/key", mount.join("key")).unwrap();
        let key = KeyFile::read(mount.join("key")).unwrap();
        assert_eq!(key.warnings().len(), 1);
        open(&place.path(), &key).await;
    });
}

/// What is done in processes of their own, by the tests below.
pub(super) const TASKS: &[Task] = &[
    ("mounted-file", inside_a_mounted_file),
    ("small-disk", inside_a_small_disk),
    ("read-only", inside_a_read_only_file_system),
    ("no-right-to-read", inside_without_the_right_to_read),
    ("no-right-to-write", inside_without_the_right_to_write),
    ("folder-for-everybody", inside_a_folder_for_everybody),
    ("foreign-key", with_a_foreign_key),
    ("own-key", with_a_key_of_ones_own),
    ("other-folder", from_a_relative_path),
];

fn key_in(folder: &Path) -> KeyFile {
    KeyFile::read(folder.join("key")).unwrap()
}

#[test]
fn a_store_that_is_a_mount_point_is_not_written_in_place() {
    let place = Place::new();
    block_on(async { drop(set(&place.create().await, "a", "1").await) });
    let mounts = "mount --bind \"$FOLDER/store\" \"$FOLDER/store\"";
    prepared(&place, "mounted-file").run_with_mounts(mounts);
}

fn inside_a_mounted_file(folder: &Path, _: &str) {
    let key = key_in(folder);
    block_on(async {
        let path = folder.join("store");
        let store = open(&path, &key).await;
        let before = std::fs::read(&path).unwrap();
        let files = names_in(folder);
        let refused = (ErrorKind::Unsupported, Effect::NotApplied, StoreErrorKind::NotReplaceable);
        assert_eq!(write_error(&store).await, refused);
        assert!(before == std::fs::read(&path).unwrap());
        assert_eq!(get(&store, "a").await.unwrap(), "1");
        assert_eq!(names_in(folder), files, "no temporary file is left");
    });
}

#[test]
fn a_full_disk_leaves_the_old_state() {
    let place = Place::new();
    let mounts = "mkdir \"$FOLDER/disk\"; mount -t tmpfs -o size=256k none \"$FOLDER/disk\"";
    prepared(&place, "small-disk").run_with_mounts(mounts);
}

fn inside_a_small_disk(folder: &Path, _: &str) {
    let key = key_in(folder);
    block_on(async {
        let disk = folder.join("disk");
        let path = disk.join("store");
        let store = FileStore::at(&path).create(key.clone()).await.unwrap();
        set(&store, "a", "1").await;
        let files = names_in(&disk);
        let long = secrets_core::SecretValue::from_vec(vec![7; 300_000]);
        let error = store.set_secret(&reference("a"), long, SetOptions::new()).await.unwrap_err();
        assert_eq!(behind(&error).kind(), StoreErrorKind::StorageFull);
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, Effect::NotApplied));
        assert_eq!(names_in(&disk), files, "no temporary file is left");
        for store in [&store, &open(&path, &key).await] {
            assert_eq!(get(store, "a").await.unwrap(), "1");
        }
        set(&store, "a", "2").await;
    });
}

#[test]
fn a_read_only_file_system_is_read_and_not_written() {
    let place = Place::new();
    block_on(async { drop(set(&place.create().await, "a", "1").await) });
    let mounts = "mount --bind \"$FOLDER\" \"$FOLDER\"; mount -o remount,bind,ro \"$FOLDER\"";
    prepared(&place, "read-only").run_with_mounts(mounts);
}

fn inside_a_read_only_file_system(folder: &Path, _: &str) {
    let key = key_in(folder);
    block_on(async {
        let store = open(&folder.join("store"), &key).await;
        assert_eq!(get(&store, "a").await.unwrap(), "1");
        let refused = (ErrorKind::PermissionDenied, Effect::NotApplied, StoreErrorKind::ReadOnly);
        assert_eq!(write_error(&store).await, refused);
    });
}

/// A folder that everybody can enter, and a test program that everybody can run.
fn public(place: &Place) {
    set_mode(place.folder.path(), 0o755);
    set_mode(&place.file("key"), 0o644);
}

#[test]
fn a_store_that_may_not_be_read_says_so() {
    let place = Place::new();
    block_on(async { drop(set(&place.create().await, "a", "1").await) });
    public(&place);
    set_mode(&place.path(), 0o000);
    prepared(&place, "no-right-to-read").run_as_nobody();
}

fn inside_without_the_right_to_read(folder: &Path, _: &str) {
    let key = key_in(folder);
    block_on(async {
        let error = open_error(&folder.join("store"), key).await;
        assert_eq!(error.kind(), StoreErrorKind::PermissionDenied);
    });
}

#[test]
fn a_folder_that_may_not_be_written_leaves_a_store_to_read() {
    let place = Place::new();
    block_on(async { drop(set(&place.create().await, "a", "1").await) });
    public(&place);
    set_mode(&place.path(), 0o644);
    let child = prepared(&place, "no-right-to-write");
    set_mode(place.folder.path(), 0o555);
    child.run_as_nobody();
    set_mode(place.folder.path(), 0o755);
}

fn inside_without_the_right_to_write(folder: &Path, _: &str) {
    let key = key_in(folder);
    block_on(async {
        let store = open(&folder.join("store"), &key).await;
        assert_eq!(get(&store, "a").await.unwrap(), "1");
        let (kind, effect, behind) = write_error(&store).await;
        assert_eq!((kind, effect), (ErrorKind::PermissionDenied, Effect::NotApplied));
        assert_eq!(behind, StoreErrorKind::PermissionDenied);
    });
}

#[test]
fn a_write_keeps_the_owner() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        // Root gives the file away first, as an operator does with a service's store.
        let (owner, group) = if is_root() { (65534, 65533) } else { owner(&place.path()) };
        chown(place.path(), Some(owner), Some(group)).unwrap();
        set(&store, "a", "1").await;
        assert_eq!((self::owner(&place.path()), mode(&place.path())), ((owner, group), 0o600));
    });
}

#[test]
fn a_write_by_root_leaves_nothing_that_locks_the_owner_out() {
    block_on(async {
        let place = Place::new();
        drop(place.create().await);
        let (owner, group) = if is_root() { (65534, 65533) } else { owner(&place.path()) };
        chown(place.path(), Some(owner), Some(group)).unwrap();
        std::fs::remove_file(place.file("store.lock")).unwrap();
        let state = place.file("state");
        std::fs::create_dir(&state).unwrap();
        let store = FileStore::at(place.path()).state_folder(&state);
        let store = store.open(place.key.clone()).await.unwrap();
        set(&store, "a", "1").await;
        let mut files = vec![place.path(), place.file("store.lock")];
        files.extend(names_in(&state).iter().map(|name| state.join(name)));
        assert_eq!(files.len(), 4, "{files:?}");
        for file in files {
            assert_eq!(self::owner(&file), (owner, group), "{}", file.display());
        }
    });
}

fn owner(path: &Path) -> (u32, u32) {
    let metadata = std::fs::metadata(path).unwrap();
    (metadata.uid(), metadata.gid())
}

#[test]
fn a_write_that_would_take_the_file_from_its_owner_is_refused() {
    let place = Place::new();
    block_on(async { drop(set(&place.create().await, "a", "1").await) });
    public(&place);
    set_mode(&place.path(), 0o644);
    set_mode(place.folder.path(), 0o777);
    set_mode(&place.file("store.lock"), 0o666);
    prepared(&place, "folder-for-everybody").run_as_nobody();
}

fn inside_a_folder_for_everybody(folder: &Path, _: &str) {
    let key = key_in(folder);
    block_on(async {
        let store = open(&folder.join("store"), &key).await;
        let before = names_in(folder);
        if owner(&folder.join("store")) == owner(Path::new("/proc/self")) {
            // The tests are run by somebody without rights: it is our own file.
            set(&store, "a", "2").await;
        } else {
            let refused = ErrorKind::PermissionDenied;
            let found = write_error(&store).await;
            assert_eq!(found, (refused, Effect::NotApplied, StoreErrorKind::PermissionDenied));
            assert_eq!(get(&store, "a").await.unwrap(), "1");
        }
        assert_eq!(names_in(folder), before, "no temporary file is left");
    });
}
