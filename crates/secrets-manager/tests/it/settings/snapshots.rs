//! A snapshot that the settings ask for: a start without the provider.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrets_core::memory::{Fault, FaultRule, Faults, MemoryProvider, Personality};
use secrets_core::{ErrorKind, SecretProviderExt};
use secrets_manager::{Registry, StartErrorKind};

use super::{refused, registry, settings, started, told};
use crate::support::{TokioSleep, secs, text};

fn with(home: &Path, more: &str) -> String {
    let home = home.display();
    format!(
        "\
[secrets]
provider = 'main'
cache = {{ call_timeout = '30s' }}
[secrets.providers.main]
type = 'memory'
scope = 'a'
[secrets.providers.keys]
type = 'directory'
root = '{home}/keys'
[secrets.secret.db-password]
reference = 'prod/db'
field = 'password'
required = true
[secrets.snapshot]
path = '{home}/snapshot'
{more}
"
    )
}

const KEY: &str = "passphrase = 'secret://snapshot'\ncredentials_from = 'keys'";

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("keys")).unwrap();
    fs::write(home.path().join("keys/snapshot"), "a passphrase that is long").unwrap();
    home
}

fn provider() -> MemoryProvider {
    MemoryProvider::builder(Personality::Aws).scope("a").build().unwrap()
}

/// The application's name is that of a field: what is kept is the secret itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_starts_without_its_provider() {
    let home = home();
    let provider = provider();
    provider.put_text("prod/db", r#"{"password": "hunter2-correct-horse"}"#).await.unwrap();
    let registry = registry(vec![Arc::new(provider.clone())]);
    let text_of = with(
        home.path(),
        &format!("{KEY}\nmax_age = '6h'\nstate_folder = '{}'", home.path().display()),
    );
    let first = started(&text_of, &registry).await;
    let running = tokio::spawn(first.run());
    let waited = async {
        while first.manager.snapshot().is_none_or(|snapshot| snapshot.entries == 0) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waited).await.expect("the snapshot is written");
    running.abort();
    drop((running.await, first));
    let down = Faults::none().with(FaultRule::new(Fault::Unavailable));
    provider.inject(down).unwrap();
    let text_of = format!("{text_of}\nopen_timeout = '1m'");
    let again = started(&text_of, &registry).await;
    assert_eq!(text(&again.manager.get("db-password").await.unwrap()), "hunter2-correct-horse");
    assert_eq!(again.manager.usage().restored, 1);
    // Without it the same start fails.
    let without = text_of.split("[secrets.snapshot]").next().unwrap();
    assert_eq!(refused(without, &registry).await.kind(), StartErrorKind::Required);
}

/// The one thread that may block is held up: nothing on the disk is opened in time.
#[test]
fn a_snapshot_that_cannot_be_opened_in_time_is_no_help() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let (home, provider) = (home(), provider());
        provider.put_text("prod/db", r#"{"password": "hunter2-correct-horse"}"#).await.unwrap();
        let registry = registry(vec![Arc::new(provider.clone())]);
        let key = "passphrase = 'a passphrase that is long'";
        let place = format!("{key}\nstate_folder = '{}'", home.path().display());
        let text_of =
            |limit: &str| with(home.path(), &format!("{place}\nopen_timeout = '{limit}'"));
        let first = started(&text_of("1m"), &registry).await;
        let running = tokio::spawn(first.run());
        let waited = async {
            while first.manager.snapshot().is_none_or(|snapshot| snapshot.entries == 0) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(secs(60), waited).await.expect("the snapshot is written");
        running.abort();
        drop((running.await, first));
        provider.inject(Faults::none().with(FaultRule::new(Fault::Unavailable))).unwrap();
        let release = crate::snapshot::hold_up_blocking_work();
        let hasty = refused(&text_of("1ms"), &registry).await;
        assert_eq!(hasty.kind(), StartErrorKind::Required, "{hasty}");
        release.send(()).unwrap();
        started(&text_of("1m"), &registry).await;
    });
}

#[tokio::test]
async fn a_snapshot_whose_key_cannot_be_had_is_told() {
    let home = home();
    let registry = registry(vec![Arc::new(provider())]);
    fs::remove_file(home.path().join("keys/snapshot")).unwrap();
    let error = refused(&with(home.path(), KEY), &registry).await;
    assert_eq!(error.kind(), StartErrorKind::Snapshot);
    assert!(error.to_string().ends_with("app.toml:14: `secrets.snapshot`"), "{error}");
    let source = std::error::Error::source(&error).unwrap();
    let source = source.downcast_ref::<secrets_core::Error>().unwrap();
    assert_eq!(source.kind(), ErrorKind::NotFound);
}

#[test]
fn what_is_wrong_with_it_is_told_with_the_rest() {
    let registry = registry(vec![Arc::new(provider())]);
    let check = |more: &str| {
        told(settings(&with(Path::new("/h"), more)).check(&registry))
            .into_iter()
            .map(|told| told.replacen("app.toml:", "", 1))
            .collect::<Vec<_>>()
    };
    assert_eq!(check(KEY), Vec::<String>::new());
    for (more, expected) in [
        ("", "14: `secrets.snapshot`: a `passphrase` or a `key_file` has to open the snapshot"),
        ("key_file = ''", "16: `secrets.snapshot.key_file`: names no file"),
        (
            "key_file = '/k'\npassphrase = 'x'",
            "16: `secrets.snapshot.key_file`: there is a `passphrase` as well: one opens it",
        ),
        ("passphrase = ''", "16: `secrets.snapshot.passphrase`: is empty"),
        (
            "passphrase = 'secret://x'",
            "16: `secrets.snapshot.passphrase`: a reference to a secret needs `credentials_from`, the name of the provider that has it",
        ),
        (
            "key_file = '/k'\ncredentials_from = 'kyes'",
            "17: `secrets.snapshot.credentials_from`: there is no such provider; is `keys` meant?",
        ),
        (
            "key_file = '/k'\ncredentials_from = 'main'",
            "17: `secrets.snapshot.credentials_from`: is the provider that the snapshot stands in for: it may be out together with it",
        ),
        (
            "key_file = '/k'\nmax_age = '31d'",
            "17: `secrets.snapshot.max_age`: is not between `1s` and `30d`",
        ),
        (
            "key_file = '/k'\nopen_timeout = '0s'",
            "17: `secrets.snapshot.open_timeout`: is not between `1ms` and `1h`",
        ),
    ] {
        assert_eq!(check(more), [expected]);
    }
    let text =
        with(Path::new("/h"), KEY).replace("[secrets]\n", "[secrets]\naccess_period = '1ms'\n");
    let found = told(settings(&text).check(&registry));
    assert_eq!(found, ["app.toml:2: `secrets.access_period`: is not between `1s` and `1d`"]);
    assert!(told(settings(&text).check(&Registry::new())).len() == 2);
}

/// The trail is opened first, so its key has to be elsewhere than what the snapshot stands in for.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_an_audit_trail_starts_without_its_provider() {
    let home = home();
    fs::write(home.path().join("keys/trail"), "07".repeat(32)).unwrap();
    let provider = provider();
    provider.put_text("prod/db", r#"{"password": "hunter2-correct-horse"}"#).await.unwrap();
    let registry = registry(vec![Arc::new(provider.clone())]);
    let audit = format!(
        "[secrets.audit]\nfolder = '{}'\nwriter = 'w'\nkey = 'secret://trail'\n",
        home.path().join("audit").display()
    );
    let check = |text: &str| told(settings(text).check(&registry));
    let message = "app.toml:21: `secrets.audit.key`: no start without the provider, which the \
        `snapshot` is for, has this key; set `credentials_from` to the name of another provider";
    for more in ["", "credentials_from = 'main'"] {
        assert_eq!(check(&with(home.path(), &format!("{KEY}\n{audit}{more}"))), [message]);
    }
    let inline = audit.replace("secret://trail", &"07".repeat(32));
    assert_eq!(check(&with(home.path(), &format!("{KEY}\n{inline}"))), Vec::<String>::new());
    let text_of = with(home.path(), &format!("{KEY}\n{audit}credentials_from = 'keys'"));
    let first = started(&text_of, &registry).await;
    let running = tokio::spawn(first.run());
    let waited = async {
        while first.manager.snapshot().is_none_or(|snapshot| snapshot.entries == 0) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waited).await.expect("the snapshot is written");
    running.abort();
    drop((running.await, first));
    let down = Faults::none().with(FaultRule::new(Fault::Unavailable));
    provider.inject(down).unwrap();
    let again = started(&text_of, &registry).await;
    assert_eq!(text(&again.manager.get("db-password").await.unwrap()), "hunter2-correct-horse");
}

/// No provider that hangs keeps a start from ending, whatever is asked of it.
#[tokio::test(start_paused = true)]
async fn keys_are_not_waited_for_for_ever() {
    let home = home();
    let keys = MemoryProvider::builder(Personality::Aws).scope("k").sleeper(Arc::new(TokioSleep));
    let keys = keys.build().unwrap();
    let hangs = Fault::Delay { min: secs(36_000), max: secs(36_000) };
    keys.inject(Faults::none().with(FaultRule::new(hangs))).unwrap();
    let registry = registry(vec![Arc::new(provider()), Arc::new(keys)]);
    let hanging = "[secrets.providers.hanging]\ntype = 'memory'\nscope = 'k'\n";
    let snapshot = "passphrase = 'secret://snapshot'\ncredentials_from = 'hanging'\n";
    let audit = format!(
        "{KEY}\n[secrets.audit]\nfolder = '{}'\nwriter = 'w'\nkey = 'secret://trail'\n\
         credentials_from = 'hanging'\n",
        home.path().join("audit").display()
    );
    for (more, kind) in [(snapshot, StartErrorKind::Snapshot), (&audit, StartErrorKind::Audit)] {
        let text = with(home.path(), &format!("{more}{hanging}"));
        let text = text.replace("[secrets]\n", "[secrets]\nstart_timeout = '3s'\n");
        let before = tokio::time::Instant::now();
        let start = refused(&text, &registry);
        let error = tokio::time::timeout(secs(60), start).await.expect("an end");
        assert_eq!((error.kind(), before.elapsed()), (kind, secs(3)));
        let source = std::error::Error::source(&error).unwrap();
        let source = source.downcast_ref::<secrets_core::Error>().unwrap();
        assert_eq!(source.kind(), ErrorKind::Timeout);
    }
}

/// What is required is kept in it, as the start found that.
#[test]
fn what_else_is_required_needs_a_restart_where_there_is_a_snapshot() {
    let text = with(Path::new("/h"), KEY);
    let (old, new) = (settings(&text), settings(&text.replace("required = true\n", "")));
    assert_eq!(new.needs_restart(&old), ["secrets.snapshot"]);
    let without = |text: &str| settings(text.split("[secrets.snapshot]").next().unwrap());
    let fewer = without(&text.replace("required = true\n", ""));
    assert_eq!(fewer.needs_restart(&without(&text)), Vec::<String>::new());
}
