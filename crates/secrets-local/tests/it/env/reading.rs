//! Which variable a secret is read from, and what comes out.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrets_core::{ErrorKind, ManualClock, SecretProvider, SecretValue};
use secrets_local::env::{EnvConfig, EnvListing, EnvProvider, FixedVariables, Variables};

use crate::support::{
    Child, block_on, bytes, error, folder_for_child, get, name, named, native, run, shows, text,
};

const CANARY: &str = "canary-value-18c7e2";

fn provider(config: EnvConfig, variables: &[(&str, &str)]) -> EnvProvider {
    let variables: FixedVariables = variables.iter().copied().collect();
    EnvProvider::new(config, variables).unwrap()
}

#[test]
fn a_name_is_a_variable_in_capitals() {
    let variables = [("TOKEN", "1"), ("DB_2FPASSWORD", "2"), ("API__KEY", "3"), ("A_2DB_2EC", "4")];
    let provider = provider(EnvConfig::new(), &variables);
    block_on(async {
        for (name, expected) in
            [("token", "1"), ("db/password", "2"), ("api_key", "3"), ("a-b.c", "4")]
        {
            assert_eq!(text(&provider, &named(name)).await, expected, "{name}");
        }
    });
}

#[test]
fn a_native_id_is_the_variable_itself() {
    let provider = provider(EnvConfig::new(), &[("DB_PASSWORD", "1"), ("path.to_x", "2")]);
    block_on(async {
        assert_eq!(text(&provider, &native("DB_PASSWORD")).await, "1");
        assert_eq!(text(&provider, &native("path.to_x")).await, "2");
        assert_eq!(error(&provider, &native("A=B")).await.kind(), ErrorKind::InvalidName);
    });
}

#[test]
fn a_mapping_comes_first_and_alone() {
    let variables = [("PGPASSWORD", "mapped"), ("DB", "code"), ("OTHER", "code of other")];
    let config = EnvConfig::new().map(name("db"), "PGPASSWORD").map(name("other"), "UNSET");
    let provider = provider(config, &variables);
    block_on(async {
        assert_eq!(text(&provider, &named("db")).await, "mapped");
        // It does not fall back to the code: the configuration named the variable.
        assert_eq!(error(&provider, &named("other")).await.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_prefix_is_a_scope() {
    let variables = [("APP_TOKEN", "ours"), ("TOKEN", "foreign"), ("HOST", "mapped")];
    let config = EnvConfig::new().with_prefix("APP_").map(name("host"), "HOST");
    let provider = provider(config, &variables);
    block_on(async {
        assert_eq!(text(&provider, &named("token")).await, "ours");
        assert_eq!(text(&provider, &native("TOKEN")).await, "ours");
        assert_eq!(text(&provider, &named("host")).await, "mapped");
        assert_eq!(error(&provider, &native("APP_TOKEN")).await.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_variable_that_is_set_and_empty_is_a_secret_without_bytes() {
    let provider = provider(EnvConfig::new(), &[("TOKEN", "")]);
    assert_eq!(block_on(bytes(&provider, &named("token"))), b"");
}

#[test]
fn values_need_not_be_text() {
    let raw = OsString::from_vec(vec![0xff, 0xfe, b'x', 0x80]);
    let variables = FixedVariables::from_iter([("TOKEN", raw)]);
    let provider = EnvProvider::new(EnvConfig::new(), variables).unwrap();
    block_on(async {
        let secret = get(&provider, &named("token")).await.unwrap();
        assert_eq!(secret.value.expose_secret(), [0xff, 0xfe, b'x', 0x80]);
        assert!(secret.value.expose_secret_text().is_err());
    });
}

#[test]
fn an_id_of_a_version_changes_with_the_value_and_is_keyed() {
    block_on(async {
        let mut ids = Vec::new();
        for value in ["a", "a", "b"] {
            let provider = provider(EnvConfig::new(), &[("TOKEN", value)]);
            let first = get(&provider, &named("token")).await.unwrap().version;
            let again = get(&provider, &named("token")).await.unwrap().version;
            assert_eq!(first, again);
            ids.push(first.id);
        }
        // Not a hash of the value: it would be the same everywhere, to be guessed from a log.
        assert_ne!(ids[0], ids[1]);
        assert_ne!(ids[1], ids[2]);

        let provider = provider(EnvConfig::new(), &[("A", "same"), ("B", "same")]);
        let a = get(&provider, &named("a")).await.unwrap().version.id;
        let b = get(&provider, &named("b")).await.unwrap().version.id;
        assert_ne!(a, b, "that two secrets are equal does not show either");
    });
}

/// Variables that change.
#[derive(Debug, Clone)]
struct Changing(Arc<std::sync::Mutex<SecretValue>>);

impl Variables for Changing {
    fn get(&self, name: &str) -> secrets_core::Result<Option<SecretValue>> {
        Ok((name == "TOKEN").then(|| self.0.lock().unwrap().clone()))
    }

    fn names(&self) -> Vec<String> {
        vec!["TOKEN".to_owned()]
    }
}

#[test]
fn a_change_is_seen_at_the_next_read() {
    let value = Changing(Arc::new(std::sync::Mutex::new(SecretValue::copy_from_slice(b"1"))));
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    let clock = ManualClock::at(start);
    let provider = EnvProvider::new(EnvConfig::new(), value.clone()).unwrap();
    let provider = provider.with_clock(Arc::new(clock.clone()));
    block_on(async {
        let first = get(&provider, &named("token")).await.unwrap().version;
        assert_eq!(first.created, start);
        clock.advance(Duration::from_secs(60));
        assert_eq!(get(&provider, &named("token")).await.unwrap().version, first);
        *value.0.lock().unwrap() = SecretValue::copy_from_slice(b"2");
        let second = get(&provider, &named("token")).await.unwrap().version;
        assert_ne!(second.id, first.id);
        assert_eq!(second.created, start + Duration::from_secs(60));
    });
}

#[test]
fn nothing_that_is_printed_shows_a_value() {
    let variables =
        [("TOKEN", CANARY), ("BOTH", CANARY), ("BOTH_FILE", CANARY), ("X_FILE", CANARY)];
    let variables: FixedVariables = variables.iter().copied().collect();
    assert!(!format!("{variables:?} {variables:#?}").contains(CANARY));
    let config = EnvConfig::new().with_listing(EnvListing::WholeEnvironment);
    let provider = EnvProvider::new(config, variables).unwrap();
    block_on(async {
        let secret = get(&provider, &named("token")).await.unwrap();
        assert!(!format!("{secret:?} {provider:?} {provider:#?}").contains(CANARY));
        for reference in [named("both"), named("x"), native("X_FILE=")] {
            assert!(!shows(&error(&provider, &reference).await, CANARY), "{reference}");
        }
        assert!(!format!("{:?}", provider.health().await.unwrap()).contains(CANARY));
    });
}

#[test]
fn a_configuration_tells_all_of_its_problems() {
    let config = EnvConfig::new()
        .with_prefix("A=B")
        .map(name("x"), "")
        .with_value_limit(0)
        .with_listing(EnvListing::WholeEnvironment);
    assert_eq!(config.problems().len(), 4);
    let error = EnvProvider::new(config.clone(), FixedVariables::default()).unwrap_err();
    assert_eq!(error.problems(), config.problems());
    assert_eq!(
        error.to_string(),
        "the configuration of the env provider: `A=B` cannot begin the name of a variable; `x` is \
         mapped to ``, which is no variable; a prefix and a listing of the whole environment \
         exclude each other; a value limit of 0 bytes lets nothing through"
    );
}

#[test]
fn the_environment_of_the_process_is_read() {
    if folder_for_child().is_some() {
        return inside_an_environment();
    }
    let folder = tempfile::TempDir::new().unwrap();
    let child = Child {
        test: "env::reading::the_environment_of_the_process_is_read",
        folder: folder.path(),
    };
    let file = folder.path().join("secret");
    std::fs::write(&file, "from a file\n").unwrap();
    let raw = OsString::from_vec(vec![0xff, b'y']);
    run(child.command().env("MAINSTAY_RAW", raw).env("MAINSTAY_MOUNTED_FILE", file));
}

fn inside_an_environment() {
    let provider = EnvProvider::from_process(EnvConfig::new().with_prefix("MAINSTAY_")).unwrap();
    block_on(async {
        assert_eq!(bytes(&provider, &named("raw")).await, [0xff, b'y']);
        assert_eq!(text(&provider, &named("mounted")).await, "from a file\n");
        let mut listed = crate::support::listed(&provider).await;
        listed.retain(|reference| !reference.starts_with("native:"));
        assert_eq!(listed, ["mounted", "raw"]);
    });
}
