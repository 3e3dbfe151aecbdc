//! The ids of providers, which are parts of the keys of caches.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use secrets_core::{ProviderId, SecretProvider};
use secrets_local::TrailingNewline;
use secrets_local::directory::{DirectoryConfig, DirectoryProvider};
use secrets_local::dotenv::{DotenvConfig, DotenvProvider, Substitution};
use secrets_local::env::{EnvConfig, EnvProvider, FileVariables, FixedVariables};

use crate::support::name;

/// All of them differ, and each is the same for the same configuration.
fn check<C: Clone>(configs: &[C], id: impl Fn(C) -> ProviderId) {
    let ids: HashSet<ProviderId> = configs.iter().cloned().map(&id).collect();
    assert_eq!(ids.len(), configs.len(), "{ids:?}");
    assert!(configs.iter().cloned().all(|config| ids.contains(&id(config))));
}

#[test]
fn providers_that_read_different_values_have_different_ids() {
    let env = EnvConfig::new;
    let configs = [
        env(),
        env().with_prefix("A_"),
        env().map(name("a"), "B"),
        env().map(name("a"), "C"),
        env().map(name("b"), "B"),
        env().with_prefix("A_").map(name("a"), "B"),
        env().with_file_variables(FileVariables::Ignore),
        env().with_trailing_newline(TrailingNewline::Trim),
    ];
    let id = |config| EnvProvider::new(config, FixedVariables::default()).unwrap().id().clone();
    check(&configs, id);
    assert_eq!(id(env().with_prefix("A_")).to_string(), "env:A_");

    let not_text = |byte: u8| Path::new("/srv").join(OsStr::from_bytes(&[byte]));
    let dotenv = || DotenvConfig::new("/srv/.env");
    let configs = [
        dotenv(),
        DotenvConfig::new("/srv/other"),
        DotenvConfig::new(not_text(0xfe)),
        DotenvConfig::new(not_text(0xff)),
        dotenv().with_prefix("A_"),
        dotenv().with_prefix("B_"),
        dotenv().map(name("a"), "B"),
        dotenv().with_substitution(Substitution::Never),
    ];
    let id = |config| DotenvProvider::new(config).unwrap().id().clone();
    check(&configs, id);
    assert_eq!(id(dotenv()).to_string(), "dotenv:/srv/.env");

    let configs = [
        DirectoryConfig::new("/srv"),
        DirectoryConfig::new(not_text(0xfe)),
        DirectoryConfig::new(not_text(0xff)),
        DirectoryConfig::new("/srv").with_trailing_newline(TrailingNewline::Trim),
    ];
    check(&configs, |config| DirectoryProvider::new(config).unwrap().id().clone());
}

#[test]
fn what_changes_no_value_changes_no_id() {
    let minute = std::time::Duration::from_secs(60);
    let id = |config| DotenvProvider::new(config).unwrap().id().clone();
    let plain = DotenvConfig::new("/srv/.env");
    let patient = plain.clone().with_lock_timeout(minute).with_poll_interval(minute);
    assert_eq!(id(plain), id(patient));
}
