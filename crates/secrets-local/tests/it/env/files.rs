//! Variables that name files.

use std::os::unix::fs::symlink;

use probe::Scan;
use secrets_core::{ErrorKind, HealthStatus, SecretProvider};
use secrets_local::TrailingNewline;
use secrets_local::env::{EnvConfig, EnvProvider, FileVariables, FixedVariables};
use tempfile::TempDir;

use crate::support::{block_on, bytes, error, get, make_pipe, named, native, shows, text};

fn provider(config: EnvConfig, variables: &[(&str, &std::path::Path)]) -> EnvProvider {
    let variables: FixedVariables = variables.iter().copied().collect();
    EnvProvider::new(config, variables).unwrap()
}

#[test]
fn a_file_that_a_variable_names_is_read_byte_for_byte() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("secret");
    for content in [&b"plain"[..], b"line\n", b"\r\n", b"\xff\x00\xfe", b""] {
        std::fs::write(&path, content).unwrap();
        let provider = provider(EnvConfig::new(), &[("DB_FILE", &path)]);
        assert_eq!(block_on(bytes(&provider, &named("db"))), content);
        assert_eq!(block_on(bytes(&provider, &native("DB"))), content);
    }
}

#[test]
fn one_line_end_is_trimmed_by_choice() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("secret");
    let config = EnvConfig::new().with_trailing_newline(TrailingNewline::Trim);
    let cases =
        [("x\n", "x"), ("x\r\n", "x"), ("x\n\n", "x\n"), ("x\r", "x\r"), ("\n", ""), ("", "")];
    for (content, expected) in cases {
        std::fs::write(&path, content).unwrap();
        let provider = provider(config.clone(), &[("DB_FILE", &path)]);
        assert_eq!(block_on(text(&provider, &named("db"))), expected, "{content:?}");
    }
}

#[test]
fn a_file_is_read_at_each_read_and_dated_by_its_own_time() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "1").unwrap();
    let provider = provider(EnvConfig::new(), &[("DB_FILE", &path)]);
    block_on(async {
        let first = get(&provider, &named("db")).await.unwrap().version;
        assert_eq!(first.created, std::fs::metadata(&path).unwrap().modified().unwrap());
        std::fs::write(&path, "2").unwrap();
        let second = get(&provider, &named("db")).await.unwrap();
        assert_eq!(second.value.expose_secret(), b"2");
        assert_ne!(second.version.id, first.id);
    });
}

#[test]
fn both_a_value_and_a_file_are_an_error() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "x").unwrap();
    for value in ["y", ""] {
        let variables = [("APP_DB", std::path::Path::new(value)), ("APP_DB_FILE", &path)];
        let both = provider(EnvConfig::new().with_prefix("APP_"), &variables);
        block_on(async {
            let error = error(&both, &named("db")).await;
            assert_eq!(error.kind(), ErrorKind::InvalidValue);
            let expected = "get_secret: invalid value: `APP_DB` and `APP_DB_FILE` are both set: \
                            unset one";
            assert_eq!(error.to_string(), expected);
            let health = both.health().await.unwrap();
            assert_eq!(health.status, HealthStatus::Degraded);
            assert_eq!(health.findings, ["`APP_DB` and `APP_DB_FILE` are both set"]);
        });
        // Where files are not followed each is a variable like any other.
        let config = EnvConfig::new().with_file_variables(FileVariables::Ignore);
        let ignoring = provider(config, &variables);
        let file = block_on(text(&ignoring, &native("APP_DB_FILE")));
        assert_eq!(file, path.to_str().unwrap());
        assert_eq!(block_on(ignoring.health()).unwrap().status, HealthStatus::Healthy);
    }
}

#[test]
fn a_variable_that_holds_a_secret_of_its_own_names_no_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "from the file").unwrap();
    // `X__FILE` is the code of `x_file`, and `DB_FILE` is mapped.
    let variables = [("X__FILE", &*path), ("DB", "direct".as_ref()), ("DB_FILE", &*path)];
    let variables = variables.into_iter().chain([("Y_FILE", &*path)]).collect::<Vec<_>>();
    let config = EnvConfig::new().map(crate::support::name("path-of-db"), "DB_FILE");
    let provider = provider(config, &variables);
    let path = path.to_str().unwrap();
    block_on(async {
        assert_eq!(text(&provider, &named("x_file")).await, path);
        assert_eq!(error(&provider, &native("X_")).await.kind(), ErrorKind::NotFound);
        assert_eq!(text(&provider, &named("path-of-db")).await, path);
        assert_eq!(text(&provider, &named("db")).await, "direct");
        assert_eq!(text(&provider, &named("y")).await, "from the file");
        assert_eq!(provider.health().await.unwrap().status, HealthStatus::Healthy);
    });
}

#[test]
fn what_cannot_be_read_is_told_by_kind_and_without_the_path() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("folder")).unwrap();
    make_pipe(&at("pipe"));
    symlink(at("absent"), at("dangling")).unwrap();
    std::fs::write(at("large"), vec![b'x'; 65]).unwrap();
    std::fs::write(at("fits"), vec![b'x'; 64]).unwrap();
    let config = EnvConfig::new().with_value_limit(64);
    for (file, kind) in [
        ("absent", ErrorKind::Unavailable),
        ("dangling", ErrorKind::Unavailable),
        ("folder", ErrorKind::InvalidValue),
        ("pipe", ErrorKind::InvalidValue),
        ("large", ErrorKind::TooLarge),
    ] {
        let provider = provider(config.clone(), &[("DB_FILE", &at(file))]);
        let error = block_on(error(&provider, &named("db")));
        assert_eq!(error.kind(), kind, "{file}: {error}");
        // Somebody may have put the secret where the path belongs.
        assert!(!shows(&error, folder.path().to_str().unwrap()), "{error}");
        assert!(error.to_string().contains("`DB_FILE`"), "{error}");
    }
    let fitting = provider(config, &[("DB_FILE", &at("fits"))]);
    assert_eq!(block_on(bytes(&fitting, &named("db"))).len(), 64);
    let endless = provider(EnvConfig::new(), &[("DB_FILE", std::path::Path::new("/dev/zero"))]);
    assert_eq!(block_on(error(&endless, &named("db"))).kind(), ErrorKind::InvalidValue);
}

#[test]
fn files_of_unknown_length_are_read_to_their_end() {
    // Files in /proc say that they are empty.
    let provider =
        provider(EnvConfig::new(), &[("DB_FILE", std::path::Path::new("/proc/self/cmdline"))]);
    assert!(!block_on(bytes(&provider, &named("db"))).is_empty());
}

#[test]
fn what_was_read_is_wiped() {
    const NEEDLE: &str = "wiped-env-value-77a1c0";
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("secret");
    let content = format!("{NEEDLE}\n");
    std::fs::write(&path, &content).unwrap();
    let direct = secrets_core::SecretValue::from_string(content);
    let config = EnvConfig::new().with_trailing_newline(TrailingNewline::Trim);
    let scan: Scan<'_> = crate::PROBE.scan_for(NEEDLE.as_bytes());
    {
        let path = std::ffi::OsString::from(&path).into_encoded_bytes();
        let variables = FixedVariables::default()
            .with("DIRECT", direct)
            .with("DB_FILE", secrets_core::SecretValue::from_vec(path));
        let provider = EnvProvider::new(config, variables).unwrap();
        block_on(async {
            let secret = get(&provider, &named("db")).await.unwrap();
            assert_eq!(secret.value.len(), NEEDLE.len());
            get(&provider, &named("direct")).await.unwrap();
        });
    }
    let seen = scan.finish();
    assert!(seen.is_clean(), "{seen:?}");
}
