//! Hints at changes.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use secrets_core::{ChangeHint, ChangeStream, SecretProvider};
use secrets_local::directory::{DirectoryConfig, DirectoryProvider};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::support::{block_on_paused, is_quiet, named, native};

fn watch(root: &Path) -> ChangeStream {
    let config = DirectoryConfig::new(root).with_poll_interval(Duration::from_millis(10));
    DirectoryProvider::new(config).unwrap().changes().unwrap()
}

async fn next(hints: &mut ChangeStream) -> ChangeHint {
    hints.next().await.expect("a stream that goes on")
}

#[test]
fn a_file_that_comes_changes_or_goes_is_hinted_at() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("inner")).unwrap();
    std::fs::write(at("a"), "1").unwrap();
    std::fs::write(at("b"), "1").unwrap();
    block_on_paused(async {
        let mut hints = watch(folder.path());
        assert_eq!(next(&mut hints).await, ChangeHint::any(), "the first look");
        assert!(is_quiet(&mut hints).await);
        std::fs::write(at("a"), "22").unwrap();
        assert_eq!(next(&mut hints).await, ChangeHint::secret(named("a")));
        // Once more: that was not replaced in one step, and the first look may have come half-way.
        assert_eq!(next(&mut hints).await, ChangeHint::secret(named("a")));
        assert!(is_quiet(&mut hints).await);
        // The same length, the same name, another file: as an editor saves.
        std::fs::write(at("new"), "3").unwrap();
        std::fs::rename(at("new"), at("b")).unwrap();
        assert_eq!(next(&mut hints).await, ChangeHint::secret(named("b")));
        assert!(is_quiet(&mut hints).await);
        std::fs::write(at("inner/X"), "1").unwrap();
        assert_eq!(next(&mut hints).await, ChangeHint::secret(native("inner/X")));
        assert!(is_quiet(&mut hints).await);
        std::fs::remove_file(at("a")).unwrap();
        assert_eq!(next(&mut hints).await, ChangeHint::secret(named("a")));
        assert!(is_quiet(&mut hints).await);
    });
}

#[test]
fn a_swapped_mount_is_one_hint_at_everything() {
    let mount = TempDir::new().unwrap();
    let swap = |folder: &str, content: &str| {
        std::fs::create_dir(mount.path().join(folder)).unwrap();
        std::fs::write(mount.path().join(folder).join("key"), content).unwrap();
        symlink(folder, mount.path().join("..data_tmp")).unwrap();
        std::fs::rename(mount.path().join("..data_tmp"), mount.path().join("..data")).unwrap();
    };
    swap("..1", "1");
    symlink("..data/key", mount.path().join("key")).unwrap();
    block_on_paused(async {
        let mut hints = watch(mount.path());
        next(&mut hints).await;
        assert!(is_quiet(&mut hints).await);
        swap("..2", "2");
        assert_eq!(next(&mut hints).await, ChangeHint::any());
        assert!(is_quiet(&mut hints).await);
        // Another mount below this one, and a file that is not swapped with the others.
        std::fs::create_dir(mount.path().join("inner")).unwrap();
        std::fs::write(mount.path().join("inner/KEY"), "1").unwrap();
        assert_eq!(next(&mut hints).await, ChangeHint::secret(native("inner/KEY")));
        assert!(is_quiet(&mut hints).await);
    });
}

#[test]
fn by_default_a_change_is_seen_within_a_second() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a"), "1").unwrap();
    let provider = super::provider(folder.path());
    block_on_paused(async {
        let mut hints = provider.changes().unwrap();
        next(&mut hints).await;
        let begun = Instant::now();
        std::fs::write(folder.path().join("a"), "22").unwrap();
        next(&mut hints).await;
        assert!(begun.elapsed() <= Duration::from_secs(1), "{:?}", begun.elapsed());
    });
}

#[test]
fn a_folder_that_vanishes_and_comes_back_is_followed() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("root");
    let mut hints = watch(&root);
    block_on_paused(async {
        next(&mut hints).await;
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("a"), "1").unwrap();
        assert_eq!(next(&mut hints).await, ChangeHint::secret(named("a")));
        assert!(is_quiet(&mut hints).await);
        // What was there and what is there are of two folders.
        std::fs::remove_dir_all(&root).unwrap();
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("b"), "1").unwrap();
        let seen = [next(&mut hints).await, next(&mut hints).await];
        for name in ["a", "b"] {
            assert!(seen.contains(&ChangeHint::secret(named(name))), "{seen:?}");
        }
        assert!(is_quiet(&mut hints).await);
    });
}
