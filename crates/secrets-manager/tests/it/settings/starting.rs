//! From settings to providers that are connected and secrets that are there.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use secrets_core::memory::{Fault, FaultRule, Faults, MemoryProvider, Personality};
use secrets_core::{Error, ErrorKind, SecretProvider, SecretProviderExt, SecretReference};
use secrets_manager::service_settings::{Format, Layers, Problems, Rules, SecretSetting, Subtree};
use secrets_manager::{Connected, ProviderPlan, Registry, RequiredReason, StartErrorKind};
use tokio::time::Instant;

use super::{refused, registry, settings, started};
use crate::support::{TokioSleep, millis, secs, text};

/// A provider in memory that is called by its scope.
fn scoped(scope: &str) -> MemoryProvider {
    let builder = MemoryProvider::builder(Personality::Aws).scope(scope);
    builder.sleeper(Arc::new(TokioSleep)).build().unwrap()
}

fn folder(secrets: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in secrets {
        fs::write(folder.path().join(name), value).unwrap();
    }
    folder
}

fn file_and_bootstrap(store: &Path, bootstrap: &Path, more: &str) -> String {
    format!(
        "\
[secrets]
provider = 'main'
[secrets.providers.main]
type = 'file'
path = '{}'
passphrase = 'secret://bootstrap#passphrase'
credentials_from = 'bootstrap'
state_folder = '{}'
{more}
[secrets.providers.bootstrap]
type = 'directory'
root = '{}'
",
        store.display(),
        store.parent().unwrap().display(),
        bootstrap.display()
    )
}

/// The store is opened by a passphrase that another provider has.
#[tokio::test]
async fn credentials_come_from_the_provider_that_has_them() {
    let bootstrap = folder(&[("bootstrap", r#"{"passphrase": "correct horse"}"#)]);
    let home = folder(&[]);
    let store = home.path().join("secrets.store");
    let open = file_and_bootstrap(&store, bootstrap.path(), "");
    let mark = format!("state_folder = '{}'\n", home.path().display());
    let create = open.replace(&mark, "create = true\n");
    let first = started(&create, &Registry::new()).await;
    first.manager.cached().put_text("billing/db", "battery staple").await.unwrap();
    assert!(first.warnings.is_empty(), "{:?}", first.warnings);
    drop(first);
    let second = started(&open, &Registry::new()).await;
    let warned = second.warnings.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(
        warned[0].starts_with("app.toml:3: `secrets.providers.main`: no high-water mark"),
        "{warned:?}"
    );
    drop(second);
    let again = started(&open, &Registry::new()).await;
    assert_eq!(text(&again.manager.get("billing/db").await.unwrap()), "battery staple");
    assert!(again.warnings.is_empty(), "{:?}", again.warnings);

    fs::write(bootstrap.path().join("bootstrap"), r#"{"passphrase": "hunter2-hunter2"}"#).unwrap();
    let error = refused(&open, &Registry::new()).await;
    assert_eq!(error.kind(), StartErrorKind::Providers);
    let told = error.to_string();
    assert!(
        told.contains("app.toml:3: `secrets.providers.main`: unauthenticated: the store file cannot be used: wrong key: no slot opens with this passphrase"),
        "{told}"
    );
    assert!(!format!("{told} {error:?}").contains("hunter2"), "{error:?}");
    fs::remove_file(bootstrap.path().join("bootstrap")).unwrap();
    let error = refused(&open, &Registry::new()).await;
    assert_eq!(error.providers()[0].error.kind(), ErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn every_local_type_is_made_of_its_options() {
    let home = folder(&[(".env", "TOKEN=from-dotenv\n"), ("token", "from-directory")]);
    let at = |name: &str| home.path().join(name).display().to_string();
    for (options, expected) in [
        ("type = 'env'\nmapping = { token = 'CARGO_PKG_NAME' }".to_owned(), "secrets-manager"),
        (format!("type = 'dotenv'\npath = '{}'\nlock_timeout = '1s'", at(".env")), "from-dotenv"),
        (format!("type = 'directory'\nroot = '{}'", at("")), "from-directory"),
    ] {
        let text_of =
            format!("[secrets]\nprovider = 'main'\n[secrets.providers.main]\n{options}\n");
        let started = started(&text_of, &Registry::new()).await;
        assert_eq!(text(&started.manager.get("token").await.unwrap()), expected);
    }
    let key = home.path().join("key");
    fs::write(&key, [7; 32]).unwrap();
    let open = Command::chmod(&key, "600");
    assert!(open);
    let store = |more: &str| {
        let path = at("a.store");
        let key = key.display();
        format!(
            "[secrets]\nprovider = 'main'\n[secrets.providers.main]\ntype = 'file'\npath = '{path}'\nkey_file = '{key}'\n{more}"
        )
    };
    let all = "create = true\nlock_timeout = '1s'\npoll_interval = '1s'\ndeletion_window = '7d'\nunlabelled_versions = 3\n";
    let made = started(&store(all), &Registry::new()).await;
    made.manager.cached().put_text("token", "from-file").await.unwrap();
    assert!(Command::chmod(&key, "644"));
    let again = started(&store(""), &Registry::new()).await;
    assert_eq!(text(&again.manager.get("token").await.unwrap()), "from-file");
    assert!(
        again.warnings[0].message.contains("others can read the key file"),
        "{:?}",
        again.warnings
    );
}

struct Command;

impl Command {
    fn chmod(path: &Path, mode: &str) -> bool {
        std::process::Command::new("chmod").arg(mode).arg(path).status().unwrap().success()
    }
}

/// What fails is told together, and what depends on it says so.
#[tokio::test]
async fn all_providers_that_fail_are_told_at_once() {
    let home = folder(&[]);
    let bootstrap = folder(&[("bootstrap", r#"{"passphrase": "x"}"#)]);
    let absent = home.path().join("absent.store");
    let text = file_and_bootstrap(&absent, bootstrap.path(), "")
        .replace("provider = 'main'", "provider = 'main'\nfallback = ['other', 'last']")
        + "[secrets.providers.other]\ntype = 'broken'\n[secrets.providers.last]\ntype = 'broken'\ncredentials_from = 'main'\n"
        + "[secrets.providers.unused]\ntype = 'broken'\n";
    let tried = Arc::new(AtomicU64::new(0));
    let registry = Registry::new().register("broken", {
        let tried = Arc::clone(&tried);
        move |_: &Subtree| -> Result<_, Problems> {
            let tried = Arc::clone(&tried);
            Ok(ProviderPlan::new(move |_| async move {
                tried.fetch_add(1, Ordering::SeqCst);
                let cause = Error::new(ErrorKind::Unavailable, "the network is down");
                Err(Error::new(ErrorKind::Unauthenticated, "no token").with_source(cause))
            }))
        }
    });
    let error = refused(&text, &registry).await;
    let told = error.to_string();
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 4, "{told}");
    assert!(lines[1].contains("`secrets.providers.last`: unavailable: it was not tried"), "{told}");
    assert!(
        lines[2].contains("`secrets.providers.main`: ") && lines[2].contains("absent.store"),
        "{told}"
    );
    assert!(
        lines[3].contains(
            "`secrets.providers.other`: unauthenticated: no token: unavailable: the network is down"
        ),
        "{told}"
    );
    assert_eq!(tried.load(Ordering::SeqCst), 1, "what is not used is not connected");
    assert!(!home.path().join("absent.store").exists());
}

/// Nothing is touched before the settings are sound.
#[tokio::test]
async fn problems_come_before_anything_is_touched() {
    let home = folder(&[("bootstrap", r#"{"passphrase": "x"}"#)]);
    let store = home.path().join("secrets.store");
    let text = file_and_bootstrap(&store, home.path(), "create = true")
        .replace("[secrets]\n", "[secrets]\ncache.ttl = '0s'\n");
    let error = refused(&text, &Registry::new()).await;
    assert_eq!(error.kind(), StartErrorKind::Settings);
    assert_eq!(error.problems().unwrap().iter().count(), 1);
    assert!(error.providers().is_empty() && error.required().is_none());
    assert!(!store.exists());
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_connects_ends_by_its_time() {
    let registry = Registry::new().register("slow", |_: &Subtree| -> Result<_, Problems> {
        Ok(ProviderPlan::new(|_| std::future::pending()))
    });
    let text = "[secrets]\nprovider = 'main'\nstart_timeout = '7s'\n[secrets.providers.main]\ntype = 'slow'\n";
    let before = Instant::now();
    let error = refused(text, &registry).await;
    assert_eq!(before.elapsed(), secs(7));
    assert_eq!(error.providers()[0].error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("within `start_timeout`"), "{error}");
    // Its place is told as in problems.
    let odd = text.replace("'main'", "'a.\\b'").replace(".main]", ".\"a.\\\\b\"]");
    let told = refused(&odd, &registry).await.to_string();
    assert!(told.contains(r#"app.toml:4: `secrets.providers."a.\\b"`"#), "{told}");
}

/// The resolver can be kept, for when a credential is renewed; what it has is not cached.
#[tokio::test]
async fn a_provider_may_ask_for_its_credentials_again() {
    #[derive(serde::Deserialize)]
    struct Options {
        token: SecretSetting,
    }
    let tokens: Arc<Mutex<Vec<String>>> = Arc::default();
    let registry = registry(vec![Arc::new(scoped("x"))]).register("renewing", {
        let tokens = Arc::clone(&tokens);
        move |options: &Subtree| -> Result<_, Problems> {
            let options: Options = options.read()?;
            let (tokens, token) = (Arc::clone(&tokens), options.token.clone());
            let plan = ProviderPlan::new(move |secrets| async move {
                for _ in 0..2 {
                    let value = options.token.resolve(&*secrets).await?;
                    tokens.lock().unwrap().push(value.expose_secret_text()?.to_owned());
                    let path =
                        std::env::temp_dir().join(format!("mainstay-token-{}", std::process::id()));
                    fs::write(path.join("token"), "new").unwrap();
                }
                Ok(Connected::new(scoped("renewed")))
            });
            Ok(plan.needing("token", &token))
        }
    });
    let path = std::env::temp_dir().join(format!("mainstay-token-{}", std::process::id()));
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("token"), "old").unwrap();
    let text = format!(
        "[secrets]\nprovider = 'main'\n[secrets.providers.main]\ntype = 'renewing'\ntoken = 'secret://token'\n\
         credentials_from = 'files'\n[secrets.providers.files]\ntype = 'directory'\nroot = '{}'\n",
        path.display()
    );
    started(&text, &registry).await;
    assert_eq!(*tokens.lock().unwrap(), ["old", "new"]);
    fs::remove_dir_all(path).unwrap();
    let without = text.replace("credentials_from = 'files'\n", "");
    assert_eq!(refused(&without, &registry).await.kind(), StartErrorKind::Settings);
}

#[tokio::test]
async fn all_required_secrets_are_checked_in_one_report() {
    let provider = scoped("a");
    provider.put_text("good", "q7Zt0vR2mXc9LbW4").await.unwrap();
    provider.put_text("weak", "hunter2-7q").await.unwrap();
    let registry = registry(vec![Arc::new(provider)]);
    let text = "\
[secrets]
provider = 'main'
[secrets.providers.main]
type = 'memory'
scope = 'a'
[secrets.secret.good]
required = true
[secrets.secret.weak]
required = true
rules = { min_length = 16 }
[secrets.secret.absent]
required = true
[secrets.secret.optional]
";
    let error = refused(text, &registry).await;
    assert_eq!(error.kind(), StartErrorKind::Required);
    let report = error.required().unwrap();
    let names: Vec<_> = report.failures().iter().map(|failure| failure.name.as_str()).collect();
    assert_eq!((names, report.checked()), (vec!["absent", "weak"], 3));
    let RequiredReason::Unreadable(unreadable) = &report.failures()[0].reason else { panic!() };
    assert_eq!(unreadable.kind(), ErrorKind::NotFound);
    assert!(!format!("{error} {error:?}").contains("hunter2-7q"));
    let fine = text
        .replace("rules = { min_length = 16 }", "")
        .replace("[secrets.secret.absent]\nrequired = true\n", "");
    started(&fine, &registry).await;
}

/// The application's names: of a field, of another version, of a native id, of another name.
#[tokio::test]
async fn secrets_have_the_names_that_the_settings_give_them() {
    let provider = scoped("a");
    for password in ["old-horse-battery", "new-horse-battery"] {
        let text = format!(r#"{{"user": "app", "password": "{password}"}}"#);
        provider.put_text("prod/billing/db", &text).await.unwrap();
    }
    let registry = registry(vec![Arc::new(provider)]);
    let text_of = "\
[secrets]
provider = 'main'
providers.main = { type = 'memory', scope = 'a' }
[secrets.secret]
db = { reference = 'prod/billing/db' }
db-user = { reference = 'db', field = 'user' }
db-password = { reference = 'db', field = 'password', required = true, rules = { min_length = 17 } }
db-before = { reference = 'prod/billing/db', field = 'password', version = 'previous' }
db-native = { native = 'prod/billing/db' }
";
    let manager = started(text_of, &registry).await.manager;
    for (name, expected) in [
        ("db-user", "app"),
        ("db-password", "new-horse-battery"),
        ("db-before", "old-horse-battery"),
    ] {
        assert_eq!(text(&manager.get(name).await.unwrap()), expected, "{name}");
    }
    let all = text(&manager.get("db").await.unwrap());
    assert_eq!(
        (all.contains("new-horse"), all),
        (true, text(&manager.get("db-native").await.unwrap()))
    );
    let error = refused(&text_of.replace("min_length = 17", "min_length = 18"), &registry).await;
    assert_eq!(error.required().unwrap().failures()[0].name.as_str(), "db-password");
    let error =
        refused(&text_of.replace("'password', required", "'pass', required"), &registry).await;
    assert!(matches!(
        error.required().unwrap().failures()[0].reason,
        RequiredReason::Unreadable(_)
    ));
}

/// Calls, and how many of them at a time: not a measurement of time but of what is asked at once.
#[tokio::test(start_paused = true)]
async fn five_hundred_required_secrets_take_no_more_than_an_eighth_of_single_calls() {
    for personality in Personality::ALL {
        let builder = MemoryProvider::builder(personality).scope("a");
        start_with_five_hundred(&builder.sleeper(Arc::new(TokioSleep)).build().unwrap()).await;
    }
}

async fn start_with_five_hundred(provider: &MemoryProvider) {
    let mut text = String::from(
        "[secrets]\nprovider = 'main'\n[secrets.providers.main]\ntype = 'memory'\nscope = 'a'\n",
    );
    for number in 0..500 {
        provider.put_text(&format!("s{number}"), "q7Zt0vR2mXc9LbW4").await.unwrap();
        text += &format!("[secrets.secret.s{number}]\nrequired = true\nrules.min_length = 16\n");
    }
    let late = Fault::Delay { min: millis(20), max: millis(20) };
    provider.inject(Faults::none().with(FaultRule::new(late))).unwrap();
    let registry = registry(vec![Arc::new(provider.clone())]);
    let before = Instant::now();
    let started = started(&text, &registry).await;
    let took = before.elapsed();
    assert!(took >= millis(20) && took <= millis(500 * 20 / 8), "{took:?}");
    assert_eq!(started.manager.usage().entries, 500);
}

#[tokio::test(start_paused = true)]
async fn a_chain_goes_on_as_the_settings_say() {
    let main = scoped("main");
    let local = scoped("local");
    local.put_text("only-here", "local").await.unwrap();
    let registry = registry(vec![Arc::new(main.clone()), Arc::new(local)]);
    let chain = |more: &str| {
        format!(
            "[secrets]\nprovider = 'main'\nfallback = ['local']\n{more}\n\
             [secrets.providers.main]\ntype = 'memory'\nscope = 'main'\ntimeout = '100ms'\n\
             [secrets.providers.local]\ntype = 'memory'\nscope = 'local'\n"
        )
    };
    let strict = started(&chain(""), &registry).await.manager;
    assert_eq!(text(&strict.get("only-here").await.unwrap()), "local");
    // Now it hangs.
    let hangs = Fault::Delay { min: secs(3_600), max: secs(3_600) };
    main.inject(Faults::none().with(FaultRule::new(hangs))).unwrap();
    let strict = started(&chain(""), &registry).await.manager;
    let before = Instant::now();
    assert_eq!(strict.get("only-here").await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(before.elapsed(), millis(100), "by the provider's own limit");
    let open = started(&chain("fall_back_on_unavailable = true"), &registry).await.manager;
    assert_eq!(text(&open.get("only-here").await.unwrap()), "local");
}

/// The whole of a service's settings: what differs between profiles is which provider is asked.
#[tokio::test]
async fn a_profile_switches_the_provider() {
    let cloud = scoped("cloud");
    cloud.put_text("db-password", "of-production-0001").await.unwrap();
    let env = folder(&[(".env", "DB_2DPASSWORD=of-development-01\n")]);
    let registry = registry(vec![Arc::new(cloud)]);
    let base = format!(
        "\
[secrets.providers.cloud]
type = 'memory'
scope = 'cloud'
[secrets.providers.local]
type = 'dotenv'
path = '{}'
[secrets.secret.db-password]
required = true
rules = {{ min_length = 12 }}
",
        env.path().join(".env").display()
    );
    #[derive(Debug, serde::Deserialize)]
    struct Service {
        secrets: secrets_manager::SecretManagerSettings,
    }
    impl Rules for Service {}
    for (profile, expected) in
        [("production", "of-production-0001"), ("development", "of-development-01")]
    {
        let layers = Layers::<Service>::new()
            .defaults(Format::Toml, &base)
            .profile("production", Format::Toml, "[secrets]\nprovider = 'cloud'\ncache.ttl = '10m'")
            .profile("development", Format::Toml, "[secrets]\nprovider = 'local'")
            .select(profile);
        let loaded = layers.load().unwrap();
        let started = loaded.settings.secrets.start(&registry).await.unwrap();
        assert_eq!(text(&started.manager.get("db-password").await.unwrap()), expected);
    }
}

/// A clock, an audit log, and whatever else is no text.
#[tokio::test]
async fn what_settings_cannot_say_is_given_to_the_builder() {
    let registry = registry(vec![Arc::new(scoped("a")), Arc::new(scoped("b"))]);
    let text =
        "[secrets]\nprovider = 'main'\n[secrets.providers.main]\ntype = 'memory'\nscope = 'a'\n";
    let settings = settings(text);
    let customize = |builder: secrets_manager::SecretManagerBuilder| builder.provider(scoped("b"));
    let started = settings.start_with(&registry, customize).await.unwrap();
    assert!(started.manager.provider(scoped("b").id()).is_some());
    let same = |builder: secrets_manager::SecretManagerBuilder| builder.provider(scoped("a"));
    let error = settings.start_with(&registry, same).await.unwrap_err();
    assert_eq!(error.kind(), StartErrorKind::Build);
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn a_secret_of_the_settings_is_resolved_by_the_manager() {
    let provider = scoped("a");
    provider.put_text("db", r#"{"password": "hunter2"}"#).await.unwrap();
    let registry = registry(vec![Arc::new(provider)]);
    let text =
        "[secrets]\nprovider = 'main'\n[secrets.providers.main]\ntype = 'memory'\nscope = 'a'\n";
    let manager = started(text, &registry).await.manager;
    let reference: SecretReference = "secret://db#password".parse().unwrap();
    let setting = SecretSetting::Reference(reference);
    assert_eq!(setting.resolve(&manager).await.unwrap().expose_secret(), b"hunter2");
}

/// Whoever mends what fails sees at once what else is odd.
#[tokio::test]
async fn a_start_that_fails_tells_what_deserves_attention_too() {
    let registry = Registry::new()
        .register("odd", |_: &Subtree| -> Result<_, Problems> {
            let provider = Connected::new(scoped("odd")).with_warning("its key file is readable");
            Ok(ProviderPlan::new(move |_| async { Ok(provider) }))
        })
        .register("broken", |_: &Subtree| -> Result<_, Problems> {
            let error = Error::new(ErrorKind::Unavailable, "nobody answers");
            Ok(ProviderPlan::new(move |_| async { Err(error) }))
        });
    let odd = "[secrets]\nprovider = 'main'\n[secrets.providers.main]\ntype = 'odd'\n";
    let broken = odd.replace("'main'\n", "'main'\nfallback = ['other']\n")
        + "[secrets.providers.other]\ntype = 'broken'\n";
    let absent = format!("{odd}[secrets.secret.absent]\nrequired = true\n");
    for (text, kind, line) in
        [(broken, StartErrorKind::Providers, 4), (absent, StartErrorKind::Required, 3)]
    {
        let error = refused(&text, &registry).await;
        assert_eq!(error.kind(), kind);
        let told: Vec<_> = error.warnings().iter().map(ToString::to_string).collect();
        let expected =
            format!("app.toml:{line}: `secrets.providers.main`: its key file is readable");
        assert_eq!(told, [expected]);
    }
}
