//! What the tests share: a provider that follows a script, and short ways to a manager.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use secrets_core::memory::{MemoryProvider, Personality, Sleep, SleepFuture};
use secrets_core::{
    Capabilities, Clock, Consistency, Error, ErrorKind, GetOptions, Limits, ManualClock, NameRules,
    ProviderId, Result, Secret, SecretName, SecretProvider, SecretProviderExt, SecretRef,
    SecretValue, Support, VersionId, VersionInfo, VersionSelector, async_trait,
};
use secrets_manager::{Backoff, CachePolicy, Jitter, SecretManager, SecretManagerBuilder};
use tokio::task::JoinHandle;

pub(crate) const NAME: &str = "billing/db";

/// Waits by tokio's clock, paused in most tests.
#[derive(Debug)]
pub(crate) struct TokioSleep;

impl Sleep for TokioSleep {
    fn sleep(&self, duration: Duration) -> SleepFuture {
        Box::pin(tokio::time::sleep(duration))
    }
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Some day in 2027.
pub(crate) fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + secs(1_800_000_000)
}

pub(crate) fn reference(name: &str) -> SecretRef {
    SecretName::new(name).unwrap().into()
}

pub(crate) fn value(text: &str) -> SecretValue {
    SecretValue::copy_from_slice(text.as_bytes())
}

pub(crate) fn text(secret: &Secret) -> String {
    secret.value.expose_secret_text().unwrap().to_owned()
}

/// Round numbers without chance: fresh for 100 s, asked ahead at 80 s, served stale for 20 s more,
/// usable for 1,000 s when the provider fails.
pub(crate) fn policy() -> CachePolicy {
    CachePolicy::new()
        .with_ttl(secs(100))
        .with_refresh_at(0.8, 0.0)
        .with_stale_while_revalidate(secs(20))
        .with_stale_if_error(secs(1_000))
        .with_negative_ttl(secs(10))
        .with_call_timeout(secs(5))
        .with_backoff(Backoff { first: secs(1), longest: secs(30) })
        .with_stall_after(secs(15))
}

pub(crate) fn build(provider: impl SecretProvider) -> SecretManager {
    build_with(provider, policy())
}

pub(crate) fn build_with(provider: impl SecretProvider, policy: CachePolicy) -> SecretManager {
    builder(provider).policy(policy).build().unwrap()
}

pub(crate) fn builder(provider: impl SecretProvider) -> SecretManagerBuilder {
    SecretManager::builder(provider).policy(policy()).jitter(Jitter::seeded(1))
}

/// A run future at work; it is dropped with this.
pub(crate) struct Running(JoinHandle<Result<(), secrets_manager::AlreadyRunning>>);

impl Running {
    pub(crate) async fn start(manager: &SecretManager) -> Self {
        let running = Self(tokio::spawn(manager.run()));
        while !manager.usage().is_running {
            tokio::task::yield_now().await;
        }
        settle().await;
        running
    }

    pub(crate) async fn stop(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
        settle().await;
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Lets every task go on until none can without time going by.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Lets time go by, and what becomes due in it happen.
pub(crate) async fn pass(duration: Duration) {
    tokio::time::sleep(duration).await;
    settle().await;
}

pub(crate) async fn memory(personality: Personality) -> MemoryProvider {
    let provider = MemoryProvider::builder(personality).sleeper(Arc::new(TokioSleep));
    let provider = provider.build().unwrap();
    provider.put_text(NAME, "one").await.unwrap();
    provider
}

type Answer = Pin<Box<dyn Future<Output = Result<Secret>> + Send>>;
type Script = dyn Fn(u64, VersionSelector) -> Answer + Send + Sync;

/// Answers by a script that is given the number of the call, from 1, and what was asked for.
#[derive(Clone)]
pub(crate) struct Scripted {
    id: ProviderId,
    capabilities: Capabilities,
    rules: NameRules,
    calls: Arc<AtomicU64>,
    script: Arc<Script>,
}

impl Scripted {
    pub(crate) fn new<F, A>(script: F) -> Self
    where
        F: Fn(u64, VersionSelector) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Secret>> + Send + 'static,
    {
        let mut capabilities = Capabilities::read_only(Consistency::Strong, Limits::new(1 << 20));
        capabilities.versions = Support::Native;
        Self {
            id: ProviderId::new("scripted", "test", ""),
            capabilities,
            rules: NameRules::new(|b| b.is_ascii_graphic(), b'%', 512),
            calls: Arc::default(),
            script: Arc::new(move |call, selector| Box::pin(script(call, selector))),
        }
    }

    pub(crate) fn scope(mut self, scope: &str) -> Self {
        self.id = ProviderId::new("scripted", scope, "");
        self
    }

    pub(crate) fn consistency(mut self, consistency: Consistency) -> Self {
        self.capabilities.consistency = consistency;
        self
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

#[async_trait]
impl SecretProvider for Scripted {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn name_rules(&self) -> &NameRules {
        &self.rules
    }

    async fn get_secret(&self, _reference: &SecretRef, options: GetOptions) -> Result<Secret> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        (self.script)(call, options.version).await
    }
}

/// A secret of a version; `v1` holds `v1`.
pub(crate) fn version(id: &str) -> Secret {
    Secret::new(value(id), VersionInfo::new(VersionId::new(id).unwrap(), noon()))
}

pub(crate) fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "down").with_operation(secrets_core::Operation::GetSecret)
}

pub(crate) fn absent() -> Error {
    Error::new(ErrorKind::NotFound, "none").with_operation(secrets_core::Operation::GetSecret)
}

pub(crate) fn clock() -> ManualClock {
    ManualClock::at(noon())
}

/// A wall clock that goes with tokio's, and can be set.
#[derive(Debug, Clone)]
pub(crate) struct Wall {
    set: ManualClock,
    origin: tokio::time::Instant,
}

impl Wall {
    pub(crate) fn new() -> Self {
        Self { set: clock(), origin: tokio::time::Instant::now() }
    }

    /// What sets it.
    pub(crate) fn hand(&self) -> ManualClock {
        self.set.clone()
    }
}

impl Clock for Wall {
    fn now(&self) -> SystemTime {
        self.set.now() + self.origin.elapsed()
    }
}

/// Counts how often the time is asked for: whoever takes the manager's lock does so.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counting(Arc<AtomicU64>);

impl Counting {
    pub(crate) fn looks(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Clock for Counting {
    fn now(&self) -> SystemTime {
        self.0.fetch_add(1, Ordering::SeqCst);
        noon()
    }
}
