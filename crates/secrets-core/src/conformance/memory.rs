use std::fmt;
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::clock::ManualClock;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::{
    Fault, FaultRule, Faults, MemoryBuilder, MemoryConfigError, MemoryProvider, Outside,
};
use crate::provider::SecretProvider;
use crate::reference::{NativeId, SecretRef};
use crate::value::SecretValue;

use super::harness::{ClockHand, Harness, PlainReader, PlainWriter, RunId};

/// The most requests of one call that give way to other calls.
const YIELDS: u32 = 24;

/// A harness with all hooks over the in-memory provider, or over a wrapper around it.
///
/// Time is a [`ManualClock`]: waiting moves it, so that a run takes no longer for delays and
/// windows of days. Each request to the store gives way once, so that concurrent calls interleave
/// and dropped ones are dropped between two requests.
///
/// ```
/// use std::sync::Arc;
/// use secrets_core::conformance::{self, MemoryHarness};
/// use secrets_core::memory::{MemoryProvider, Personality};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let harness = MemoryHarness::new(MemoryProvider::builder(Personality::Aws))?
///     // the wrapper that is to be tested
///     .wrap(|provider| Arc::new(provider));
/// let report = conformance::run(&harness).await.into_result()?;
/// println!("{report}");
/// # Ok(()) }
/// ```
pub struct MemoryHarness {
    run: RunId,
    clock: ManualClock,
    memory: MemoryProvider,
    outside: Outside,
    provider: Arc<dyn SecretProvider>,
    holds_foreign: bool,
}

impl MemoryHarness {
    /// A harness over what is built, on a clock of its own that replaces the builder's clock and
    /// sleeper.
    ///
    /// # Errors
    /// Those of [`MemoryBuilder::build`].
    pub fn new(builder: MemoryBuilder) -> Result<Self, MemoryConfigError> {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let clock = ManualClock::at(start);
        let builder = builder.clock(Arc::new(clock.clone())).sleeper(Arc::new(clock.clone()));
        let memory = builder.build()?;
        let steps = (1..=YIELDS).filter_map(NonZeroU32::new);
        let yields = steps.fold(Faults::none(), |faults, step| {
            faults.with(FaultRule::new(Fault::Yield).step(step))
        });
        memory.inject(yields)?;
        let provider = Arc::new(memory.clone());
        let (run, outside) = (RunId::random(), memory.outside());
        Ok(Self { run, clock, outside, memory, provider, holds_foreign: true })
    }

    /// Puts a wrapper under test instead of the bare provider.
    #[must_use]
    pub fn wrap(
        mut self,
        wrap: impl FnOnce(Arc<dyn SecretProvider>) -> Arc<dyn SecretProvider>,
    ) -> Self {
        self.provider = wrap(self.provider);
        self
    }

    /// Says of the wrapper under test that it takes no foreign names.
    #[must_use]
    pub fn without_foreign(mut self) -> Self {
        self.holds_foreign = false;
        self
    }

    /// The bare provider, to look at its log or to inject faults.
    pub fn memory(&self) -> &MemoryProvider {
        &self.memory
    }

    /// The clock that the store lives by, for wrappers that need the time.
    pub fn manual_clock(&self) -> &ManualClock {
        &self.clock
    }
}

impl fmt::Debug for MemoryHarness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryHarness").field("memory", &self.memory).finish_non_exhaustive()
    }
}

#[async_trait]
impl Harness for MemoryHarness {
    fn provider(&self) -> Arc<dyn SecretProvider> {
        self.provider.clone()
    }

    fn run_id(&self) -> &RunId {
        &self.run
    }

    async fn sleep(&self, time: Duration) {
        self.clock.advance(time);
        give_way().await;
    }

    fn plain_reader(&self) -> Option<&dyn PlainReader> {
        Some(self)
    }

    fn plain_writer(&self) -> Option<&dyn PlainWriter> {
        Some(self)
    }

    fn clock(&self) -> Option<&dyn ClockHand> {
        Some(self)
    }

    fn holds_foreign(&self) -> bool {
        self.holds_foreign
    }
}

#[async_trait]
impl PlainReader for MemoryHarness {
    async fn read(&self, native: &str) -> Result<Option<SecretValue>> {
        match self.outside.read(&reference(native)?) {
            Ok(secret) => Ok(Some(secret.value)),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl PlainWriter for MemoryHarness {
    async fn write(&self, native: &str, value: SecretValue) -> Result<()> {
        self.outside.write(&reference(native)?, value).map(drop)
    }

    async fn remove(&self, native: &str) -> Result<()> {
        match self.outside.delete(&reference(native)?) {
            Err(error) if !is_gone(&error) => Err(error),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl ClockHand for MemoryHarness {
    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

fn reference(native: &str) -> Result<SecretRef> {
    Ok(NativeId::new(native)?.into())
}

fn is_gone(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PendingDeletion)
}

/// Lets other tasks run.
async fn give_way() {
    let mut is_waiting = true;
    poll_fn(|cx| {
        if !std::mem::take(&mut is_waiting) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
