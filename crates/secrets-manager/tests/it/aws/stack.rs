//! A service on AWS, from its settings to its audit trail.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use aws_double::{AwsDouble, Fault, FaultRule};
use secrets_core::ErrorKind;
use secrets_core::SecretProviderExt;
use secrets_manager::audit_log::{AuditSink, ChainKey, Entries, Verifier};
use secrets_manager::{ManagerStatus, Registry, RequiredReason, StartErrorKind, Started};
use serde_json::Value;

use super::{builder, options, put};
use crate::settings::{refused, settings, started};
use crate::support::text;

const KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// AWS first, then a store of the machine's own; names, required secrets, a trail, a snapshot.
fn service(double: &AwsDouble, home: &Path) -> String {
    let options = options(double, double.credentials());
    let home = home.display();
    format!(
        "\
[secrets]
provider = 'main'
fallback = ['spare']
[secrets.providers.main]
{options}
retry = {{ attempts = 1 }}
[secrets.providers.spare]
type = 'file'
path = '{home}/spare.store'
passphrase = 'secret://passphrase'
credentials_from = 'mount'
state_folder = '{home}'
[secrets.providers.mount]
type = 'directory'
root = '{home}/mount'
[secrets.secret.db-password]
reference = 'billing/db'
field = 'password'
required = true
rules = {{ min_length = 8 }}
[secrets.secret.token]
reference = 'billing/token'
required = true
[secrets.secret.db-before]
reference = 'billing/db'
field = 'password'
version = 'previous'
[secrets.audit]
folder = '{home}/audit'
writer = 'billing-1'
key = 'secret://chain-key'
credentials_from = 'mount'
on_failure = 'refuse'
[secrets.snapshot]
path = '{home}/snapshot'
passphrase = 'secret://passphrase'
credentials_from = 'mount'
max_age = '6h'
state_folder = '{home}'
"
    )
}

/// The passphrase and the key of the trail, and a store that has the token.
async fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("mount")).unwrap();
    fs::write(home.path().join("mount/passphrase"), "a passphrase that is long").unwrap();
    fs::write(home.path().join("mount/chain-key"), KEY).unwrap();
    let at = home.path().display();
    let spare = format!(
        "[secrets]\nprovider = 'spare'\n[secrets.providers.spare]\ntype = 'file'\ncreate = true\n\
         path = '{at}/spare.store'\nstate_folder = '{at}'\npassphrase = 'secret://passphrase'\ncredentials_from = 'mount'\n\
         [secrets.providers.mount]\ntype = 'directory'\nroot = '{at}/mount'\n"
    );
    let spare = started(&spare, &Registry::new()).await;
    spare.manager.cached().put_text("billing/token", "from the spare store").await.unwrap();
    home
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waited).await.expect(what);
}

#[cfg(feature = "snapshot")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_lives_on_aws_by_its_settings() {
    let double = builder().start().await.unwrap();
    put(&double, &[("billing/db", r#"{"password": "battery staple"}"#)]).await;
    put(&double, &[("billing/db", r#"{"password": "correct horse"}"#)]).await;
    let home = home().await;
    let text_of = service(&double, home.path());

    let first = started(&text_of, &Registry::new()).await;
    let running = tokio::spawn(first.run());
    let manager = &first.manager;
    assert_eq!(text(&manager.get("db-password").await.unwrap()), "correct horse");
    assert_eq!(text(&manager.get("db-before").await.unwrap()), "battery staple");
    assert_eq!(text(&manager.get("token").await.unwrap()), "from the spare store");
    let handle = manager.handle("db-password").await.unwrap();
    let report = manager.report().await;
    assert_eq!(report.status, ManagerStatus::Healthy, "{report}");

    // A snapshot that is being written now may still be of what was before.
    let is_quiet = || {
        let kept = manager.snapshot().unwrap();
        let since = kept.written.and_then(|written| written.elapsed().ok());
        kept.entries >= 2 && since.is_some_and(|since| since > Duration::from_secs(1))
    };
    until("the first snapshot", is_quiet).await;

    let rotated_at = SystemTime::now();
    // A write through the manager is what handles show next.
    let rotated = r#"{"password": "rotated horse"}"#;
    manager.cached().put_text("billing/db", rotated).await.unwrap();
    let seen = handle.load().secret().unwrap().value.clone();
    assert_eq!(seen.expose_secret(), b"rotated horse");

    // One that was being written when it was rotated is followed by another at once.
    let is_kept = || {
        let written = manager.snapshot().unwrap().written;
        let since = written.and_then(|written| written.elapsed().ok());
        written > Some(rotated_at) && since.is_some_and(|since| since > Duration::from_secs(2))
    };
    until("the snapshot", is_kept).await;
    running.abort();
    let _ = running.await;
    read_trail(&double, &first, home.path()).await;
    drop(first);

    // AWS is down: the service starts all the same, by its snapshot, and says so.
    double.faults().add(FaultRule::new(Fault::Unavailable));
    let again = started(&text_of, &Registry::new()).await;
    assert_eq!(text(&again.manager.get("token").await.unwrap()), "from the spare store");
    let value = text(&again.manager.get("db-password").await.unwrap());
    assert_eq!(value, "rotated horse");
    let report = again.manager.report().await;
    assert_eq!(report.status, ManagerStatus::Degraded, "{report}");
    drop(again);

    // Without the snapshot it does not, and says which secrets and why.
    let (without, _) = text_of.split_once("[secrets.snapshot]").unwrap();
    let error = refused(without, &Registry::new()).await;
    assert_eq!(error.kind(), StartErrorKind::Required);
    let failures = &error.required().unwrap().failures();
    assert!(
        failures.iter().all(|failure| matches!(
            &failure.reason,
            RequiredReason::Unreadable(error) if error.kind() == ErrorKind::Unavailable
        )),
        "{error}"
    );
}

/// What the trail has is in order, holds no value, and names the requests that AWS knows.
async fn read_trail(double: &AwsDouble, started: &Started, home: &Path) {
    started.trail.as_ref().unwrap().flush().await.unwrap();
    let folder = home.join("audit");
    let key = ChainKey::from_hex(KEY.as_bytes()).unwrap();
    assert!(Verifier::new([key]).verify(&folder).unwrap().is_intact());
    let entries = Entries::read(&folder).unwrap().map(|entry| entry.unwrap().json);
    let entries: Vec<String> = entries.collect();
    assert!(!entries.concat().contains("horse") && !entries.concat().contains("spare store"));
    let events: Vec<Value> =
        entries.iter().map(|entry| serde_json::from_str(entry).unwrap()).collect();
    let of = |code: &str| {
        let events = events.iter().filter(|event| event["metadata"]["event_code"] == code);
        events.map(|event| event["entity"]["uid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (code, entity) in
        [("fetch", "billing/db"), ("fetch", "billing/token"), ("read", "billing/db")]
    {
        assert!(of(code).iter().any(|found| found == entity), "{code} {entity}: {entries:#?}");
    }
    assert_eq!(of("set_secret").len(), 2, "intended and done: {entries:#?}");

    // Each event of a call names requests that AWS has, and of the operation that it made.
    let answered = double.calls().all();
    let asked = |event: &Value| -> Vec<String> {
        let ids = event["unmapped"]["store_requests"].as_array().cloned().unwrap_or_default();
        let ids = ids.iter().map(|id| id.as_str().unwrap().to_owned());
        let call = |id: String| answered.iter().find(|call| call.request_id == id).unwrap();
        ids.map(|id| call(id).operation.clone()).collect()
    };
    let of_aws = |event: &&Value| event["entity"]["uid"] == "billing/db";
    for event in events.iter().filter(of_aws) {
        let (code, status) = (&event["metadata"]["event_code"], &event["status_code"]);
        let operations = asked(event).join(" ");
        match code.as_str().unwrap() {
            "fetch" => assert!(operations.contains("GetSecretValue"), "{event:#}"),
            "set_secret" if status != "intended" => {
                assert!(operations.contains("PutSecretValue"), "{event:#}");
            }
            _ => assert_eq!(operations, "", "{event:#}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_told_at_the_start() {
    let double = builder().start().await.unwrap();
    put(&double, &[("a", r#"{"password": "correct horse"}"#), ("b", "short")]).await;
    let own = options(&double, double.credentials());
    let text_of = format!(
        "\
[secrets]
provider = 'main'
[secrets.providers.main]
{own}
[secrets.secret.a]
required = true
[secrets.secret.a-user]
reference = 'a'
field = 'user'
required = true
[secrets.secret.b]
required = true
rules = {{ min_length = 20 }}
[secrets.secret.c]
required = true
"
    );
    let error = settings(&text_of).start(&Registry::new()).await.unwrap_err();
    let failed: Vec<_> =
        error.required().unwrap().failures().iter().map(|f| f.name.to_string()).collect();
    assert_eq!(failed, ["a-user", "b", "c"], "{error}");
    assert!(!error.to_string().contains("short`"), "{error}");
    assert_eq!(double.calls().count("BatchGetSecretValue"), 1, "one call for all");
}
