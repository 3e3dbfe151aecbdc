//! Threads and processes that read, write and administer one store at the same time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use secrets_core::{
    DataKey, Effect, ErrorKind, IdempotencyKey, KeyCapabilities, KeyLen, KeyProvider, KeyRef,
    MetadataPatch, ProviderId, Result, SecretProvider, SetOptions, WrapContext, WrappedKey,
    async_trait,
};
use secrets_local::store::{FileStore, Rekey, SlotId, StoreError, StoreErrorKind, Unlock};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::hooked::{Hooked, Step};
use super::support::{Place, block_on, cheap, get, name, passphrase, reference, set, value};

fn threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A store that takes a while to decode.
async fn large(place: &Place) -> FileStore {
    let store = place.create().await;
    let many = (0..300).map(|n| (name(&format!("s{n}")), value("v"))).collect();
    store.set_secrets(many).await.unwrap();
    set(&store, "a", "0").await;
    store
}

/// Reads with `read` until `done`; how often, and how often that failed.
async fn read_until(
    done: &AtomicBool,
    mut read: impl AsyncFnMut() -> Option<String>,
) -> (usize, Vec<String>) {
    let (mut reads, mut failures) = (0, Vec::new());
    while !done.load(Ordering::SeqCst) {
        reads += 1;
        failures.extend(read().await);
        tokio::task::yield_now().await;
    }
    (reads, failures)
}

#[test]
fn reading_anew_beside_writes_of_this_process_raises_no_alarm() {
    threads().block_on(async {
        let place = Place::new();
        let store = large(&place).await;
        let done = Arc::new(AtomicBool::new(false));
        let (writer, over) = (store.clone(), Arc::clone(&done));
        let writer = tokio::spawn(async move {
            for n in 0..60 {
                set(&writer, "a", &n.to_string()).await;
            }
            over.store(true, Ordering::SeqCst);
        });
        let read = async || store.verify().await.err().map(|error| error.to_string());
        let (reads, failures) = read_until(&done, read).await;
        writer.await.unwrap();
        assert!(reads > 0 && failures.is_empty(), "{} of {reads}: {failures:?}", failures.len());
    });
}

#[test]
fn several_readers_follow_another_writer_without_alarm() {
    threads().block_on(async {
        let place = Place::new();
        let store = large(&place).await;
        let foreign = place.open().await;
        let done = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let (store, done) = (store.clone(), Arc::clone(&done));
                let read = async move || get(&store, "a").await.err().map(|e| format!("{e:?}"));
                tokio::spawn(async move { read_until(&done, read).await })
            })
            .collect();
        for n in 0..60 {
            set(&foreign, "a", &n.to_string()).await;
        }
        done.store(true, Ordering::SeqCst);
        for reader in readers {
            let (reads, failures) = reader.await.unwrap();
            assert!(reads > 0 && failures.is_empty(), "of {reads}: {failures:?}");
        }
    });
}

#[test]
fn a_changed_file_is_read_once_for_all_readers() {
    threads().block_on(async {
        let place = Place::new();
        let store = large(&place).await;
        let hooked = Hooked::default();
        let reader = FileStore::at(place.path()).environment(hooked.environment());
        let reader = reader.open(place.key.clone()).await.unwrap();
        set(&store, "a", "1").await;
        let opened = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&opened);
        hooked.on(move |step, _| {
            count.fetch_add(usize::from(step == Step::Open), Ordering::SeqCst);
            Ok(())
        });
        let reads: Vec<_> = (0..64)
            .map(|_| {
                let reader = reader.clone();
                tokio::spawn(async move { get(&reader, "a").await.unwrap() })
            })
            .collect();
        for read in reads {
            assert_eq!(read.await.unwrap(), "1");
        }
        assert_eq!(opened.load(Ordering::SeqCst), 1);
    });
}

/// A provider that can be held while it wraps, and that may answer under another name.
#[derive(Debug)]
struct Meddling {
    inner: FileStore,
    /// Told when something is to be wrapped; goes on when the answer comes.
    hold: Mutex<Option<oneshot::Sender<oneshot::Sender<()>>>>,
    prefix: &'static str,
    /// Gives back another key than it wrapped.
    forgets: bool,
}

impl Meddling {
    async fn new(place: &Place, prefix: &'static str) -> (Self, KeyRef) {
        let inner = FileStore::at(place.file("vault")).create(place.key.clone()).await.unwrap();
        let key = KeyRef::new("app").unwrap();
        inner.create_wrapping_key(&key).await.unwrap();
        (Self { inner, hold: Mutex::default(), prefix, forgets: false }, key)
    }

    fn plain_name(&self, wrapped: &WrappedKey) -> Option<WrappedKey> {
        let mut wrapped = wrapped.clone();
        wrapped.key = KeyRef::new(wrapped.key.as_str().strip_prefix(self.prefix)?).unwrap();
        Some(wrapped)
    }
}

#[async_trait]
impl KeyProvider for Meddling {
    fn key_provider_id(&self) -> &ProviderId {
        self.inner.key_provider_id()
    }

    fn key_capabilities(&self) -> &KeyCapabilities {
        self.inner.key_capabilities()
    }

    async fn generate_data_key(
        &self,
        key: &KeyRef,
        len: KeyLen,
        context: &WrapContext,
    ) -> Result<(DataKey, WrappedKey)> {
        self.inner.generate_data_key(key, len, context).await
    }

    async fn wrap_key(
        &self,
        key: &KeyRef,
        data_key: &DataKey,
        context: &WrapContext,
    ) -> Result<WrappedKey> {
        let told = self.hold.lock().unwrap().take();
        if let Some(told) = told {
            let (go, wait) = oneshot::channel();
            told.send(go).unwrap();
            wait.await.unwrap();
        }
        let mut wrapped = self.inner.wrap_key(key, data_key, context).await?;
        wrapped.key = KeyRef::new(&format!("{}{}", self.prefix, wrapped.key.as_str())).unwrap();
        Ok(wrapped)
    }

    async fn unwrap_key(&self, wrapped: &WrappedKey, context: &WrapContext) -> Result<DataKey> {
        if self.forgets {
            return Ok(DataKey::from_boxed(Box::new([7; 32])));
        }
        // A service knows its keys by their own names.
        let wrapped = self.plain_name(wrapped).expect("a name as this service gives them");
        self.inner.unwrap_key(&wrapped, context).await
    }

    async fn rewrap_key(
        &self,
        wrapped: &WrappedKey,
        to: &KeyRef,
        context: &WrapContext,
    ) -> Result<WrappedKey> {
        self.inner.rewrap_key(wrapped, to, context).await
    }
}

async fn opens(place: &Place, unlock: impl Into<Unlock>) -> Option<StoreErrorKind> {
    FileStore::at(place.path()).open(unlock).await.err().map(|error| error.kind())
}

#[test]
fn a_new_data_key_does_not_bring_back_a_passphrase_that_was_replaced_meanwhile() {
    threads().block_on(async {
        let place = Place::new();
        let at = || FileStore::at(place.path()).passphrase_cost(cheap());
        let store = at().create(passphrase("leaked")).await.unwrap();
        let (provider, key) = Meddling::new(&place, "").await;
        let provider = Arc::new(provider);
        let unlock = Unlock::Provider { provider: provider.clone(), key };
        store.add_slot(unlock.clone()).await.unwrap();
        let other = at().open(passphrase("leaked")).await.unwrap();

        let (tell, told) = oneshot::channel();
        *provider.hold.lock().unwrap() = Some(tell);
        let rekey = tokio::spawn(async move {
            store.rekey(Rekey::new().keep(passphrase("leaked")).keep(unlock)).await
        });
        let go = told.await.unwrap();
        other.replace_slot(SlotId::new(1), passphrase("new")).await.unwrap();
        go.send(()).unwrap();
        assert_eq!(rekey.await.unwrap().unwrap_err().kind(), StoreErrorKind::Busy);
        assert_eq!(opens(&place, passphrase("new")).await, None);
        assert_eq!(opens(&place, passphrase("leaked")).await, Some(StoreErrorKind::WrongKey));
    });
}

#[test]
fn a_number_that_was_given_to_another_slot_meanwhile_names_no_slot() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        let old = store.add_slot(place.key.clone()).await.unwrap();
        let other = FileStore::at(place.path()).passphrase_cost(cheap());
        let other = other.open(place.key.clone()).await.unwrap();
        other.remove_slot(old).await.unwrap();
        let new = other.add_slot(passphrase("theirs")).await.unwrap();
        assert_eq!(old, new);

        let error = store.remove_slot(old).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Busy);
        assert_eq!(opens(&place, passphrase("theirs")).await, None);
        // Now that this process saw what stands there, it can.
        store.remove_slot(new).await.unwrap();
        assert_eq!(opens(&place, passphrase("theirs")).await, Some(StoreErrorKind::WrongKey));
    });
}

#[test]
fn replacing_a_slot_that_another_process_replaced_is_refused() {
    block_on(async {
        let place = Place::new();
        let at = || FileStore::at(place.path()).passphrase_cost(cheap());
        let store = at().create(passphrase("old")).await.unwrap();
        let other = at().open(passphrase("old")).await.unwrap();
        other.replace_slot(SlotId::new(1), passphrase("theirs")).await.unwrap();
        let error = store.replace_slot(SlotId::new(1), passphrase("ours")).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Busy);
        assert_eq!(opens(&place, passphrase("theirs")).await, None);
    });
}

#[test]
fn a_provider_may_answer_under_another_name() {
    block_on(async {
        let place = Place::new();
        let (provider, key) = Meddling::new(&place, "arn:keys:").await;
        let unlock = Unlock::Provider { provider: Arc::new(provider), key };
        let store = FileStore::at(place.path()).create(unlock.clone()).await.unwrap();
        set(&store, "a", "precious").await;
        let running = FileStore::at(place.path()).open(unlock.clone()).await.unwrap();
        store.rekey(Rekey::new().keep(unlock.clone())).await.unwrap();
        assert_eq!(get(&running, "a").await.unwrap(), "precious");
        assert_eq!(opens(&place, unlock).await, None);
    });
}

#[test]
fn a_provider_that_does_not_give_the_key_back_makes_no_slot() {
    block_on(async {
        let place = Place::new();
        let (provider, key) = Meddling::new(&place, "").await;
        let provider = Arc::new(Meddling { forgets: true, ..provider });
        let unlock = Unlock::Provider { provider, key };
        let error = FileStore::at(place.path()).create(unlock).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::KeyProvider);
        assert!(!place.path().exists());
    });
}

#[test]
fn a_write_that_was_given_up_before_it_began_is_not_made() {
    threads().block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "a", "0").await;
        let lock = std::fs::File::open(place.file("store.lock")).unwrap();
        lock.lock().unwrap();
        let at = reference("a");
        let write = store.set_secret(&at, value("given up"), SetOptions::new());
        assert!(tokio::time::timeout(Duration::from_millis(100), write).await.is_err());
        drop(lock);
        // Writes stand in one queue: once this one is made, the other would have been.
        set(&store, "b", "1").await;
        assert_eq!(get(&store, "a").await.unwrap(), "0");
        assert_eq!(
            store.list_versions(&reference("a"), Default::default()).await.unwrap().items.len(),
            1
        );
    });
}

#[test]
fn queued_writers_wait_no_longer_than_asked_and_leave_threads_to_readers() {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(2).max_blocking_threads(4).enable_all();
    runtime.build().unwrap().block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "a", "0").await;
        // Much longer than a read takes, and than anybody is late.
        let waits = Duration::from_secs(4);
        let store = FileStore::at(place.path()).lock_timeout(waits);
        let store = store.open(place.key.clone()).await.unwrap();
        let lock = std::fs::File::open(place.file("store.lock")).unwrap();
        lock.lock().unwrap();
        let begun = Instant::now();
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    store.set_secret(&reference("a"), value("x"), SetOptions::new()).await
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(50)).await;
        get(&store, "a").await.unwrap();
        assert!(!writers.iter().any(|writer| writer.is_finished()), "a read waited for writers");
        for writer in writers {
            writer.await.unwrap().unwrap_err();
        }
        assert!(begun.elapsed() < 2 * waits, "the last gave up after {:?}", begun.elapsed());
    });
}

#[test]
fn a_file_that_is_put_in_place_while_a_write_is_made_stays() {
    block_on(async {
        let place = Place::new();
        drop(place.create().await);
        let hooked = Hooked::default();
        let store = FileStore::at(place.path()).environment(hooked.environment());
        let store = store.open(place.key.clone()).await.unwrap();
        set(&store, "a", "1").await;
        // Somebody removed the lock file as a stale one, and another process writes.
        let (lock, path) = (place.file("store.lock"), place.path());
        let (other, once) = (place.open().await, AtomicBool::new(false));
        hooked.on(move |step, at| {
            if step == Step::Create && at != path && !once.swap(true, Ordering::SeqCst) {
                std::fs::remove_file(&lock)?;
                let other = other.clone();
                let write = move || block_on(async { drop(set(&other, "b", "theirs").await) });
                std::thread::spawn(write).join().unwrap();
            }
            Ok(())
        });
        let write = store.set_secret(&reference("a"), value("2"), SetOptions::new()).await;
        let error = write.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, Effect::NotApplied));
        assert_eq!(get(&store, "b").await.unwrap(), "theirs");
        set(&store, "a", "2").await;
        assert_eq!(get(&place.open().await, "b").await.unwrap(), "theirs");
        let left: Vec<_> = std::fs::read_dir(place.folder.path()).unwrap().collect();
        assert_eq!(left.len(), 3, "key, store and lock: {left:?}");
    });
}

#[test]
fn a_writer_that_hangs_keeps_the_others_out_no_longer_than_they_wait() {
    let place = Place::new();
    let (hooked, waits) = (Hooked::default(), Duration::from_millis(300));
    let store = block_on(async {
        drop(place.create().await);
        let builder = FileStore::at(place.path()).environment(hooked.environment());
        builder.lock_timeout(waits).open(place.key.clone()).await.unwrap()
    });
    // The disk does not answer the first writer until it is told to.
    let (reached, hanging) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    hooked.on(move |step, _| {
        if step == Step::Replace {
            reached.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
        }
        Ok(())
    });
    // No runtime's timers are needed to give up.
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let write = |text: &'static str| {
        let (store, (answer, answered)) = (store.clone(), mpsc::channel());
        runtime.spawn(async move {
            let write = store.set_secret(&reference("a"), value(text), SetOptions::new()).await;
            answer.send(write).unwrap();
        });
        answered
    };
    let long = Duration::from_secs(60);
    let first = write("first");
    hanging.recv_timeout(long).unwrap();
    let begun = Instant::now();
    for queued in [write("second"), write("third")] {
        let error = queued.recv_timeout(long).expect("an answer in time").unwrap_err();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, Effect::NotApplied));
        let source = std::error::Error::source(&error).unwrap();
        let source = source.downcast_ref::<StoreError>().unwrap();
        assert_eq!(source.kind(), StoreErrorKind::Busy);
    }
    assert!(begun.elapsed() >= waits, "gave up after {:?}", begun.elapsed());
    drop(release);
    first.recv_timeout(long).unwrap().unwrap();
    hooked.off();
    assert_eq!(block_on(get(&store, "a")).unwrap(), "first");
    write("fourth").recv_timeout(long).unwrap().unwrap();
}

#[test]
fn opening_begins_again_when_the_data_key_changes_meanwhile() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "a", "1").await;
        let hooked = Hooked::default();
        let (opened, key) = (AtomicUsize::new(0), place.key.clone());
        hooked.on(move |step, _| {
            // The first look finds the key, the second reads the index.
            if step == Step::Open && opened.fetch_add(1, Ordering::SeqCst) == 1 {
                let (store, key) = (store.clone(), key.clone());
                let rekey = move || block_on(async { store.rekey(Rekey::new().keep(key)).await });
                std::thread::spawn(rekey).join().unwrap().unwrap();
            }
            Ok(())
        });
        let opened = FileStore::at(place.path()).environment(hooked.environment());
        let opened = opened.open(place.key.clone()).await.unwrap();
        assert_eq!(get(&opened, "a").await.unwrap(), "1");
    });
}

#[test]
fn a_slot_made_for_a_data_key_that_was_replaced_meanwhile_is_not_added() {
    threads().block_on(async {
        let place = Place::new();
        let store = place.create().await;
        let (provider, key) = Meddling::new(&place, "").await;
        let provider = Arc::new(provider);
        let unlock = Unlock::Provider { provider: provider.clone(), key };
        let (tell, told) = oneshot::channel();
        *provider.hold.lock().unwrap() = Some(tell);
        let adding = store.clone();
        let adding = tokio::spawn(async move { adding.add_slot(unlock).await });
        let go = told.await.unwrap();
        store.rekey(Rekey::new().keep(place.key.clone())).await.unwrap();
        go.send(()).unwrap();
        assert_eq!(adding.await.unwrap().unwrap_err().kind(), StoreErrorKind::Busy);
        assert_eq!(place.open().await.slots().len(), 1);
    });
}

#[test]
fn a_token_stands_for_the_metadata_too() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        let write = async |tag: &str| {
            let options = SetOptions::new()
                .with_token(IdempotencyKey::from_random([7; 16]))
                .with_metadata(MetadataPatch::new().tag("team", tag));
            store.set_secret(&reference("a"), value("1"), options).await
        };
        write("one").await.unwrap();
        write("one").await.unwrap();
        assert_eq!(write("two").await.unwrap_err().kind(), ErrorKind::Conflict);
    });
}
