//! Files as secrets.

use secrets_core::{ErrorKind, GetOptions, HealthStatus, SecretProvider, VersionSelector};
use secrets_local::TrailingNewline;
use secrets_local::directory::{DirectoryConfig, DirectoryProvider};
use tempfile::TempDir;

use crate::support::{block_on, bytes, error, get, listed, named, native, set_mode, text};

use super::provider;

#[test]
fn a_secret_is_the_bytes_of_its_file() {
    let folder = TempDir::new().unwrap();
    for content in [&b"plain"[..], b"line\n", b"\r\n", b"\xff\x00\xfe", b""] {
        std::fs::write(folder.path().join("db-password"), content).unwrap();
        let read = block_on(bytes(&provider(folder.path()), &named("db-password")));
        assert_eq!(read, content);
    }
}

#[test]
fn one_line_end_is_trimmed_by_choice() {
    let folder = TempDir::new().unwrap();
    let config = DirectoryConfig::new(folder.path()).with_trailing_newline(TrailingNewline::Trim);
    let provider = DirectoryProvider::new(config).unwrap();
    for (content, expected) in [("x\n", "x"), ("x\r\n", "x"), ("x\n\n", "x\n"), ("x", "x")] {
        std::fs::write(folder.path().join("a"), content).unwrap();
        assert_eq!(block_on(text(&provider, &named("a"))), expected);
    }
}

#[test]
fn names_are_files_and_native_ids_are_paths() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir_all(folder.path().join("db/inner")).unwrap();
    for file in [
        "tls.crt",
        "api_key",
        "db~2fpassword",
        "DB_PASSWORD",
        ".dockerconfigjson",
        "db/password",
        "db/inner/x",
        "a~~b",
        "not~2Fcanonical",
        "with blank",
        "Ä",
    ] {
        std::fs::write(folder.path().join(file), file).unwrap();
    }
    let provider = provider(folder.path());
    block_on(async {
        for (name, file) in
            [("tls.crt", "tls.crt"), ("api_key", "api_key"), ("db/password", "db~2fpassword")]
        {
            assert_eq!(text(&provider, &named(name)).await, file);
        }
        for id in ["DB_PASSWORD", ".dockerconfigjson", "db/password", "db/inner/x", "a~~b", "Ä"] {
            assert_eq!(text(&provider, &native(id)).await, id);
        }
        let expected = [
            "api_key",
            "db/password",
            "native:.dockerconfigjson",
            "native:DB_PASSWORD",
            "native:a~~b",
            "native:db/inner/x",
            "native:db/password",
            "native:not~2Fcanonical",
            "native:with blank",
            "native:Ä",
            "tls.crt",
        ];
        assert_eq!(listed(&provider).await, expected);
    });
}

#[test]
fn what_is_not_there_is_not_found_and_a_missing_folder_is_an_outage() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("inner")).unwrap();
    std::fs::write(folder.path().join("file"), "x").unwrap();
    block_on(async {
        // Longer than any file's name, which is no fault of the folder.
        let long = native(&"x".repeat(300));
        for reference in
            [named("absent"), named("inner"), native("file/x"), native("inner/x"), long]
        {
            let error = error(&provider(folder.path()), &reference).await;
            assert_eq!(error.kind(), ErrorKind::NotFound, "{reference}");
        }
        for root in [folder.path().join("absent"), folder.path().join("file")] {
            let provider = provider(&root);
            assert_eq!(error(&provider, &named("a")).await.kind(), ErrorKind::Unavailable);
            let list = provider.list_secrets(&Default::default(), Default::default()).await;
            assert_eq!(list.unwrap_err().kind(), ErrorKind::Unavailable);
            assert_eq!(provider.health().await.unwrap().status, HealthStatus::Unhealthy);
        }
    });
}

#[test]
fn a_version_changes_with_the_bytes_and_is_dated_by_the_file() {
    let folder = TempDir::new().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    std::fs::write(&a, "same").unwrap();
    std::fs::write(&b, "same").unwrap();
    let provider = provider(folder.path());
    block_on(async {
        let first = get(&provider, &named("a")).await.unwrap().version;
        assert_eq!(first.created, std::fs::metadata(&a).unwrap().modified().unwrap());
        assert_ne!(first.id, get(&provider, &named("b")).await.unwrap().version.id);
        // Written again, with the same bytes: Kubernetes does so with every file of a mount.
        std::fs::write(&a, "same").unwrap();
        assert_eq!(get(&provider, &named("a")).await.unwrap().version.id, first.id);
        std::fs::write(&a, "tame").unwrap();
        assert_ne!(get(&provider, &named("a")).await.unwrap().version.id, first.id);
        let other = super::provider(folder.path());
        let elsewhere = get(&other, &named("b")).await.unwrap().version.id;
        assert_ne!(elsewhere, get(&provider, &named("b")).await.unwrap().version.id);
    });
}

#[test]
fn many_are_read_at_once_and_one_that_fails_fails_alone() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a"), "1").unwrap();
    std::fs::write(folder.path().join("b"), "2").unwrap();
    let current = |reference| (reference, GetOptions::default());
    let wanted = [
        current(named("b")),
        current(named("absent")),
        current(native("../x")),
        (named("a"), GetOptions::version(VersionSelector::Previous)),
        current(named("a")),
    ];
    let answers = block_on(provider(folder.path()).get_secrets(&wanted)).unwrap();
    let told: Vec<_> = answers
        .into_iter()
        .map(|answer| match answer {
            Ok(secret) => Ok(secret.value.expose_secret_text().unwrap().to_owned()),
            Err(error) => Err(error.kind()),
        })
        .collect();
    let expected = [
        Ok("2".to_owned()),
        Err(ErrorKind::NotFound),
        Err(ErrorKind::InvalidName),
        Err(ErrorKind::Unsupported),
        Ok("1".to_owned()),
    ];
    assert_eq!(told, expected);
}

#[test]
fn systemd_passes_credentials_as_a_folder() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("token"), "x").unwrap();
    // As systemd leaves them: for their reader only.
    set_mode(&folder.path().join("token"), 0o400);
    let config = DirectoryConfig::systemd(Some(folder.path().into())).unwrap();
    let provider = DirectoryProvider::new(config).unwrap();
    assert_eq!(block_on(text(&provider, &named("token"))), "x");
    assert_eq!(block_on(provider.health()).unwrap().status, HealthStatus::Healthy);
    for unset in [None, Some("".into())] {
        let error = DirectoryConfig::systemd(unset).unwrap_err();
        assert!(error.to_string().contains("`CREDENTIALS_DIRECTORY` is not set"), "{error}");
    }
}

#[test]
fn a_configuration_tells_all_of_its_problems() {
    let config =
        DirectoryConfig::new("").with_value_limit(0).with_poll_interval(std::time::Duration::ZERO);
    assert_eq!(config.problems().len(), 3);
    assert_eq!(DirectoryProvider::new(config.clone()).unwrap_err().problems(), config.problems());
}

#[test]
fn health_tells_what_others_can_write() {
    let folder = TempDir::new().unwrap();
    set_mode(folder.path(), 0o755);
    for file in ["a", "b", "c"] {
        std::fs::write(folder.path().join(file), "canary-9e").unwrap();
        // Others may read: that is how Kubernetes mounts.
        set_mode(&folder.path().join(file), 0o644);
    }
    let health = || block_on(provider(folder.path()).health()).unwrap();
    assert_eq!(health().status, HealthStatus::Healthy);
    set_mode(&folder.path().join("b"), 0o664);
    assert_eq!(health().status, HealthStatus::Degraded);
    assert_eq!(health().findings, ["others can write to `b`"]);
    set_mode(folder.path(), 0o777);
    assert_eq!(health().findings[0].split(';').count(), 2);
    assert!(!format!("{:?}", health()).contains("canary"));
}

#[test]
fn nothing_that_is_printed_shows_a_value_and_what_was_read_is_wiped() {
    const NEEDLE: &str = "wiped-file-value-0c81";
    let folder = TempDir::new().unwrap();
    let content = format!("{NEEDLE}\n");
    std::fs::write(folder.path().join("a"), &content).unwrap();
    drop(content);
    let scan = crate::PROBE.scan_for(NEEDLE.as_bytes());
    {
        let config =
            DirectoryConfig::new(folder.path()).with_trailing_newline(TrailingNewline::Trim);
        let provider = DirectoryProvider::new(config).unwrap();
        let secret = block_on(get(&provider, &named("a"))).unwrap();
        assert_eq!(secret.value.len(), NEEDLE.len());
        assert!(!format!("{secret:?} {provider:?} {provider:#?}").contains("wiped-file"));
        let wanted = [(named("a"), GetOptions::default())];
        block_on(provider.get_secrets(&wanted)).unwrap();
    }
    let seen = scan.finish();
    assert!(seen.is_clean(), "{seen:?}");
}

#[test]
fn without_a_tokio_runtime_the_work_is_done_in_place() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a"), "x").unwrap();
    let provider = provider(folder.path());
    let a = named("a");
    let read = futures_util::FutureExt::now_or_never(get(&provider, &a));
    assert_eq!(read.unwrap().unwrap().value.expose_secret(), b"x");
    let mut hints = provider.changes().unwrap();
    let hint = futures_util::FutureExt::now_or_never(futures_util::StreamExt::next(&mut hints));
    assert_eq!(hint, Some(None), "there is nobody who could wake the stream");
}
