use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, Shared, select};
use tokio::sync::{Notify, oneshot};

use super::anchor::{Anchor, AnchorStore};
use super::key::ChainKey;
use super::segment::WriterName;
use super::writer::{Setting, Writer};
use crate::blocking;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::ocsf::{self, Product};
use crate::sink::AuditSink;

/// The longest event, as JSON.
const MAX_EVENT: usize = 128 * 1024;

/// A trail in a folder of files: JSON Lines, each an event of OCSF, chained by a keyed MAC.
///
/// Clones share it. Events that are written while another batch is on its way to the disk go there
/// together, with one call of `fsync` for all of them.
///
/// ```
/// use audit_log::{Action, AuditSink, ChainKey, Code, Entity, EntityActivity, Event, FileTrail, Id};
/// use audit_log::{Product, Verifier, WriterName};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path().join("audit");
/// let key = ChainKey::from_slice(&[7; 32])?; // from a secret store, 32 random bytes
/// let product = Product::new(Code::new("example"), Code::new("billing"));
/// let trail = FileTrail::at(&folder, WriterName::new("billing-1")?, product, key.clone()).open().await?;
///
/// let secret = Entity::new(Code::new("secret"), Id::new("billing/db-password")?);
/// let event = Event::new(Action::entity(EntityActivity::Read, secret), std::time::SystemTime::now());
/// trail.append_durable(&event).await?;
///
/// let report = Verifier::new([key]).verify(&folder)?;
/// assert!(report.is_intact());
/// assert_eq!(report.records(), 2); // the trail says of itself that it began
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct FileTrail(Arc<Inner>);

struct Inner {
    core: Arc<Core>,
    /// The batch that is on its way to the disk. Whoever waits for an answer drives it.
    commit: Mutex<Option<Commit>>,
}

type Commit = Shared<BoxFuture<'static, ()>>;

/// What a batch needs; it keeps no trail alive.
struct Core {
    product: Product,
    name: WriterName,
    queue: Mutex<Queue>,
    queue_bytes: usize,
    /// Locked on threads that may block.
    writer: Mutex<Writer>,
    head: Mutex<Option<Anchor>>,
    anchors: Option<Arc<dyn AnchorStore>>,
    clock: Arc<Clock>,
    /// Half of the queue is full.
    pressure: Notify,
}

type Clock = dyn Fn() -> SystemTime + Send + Sync;

#[derive(Default)]
struct Queue {
    items: Vec<Item>,
    bytes: usize,
    dropped: u64,
    /// Twice what was left when it was last looked for who gave up.
    patience: usize,
}

struct Item {
    /// None for who only waits for what stands before.
    body: Option<String>,
    done: Option<oneshot::Sender<Result<()>>>,
}

impl Item {
    /// About so many bytes.
    fn size(&self) -> usize {
        self.body.as_ref().map_or(size_of::<Self>(), String::len)
    }

    fn is_given_up(&self) -> bool {
        self.done.as_ref().is_some_and(oneshot::Sender::is_closed)
    }
}

/// Settings of a [`FileTrail`].
#[must_use = "call `open`"]
pub struct FileTrailBuilder {
    setting: Setting,
    queue_bytes: usize,
    anchors: Option<Arc<dyn AnchorStore>>,
    clock: Arc<Clock>,
}

impl FileTrailBuilder {
    /// A key by which older segments are chained. The newest segment is continued in a new one.
    pub fn previous_key(mut self, key: ChainKey) -> Self {
        self.setting.keys.push(key);
        self
    }

    /// Keeps an anchor after each batch, before any of it is acknowledged; and compares when opening.
    pub fn anchors(mut self, anchors: Arc<dyn AnchorStore>) -> Self {
        self.anchors = Some(anchors);
        self
    }

    /// Begins a new file once one is this large. 64 MiB.
    pub fn max_segment(mut self, bytes: u64) -> Self {
        self.setting.max_segment = bytes.max(1);
        self
    }

    /// How much [`append`](AuditSink::append) takes along before it drops events; beyond it durable
    /// events that nobody waits for any more are dropped too, and counted. 8 MiB.
    pub fn queue(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// Goes on after the last good record of a trail that was altered or cut, in a new segment that
    /// says so. Otherwise such a trail is not opened. What is there of the old one stays.
    pub fn continue_after_damage(mut self) -> Self {
        self.setting.goes_on_after_damage = true;
        self
    }

    /// The wall clock, for when a record was written. The system's.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Takes the writer's name for this trail and finds where its chain ends. What a crash left of a
    /// batch that was never acknowledged stays where it is, and is not continued.
    ///
    /// # Errors
    /// `Locked` when another writer has the name; `Damaged`, `Truncated`; `Configuration`,
    /// `Missing`, `Io`; `Anchor` when the last anchor cannot be read.
    pub async fn open(self) -> Result<FileTrail> {
        let (setting, anchors) = (self.setting, self.anchors);
        let name = setting.writer.clone();
        let product = setting.product.clone();
        let anchor = match &anchors {
            Some(anchors) => anchors.last(&name).await?,
            None => None,
        };
        let writer = blocking::run(move || Writer::open(setting, anchor.as_ref())).await??;
        let head = writer.last().map(|(at, mac)| Anchor::new(name.clone(), at, mac));
        let core = Core {
            product,
            name,
            head: Mutex::new(head),
            queue: Mutex::default(),
            queue_bytes: self.queue_bytes,
            writer: Mutex::new(writer),
            anchors,
            clock: self.clock,
            pressure: Notify::new(),
        };
        Ok(FileTrail(Arc::new(Inner { core: Arc::new(core), commit: Mutex::new(None) })))
    }
}

impl FileTrail {
    /// A trail in this folder, which is made if its parent is there. `key` seals what is written.
    pub fn at(
        folder: impl Into<PathBuf>,
        writer: WriterName,
        product: Product,
        key: ChainKey,
    ) -> FileTrailBuilder {
        let setting = Setting {
            folder: folder.into(),
            writer,
            product,
            keys: vec![key],
            max_segment: 64 * 1024 * 1024,
            goes_on_after_damage: false,
        };
        let clock = Arc::new(SystemTime::now);
        FileTrailBuilder { setting, queue_bytes: 8 * 1024 * 1024, anchors: None, clock }
    }

    /// Writes what [`append`](AuditSink::append) took along, every `interval` and when half of the
    /// queue is full, for the application to spawn. Without it that is written along with the next
    /// durable event. When the trail is dropped it writes what is left and ends; to wait for that, and
    /// to know how it went, call [`flush`](AuditSink::flush) before.
    ///
    /// A batch that cannot be written is dropped, and counted; the trail says how many as soon as it
    /// can be written again.
    pub fn run(&self, interval: Duration) -> impl Future<Output = ()> + Send + 'static + use<> {
        run(Arc::downgrade(&self.0), Arc::clone(&self.0.core), interval)
    }

    /// How many events were dropped that the trail does not tell of yet.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.core.queue().dropped
    }

    /// The newest record that is on the disk.
    #[must_use]
    pub fn head(&self) -> Option<Anchor> {
        self.0.core.head().clone()
    }
}

impl fmt::Debug for FileTrailBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileTrailBuilder")
            .field("setting", &self.setting)
            .field("queue_bytes", &self.queue_bytes)
            .field("anchors", &self.anchors)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for FileTrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileTrail").field("writer", &self.0.core.name).finish_non_exhaustive()
    }
}

async fn run(trail: Weak<Inner>, core: Arc<Core>, interval: Duration) {
    loop {
        let pause = pin!(tokio::time::sleep(interval));
        let pressure = pin!(core.pressure.notified());
        let _ = select(pause, pressure).await;
        let Some(trail) = trail.upgrade() else {
            // What was taken along before everybody let go of the trail.
            return write_batch(Arc::clone(&core)).await;
        };
        if !core.queue().items.is_empty() || core.queue().dropped > 0 {
            trail.commit().await;
        }
    }
}

impl Inner {
    /// The batch that is on its way, or a new one of all that waits.
    fn commit(&self) -> Commit {
        let mut commit = self.commit.lock().unwrap_or_else(PoisonError::into_inner);
        match &*commit {
            Some(under_way) if under_way.peek().is_none() => under_way.clone(),
            _ => {
                let next = write_batch(Arc::clone(&self.core)).boxed().shared();
                *commit = Some(next.clone());
                next
            }
        }
    }

    async fn put(&self, body: Option<String>) -> Result<()> {
        let (done, answer) = oneshot::channel();
        self.core.queue().push_durable(Item { body, done: Some(done) }, self.core.queue_bytes);
        let mut answer = pin!(answer);
        loop {
            match select(&mut answer, self.commit()).await {
                Either::Left((Ok(result), _)) => return result,
                Either::Left((Err(_), _)) => {
                    return Err(Error::new(ErrorKind::Io, "the batch was given up"));
                }
                Either::Right(((), _)) => {}
            }
        }
    }
}

/// Takes all that waits to the disk, then to the anchor, then answers those who wait.
async fn write_batch(core: Arc<Core>) {
    let (items, dropped) = core.queue().take();
    let mut bodies = Vec::with_capacity(items.len());
    let mut waiting = Vec::new();
    let mut promised = 0;
    for Item { body, done } in items {
        promised += u64::from(body.is_some() && done.is_none());
        bodies.extend(body);
        waiting.extend(done);
    }
    let result = match (bodies.is_empty(), dropped) {
        (true, 0) => Ok(()),
        _ => match core.write(bodies, dropped).await {
            Ok(head) => core.anchor(head).await,
            Err(error) => {
                core.queue().dropped += dropped + promised;
                Err(error)
            }
        },
    };
    for done in waiting {
        // Who no longer waits need not know.
        let _ = done.send(result.clone());
    }
}

impl Core {
    async fn write(self: &Arc<Self>, bodies: Vec<String>, dropped: u64) -> Result<Anchor> {
        let core = Arc::clone(self);
        let now = self.now()?;
        let write = move || core.writer().write(&bodies, dropped, now);
        let (position, mac) = blocking::run(write).await??;
        let head = Anchor::new(self.name.clone(), position, mac);
        *self.head() = Some(head.clone());
        Ok(head)
    }

    async fn anchor(&self, head: Anchor) -> Result<()> {
        match &self.anchors {
            // A panic that got through would spoil the batch for all who wait, and each after it.
            Some(anchors) => {
                let kept = AssertUnwindSafe(async { anchors.keep(&head).await }).catch_unwind();
                let panicked = |_| Error::new(ErrorKind::Anchor, "the store of anchors panicked");
                kept.await.map_err(panicked)?
            }
            None => Ok(()),
        }
    }

    fn encode(&self, event: &Event) -> Result<String> {
        let body = ocsf::encode(event, &self.product, self.now()?);
        if body.len() > MAX_EVENT {
            let message = format!("the event takes {} bytes, {MAX_EVENT} at most", body.len());
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        Ok(body)
    }

    /// A panic of the clock would spoil a batch for all who wait, as that of a store of anchors.
    fn now(&self) -> Result<SystemTime> {
        let read = AssertUnwindSafe(|| (self.clock)());
        catch_unwind(read).map_err(|_| Error::new(ErrorKind::Configuration, "the clock panicked"))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn head(&self) -> MutexGuard<'_, Option<Anchor>> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn push(&mut self, item: Item) {
        self.bytes += item.size();
        self.items.push(item);
    }

    /// Those who wait bound what they make wait, but not who gives up while the disk hangs: beyond
    /// `most` bytes what nobody waits for any more goes.
    fn push_durable(&mut self, item: Item, most: usize) {
        if self.bytes > most.max(self.patience) {
            let before = self.items.iter().filter(|item| item.body.is_some()).count();
            self.items.retain(|item| !item.is_given_up());
            let after = self.items.iter().filter(|item| item.body.is_some()).count();
            self.dropped += before.saturating_sub(after) as u64;
            self.bytes = self.items.iter().map(Item::size).sum();
            self.patience = self.bytes.saturating_mul(2);
        }
        self.push(item);
    }

    fn take(&mut self) -> (Vec<Item>, u64) {
        (self.bytes, self.patience) = (0, 0);
        (std::mem::take(&mut self.items), std::mem::take(&mut self.dropped))
    }
}

#[async_trait]
impl AuditSink for FileTrail {
    fn append(&self, event: &Event) -> Result<()> {
        let core = &self.0.core;
        let body = core.encode(event).inspect_err(|_| core.queue().dropped += 1)?;
        let mut queue = core.queue();
        if queue.bytes + body.len() > core.queue_bytes {
            queue.dropped += 1;
            drop(queue);
            core.pressure.notify_one();
            return Err(Error::new(ErrorKind::Overflow, "the queue of the trail is full"));
        }
        queue.push(Item { body: Some(body), done: None });
        let is_pressing = queue.bytes > core.queue_bytes / 2;
        drop(queue);
        if is_pressing {
            core.pressure.notify_one();
        }
        Ok(())
    }

    async fn append_durable(&self, event: &Event) -> Result<()> {
        let body = self.0.core.encode(event)?;
        self.0.put(Some(body)).await
    }

    async fn flush(&self) -> Result<()> {
        self.0.put(None).await
    }
}
