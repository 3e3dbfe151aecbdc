//! Which variables are listed.

use secrets_core::{PageRequest, SecretFilter, SecretProvider};
use secrets_local::env::{EnvConfig, EnvListing, EnvProvider, FileVariables, FixedVariables};

use crate::support::{block_on, listed, name, text};

const VARIABLES: [(&str, &str); 7] = [
    ("APP_TOKEN", "1"),
    ("APP_DB_2FPASSWORD", "2"),
    ("APP_MixedCase", "3"),
    ("APP_X__FILE", "4"),
    ("PGPASSWORD", "5"),
    ("HOME", "6"),
    ("APP_", "7"),
];

fn list(config: EnvConfig) -> Vec<String> {
    let provider = EnvProvider::new(config, FixedVariables::from_iter(VARIABLES)).unwrap();
    block_on(async {
        let listed = listed(&provider).await;
        // What is listed is read by that reference.
        for reference in &listed {
            let reference = match reference.strip_prefix("native:") {
                Some(id) => crate::support::native(id),
                None => crate::support::named(reference),
            };
            text(&provider, &reference).await;
        }
        listed
    })
}

#[test]
fn without_prefix_and_mapping_nothing_is_listed() {
    assert_eq!(list(EnvConfig::new()), [""; 0]);
}

#[test]
fn the_variables_under_the_prefix_are_listed() {
    // `X__FILE` is the form of `x_file`, and does not name a file for `X_`.
    let expected = ["db/password", "native:MixedCase", "token", "x_file"];
    assert_eq!(list(EnvConfig::new().with_prefix("APP_")), expected);
}

#[test]
fn mapped_variables_are_listed_by_their_names() {
    let config = EnvConfig::new().map(name("pg"), "PGPASSWORD").map(name("unset"), "UNSET");
    assert_eq!(list(config.clone()), ["pg"]);
    // A name that is mapped elsewhere is not the code of a variable any more.
    let config = config.with_prefix("APP_").map(name("token"), "HOME");
    let expected = ["db/password", "native:MixedCase", "native:TOKEN", "pg", "token", "x_file"];
    assert_eq!(list(config), expected);
}

#[test]
fn the_whole_environment_is_listed_when_asked_for() {
    let variables = FixedVariables::from_iter([("HOME", "1"), ("Path", "2"), ("DB_2FX", "3")]);
    let config = EnvConfig::new().with_listing(EnvListing::WholeEnvironment);
    let provider = EnvProvider::new(config, variables).unwrap();
    assert_eq!(block_on(listed(&provider)), ["db/x", "home", "native:Path"]);
}

#[test]
fn a_variable_that_names_a_file_is_listed_as_the_secret() {
    let variables = FixedVariables::from_iter([
        ("APP_DB_FILE", "/x"),
        ("APP_BOTH", "1"),
        ("APP_BOTH_FILE", "/y"),
        ("APP__FILE", "/z"),
    ]);
    let config = EnvConfig::new().with_prefix("APP_");
    let following = EnvProvider::new(config.clone(), variables.clone()).unwrap();
    assert_eq!(block_on(listed(&following)), ["both", "db"]);
    let config = config.with_file_variables(FileVariables::Ignore);
    let ignoring = EnvProvider::new(config, variables).unwrap();
    let expected = ["both", "native:BOTH_FILE", "native:DB_FILE", "native:_FILE"];
    assert_eq!(block_on(listed(&ignoring)), expected);
}

#[test]
fn a_list_comes_in_pages_of_a_thousand() {
    let variables: FixedVariables = (0..2500).map(|n| (format!("APP_N{n:04}"), "x")).collect();
    let provider = EnvProvider::new(EnvConfig::new().with_prefix("APP_"), variables).unwrap();
    block_on(async {
        let page = provider.list_secrets(&SecretFilter::all(), PageRequest::first()).await.unwrap();
        assert_eq!(page.items.len(), 1000);
        assert!(page.next.is_some());
        assert_eq!(listed(&provider).await.len(), 2500);
    });
}
