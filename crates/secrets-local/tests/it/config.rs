//! Configurations that are read from a file.

use std::time::Duration;

use secrets_local::TrailingNewline;
use secrets_local::directory::DirectoryConfig;
use secrets_local::dotenv::{DotenvConfig, Substitution};
use secrets_local::env::{EnvConfig, EnvListing, FileVariables};

use super::support::name;

fn error<T: serde::de::DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
    serde_json::from_str::<T>(json).unwrap_err().to_string()
}

#[test]
fn every_field_of_the_environment_provider() {
    let read: EnvConfig = serde_json::from_str(
        r#"{"prefix": "APP_", "mapping": {"db/password": "PGPASSWORD"}, "file_variables": "ignore",
            "trailing_newline": "trim", "value_limit": 9, "listing": "whole_environment"}"#,
    )
    .unwrap();
    let built = EnvConfig::new()
        .with_prefix("APP_")
        .map(name("db/password"), "PGPASSWORD")
        .with_file_variables(FileVariables::Ignore)
        .with_trailing_newline(TrailingNewline::Trim)
        .with_value_limit(9)
        .with_listing(EnvListing::WholeEnvironment);
    assert_eq!(read, built);
    assert_eq!(serde_json::from_str::<EnvConfig>("{}").unwrap(), EnvConfig::new());
}

#[test]
fn every_field_of_the_dotenv_provider() {
    let read: DotenvConfig = serde_json::from_str(
        r#"{"path": "/srv/.env", "prefix": "APP_", "mapping": {"a": "B"}, "substitution": "never",
            "lock_timeout": "2m", "poll_interval": "250ms"}"#,
    )
    .unwrap();
    let built = DotenvConfig::new("/srv/.env")
        .with_prefix("APP_")
        .map(name("a"), "B")
        .with_substitution(Substitution::Never)
        .with_lock_timeout(Duration::from_secs(120))
        .with_poll_interval(Duration::from_millis(250));
    assert_eq!(read, built);
    let least: DotenvConfig = serde_json::from_str(r#"{"path": ".env"}"#).unwrap();
    assert_eq!(least, DotenvConfig::new(".env"));
}

#[test]
fn every_field_of_the_directory_provider() {
    let read: DirectoryConfig = serde_json::from_str(
        r#"{"root": "/run/secrets", "trailing_newline": "trim", "value_limit": 9,
            "poll_interval": "3s"}"#,
    )
    .unwrap();
    let built = DirectoryConfig::new("/run/secrets")
        .with_trailing_newline(TrailingNewline::Trim)
        .with_value_limit(9)
        .with_poll_interval(Duration::from_secs(3));
    assert_eq!(read, built);
    let least: DirectoryConfig = serde_json::from_str(r#"{"root": "/x"}"#).unwrap();
    assert_eq!(least, DirectoryConfig::new("/x"));
}

#[test]
fn what_is_misspelt_is_refused() {
    assert!(error::<EnvConfig>(r#"{"perfix": "A"}"#).contains("`perfix`"));
    assert!(error::<EnvConfig>(r#"{"mapping": {"../x": "A"}}"#).contains("`../x`"));
    assert!(error::<EnvConfig>(r#"{"listing": "everything"}"#).contains("`everything`"));
    assert!(error::<DotenvConfig>("{}").contains("`path`"));
    for time in ["5", "s", "-1s", "1.5s", "99999999999999999999s", "18446744073709551615m", "1h"] {
        let json = format!(r#"{{"root": "/x", "poll_interval": "{time}"}}"#);
        assert!(error::<DirectoryConfig>(&json).contains("is not a time like"), "{time}");
    }
}
