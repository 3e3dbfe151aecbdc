//! What settings say of AWS, and what is wrong with it: all at once, with places, without values.

use std::fs;

use secrets_manager::service_settings::{Format, Subtree};
use secrets_manager::{Registry, SecretManagerSettings, StartErrorKind};

use super::{REGION, builder, loopback, options, put};
use crate::settings::{layers, refused, settings, started, told};
use crate::support::text;

/// What stands under `[secrets.providers.main]`.
fn with(options: &str) -> String {
    format!("[secrets]\nprovider = 'main'\n[secrets.providers.main]\ntype = 'aws'\n{options}\n")
}

fn wrong(options: &str) -> Vec<String> {
    let settings: SecretManagerSettings = settings(&with(options));
    told(settings.check(&Registry::new()))
}

/// The page's example is read as it stands there.
#[test]
fn the_documented_options_are_sound() {
    let readme = include_str!("../../../README.md");
    let (_, rest) = readme.split_once("<!-- aws -->").unwrap();
    let text = rest.split("```toml").nth(1).unwrap().split("```").next().unwrap();
    let main = "[secrets]\nprovider = 'main'\n";
    let settings = Subtree::parse(Format::Toml, "README.md", &format!("{main}{text}")).unwrap();
    let settings: SecretManagerSettings = settings.part("secrets").unwrap().read().unwrap();
    let found = told(settings.check(&Registry::new()));
    if cfg!(feature = "aws-changes") {
        assert_eq!(found, Vec::<String>::new());
    } else {
        assert!(found.len() == 1 && found[0].contains("turn on the feature `aws-changes`"));
    }
    for option in
        ["assume_role", "accounts", "identity", "static_keys", "retry", "network", "kms_key"]
    {
        assert!(text.contains(option), "{option}");
    }
}

#[test]
fn identities_are_chosen_by_name() {
    for identity in [
        "identity = 'default_chain'",
        "",
        "identity.profile = { name = 'billing' }",
        "identity.web_identity = { role_arn = 'arn:aws:iam::111122223333:role/a', token_file = '/t' }",
        "identity.container = { url = 'http://169.254.170.23/v1', token_file = '/t' }",
        "identity.instance = {}",
        "static_keys = { access_key_id = 'AKIAIOSFODNN7EXAMPLE', secret_access_key = 'x' }",
    ] {
        assert_eq!(wrong(&format!("region = '{REGION}'\n{identity}")), Vec::<String>::new());
    }
    // Keys stand in their own table, where they can be references.
    let found = wrong("region = 'eu-west-1'\nidentity.static_keys = {}");
    assert!(found.len() == 1 && found[0].contains("`secrets.providers.main.identity"), "{found:?}");
}

#[test]
fn everything_is_told_at_once_with_its_place() {
    let found = wrong(
        "\
region = 'moon-1'
endpoint = 'http://aws.example/hunter2'
endpoints.kms = 'ftp://kms'
fips = true
identity.profile = { name = '' }
static_keys = { access_key_id = 'x', secret_access_key = 'secret://keys#secret' }
retry = { attempts = 11, operation_timeout = '1ms' }
kms_key = ''
network = { timeout = '1h', proxy_user = 'me' }
assume_role = [{ role_arn = 'hunter2' }]
accounts.444455556666 = []",
    );
    let at = |line: usize, path: &str| format!("app.toml:{line}: `secrets.providers.main.{path}`");
    for place in [
        at(5, "region"),
        at(6, "endpoint"),
        at(7, "endpoints.kms"),
        at(8, "fips"),
        at(9, "identity"),
        at(10, "static_keys"),
        at(11, "retry.attempts"),
        at(11, "retry.operation_timeout"),
        at(12, "kms_key"),
        at(13, "network.timeout"),
        at(13, "network.proxy_user"),
        at(14, "assume_role"),
        at(15, "accounts.444455556666"),
    ] {
        assert!(found.iter().any(|found| found.starts_with(&place)), "{place}: {found:#?}");
    }
    assert!(!found.concat().contains("hunter2"), "{found:#?}");
}

#[test]
fn names_that_nothing_has_are_told_with_the_nearest() {
    let found = wrong("region = 'eu-west-1'\nregoin = 'x'\nretyr = {}\nstatic_key = {}");
    for near in ["`region`", "`retry`", "`static_keys`"] {
        let near = format!("nothing has this name; is {near} meant?");
        assert!(found.iter().any(|found| found.ends_with(&near)), "{near}: {found:#?}");
    }
    let found = wrong("region = 7\nretry = { attempts = 'many' }\nnetwork = { ca = '/x' }");
    assert_eq!(found.len(), 3, "{found:#?}");
}

#[test]
fn references_need_a_provider_that_has_them() {
    let found = wrong(
        "\
region = 'eu-west-1'
static_keys = { access_key_id = 'secret://k#d', secret_access_key = 'secret://k#a', session_token = 'secret://k#b' }
network = { proxy = 'http://proxy', proxy_user = 'me', proxy_password = 'secret://k#c' }",
    );
    for path in [
        "static_keys.access_key_id",
        "static_keys.secret_access_key",
        "static_keys.session_token",
        "network.proxy_password",
    ] {
        let path = format!("`secrets.providers.main.{path}`: a reference to a secret needs");
        assert!(found.iter().any(|found| found.contains(&path)), "{path}: {found:#?}");
    }
    assert_eq!(found.len(), 4, "{found:#?}");
}

/// Keys, and the password of a proxy, are read from the provider that has them.
#[tokio::test(flavor = "multi_thread")]
async fn keys_come_from_another_provider() {
    let double = builder().start().await.unwrap();
    put(&double, &[("billing/db", "correct horse")]).await;
    let keys = double.credentials();
    let home = tempfile::tempdir().unwrap();
    let held = format!(r#"{{"secret": "{}"}}"#, keys.secret_key());
    fs::write(home.path().join("keys"), held).unwrap();
    let text_of = format!(
        "\
[secrets]
provider = 'main'
[secrets.providers.main]
type = 'aws'
credentials_from = 'mount'
region = '{REGION}'
endpoint = '{}'
static_keys = {{ access_key_id = '{}', secret_access_key = 'secret://keys#secret' }}
retry = {{ attempts = 1 }}
[secrets.providers.mount]
type = 'directory'
root = '{}'
[secrets.secret.db]
reference = 'billing/db'
required = true
",
        loopback(double.url()),
        keys.access_key(),
        home.path().display()
    );
    let first = started(&text_of, &Registry::new()).await;
    assert_eq!(text(&first.manager.get("db").await.unwrap()), "correct horse");

    fs::write(home.path().join("keys"), r#"{"secret": "hunter2hunter2"}"#).unwrap();
    let error = refused(&text_of, &Registry::new()).await;
    assert_eq!(error.kind(), StartErrorKind::Required, "{error}");
    assert!(error.to_string().contains("unauthenticated"), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

/// The key of the service is rotated in the provider that has it, and the old one is taken away: what is
/// read meanwhile is read.
#[tokio::test(flavor = "multi_thread")]
async fn keys_of_another_provider_are_replaced_while_they_serve() {
    let double = builder().start().await.unwrap();
    put(&double, &[("billing/db", "correct horse"), ("billing/token", "spare store")]).await;
    let home = tempfile::tempdir().unwrap();
    let rotate = |name: &str| {
        let user = double.identities().user(double.account(), name);
        let kept =
            format!(r#"{{"id": "{}", "secret": "{}"}}"#, user.access_key(), user.secret_key());
        // Replaced whole, as whoever rotates does it.
        let next = home.path().join(".next");
        fs::write(&next, kept).unwrap();
        fs::rename(&next, home.path().join("keys")).unwrap();
        user.access_key().to_owned()
    };
    let first = rotate("billing");
    let text_of = format!(
        "\
[secrets]
provider = 'main'
[secrets.providers.main]
type = 'aws'
credentials_from = 'mount'
region = '{REGION}'
endpoint = '{}'
static_keys = {{ access_key_id = 'secret://keys#id', secret_access_key = 'secret://keys#secret' }}
retry = {{ attempts = 2 }}
[secrets.providers.mount]
type = 'directory'
root = '{}'
[secrets.secret.db]
reference = 'billing/db'
required = true
[secrets.secret.token]
reference = 'billing/token'
",
        loopback(double.url()),
        home.path().display()
    );
    let started = started(&text_of, &Registry::new()).await;
    assert_eq!(text(&started.manager.get("db").await.unwrap()), "correct horse");
    // Younger keys are not taken for stale.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let second = rotate("billing-2");
    double.identities().revoke(&first);
    assert_eq!(text(&started.manager.get("token").await.unwrap()), "spare store");
    assert_eq!(double.calls().all().pop().unwrap().access_key, Some(second));
}

/// A file of authorities that is none fails the start, by the name of the provider.
#[tokio::test]
async fn authorities_are_read_when_the_provider_is_connected() {
    let double = builder().start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ca.pem");
    fs::write(&path, "no PEM").unwrap();
    let own = options(&double, double.credentials());
    let text_of = format!(
        "[secrets]\nprovider = 'main'\n[secrets.providers.main]\n{own}network.ca_file = '{}'\n",
        path.display()
    );
    let error = refused(&text_of, &Registry::new()).await;
    assert_eq!(error.kind(), StartErrorKind::Providers);
    assert!(error.to_string().contains("are not PEM"), "{error}");
    assert_eq!(double.calls().total(), 0, "nothing was sent");
}

/// The options of a profile that is switched on by a variable are placed there.
#[test]
fn a_variable_sets_an_option() {
    let variables = crate::settings::variables([
        ("APP__SECRETS__PROVIDERS__MAIN__REGION", "mars-1"),
        ("APP__SECRETS__PROVIDERS__MAIN__RETRY__ATTEMPTS", "12"),
    ]);
    let found = layers(&with("")).variables("APP", variables).load().expect_err("problems");
    let found = told(found);
    assert!(
        found.iter().any(|f| f.contains("APP__SECRETS__PROVIDERS__MAIN__REGION")),
        "{found:#?}"
    );
    assert!(found.iter().any(|f| f.contains("RETRY__ATTEMPTS")), "{found:#?}");
}
