//! Settings that are followed: what can change while the manager runs, and whom it touches.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use secrets_core::SecretProviderExt;
use secrets_core::memory::{MemoryProvider, Personality};
use secrets_manager::service_settings::{Layers, Rules};
use secrets_manager::{SecretHandle, SecretManagerSettings};

use super::registry;
use crate::PROBE;

const SOON: Duration = Duration::from_millis(5);

/// The types are those of the tests, so that the application checks them itself.
#[derive(Debug, serde::Deserialize)]
struct Service {
    secrets: SecretManagerSettings,
}

impl Rules for Service {}

fn text(least: usize) -> String {
    format!(
        "[secrets]\nprovider = 'main'\n[secrets.providers.main]\ntype = 'memory'\nscope = 'a'\n\
         [secrets.secret.db]\nrequired = true\nrules = {{ min_length = {least} }}\n"
    )
}

/// Loads for as long as it goes on: the version never changes, and nothing is allocated.
fn read(handle: &SecretHandle, is_over: &AtomicBool, loads: &AtomicU64) {
    let version = handle.load().secret().unwrap().version.id.clone();
    let (odd, counts) = PROBE.count(|| {
        let mut odd = 0_u64;
        while !is_over.load(Ordering::Relaxed) {
            let state = handle.load();
            let is_same = state.secret().is_some_and(|secret| secret.version.id == version);
            odd += u64::from(!is_same || !state.is_fresh());
            loads.fetch_add(1, Ordering::Relaxed);
        }
        odd
    });
    assert_eq!((odd, counts.allocations), (0, 0));
}

/// What only a restart brings is told, so that nobody waits for it.
#[test]
fn what_takes_effect_at_the_next_start_only_is_told() {
    let home = "[secrets.providers.main]\ntype = 'file'\npath = '/x'\npassphrase = 'hunter2'\n";
    let base = format!(
        "[secrets]\nprovider = 'main'\n{home}[secrets.secret.db]\nreference = 'a'\nrequired = true\n\
         [secrets.audit]\nfolder = '/a'\nwriter = 'w'\nkey = 'secret://k'\n"
    );
    let running = super::settings(&base);
    let changed = |from: &str, to: &str| {
        let text = format!("# another line\n{}", base.replace(from, to));
        super::settings(&text).needs_restart(&running)
    };
    assert_eq!(changed("", ""), [""; 0].map(String::from));
    for (from, to) in [
        ("required = true", "required = false"),
        ("required = true", "required = true\nrules = { min_length = 9 }"),
    ] {
        assert!(changed(from, to).is_empty(), "{to}");
    }
    for (from, to, expected) in [
        ("provider = 'main'", "provider = 'other'", "secrets.provider"),
        ("provider = 'main'", "provider = 'main'\nfallback = ['x']", "secrets.fallback"),
        ("provider = 'main'", "provider = 'main'\naccess_period = '5s'", "secrets.access_period"),
        (
            "provider = 'main'",
            "provider = 'main'\nfall_back_on_unavailable = true",
            "secrets.fall_back_on_unavailable",
        ),
        ("provider = 'main'", "provider = 'main'\ncache.ttl = '5s'", "secrets.cache"),
        ("provider = 'main'", "provider = 'main'\nhealth.timeout = '5s'", "secrets.health"),
        ("provider = 'main'", "provider = 'main'\nsnapshot.path = '/s'", "secrets.snapshot"),
        ("'hunter2'", "'hunter3'", "secrets.providers.main"),
        (
            "[secrets.providers.main]",
            "[secrets.providers.b]\ntype = 'env'\n[secrets.providers.main]",
            "secrets.providers.b",
        ),
        ("reference = 'a'", "reference = 'b'", "secrets.secret.db"),
        ("'secret://k'", "'secret://l'", "secrets.audit"),
    ] {
        assert_eq!(changed(from, to), [expected], "{to}");
    }
}

/// A reload is a value beside the manager: rules are held to secrets anew, and whoever reads them does
/// not notice.
#[tokio::test(flavor = "multi_thread")]
async fn a_reload_changes_rules_and_touches_no_reader() {
    let provider = MemoryProvider::builder(Personality::Aws).scope("a").build().unwrap();
    provider.put_text("db", "q7Zt0vR2mXc9LbW4").await.unwrap();
    let registry = registry(vec![Arc::new(provider)]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.toml");
    fs::write(&path, text(8)).unwrap();
    let (reloading, follow) = Layers::<Service>::new().file(&path).load_and_follow(SOON).unwrap();
    tokio::spawn(follow);
    let first = reloading.settings().load().settings.secrets.start(&registry).await.unwrap();
    let manager = first.manager;
    tokio::spawn(manager.run());
    while !manager.usage().is_running {
        tokio::time::sleep(SOON).await;
    }
    let handle = manager.handle("db").await.unwrap();
    let (is_over, loads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (handle, is_over, loads) =
                (handle.clone(), Arc::clone(&is_over), Arc::clone(&loads));
            std::thread::spawn(move || read(&handle, &is_over, &loads))
        })
        .collect();
    let entries = manager.usage().entries;
    for (number, least) in (0..20).map(|number| (number, if number % 2 == 0 { 17 } else { 9 })) {
        let before = reloading.settings().version();
        fs::write(&path, format!("{}# {number}\n", text(least))).unwrap();
        let waited = tokio::time::timeout(Duration::from_secs(60), async {
            while reloading.settings().version() == before {
                tokio::time::sleep(SOON).await;
            }
        });
        waited.await.unwrap();
        let now = reloading.settings().load();
        assert!(now.settings.secrets.check(&registry).is_empty());
        let outcome = manager.check_required(&now.settings.secrets.required()).await;
        // The value has 16 bytes.
        assert_eq!(outcome.is_ok(), least <= 16, "{least}");
    }
    is_over.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().unwrap();
    }
    assert!(loads.load(Ordering::Relaxed) > 1_000);
    assert_eq!(manager.usage().entries, entries, "what is checked is what is there");
}
