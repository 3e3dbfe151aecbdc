//! What is wrong with the settings: all of it at once, with places, and without values.

use std::time::SystemTime;

use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{Change, MetadataPatch, SecretProvider, SetOptions};
use secrets_manager::service_settings::{Problems, Subtree};
use secrets_manager::{ProviderPlan, Registry};

use super::*;
use crate::support::{reference, secs, value};

const GOOD: &str = "\
[secrets]
provider = 'main'
[secrets.providers.main]
type = 'directory'
root = '/run/secrets'
";

/// What the types find comes first: the rules need the types.
#[test]
fn everything_that_has_the_wrong_form_is_told_at_once() {
    let found = wrong(
        "\
[secrets]
provider = 'mian'
fallback = ['local', 'spare', 'spare', 'nowhere']
start_timeout = '1ms'
fall_back_on_unavailble = true
[secrets.providers.main]
type = 'file'
paht = '/var/hunter2'
[secrets.providers.local]
type = 'evn'
[secrets.providers.spare]
type = 'directory'
root = ''
value_limit = 0
timeout = '1ms'
[secrets.providers.unused]
type = 'dotenv'
path = '.env'
poll_interval = 'hunter2'
[secrets.cache]
ttl = '0s'
refresh_at = 1.5
backoff.first = '2m'
[secrets.secret.db]
reference = 'Hunter2'
required = 'yes'
[secrets.secret.'Bad Name']
",
    );
    let first = [
        "defaults:25: `secrets.secret.db.reference`: this cannot be the name of a secret: ",
        "defaults:26: `secrets.secret.db.required`: a text stands where a boolean is asked for",
        "defaults:27: `secrets.secret.Bad Name`: this cannot be the name of a secret: ",
        "defaults:5: `secrets.fall_back_on_unavailble`: nothing has this name; is `fall_back_on_unavailable` meant?",
    ];
    assert_eq!(found.len(), first.len(), "{found:#?}");
    for (found, first) in found.iter().zip(first) {
        assert!(found.starts_with(first), "{found}");
    }
}

#[test]
fn what_makes_no_sense_together_is_told_at_once() {
    let found = wrong(
        "\
[secrets]
provider = 'mian'
fallback = ['local', 'spare', 'spare', 'nowhere']
start_timeout = '1ms'

[secrets.providers.main]
type = 'file'
paht = '/var/hunter2'
[secrets.providers.local]
type = 'evn'
[secrets.providers.spare]
type = 'directory'
root = ''
value_limit = 0
timeout = '1ms'
[secrets.providers.unused]
type = 'dotenv'
path = '.env'
poll_interval = 'hunter2'
[secrets.cache]
ttl = '0s'
refresh_at = 1.5
backoff.first = '2m'
",
    );
    let expected = [
        "defaults:10: `secrets.providers.local.type`: there is no such type of provider; is `env` meant?",
        "defaults:11: `secrets.providers.spare`: a value limit of *** bytes lets nothing through",
        "defaults:11: `secrets.providers.spare`: the path of the folder is empty",
        "defaults:15: `secrets.providers.spare.timeout`: is not between `10ms` and `1h`",
    ];
    let others = [
        "defaults:19: `secrets.providers.unused.poll_interval`: `***` is not a time like `500ms` or `5s`",
        "defaults:21: `secrets.cache.ttl`: the time to live is zero",
        "defaults:22: `secrets.cache.refresh_at`: `refresh_at` is not between 0 and 1",
        "defaults:23: `secrets.cache.backoff.first`: the first pause is longer than the longest",
        "defaults:2: `secrets.provider`: there is no such provider; is `main` meant?",
        "defaults:3: `secrets.fallback[2]`: stands here twice",
        "defaults:3: `secrets.fallback[3]`: there is no such provider; there are `local`, `main`, `spare`, `unused`",
        "defaults:4: `secrets.start_timeout`: is not between `100ms` and `1h`",
        "defaults:6: `secrets.providers.main.path`: this has to be set",
        "defaults:8: `secrets.providers.main.paht`: nothing has this name; is `path` meant?",
    ];
    let mut all: Vec<_> = expected.into_iter().chain(others).collect();
    all.sort();
    assert_eq!(found, all);
    assert!(!found.join("\n").contains("hunter2"));
}

#[test]
fn a_chain_names_each_provider_once_and_none_that_is_not_there() {
    let told = wrong(&GOOD.replace("'main'\n[", "'main'\nfallback = ['main']\n["));
    assert_eq!(told, ["defaults:3: `secrets.fallback[0]`: is the provider that is asked first"]);
    let told = wrong(&GOOD.replace("'main'\n[", "'main'\nfall_back_on_unavailable = true\n["));
    assert_eq!(told, ["defaults:3: `secrets.fall_back_on_unavailable`: there is no `fallback`"]);
    let told = wrong("[secrets]\nprovider = 'main'\n");
    assert_eq!(told, ["defaults:2: `secrets.provider`: there are no `providers`"]);
    let told = wrong("[secrets]\n");
    assert_eq!(told, ["defaults:1: `secrets.provider`: this has to be set"]);
    let told = wrong("[secrets]\nprovider = 'main'\n[secrets.providers.main]\nroot = '/x'\n");
    assert_eq!(told, ["defaults:3: `secrets.providers.main.type`: this has to be set"]);
    let told = wrong("[secrets]\nprovider = 'main'\n[secrets.providers.main]\ntype = 5\n");
    assert_eq!(
        told,
        [
            "defaults:4: `secrets.providers.main.type`: a whole number stands where a string is asked for"
        ]
    );
}

/// `secret://…` among the options of a provider: who has it, and who has it for that one.
#[test]
fn credentials_come_from_another_provider_and_not_in_a_circle() {
    let file = |name: &str, more: &str| {
        format!(
            "[secrets.providers.{name}]\ntype = 'file'\npath = '/x/{name}'\npassphrase = 'secret://key'\n{more}\n"
        )
    };
    let text = |parts: &[String]| format!("[secrets]\nprovider = 'a'\n{}", parts.concat());
    let found = wrong(&text(&[file("a", "")]));
    let message = "defaults:6: `secrets.providers.a.passphrase`: a reference to a secret needs \
        `credentials_from`, the name of the provider that has it";
    assert_eq!(found, [message]);
    let found = wrong(&text(&[file("a", "credentials_from = 'a'")]));
    let message = "defaults:7: `secrets.providers.a.credentials_from`: is this provider itself: its \
        credentials have to be elsewhere";
    assert_eq!(found, [message]);
    let found = wrong(&text(&[
        file("a", "credentials_from = 'b'"),
        file("b", "credentials_from = 'c'"),
        file("c", "credentials_from = 'b'"),
        file("d", "credentials_from = 'e'"),
    ]));
    let expected = [
        "defaults:12: `secrets.providers.b.credentials_from`: comes back to this provider: `b` → `c` → `b`",
        "defaults:22: `secrets.providers.d.credentials_from`: there is no such provider; there are `a`, `b`, `c`, `d`",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_type_that_is_not_there_is_told_with_what_would_bring_it() {
    let with =
        |kind: &str| GOOD.replace("'directory'", kind).replace("root = '/run/secrets'\n", "");
    let found = wrong(&with("'directroy'"));
    assert!(found[0].ends_with("is `directory` meant?"), "{found:?}");
    let found = wrong(&with("'consul'"));
    let types = Registry::new();
    let types: Vec<_> = types.types().map(|kind| format!("`{kind}`")).collect();
    assert!(types.contains(&"`file`".to_owned()), "{types:?}");
    assert!(found[0].ends_with(&format!("there are {}", types.join(", "))), "{found:?}");
    #[cfg(not(feature = "aws"))]
    assert!(wrong(&with("'aws'"))[0].ends_with("turn on the feature `aws` of secrets-manager"));
    // Nobody asks this one: another program that reads these settings may have the type.
    layers(&format!("{GOOD}[secrets.providers.vault]\ntype = 'vault'\n")).load().unwrap();
    let registry = Registry::new().register("vault", |options: &Subtree| -> Result<_, Problems> {
        #[derive(serde::Deserialize)]
        struct Vault {
            #[serde(rename = "url")]
            _url: String,
        }
        options.read::<Vault>()?;
        Ok(ProviderPlan::new(|_| async { unreachable!("nobody starts it") }))
    });
    let text = format!("{GOOD}[secrets.providers.vault]\ntype = 'vault'\nulr = 'x'\n");
    let found = told(settings(&text).check(&registry));
    let expected = [
        "app.toml:6: `secrets.providers.vault.url`: this has to be set",
        "app.toml:8: `secrets.providers.vault.ulr`: nothing has this name; is `url` meant?",
    ];
    assert_eq!(found, expected, "what is not used is checked where its type is known");
    let found = told(settings(&with("'valut'")).check(&registry));
    assert!(found[0].ends_with("is `vault` meant?"), "{found:?}");
}

#[test]
fn names_of_secrets_stand_for_one_secret_and_come_to_an_end() {
    let with = |text: &str| wrong(&format!("{GOOD}{text}"));
    let loops = "\
[secrets.secret.a]
reference = 'b'
[secrets.secret.b]
reference = 'c'
field = 'x'
[secrets.secret.c]
reference = 'b'
[secrets.secret.d]
reference = 'd'
";
    let expected = [
        "defaults:14: `secrets.secret.d.reference`: is this name itself",
        "defaults:9: `secrets.secret.b.reference`: comes back to this name: `b` → `c` → `b`",
    ];
    assert_eq!(with(loops), expected);
    let versions = "\
[secrets.secret.a]
reference = 'b'
version = 'previous'
[secrets.secret.b]
reference = 'c'
[secrets.secret.c]
reference = 'd'
version = 'pending'
";
    let message =
        "defaults:8: `secrets.secret.a.version`: what it stands for, `c`, is another version";
    assert_eq!(with(versions), [message]);
    let long: String = (0..17)
        .map(|number| format!("[secrets.secret.a{number}]\nreference = 'a{}'\n", number + 1))
        .collect();
    let message = "defaults:7: `secrets.secret.a0.reference`: there are more than 16 names between this \
        and its secret";
    assert_eq!(with(&long), [message]);
    let text = "\
[secrets.secret.a]
reference = 'b'
native = 'arn:x'
[secrets.secret.b]
field = 'x'
[secrets.secret.c]
version = 'previous'
[secrets.secret.d]
reference = 'x'
field = ''
rules.min_length = 5
[secrets.secret.e]
required = true
rules = { min_length = 10, max_length = 5 }
";
    let found = with(text);
    let whole = "a name cannot stand for a part of itself";
    for (line, path, part) in [
        (8, "a.native", "there is a `reference` as well"),
        (10, "b.field", whole),
        (12, "c.version", whole),
        (15, "d.field", "is empty"),
        (16, "d.rules", "nobody looks at them unless the secret is `required`"),
        (19, "e.rules.min_length", "greater than `max_length`"),
    ] {
        let begin = format!("defaults:{line}: `secrets.secret.{path}`: ");
        let is_it = |told: &&String| told.starts_with(&begin) && told.contains(part);
        assert!(found.iter().any(|told| is_it(&told)), "{begin}: {found:#?}");
    }
    assert!(with("[secrets.secret.f]\nversion = \"\\n\"")[0].contains("the id of a version"));
}

#[test]
fn variables_reach_everything() {
    let set = [
        ("APP__SECRETS__PROVIDER", "other"),
        ("APP__SECRETS__PROVIDERS__OTHER", r#"{"type": "directory", "root": "/x"}"#),
        ("APP__SECRETS__PROVIDERS__MAIN__VALUE_LIMIT", "none"),
        ("APP__SECRETS__PROVIDERS__MAIN__TIMEOUT", "5"),
        ("APP__SECRETS__CACHE__TTL", "1h"),
        ("APP__SECRETS__SECRET__DB_PASSWORD__FIELD", "password"),
    ];
    let text = format!("{GOOD}[secrets.secret.db-password]\nreference = 'billing/db'\n");
    let layers = layers(&text).variables("APP", variables(set));
    let expected = [
        "APP__SECRETS__PROVIDERS__MAIN__TIMEOUT: `secrets.providers.main.timeout`: a length of time has the form `5m`, `1h30m` or `250ms`, of 36500 days at most",
        "APP__SECRETS__PROVIDERS__MAIN__VALUE_LIMIT: `secrets.providers.main.value_limit`: a text stands where usize is asked for",
    ];
    assert_eq!(told(layers.load().unwrap_err()), expected);
    let set = [
        ("APP__SECRETS__PROVIDERS__MAIN__ROOT", "/other"),
        ("APP__SECRETS__CACHE__TTL", "1h"),
        ("APP__SECRETS__SECRET__DB_PASSWORD__FIELD", "password"),
    ];
    let loaded = super::layers(&text).variables("APP", variables(set)).load().unwrap();
    let (name, config) = loaded.settings.secrets.secrets().next().unwrap();
    assert_eq!((name.as_str(), config.field.as_deref()), ("db-password", Some("password")));
    let hour = secrets_manager::CachePolicy::new().with_ttl(secs(3_600));
    assert_eq!(loaded.settings.secrets.cache_policy(), hour);
    let explained = loaded.explanation.to_string();
    let line = "secrets.providers.main.root = \"/other\"  # APP__SECRETS__PROVIDERS__MAIN__ROOT, over defaults:5";
    assert!(explained.contains(line), "{explained}");
}

/// What a file of settings says shows where a person looks, but for secrets.
#[test]
fn no_value_shows() {
    let text = "\
[secrets]
provider = 'main'
[secrets.providers.main]
type = 'file'
path = '/x'
passphrase = 'hunter2'
";
    let loaded = layers(text).load().unwrap();
    assert!(!format!("{loaded:?} {}", loaded.explanation).contains("hunter2"));
    for bad in
        ["key_file = '/y'", "lock_timeout = 'hunter2'", "hunter2 = 'hunter2'", "passphrase = ''"]
    {
        let text = if bad.starts_with("pass") {
            text.replace("passphrase = 'hunter2'", bad)
        } else {
            format!("{text}{bad}\n")
        };
        let found = wrong(&text).join("\n").replace("`secrets.providers.main.hunter2`", "");
        assert!(!found.contains("hunter2"), "{found}");
    }
}

#[tokio::test]
async fn the_health_report_is_set_too() {
    let builder = MemoryProvider::builder(Personality::Azure).scope("a");
    let memory = builder.build().unwrap();
    let in_20_days = SystemTime::now() + secs(20 * 86_400);
    let expires = MetadataPatch::new().expires(Change::Set(in_20_days));
    let options = SetOptions::new().with_metadata(expires);
    memory.set_secret(&reference("db"), value("x"), options).await.unwrap();
    let registry = registry(vec![Arc::new(memory)]);
    let text = "[secrets]\nprovider = 'main'\nproviders.main = { type = 'memory', scope = 'a' }\n\
        health = { expiry_horizon = '30d', timeout = '1s', probe_ttl = '1m', most_listed = 0 }\n\
        secret.absent = {}\n";
    let usual = text.replace("health =", "#");
    for (text, expected) in [(text, 1), (&usual, 0)] {
        let manager = started(text, &registry).await.manager;
        manager.get("db").await.unwrap();
        let report = manager.report().await;
        assert_eq!((report.near_expiry_count, report.near_expiry.len()), (expected, 0));
    }
    let found =
        wrong(&format!("{GOOD}[secrets.health]\ntimeout = '2m'\nexpiry_horizon = '400d'\n"));
    let expected = [
        "defaults:7: `secrets.health.timeout`: is not between `10ms` and `1m`",
        "defaults:8: `secrets.health.expiry_horizon`: is not between `0s` and `366d`",
    ];
    assert_eq!(found, expected);
}

/// Every setting of the cache: what is set is what counts.
#[test]
fn the_cache_is_set_whole() {
    use secrets_manager::{Backoff, CachePolicy, Upkeep};

    use crate::support::millis;
    let text = format!(
        "{GOOD}[secrets.cache]
ttl = '1m'
refresh_at = 0.5
jitter = 0.25
stale_while_revalidate = '7s'
stale_if_error = '2h'
negative_ttl = '3s'
call_timeout = '4s'
backoff = {{ first = '100ms', longest = '9s' }}
stall_after = '12s'
upkeep = 'all'
max_entries = 11
max_absent = 12
concurrent_refreshes = 13
"
    );
    let number = |number: usize| number.try_into().unwrap();
    let expected = CachePolicy::new()
        .with_ttl(secs(60))
        .with_refresh_at(0.5, 0.25)
        .with_stale_while_revalidate(secs(7))
        .with_stale_if_error(secs(7_200))
        .with_negative_ttl(secs(3))
        .with_call_timeout(secs(4))
        .with_backoff(Backoff { first: millis(100), longest: secs(9) })
        .with_stall_after(secs(12))
        .with_upkeep(Upkeep::All)
        .with_max_entries(number(11))
        .with_max_absent(number(12))
        .with_concurrent_refreshes(number(13));
    assert_eq!(settings(&text).cache_policy(), expected);
    assert_eq!(settings(GOOD).cache_policy(), CachePolicy::new());
    assert_eq!(wrong(&format!("{GOOD}[secrets.cache]\nmax_entries = 0\n")).len(), 1);
}

/// The settings that the manual shows are read as they stand there.
#[test]
fn the_manual_shows_settings_that_are_sound() {
    let manual = include_str!("../../../README.md");
    let section = manual.split("## From settings").nth(1).unwrap();
    let text = section.split("```toml").nth(1).unwrap().split("```").next().unwrap();
    // All of it is there with all features only.
    if cfg!(not(all(feature = "local", feature = "snapshot"))) {
        return;
    }
    let loaded = layers(text).load().unwrap_or_else(|problems| panic!("{problems}"));
    let (name, config) = loaded.settings.secrets.secrets().next().unwrap();
    assert_eq!((name.as_str(), config.required), ("db-password", true));
    assert!(config.alias().is_some());
}

/// The names that are the manager's among the options are not known to the factory.
#[test]
fn names_that_are_nearly_those_of_the_manager_are_told_with_these() {
    for (written, meant) in [
        ("credential_from = 'x'", "credentials_from"),
        ("credentials-from = 'x'", "credentials_from"),
        ("timeuot = '5s'", "timeout"),
        ("tpye = 'x'", "type"),
        ("rot = 'x'", "root"),
    ] {
        let found = wrong(&format!("{GOOD}{written}"));
        let name = written.split(' ').next().unwrap();
        let expected = format!(
            "defaults:6: `secrets.providers.main.{name}`: nothing has this name; is `{meant}` meant?"
        );
        assert_eq!(found, [expected]);
    }
    let found = wrong(&format!("{GOOD}poll = '5s'"));
    assert!(found[0].contains("nothing has this name; there are `root`"), "{found:?}");
    let expected = [
        "defaults:3: `secrets.providers.main.type`: this has to be set",
        "defaults:4: `secrets.providers.main.typ`: nothing has this name; is `type` meant?",
    ];
    assert_eq!(wrong(&GOOD.replace("type", "typ")), expected);
}

/// It is not the type that is missing from what is no table.
#[test]
fn a_provider_that_is_no_table_is_told_as_that() {
    let base = "[secrets]\nprovider = 'main'\n";
    for (text, found) in [
        ("providers.main = 'env'", "a text"),
        ("providers.main = 5", "a whole number"),
        ("[[secrets.providers.main]]\ntype = 'env'", "a list"),
    ] {
        let told = wrong(&format!("{base}{text}"));
        let expected = format!("`secrets.providers.main`: {found} stands where a map is asked for");
        assert!(told.len() == 1 && told[0].ends_with(&expected), "{told:?}");
    }
    for written in ["{type: env}", "{\"type\": \"env\"", "env", ""] {
        let set = variables([("APP__SECRETS__PROVIDERS__MAIN", written)]);
        let told = told(layers(GOOD).variables("APP", set).load().expect_err("a problem"));
        let expected = "APP__SECRETS__PROVIDERS__MAIN: `secrets.providers.main`: the variable is \
            asked for a list or a table, as JSON";
        assert_eq!(told, [expected], "{written}");
    }
    let set = variables([("APP__SECRETS__PROVIDERS__MAIN", r#"{"type": "env"}"#)]);
    layers(GOOD).variables("APP", set).load().unwrap();
}
