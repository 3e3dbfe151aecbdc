//! Starting without the provider.

mod gone;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit_log::{AuditLog, Class, MemorySink, OnFailure};
use secrets_core::{
    Error, ErrorKind, ManualClock, Result, Secret, SecretName, SecretProvider, SecretProviderExt,
    SecretState, SecretValue,
};
use secrets_manager::snapshot::{
    Coverage, FileStore, KeyFile, Passphrase, Snapshot, SnapshotErrorKind, SnapshotFile,
};
use secrets_manager::{Alias, HealthReason, SecretManager, UnusableKind};

use crate::support::{
    NAME, Running, Scripted, Wall, absent, builder, pass, policy, reference, secs, text,
    unavailable, version,
};

const HOUR: u64 = 3_600;
const CANARY: &str = "canary-snapshot-9f21";

type Answer = Arc<Mutex<Result<Secret>>>;

/// A provider that gives one answer to everything, until it is given another one.
struct Cloud(Answer);

impl Cloud {
    fn holding(id: &str) -> Self {
        Self(Arc::new(Mutex::new(Ok(canary(id)))))
    }

    fn answers(&self, answer: Result<Secret>) {
        *self.0.lock().unwrap() = answer;
    }

    fn provider(&self) -> Scripted {
        let answer = Arc::clone(&self.0);
        Scripted::new(move |_, _| {
            let answer = answer.lock().unwrap().clone();
            async { answer }
        })
    }
}

/// Its value tells which version it is of.
fn canary(id: &str) -> Secret {
    let mut secret = version(id);
    secret.value = SecretValue::from_string(format!("{CANARY}-{id}"));
    secret
}

struct Host {
    folder: tempfile::TempDir,
    key: KeyFile,
    clock: ManualClock,
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyFile::generate(folder.path().join("key")).unwrap();
        Self { folder, key, clock: crate::support::clock() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("snapshot")
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::at(self.path(), self.key.clone())
    }

    fn manager(&self, provider: impl SecretProvider) -> SecretManager {
        self.manager_with(provider, self.snapshot())
    }

    fn manager_with(&self, provider: impl SecretProvider, snapshot: Snapshot) -> SecretManager {
        let builder = builder(provider).clock(Arc::new(self.clock.clone()));
        builder.snapshot(snapshot).build().unwrap()
    }

    /// A run of the service that holds one secret until it is in the file.
    async fn run_once(&self, cloud: &Cloud) {
        let manager = self.manager(cloud.provider());
        let running = Running::start(&manager).await;
        let _handle = manager.handle(NAME).await.unwrap();
        pass(secs(3)).await;
        assert_eq!(manager.snapshot().unwrap().entries, 1);
        assert!(manager.snapshot().unwrap().last_error.is_none());
        running.stop().await;
    }

    /// What the next run has, with the provider down.
    async fn next_run(&self) -> (Result<String>, Option<SnapshotErrorKind>) {
        let cloud = Cloud::holding("v9");
        cloud.answers(Err(unavailable()));
        let manager = self.manager(cloud.provider());
        let _running = Running::start(&manager).await;
        let secret = manager.get(NAME).await.map(|secret| text(&secret));
        (secret, manager.snapshot().unwrap().last_error.map(|error| error.kind()))
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).unwrap()
    }
}

fn served(id: &str) -> String {
    format!("{CANARY}-{id}")
}

#[tokio::test(start_paused = true)]
async fn a_service_starts_without_its_provider_and_catches_up() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    host.run_once(&cloud).await;
    let confirmed = host.clock.clone();
    let then = secrets_core::Clock::now(&confirmed);
    host.clock.advance(secs(HOUR));

    cloud.answers(Err(unavailable()));
    let manager = host.manager(cloud.provider());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    match &*handle.load() {
        SecretState::Stale { secret, since } => {
            assert_eq!(text(secret), served("v1"));
            assert_eq!(*since, then, "since its provider last confirmed it");
        }
        state => panic!("{state:?}"),
    }
    assert!(handle.load_checked().is_ok());
    assert_eq!(text(&manager.get(NAME).await.unwrap()), served("v1"));
    assert!(manager.try_get(NAME).unwrap().stale_since().is_some());
    let (usage, status) = (manager.usage(), manager.snapshot().unwrap());
    assert_eq!((usage.restored, status.served, status.file), (1, 1, SnapshotFile::Open));
    let reasons = manager.report().await.reasons;
    assert_eq!(reasons, [HealthReason::SecretStale, HealthReason::FromSnapshot]);

    cloud.answers(Ok(canary("v2")));
    pass(secs(40)).await;
    assert!(handle.load().is_fresh());
    assert_eq!(text(handle.load().secret().unwrap()), served("v2"));
    assert_eq!(manager.usage().restored, 0);
    assert_eq!(manager.report().await.reasons, []);
}

#[tokio::test(start_paused = true)]
async fn without_a_snapshot_nothing_is_served_and_nothing_is_said() {
    let manager = builder(Scripted::new(|_, _| async { Err(unavailable()) })).build().unwrap();
    assert!(manager.get(NAME).await.is_err());
    assert!(manager.snapshot().is_none());
}

#[tokio::test(start_paused = true)]
async fn lists_of_secrets_are_served_as_well() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    host.run_once(&cloud).await;
    cloud.answers(Err(unavailable()));
    let manager = host.manager(cloud.provider());
    let wanted = [reference(NAME), reference("other")].map(|name| (name, Default::default()));
    let answers = manager.cached().get_secrets(&wanted).await.unwrap();
    assert_eq!(text(answers[0].as_ref().unwrap()), served("v1"));
    assert_eq!(answers[1].as_ref().unwrap_err().kind(), ErrorKind::Unavailable);
}

/// Only that the provider cannot be reached is made up for.
#[tokio::test(start_paused = true)]
async fn what_the_provider_denies_is_not_served() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    host.run_once(&cloud).await;
    let denials = [
        ErrorKind::PermissionDenied,
        ErrorKind::Unauthenticated,
        ErrorKind::NotFound,
        ErrorKind::Disabled,
        ErrorKind::Integrity,
        ErrorKind::Internal,
    ];
    for kind in denials {
        cloud.answers(Err(Error::new(kind, "no")));
        let manager = host.manager(cloud.provider());
        assert_eq!(manager.get(NAME).await.unwrap_err().kind(), kind);
        assert_eq!(manager.snapshot().unwrap().served, 0);
    }
    for kind in [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Throttled] {
        cloud.answers(Err(Error::new(kind, "later")));
        assert!(host.manager(cloud.provider()).get(NAME).await.is_ok(), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_later_is_served_no_longer() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    host.run_once(&cloud).await;
    cloud.answers(Err(unavailable()));
    let manager = host.manager(cloud.provider());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    assert!(handle.load_checked().is_ok());
    cloud.answers(Err(Error::new(ErrorKind::PermissionDenied, "revoked")));
    pass(secs(40)).await;
    assert_eq!(handle.load_checked().unwrap_err().kind(), UnusableKind::TooStale);
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[tokio::test(start_paused = true)]
async fn its_age_is_bounded_at_the_start_and_while_it_runs() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    host.run_once(&cloud).await;
    host.clock.advance(secs(23 * HOUR));
    cloud.answers(Err(unavailable()));
    let manager = host.manager(cloud.provider());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    pass(secs(HOUR - 10)).await;
    assert!(handle.load_checked().is_ok());
    assert!(manager.get(NAME).await.is_ok());
    pass(secs(20)).await;
    assert_eq!(handle.load_checked().unwrap_err().kind(), UnusableKind::TooStale);
    assert!(manager.get(NAME).await.is_err());

    host.clock.advance(secs(HOUR));
    let (secret, error) = host.next_run().await;
    assert_eq!(secret.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(error, Some(SnapshotErrorKind::TooOld));
}

#[tokio::test(start_paused = true)]
async fn nothing_from_the_future_is_served() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    host.run_once(&cloud).await;
    let noon = crate::support::noon();
    host.clock.set(noon - secs(60));
    assert_eq!(host.next_run().await.0.unwrap(), served("v1"), "clocks differ by a little");
    host.clock.set(noon - secs(HOUR));
    let (secret, error) = host.next_run().await;
    assert!(secret.is_err());
    assert_eq!(error, Some(SnapshotErrorKind::Future));
}

/// A value that does not change is confirmed all the time, and the file says so.
#[tokio::test(start_paused = true)]
async fn confirmations_are_written_as_well() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    let wall = Wall::new();
    let builder = builder(cloud.provider()).clock(Arc::new(wall.clone()));
    let manager = builder.snapshot(host.snapshot()).build().unwrap();
    let running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    pass(secs(3 * 24 * HOUR)).await;
    running.stop().await;
    drop((handle, manager));
    host.clock.set(crate::support::noon() + secs(3 * 24 * HOUR + 22 * HOUR));
    assert_eq!(host.next_run().await.0.unwrap(), served("v1"));
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_at_the_provider_leaves_the_file() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    for by_name in [false, true] {
        let snapshot = host.snapshot().with_coverage(Coverage::All);
        cloud.answers(Ok(canary("v1")));
        let manager = host.manager_with(cloud.provider(), snapshot);
        let _running = Running::start(&manager).await;
        let handle = if by_name {
            manager.get(NAME).await.unwrap();
            None
        } else {
            Some(manager.handle(NAME).await.unwrap())
        };
        pass(secs(3)).await;
        assert_eq!(manager.snapshot().unwrap().entries, 1);
        cloud.answers(Err(absent()));
        manager.invalidate_all();
        let _ = manager.get(NAME).await;
        pass(secs(3)).await;
        assert_eq!(manager.snapshot().unwrap().entries, 0, "by name: {by_name}");
        drop(handle);
    }
    assert!(host.next_run().await.0.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_this_process_deletes_leaves_the_file() {
    use secrets_core::DeleteMode;
    use secrets_core::memory::{MemoryProvider, Personality};
    let host = Host::new();
    let provider = MemoryProvider::new(Personality::Aws);
    provider.put_text(NAME, CANARY).await.unwrap();
    let snapshot = host.snapshot().with_coverage(Coverage::All);
    let manager = host.manager_with(provider, snapshot);
    let _running = Running::start(&manager).await;
    manager.get(NAME).await.unwrap();
    pass(secs(3)).await;
    assert_eq!(manager.snapshot().unwrap().entries, 1);
    manager.cached().delete_secret(&reference(NAME), DeleteMode::Immediate).await.unwrap();
    pass(secs(3)).await;
    assert_eq!(manager.snapshot().unwrap().entries, 0);
}

/// The same of what it has never read.
#[tokio::test(start_paused = true)]
async fn what_this_process_deletes_or_promotes_is_not_served_from_the_file() {
    use secrets_core::memory::{Fault, FaultRule, Faults, MemoryProvider, Personality};
    use secrets_core::{DeleteMode, IdempotencyKey, SetOptions};
    let provider = MemoryProvider::new(Personality::Aws);
    let base = provider.put_text(NAME, CANARY).await.unwrap();
    let options = SetOptions::pending();
    let pending =
        provider.set_secret(&reference(NAME), crate::support::value("new"), options).await;
    let pending = pending.unwrap();
    let db = reference(NAME);
    for deletes in [false, true] {
        let host = Host::new();
        let manager = host.manager(provider.clone());
        let running = Running::start(&manager).await;
        let handle = manager.handle(NAME).await.unwrap();
        pass(secs(3)).await;
        running.stop().await;
        drop((manager, handle));
        let down = Faults::seeded(1).with(FaultRule::new(Fault::Unavailable));

        let manager = host.manager(provider.clone());
        if deletes {
            let deleted = manager.cached().delete_secret(&db, DeleteMode::Immediate);
            deleted.await.unwrap();
        } else {
            let key = IdempotencyKey::from_random([7; 16]);
            let promoted = manager.cached().promote(&db, &pending.id, &base.id, &key);
            promoted.await.unwrap();
        }
        provider.inject(down).unwrap();
        let answer = manager.get(NAME).await;
        assert!(answer.is_err(), "deletes: {deletes}");
        provider.inject(Faults::none()).unwrap();
    }
}

/// Of a value that was replaced nothing is left, and of what is there nothing shows.
#[tokio::test(start_paused = true)]
async fn the_file_holds_the_newest_value_alone_and_shows_nothing() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    let manager = host.manager(cloud.provider());
    let _running = Running::start(&manager).await;
    let _handle = manager.handle(NAME).await.unwrap();
    pass(secs(3)).await;
    let first = host.bytes();
    cloud.answers(Ok(canary("v2")));
    manager.invalidate_all();
    pass(secs(3)).await;
    let second = host.bytes();
    assert_eq!(first.len(), second.len(), "one version, not two");
    for (bytes, id) in [(&first, "v1"), (&second, "v2")] {
        for word in [CANARY, NAME, "scripted", "header", id] {
            let is_there = bytes.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!is_there || word.len() < 4, "`{word}` is in the file");
        }
    }
    let store = FileStore::at(host.path()).open(host.key.clone()).await.unwrap();
    let verification = store.verify().await.unwrap();
    assert!(verification.is_sound());
    for name in store.list_secrets(&Default::default(), Default::default()).await.unwrap().items {
        let versions = store.list_versions(&name.reference, Default::default()).await.unwrap();
        assert_eq!(versions.items.len(), 1, "{}", name.reference);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(host.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_copied_can_be_chosen() {
    let host = Host::new();
    let other = SecretName::new("required").unwrap();
    for (snapshot, entries) in [
        (host.snapshot(), 1),
        (host.snapshot().with_required([other]), 2),
        (host.snapshot().with_coverage(Coverage::All), 3),
    ] {
        let manager = host.manager_with(Cloud::holding("v1").provider(), snapshot);
        let _running = Running::start(&manager).await;
        let _handle = manager.handle(NAME).await.unwrap();
        manager.get("required").await.unwrap();
        manager.get("other").await.unwrap();
        pass(secs(3)).await;
        assert_eq!(manager.snapshot().unwrap().entries, entries);
        drop(manager);
        let _ = std::fs::remove_file(host.path());
    }
}

/// A run that holds less than the one before takes nothing away that is still good.
#[tokio::test(start_paused = true)]
async fn what_this_run_has_not_asked_for_yet_stays() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    host.run_once(&cloud).await;
    {
        let manager = host.manager(cloud.provider());
        let _running = Running::start(&manager).await;
        let _other = manager.handle("other").await.unwrap();
        pass(secs(3)).await;
        assert_eq!(manager.snapshot().unwrap().entries, 2);
    }
    assert_eq!(host.next_run().await.0.unwrap(), served("v1"));
    host.clock.advance(secs(25 * HOUR));
    let manager = host.manager(cloud.provider());
    let _running = Running::start(&manager).await;
    let _other = manager.handle("other").await.unwrap();
    pass(secs(3)).await;
    assert_eq!(manager.snapshot().unwrap().entries, 1, "what is too old is taken out");
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = at.min(bytes.len() - 1);
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_tampered_with_is_refused_and_left_alone() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    host.run_once(&cloud).await;
    let good = host.bytes();
    let step = good.len() / 60 + 1;
    let mut kinds = std::collections::BTreeMap::<_, usize>::new();
    for at in (0..good.len()).step_by(step) {
        std::fs::write(host.path(), &good).unwrap();
        flip(&host.path(), at);
        let bad = host.bytes();
        let (secret, error) = host.next_run().await;
        assert!(secret.is_err(), "byte {at} of {} was changed", good.len());
        *kinds.entry(error.map(|kind| kind.as_str())).or_default() += 1;
        assert_eq!(host.bytes(), bad, "it was left alone");
    }
    assert!(kinds.keys().all(Option::is_some), "{kinds:?}");
    for len in (0..good.len()).step_by(step) {
        std::fs::write(host.path(), &good[..len]).unwrap();
        let (secret, error) = host.next_run().await;
        assert!(secret.is_err() && error.is_some(), "cut to {len}");
    }
    std::fs::write(host.path(), &good).unwrap();
    assert_eq!(host.next_run().await.0.unwrap(), served("v1"));
}

#[tokio::test(start_paused = true)]
async fn a_start_with_a_file_that_is_refused_goes_on_without() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    std::fs::write(host.path(), b"what is this").unwrap();
    let manager = host.manager(cloud.provider());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    assert!(handle.load().is_fresh());
    pass(secs(30)).await;
    let status = manager.snapshot().unwrap();
    assert_eq!(status.file, SnapshotFile::Refused);
    assert_eq!(status.last_error.unwrap().kind(), SnapshotErrorKind::NotASnapshot);
    assert_eq!(host.bytes(), b"what is this");
}

#[tokio::test(start_paused = true)]
async fn another_key_another_provider_and_another_store_are_refused() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    host.run_once(&cloud).await;
    let down = || Scripted::new(|_, _| async { Err(unavailable()) });
    let error_of = async |manager: SecretManager| {
        assert!(manager.get(NAME).await.is_err());
        let status = manager.snapshot().unwrap();
        assert_eq!(status.file, SnapshotFile::Refused);
        status.last_error.unwrap().kind()
    };
    let foreign = KeyFile::generate(host.folder.path().join("foreign")).unwrap();
    let manager = host.manager_with(down(), Snapshot::at(host.path(), foreign));
    assert_eq!(error_of(manager).await, SnapshotErrorKind::WrongKey);
    let manager = host.manager(down().scope("another account"));
    assert_eq!(error_of(manager).await, SnapshotErrorKind::Identity);

    let path = host.folder.path().join("somebody's store");
    let store = FileStore::at(&path).create(host.key.clone()).await.unwrap();
    store.put_text("valuable", "s").await.unwrap();
    let manager = host.manager_with(down(), Snapshot::at(&path, host.key.clone()));
    assert_eq!(error_of(manager).await, SnapshotErrorKind::NotASnapshot);
    assert!(store.read("valuable").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_older_copy_is_refused_where_a_mark_is_kept() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    let marks = host.folder.path().join("marks");
    std::fs::create_dir(&marks).unwrap();
    let snapshot = || {
        let store = FileStore::at(host.path()).state_folder(&marks);
        Snapshot::in_store(store, host.key.clone())
    };
    let run = async || {
        let manager = host.manager_with(cloud.provider(), snapshot());
        let _running = Running::start(&manager).await;
        let _handle = manager.handle(NAME).await.unwrap();
        pass(secs(3)).await;
    };
    run().await;
    let old = host.bytes();
    cloud.answers(Ok(canary("v2")));
    run().await;
    std::fs::write(host.path(), old).unwrap();
    cloud.answers(Err(unavailable()));
    let manager = host.manager_with(cloud.provider(), snapshot());
    assert!(manager.get(NAME).await.is_err());
    let status = manager.snapshot().unwrap();
    assert_eq!(status.last_error.unwrap().kind(), SnapshotErrorKind::Rollback);
}

#[tokio::test(start_paused = true)]
async fn a_passphrase_opens_it_too() {
    let host = Host::new();
    let snapshot = || {
        let store = FileStore::at(host.path());
        let cost = secrets_local::store::PassphraseCost::MINIMUM;
        let key = Passphrase::from_string("correct horse".to_owned()).unwrap();
        Snapshot::in_store(store.passphrase_cost(cost), key)
    };
    let cloud = Cloud::holding("v1");
    {
        let manager = host.manager_with(cloud.provider(), snapshot());
        let _running = Running::start(&manager).await;
        let _handle = manager.handle(NAME).await.unwrap();
        while manager.snapshot().unwrap().entries == 0 {
            pass(secs(1)).await;
        }
    }
    cloud.answers(Err(unavailable()));
    let manager = host.manager_with(cloud.provider(), snapshot());
    assert_eq!(text(&manager.get(NAME).await.unwrap()), served("v1"));
}

/// To open it takes as long as the passphrase was told to; calls of the provider may be given less.
/// The one thread that may block is held up, so that the opening takes as long as the test says.
#[test]
fn opening_it_takes_its_own_time() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let (host, cloud) = (Host::new(), Cloud::holding("v1"));
        host.run_once(&cloud).await;
        tokio::time::resume();
        cloud.answers(Err(unavailable()));
        let build = |open_timeout| {
            let policy = policy().with_call_timeout(secs(2));
            let builder = builder(cloud.provider()).clock(Arc::new(host.clock.clone()));
            let snapshot = host.snapshot().with_open_timeout(open_timeout);
            builder.policy(policy).snapshot(snapshot).build().unwrap()
        };

        let (late, release) = (build(Duration::from_millis(1)), hold_up_blocking_work());
        assert_eq!(late.get(NAME).await.unwrap_err().kind(), ErrorKind::Unavailable);
        let error = late.snapshot().unwrap().last_error.unwrap();
        assert_eq!(error.kind(), SnapshotErrorKind::Unavailable);
        release.send(()).unwrap();

        let (patient, release) = (build(secs(60)), hold_up_blocking_work());
        let slow_disk = async {
            tokio::time::sleep(Duration::from_millis(2_500)).await;
            release.send(()).unwrap();
        };
        let (found, ()) = tokio::join!(patient.get(NAME), slow_disk);
        assert_eq!(text(&found.unwrap()), served("v1"));
    });
}

/// Occupies a thread for blocking work until the sender speaks or is gone.
pub(crate) fn hold_up_blocking_work() -> std::sync::mpsc::Sender<()> {
    let (release, released) = std::sync::mpsc::channel();
    tokio::task::spawn_blocking(move || released.recv());
    release
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_too_large_is_left_out_and_said() {
    let host = Host::new();
    let provider = Scripted::new(|_, _| async {
        let mut secret = version("v1");
        secret.value = SecretValue::from_vec(vec![b'x'; 1 << 20]);
        Ok(secret)
    });
    let manager = host.manager(provider);
    let _running = Running::start(&manager).await;
    let _handle = manager.handle(NAME).await.unwrap();
    pass(secs(3)).await;
    let status = manager.snapshot().unwrap();
    assert_eq!(status.entries, 0);
    assert_eq!(status.last_error.unwrap().kind(), SnapshotErrorKind::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_is_tried_again() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    let folder = host.folder.path().join("later");
    let snapshot = Snapshot::at(folder.join("snapshot"), host.key.clone());
    let manager = host.manager_with(cloud.provider(), snapshot);
    let _running = Running::start(&manager).await;
    let _handle = manager.handle(NAME).await.unwrap();
    pass(secs(3)).await;
    let status = manager.snapshot().unwrap();
    assert_eq!(status.last_error.unwrap().kind(), SnapshotErrorKind::Unavailable);
    std::fs::create_dir(&folder).unwrap();
    pass(secs(30)).await;
    let status = manager.snapshot().unwrap();
    assert_eq!(status.entries, 1);
    assert!(status.last_error.is_none());
}

/// What must be recorded and cannot be is not to be had from a copy either.
#[tokio::test(start_paused = true)]
async fn what_fails_closed_stays_closed() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    host.run_once(&cloud).await;
    let sink = Arc::new(MemorySink::new());
    let log = AuditLog::new(Arc::<MemorySink>::clone(&sink));
    let log = log.on_failure(Class::EntityManagement, OnFailure::Refuse);
    let builder = builder(cloud.provider()).clock(Arc::new(host.clock.clone()));
    let manager = builder.snapshot(host.snapshot()).audit(log).build().unwrap();
    sink.fail_with(Some(audit_log::ErrorKind::Io));
    let error = manager.get(NAME).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(manager.snapshot().unwrap().served, 0);
}

#[tokio::test(start_paused = true)]
async fn values_from_a_snapshot_are_wiped() {
    // One of its own: other tests free texts with theirs at the same time.
    const WIPED: &str = "canary-to-be-wiped-51c7";
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    let mut secret = version("v1");
    secret.value = SecretValue::copy_from_slice(WIPED.as_bytes());
    cloud.answers(Ok(secret));
    host.run_once(&cloud).await;
    cloud.answers(Err(unavailable()));
    let scan = crate::PROBE.scan_for(WIPED.as_bytes());
    let manager = host.manager(cloud.provider());
    let running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    assert_eq!(handle.load().secret().unwrap().value.expose_secret(), WIPED.as_bytes());
    cloud.answers(Ok(version("v2")));
    pass(Duration::from_secs(60)).await;
    running.stop().await;
    drop((handle, manager, cloud));
    assert!(scan.finish().is_clean());
}

/// What a child does until it is killed: it writes one snapshot after the other.
#[test]
fn a_child_writes_until_it_is_killed() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let key = KeyFile::read(Path::new(&folder).join("key")).unwrap();
        let provider = Scripted::new(|call, _| async move { Ok(canary(&format!("v{call}"))) });
        let clock = Arc::new(crate::support::clock());
        let snapshot = Snapshot::at(Path::new(&folder).join("snapshot"), key);
        let manager = builder(provider).clock(clock).snapshot(snapshot).build().unwrap();
        let _running = Running::start(&manager).await;
        let _handle = manager.handle(NAME).await.unwrap();
        // Its own pace is one write a second; each of these is one more.
        tokio::time::pause();
        loop {
            manager.invalidate_all();
            tokio::time::sleep(secs(1)).await;
        }
    });
}

const CHILD: &str = "MAINSTAY_TEST_SNAPSHOT";

#[test]
fn a_writer_that_is_killed_leaves_the_old_file_or_the_new() {
    let host = Host::new();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(host.run_once(&Cloud::holding("v0")));
    let mut versions = std::collections::BTreeSet::new();
    for round in 0..12_u64 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "snapshot::a_child_writes_until_it_is_killed", "--test-threads=1"])
            .env(CHILD, host.folder.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let begun = std::time::Instant::now();
        let before = std::fs::metadata(host.path()).and_then(|file| file.modified()).ok();
        // Until it writes, and then in the middle of something.
        while std::fs::metadata(host.path()).and_then(|file| file.modified()).ok() == before {
            assert!(begun.elapsed() < Duration::from_secs(60), "the child does not write");
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(7 * round % 23));
        child.kill().unwrap();
        child.wait().unwrap();
        let (secret, error) = runtime.block_on(host.next_run());
        assert!(secret.as_ref().unwrap().starts_with(CANARY), "{error:?}");
        versions.insert(secret.unwrap());
    }
    assert!(versions.len() > 1, "{versions:?}");
}

/// What is kept is the secret, whatever it was held by; its aliases have what it has.
#[tokio::test(start_paused = true)]
async fn aliases_are_served_from_what_was_kept_of_their_secret() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    let answer = |id: &str| {
        let mut secret = version(id);
        secret.value = SecretValue::from_string(format!(r#"{{"password":"{}"}}"#, served(id)));
        Ok(secret)
    };
    cloud.answers(answer("v1"));
    let aliased = |cloud: &Cloud| {
        let builder = builder(cloud.provider()).clock(Arc::new(host.clock.clone()));
        let field = Alias::new(reference(NAME)).with_field("password");
        let builder = builder.alias(SecretName::new("db-password").unwrap(), field);
        builder.snapshot(host.snapshot()).build().unwrap()
    };
    let manager = aliased(&cloud);
    let running = Running::start(&manager).await;
    let _handle = manager.handle("db-password").await.unwrap();
    pass(secs(3)).await;
    assert_eq!(manager.snapshot().unwrap().entries, 1);
    running.stop().await;
    drop(manager);

    cloud.answers(Err(unavailable()));
    let manager = aliased(&cloud);
    let _running = Running::start(&manager).await;
    let handle = manager.handle("db-password").await.unwrap();
    assert_eq!(handle.load().as_str(), "stale");
    assert_eq!(text(handle.load_checked().unwrap().secret().unwrap()), served("v1"));
    assert_eq!(text(manager.try_get("db-password").unwrap().secret()), served("v1"));
    assert_eq!(text(&manager.get("db-password").await.unwrap()), served("v1"));

    cloud.answers(answer("v2"));
    pass(secs(40)).await;
    assert_eq!(text(handle.load().secret().unwrap()), served("v2"));
    assert!(handle.load().is_fresh());
}
