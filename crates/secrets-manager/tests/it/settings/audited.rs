//! The audit trail that settings name.

use std::fs;
use std::path::{Path, PathBuf};

use audit_log::{AuditSink, ChainKey, Code, Entries, FileAnchors, Product, Verifier};
use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{ErrorKind, SecretProviderExt};
use secrets_manager::{Registry, StartErrorKind, Started};
use std::sync::Arc;

use super::{refused, registry, settings, wrong};

const KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";

struct Place {
    _parent: tempfile::TempDir,
    trail: PathBuf,
    anchors: PathBuf,
}

fn place() -> Place {
    let parent = tempfile::tempdir().unwrap();
    let (trail, anchors) = (parent.path().join("audit"), parent.path().join("anchors"));
    fs::create_dir(&anchors).unwrap();
    Place { _parent: parent, trail, anchors }
}

/// The key is a field of a secret that the application has a name for.
fn text(folder: &Path, more: &str) -> String {
    format!(
        "\
[secrets]
provider = 'main'
[secrets.providers.main]
type = 'memory'
scope = 'main'
[secrets.secret.trail-key]
reference = 'keys'
field = 'audit'
[secrets.secret.password]
reference = 'db'
required = true
[secrets.audit]
folder = '{}'
writer = 'billing-1'
key = 'secret://trail-key'
{more}",
        folder.display()
    )
}

async fn provider(key: &str) -> MemoryProvider {
    let provider = MemoryProvider::builder(Personality::Aws).scope("main").build().unwrap();
    provider.put_text("keys", &format!(r#"{{"audit":"{key}"}}"#)).await.unwrap();
    provider.put_text("db", "correct horse").await.unwrap();
    provider
}

async fn registered(key: &str) -> Registry {
    let product = Product::new(Code::new("example"), Code::new("billing"));
    registry(vec![Arc::new(provider(key).await)]).with_product(product)
}

fn verifier() -> Verifier {
    Verifier::new([ChainKey::from_hex(KEY.as_bytes()).unwrap()])
}

async fn entries(started: &Started, folder: &Path) -> Vec<String> {
    started.trail.as_ref().unwrap().flush().await.unwrap();
    let entries = Entries::read(folder).unwrap();
    entries.map(|entry| entry.unwrap().json).collect()
}

#[tokio::test]
async fn what_is_read_stands_in_the_trail() {
    let place = place();
    let more = format!("anchors = '{}'", place.anchors.display());
    let started = settings(&text(&place.trail, &more)).start(&registered(KEY).await).await.unwrap();
    let running = tokio::spawn(started.run());
    started.manager.get("password").await.unwrap();

    let entries = entries(&started, &place.trail).await;
    let told = |code: &str, id: &str| {
        let (code, id) = (format!("\"{code}\""), format!("\"uid\":\"{id}\""));
        entries.iter().any(|entry| entry.contains(&code) && entry.contains(&id))
    };
    assert!(told("fetch", "db") && told("read", "db"), "{entries:#?}");
    assert!(entries.iter().all(|entry| entry.contains(r#""name":"billing""#)), "{entries:#?}");
    assert!(!entries.concat().contains("correct horse") && !entries.concat().contains(KEY));

    let anchors = FileAnchors::new(&place.anchors).read_all().unwrap();
    assert_eq!(anchors.len(), 1);
    let report = verifier().with_anchors(anchors).verify(&place.trail).unwrap();
    assert!(report.is_intact() && report.records() == entries.len() as u64);

    // When nobody uses the manager any more, what waits is written and the future ends.
    started.manager.get("password").await.unwrap();
    let Started { manager, trail, .. } = started;
    drop((manager, trail));
    running.await.unwrap().unwrap();
    let later = verifier().verify(&place.trail).unwrap();
    assert!(later.is_intact() && later.records() > report.records());
}

#[tokio::test]
async fn what_cannot_be_recorded_is_refused_if_that_is_set() {
    for (more, is_refused) in [("on_failure = 'refuse'", true), ("on_failure = 'proceed'", false)] {
        let place = place();
        let settings = settings(&text(&place.trail, more));
        let started = settings.start(&registered(KEY).await).await.unwrap();
        fs::remove_dir_all(&place.trail).unwrap();
        let read = started.manager.get("password").await;
        let kind = read.err().map(|error| error.kind());
        assert_eq!(kind, is_refused.then_some(ErrorKind::Unavailable), "{more}");
    }
}

#[tokio::test]
async fn a_key_that_is_replaced_needs_the_one_before() {
    let place = place();
    let other = "08".repeat(32);
    let first = settings(&text(&place.trail, "")).start(&registered(KEY).await).await.unwrap();
    first.trail.as_ref().unwrap().flush().await.unwrap();
    drop(first);
    let error = refused(&text(&place.trail, ""), &registered(&other).await).await;
    assert_eq!(error.kind(), StartErrorKind::Audit, "{error}");
    let more = format!("previous_keys = ['{KEY}']");
    settings(&text(&place.trail, &more)).start(&registered(&other).await).await.unwrap();
}

/// What was read then is told, whatever happens to a loss: nobody else would write it.
#[tokio::test]
async fn a_start_that_fails_leaves_its_trace() {
    for more in ["on_failure = 'refuse'", "on_failure = 'proceed'"] {
        let place = place();
        let text = text(&place.trail, more).replace("[secrets.audit]", ABSENT);
        let error = refused(&text, &registered(KEY).await).await;
        assert_eq!(error.kind(), StartErrorKind::Required);
        let report = verifier().verify(&place.trail).unwrap();
        assert!(report.is_intact());
        let entries: Vec<_> =
            Entries::read(&place.trail).unwrap().map(|e| e.unwrap().json).collect();
        for id in ["db", "absent"] {
            let id = format!("\"uid\":\"{id}\"");
            let is_fetch = |entry: &&String| entry.contains("\"fetch\"") && entry.contains(&id);
            assert_eq!(entries.iter().filter(is_fetch).count(), 1, "{more} {id}: {entries:#?}");
        }
    }
}

const ABSENT: &str = "[secrets.secret.absent]\nrequired = true\n[secrets.audit]";

/// The provider that has the key is asked directly, and need not be one of the chain.
#[tokio::test]
async fn the_key_comes_from_a_provider_of_its_own() {
    let place = place();
    let keys = place.trail.parent().unwrap().join("keys");
    fs::create_dir(&keys).unwrap();
    fs::write(keys.join("trail-key"), KEY).unwrap();
    let text = text(&place.trail, "credentials_from = 'keys'");
    let text = format!(
        "{text}\n[secrets.providers.keys]\ntype = 'directory'\nroot = '{}'\n",
        keys.display()
    );
    let started = settings(&text).start(&registered(&"08".repeat(32)).await).await.unwrap();
    started.trail.as_ref().unwrap().flush().await.unwrap();
    assert!(verifier().verify(&place.trail).unwrap().is_intact(), "by the key of the folder");
    let odd = text.replace("credentials_from = 'keys'", "credentials_from = 'kyes'");
    let told = super::told(settings(&odd).check(&registered(KEY).await));
    let expected = "app.toml:16: `secrets.audit.credentials_from`: there is no such provider; is `keys` meant?";
    assert_eq!(told, [expected]);
}

/// Each names what is wrong and where, and no value.
#[tokio::test]
async fn a_trail_that_cannot_be_opened_fails_the_start() {
    use std::error::Error as _;
    let told = |error: &secrets_manager::StartError| {
        let mut told = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            told = format!("{told}: {cause}");
            source = cause.source();
        }
        told
    };
    for (key, folder, expected) in [
        ("shorter", "audit", "app.toml:12: `secrets.audit`: `key` is no key"),
        (KEY, "not/there/audit", "app.toml:12: `secrets.audit`: it cannot be opened"),
    ] {
        let place = place();
        let folder = place.trail.parent().unwrap().join(folder);
        let error = refused(&text(&folder, ""), &registered(key).await).await;
        assert_eq!(error.kind(), StartErrorKind::Audit);
        let told = told(&error);
        assert!(told.contains(expected), "{told}");
        assert!(!told.contains("shorter") && !told.contains(KEY), "{told}");
    }

    let place = place();
    let absent = text(&place.trail, "").replace("secret://trail-key", "secret://other-key");
    let error = refused(&absent, &registered(KEY).await).await;
    let told = told(&error);
    assert!(told.contains("`key` cannot be read") && told.contains("not found"), "{told}");
    assert!(!place.trail.exists(), "nothing was made");
}

#[tokio::test]
async fn two_processes_of_one_name_are_refused() {
    let place = place();
    let registry = registered(KEY).await;
    let first = settings(&text(&place.trail, "")).start(&registry).await.unwrap();
    let error = refused(&text(&place.trail, ""), &registry).await;
    assert_eq!(error.kind(), StartErrorKind::Audit);
    drop(first);
    settings(&text(&place.trail, "")).start(&registry).await.unwrap();
}

#[test]
fn problems_are_told_with_their_places() {
    let base = "secrets.provider = 'e'\nsecrets.providers.e.type = 'env'\n[secrets.audit]\n";
    let sound = "folder = '/a'\nwriter = 'w'\nkey = 'secret://k'";
    for (text, expected) in [
        ("folder = '/a'\nkey = 'secret://k'", "`secrets.audit.writer`: this has to be set"),
        (&sound.replace("'w'", "'W'"), "defaults:5: `secrets.audit.writer`: the name of a writer"),
        (&sound.replace("'/a'", "'/'"), "defaults:4: `secrets.audit.folder`: names no folder"),
        (&sound.replace("secret://k", "c0ffee"), "defaults:6: `secrets.audit.key`: is not 64"),
        (&format!("{sound}\nanchors = ''"), "`secrets.audit.anchors`: names no folder"),
        (&format!("{sound}\nanchors = '/a/b'"), "`secrets.audit.anchors`: lies within the trail"),
        (&format!("{sound}\nprevious_keys = ['x']"), "`secrets.audit.previous_keys[0]`: is not"),
        (&format!("{sound}\non_failure = 'stop'"), "`secrets.audit.on_failure`: there is no such"),
        (&format!("{sound}\nflush_interval = '2m'"), "`secrets.audit.flush_interval`: is not"),
        (&format!("{sound}\nfolders = 2"), "`secrets.audit.folders`: nothing has this name"),
    ] {
        let found = wrong(&format!("{base}{text}"));
        assert!(found.iter().any(|told| told.contains(expected)), "{expected}: {found:#?}");
        assert!(!found.concat().contains("c0ffee"));
    }
}
