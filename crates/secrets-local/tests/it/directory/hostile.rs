//! Folders that somebody else has written.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use futures_util::StreamExt;
use secrets_core::{
    ChangeHint, Error, ErrorKind, HealthStatus, InvalidName, SecretFilter, SecretProvider,
};
use secrets_local::directory::{DirectoryConfig, DirectoryProvider};
use tempfile::TempDir;

use crate::support::{
    Child, Stop, block_on, bytes, error, folder_for_child, get, listed, make_pipe, named, native,
    set_mode, text,
};

use super::provider;

/// A folder `root` beside a file that is not to be reached.
fn beside_a_secret() -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir_all(folder.path().join("root/inner")).unwrap();
    std::fs::write(folder.path().join("outside"), "not yours").unwrap();
    std::fs::write(folder.path().join("root/real"), "inside").unwrap();
    folder
}

fn reason(error: &Error) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
}

#[test]
fn a_native_id_that_climbs_is_refused_before_any_look() {
    let folder = beside_a_secret();
    let provider = provider(&folder.path().join("root"));
    let outside = folder.path().join("outside");
    let ids = [
        "../outside",
        "inner/../../outside",
        "/etc/hostname",
        outside.to_str().unwrap(),
        "./real",
        "inner/./x",
        "inner//x",
        "inner/",
        "..",
        ".",
        "..data",
        "..data/real",
        "inner/..x",
    ];
    block_on(async {
        for id in ids {
            let error = error(&provider, &native(id)).await;
            assert_eq!(error.kind(), ErrorKind::InvalidName, "{id}");
            assert!(
                std::error::Error::source(&error).unwrap().is::<InvalidName>(),
                "{id}: {error:?}"
            );
        }
        // A backslash is a letter like any other here.
        let backslash = error(&provider, &native("..\\outside")).await;
        assert_eq!(backslash.kind(), ErrorKind::InvalidName);
        assert_eq!(error(&provider, &native("x\\..\\real")).await.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn links_are_followed_inside_the_folder_and_never_out_of_it() {
    let folder = beside_a_secret();
    let root = folder.path().join("root");
    let at = |name: &str| root.join(name);
    symlink("real", at("same-folder")).unwrap();
    symlink("../real", at("inner/up")).unwrap();
    symlink("inner/up", at("two-links")).unwrap();
    symlink("inner/../inner/up", at("there-and-back")).unwrap();
    symlink(at("real"), at("absolute-inside")).unwrap();
    symlink("inner", at("folder-link")).unwrap();
    symlink("../outside", at("out")).unwrap();
    symlink(folder.path().join("outside"), at("absolute-out")).unwrap();
    symlink("/etc/hostname", at("far-out")).unwrap();
    symlink("../root/real", at("out-and-back")).unwrap();
    symlink("..", at("inner/parent")).unwrap();
    symlink("../..", at("inner/grandparent")).unwrap();
    symlink("/proc/self/cwd/Cargo.toml", at("magic")).unwrap();
    symlink("absent", at("dangling")).unwrap();
    symlink("loop", at("loop")).unwrap();
    let provider = provider(&root);
    block_on(async {
        for good in ["same-folder", "two-links", "there-and-back", "absolute-inside"] {
            assert_eq!(text(&provider, &named(good)).await, "inside", "{good}");
        }
        for good in ["inner/up", "folder-link/up", "inner/parent/real", "folder-link/parent/real"] {
            assert_eq!(text(&provider, &native(good)).await, "inside", "{good}");
        }
        for bad in ["out", "absolute-out", "far-out", "out-and-back", "magic"] {
            let error = error(&provider, &named(bad)).await;
            assert_eq!(error.kind(), ErrorKind::InvalidName, "{bad}: {error}");
            assert!(reason(&error).contains("leads out of the folder"), "{bad}: {error:?}");
        }
        let climbing = error(&provider, &native("inner/grandparent/outside")).await;
        assert_eq!(climbing.kind(), ErrorKind::InvalidName);
        assert_eq!(error(&provider, &named("dangling")).await.kind(), ErrorKind::NotFound);
        let looping = error(&provider, &named("loop")).await;
        assert!(reason(&looping).contains("too many symbolic links"), "{looping:?}");
        // What is listed can be read, and leads nowhere else.
        for reference in listed(&provider).await {
            let reference = match reference.strip_prefix("native:") {
                Some(id) => native(id),
                None => named(&reference),
            };
            assert_eq!(text(&provider, &reference).await, "inside", "{reference}");
        }
    });
}

#[test]
fn what_is_not_a_file_is_refused_at_once() {
    let folder = beside_a_secret();
    let root = folder.path().join("root");
    make_pipe(&root.join("pipe"));
    symlink("pipe", root.join("link-to-pipe")).unwrap();
    let _socket = UnixListener::bind(root.join("socket")).unwrap();
    let provider = provider(&root);
    block_on(async {
        for special in ["pipe", "link-to-pipe", "socket"] {
            let error = error(&provider, &named(special)).await;
            assert_eq!(error.kind(), ErrorKind::InvalidValue, "{special}: {error}");
        }
        assert_eq!(error(&provider, &named("inner")).await.kind(), ErrorKind::NotFound);
        assert_eq!(listed(&provider).await, ["real"]);
        let health = provider.health().await.unwrap();
        assert_eq!(health.status, HealthStatus::Degraded);
        assert_eq!(health.findings, ["3 entries cannot be read as secrets"]);
        // A device, where this process may look at one.
        let devices = super::provider(Path::new("/dev"));
        for device in ["zero", "null", "tty"] {
            let kind = error(&devices, &named(device)).await.kind();
            assert_eq!(kind, ErrorKind::InvalidValue, "{device}");
        }
    });
}

#[test]
fn files_that_are_too_large_are_refused() {
    let folder = TempDir::new().unwrap();
    let provider = provider(folder.path());
    block_on(async {
        std::fs::write(folder.path().join("a"), vec![7; 1 << 20]).unwrap();
        assert_eq!(bytes(&provider, &named("a")).await.len(), 1 << 20);
        std::fs::write(folder.path().join("a"), vec![7; (1 << 20) + 1]).unwrap();
        assert_eq!(error(&provider, &named("a")).await.kind(), ErrorKind::TooLarge);
        // A terabyte without a block: nothing of that size is ever asked for.
        let sparse = std::fs::File::create(folder.path().join("sparse")).unwrap();
        sparse.set_len(1 << 40).unwrap();
        assert_eq!(error(&provider, &named("sparse")).await.kind(), ErrorKind::TooLarge);
        let config = DirectoryConfig::new(folder.path()).with_value_limit(8);
        let small = DirectoryProvider::new(config).unwrap();
        std::fs::write(folder.path().join("a"), "12345678").unwrap();
        assert_eq!(text(&small, &named("a")).await, "12345678");
        std::fs::write(folder.path().join("a"), "123456789").unwrap();
        assert_eq!(error(&small, &named("a")).await.kind(), ErrorKind::TooLarge);
    });
}

#[test]
fn names_that_cannot_be_written_as_references_are_left_out_and_counted() {
    let folder = TempDir::new().unwrap();
    for name in [&b"not\xffutf8"[..], b"control\x07", b"bidi\xe2\x80\xae", b" blank", b"fine"] {
        std::fs::write(folder.path().join(OsStr::from_bytes(name)), "x").unwrap();
    }
    let provider = provider(folder.path());
    block_on(async {
        assert_eq!(listed(&provider).await, ["fine"]);
        let health = provider.health().await.unwrap();
        assert_eq!(health.findings, ["4 entries cannot be read as secrets"]);
    });
}

#[test]
fn folders_that_contain_themselves_end() {
    let folder = TempDir::new().unwrap();
    let at = |path: &str| folder.path().join(path);
    std::fs::create_dir_all(at("a/b")).unwrap();
    std::fs::write(at("a/x"), "x").unwrap();
    symlink("..", at("a/b/up")).unwrap();
    symlink(".", at("here")).unwrap();
    let provider = provider(folder.path());
    assert_eq!(block_on(listed(&provider)), ["native:a/x"]);
    // Each level doubles the ways: 2^40 of them, if nobody stopped.
    let wide = TempDir::new().unwrap();
    for level in 0..40 {
        let this = wide.path().join(format!("l{level}"));
        std::fs::create_dir(&this).unwrap();
        for way in ["left", "right"] {
            symlink(format!("../l{}", level + 1), this.join(way)).unwrap();
        }
    }
    let provider = super::provider(wide.path());
    let all = SecretFilter::all();
    let list = provider.list_secrets(&all, Default::default());
    assert_eq!(block_on(list).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn a_component_that_is_exchanged_while_it_is_walked_does_not_lead_out() {
    let folder = beside_a_secret();
    let root = folder.path().join("root");
    std::fs::write(root.join("inner/x"), "inside").unwrap();
    std::fs::create_dir(folder.path().join("evil")).unwrap();
    std::fs::write(folder.path().join("evil/x"), "not yours").unwrap();
    std::fs::create_dir(root.join("swap")).unwrap();
    std::fs::write(root.join("swap/x"), "inside").unwrap();
    symlink("../evil", root.join("link")).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // `swap` is a folder, then a link that leads out, then a folder again.
            while !done.load(Ordering::Relaxed) {
                std::fs::rename(root.join("swap"), root.join("kept")).unwrap();
                std::fs::rename(root.join("link"), root.join("swap")).unwrap();
                std::fs::rename(root.join("swap"), root.join("link")).unwrap();
                std::fs::rename(root.join("kept"), root.join("swap")).unwrap();
            }
        });
        let _stop = Stop(&done);
        let provider = provider(&root);
        let (mut read, mut refused) = (0, 0);
        for _ in 0..100_000 {
            match block_on(get(&provider, &native("swap/x"))) {
                Ok(secret) => {
                    assert_eq!(secret.value.expose_secret(), b"inside");
                    read += 1;
                }
                Err(_) => refused += 1,
            }
            if read > 300 && refused > 300 {
                break;
            }
        }
        assert!(read > 0 && refused > 0, "{read} read, {refused} refused: nothing was shown");
    });
}

#[test]
fn what_vanishes_between_a_list_and_a_read_is_not_found() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a"), "x").unwrap();
    let provider = provider(folder.path());
    block_on(async {
        assert_eq!(listed(&provider).await, ["a"]);
        std::fs::remove_file(folder.path().join("a")).unwrap();
        assert_eq!(error(&provider, &named("a")).await.kind(), ErrorKind::NotFound);
        assert_eq!(listed(&provider).await, [""; 0]);
    });
}

#[test]
fn a_file_that_is_written_while_it_is_read_is_read_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a");
    // Long enough that a read takes several calls, and a writer gets in between.
    let content = |byte: u8| vec![byte; 1 << 20];
    std::fs::write(&path, content(b'0')).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            use std::io::Write;
            for turn in 0_u8.. {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
                file.write_all(&content(b'a' + turn % 26)).unwrap();
                drop(file);
                thread::sleep(std::time::Duration::from_millis(40));
            }
        });
        let _stop = Stop(&done);
        let provider = provider(folder.path());
        for _ in 0..40 {
            // Whoever writes in place can be seen half-way; what was read is still all of the file.
            match block_on(get(&provider, &named("a"))) {
                Ok(secret) => assert_eq!(secret.value.len(), 1 << 20),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
            }
        }
    });
}

#[test]
fn who_may_not_read_is_told_so() {
    if let Some(folder) = folder_for_child() {
        return inside_without_rights(&folder);
    }
    let folder = TempDir::new().unwrap();
    set_mode(folder.path(), 0o755);
    std::fs::write(folder.path().join("closed"), "x").unwrap();
    set_mode(&folder.path().join("closed"), 0o600);
    // A folder that can be entered and not listed: files in it can be read by their names.
    std::fs::create_dir(folder.path().join("blind")).unwrap();
    std::fs::write(folder.path().join("blind/x"), "found").unwrap();
    set_mode(&folder.path().join("blind/x"), 0o644);
    set_mode(&folder.path().join("blind"), 0o711);
    std::fs::create_dir(folder.path().join("open-and-blind")).unwrap();
    set_mode(&folder.path().join("open-and-blind"), 0o733);
    let test = "directory::hostile::who_may_not_read_is_told_so";
    Child { test, folder: folder.path() }.run_as_nobody();
}

fn inside_without_rights(folder: &Path) {
    let provider = provider(folder);
    block_on(async {
        assert_eq!(text(&provider, &native("blind/x")).await, "found");
        assert_eq!(text(&super::provider(&folder.join("blind")), &named("x")).await, "found");
        if !crate::support::is_owner(folder) {
            let closed = error(&provider, &named("closed")).await;
            assert_eq!(closed.kind(), ErrorKind::PermissionDenied);
            let list = provider.list_secrets(&SecretFilter::all(), Default::default()).await;
            let error = list.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            let named = error.to_string().contains("blind`");
            assert!(named && !error.to_string().contains("/`"), "{error}");
        }
        // Files that come and go are hinted at all the same.
        let config = DirectoryConfig::new(folder.join("open-and-blind"))
            .with_poll_interval(std::time::Duration::from_millis(10));
        let mut hints = DirectoryProvider::new(config).unwrap().changes().unwrap();
        let minute = std::time::Duration::from_secs(60);
        assert!(tokio::time::timeout(minute, hints.next()).await.unwrap().is_some(), "first look");
        std::fs::write(folder.join("open-and-blind/new"), "x").unwrap();
        let hint = tokio::time::timeout(minute, hints.next()).await.expect("a hint in time");
        assert_eq!(hint, Some(ChangeHint::any()));
    });
}
