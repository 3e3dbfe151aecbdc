use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::FutureExt;
use live_value::{Guard, Live, Publisher};
use secrets_core::{Clock, Error, ErrorKind, Result, SystemClock};
use tokio::time::Instant;

use crate::cache::jitter::Jitter;
use crate::cache::runner::AlreadyRunning;
use crate::expiring::lease::{Issued, Lease};
use crate::expiring::policy::RenewalPolicy;
use crate::expiring::standing::Standing;

/// The number of the first lease.
const FIRST: u64 = 1;

/// The run future looks at the clock on the wall so often.
const TICK: Duration = Duration::from_secs(1);

/// What issues credentials for a time.
#[async_trait]
pub trait CredentialSource: fmt::Debug + Send + Sync + 'static {
    /// What it issues.
    type Credential: Send + Sync + 'static;

    /// Issues one. The future may be dropped at any point: what was issued then is lost, and its life
    /// is its end.
    ///
    /// # Errors
    /// Whatever kept it from that; [`retry`](Error::retry) says when to ask again.
    async fn issue(&self) -> Result<Issued<Self::Credential>>;
}

/// A credential that is renewed ahead of its end. Clones are cheap and show the same.
pub struct ExpiringCredential<T> {
    live: Live<Lease<T>>,
    pub(super) core: Arc<Core<T>>,
}

pub(super) struct Core<T> {
    source: Box<dyn CredentialSource<Credential = T>>,
    publisher: Publisher<Lease<T>>,
    policy: RenewalPolicy,
    jitter: Jitter,
    clock: Arc<dyn Clock>,
    /// Held by the one who asks the source.
    turn: tokio::sync::Mutex<()>,
    plan: Mutex<Plan>,
    is_running: AtomicBool,
    /// What the resource said of what was issued.
    pub(super) standing: Standing,
}

/// When the source is asked next.
#[derive(Debug, Clone, Copy)]
struct Plan {
    renew_at: Instant,
    /// Not before this time.
    gate: Instant,
    failures: u32,
    /// The same as `renew_at` by the clock on the wall, which goes on while the machine sleeps.
    renew_wall: SystemTime,
}

/// The credential has expired, and there is no other one yet.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the credential has expired")]
pub struct Expired {
    #[source]
    trouble: Option<Error>,
}

impl Expired {
    /// Why the last renewal failed, if it did.
    #[must_use]
    pub const fn trouble(&self) -> Option<&Error> {
        self.trouble.as_ref()
    }
}

/// Nothing is to be had from the source for now.
impl From<Expired> for Error {
    fn from(expired: Expired) -> Self {
        let error = Self::new(ErrorKind::Expired, expired.to_string());
        match expired.trouble {
            Some(trouble) => error.with_source(trouble),
            None => error,
        }
    }
}

/// How an [`ExpiringCredential`] is made that differs from the usual one.
#[derive(Debug)]
#[must_use = "call `obtain`"]
pub struct ExpiringCredentialBuilder<S> {
    source: S,
    policy: RenewalPolicy,
    jitter: Jitter,
    clock: Arc<dyn Clock>,
}

impl<S: CredentialSource> ExpiringCredentialBuilder<S> {
    /// When it is renewed; [`RenewalPolicy::new`] unless set.
    pub fn policy(mut self, policy: RenewalPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// What spreads renewals and pauses; random unless set.
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// The clock on the wall.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Asks for the first credential.
    ///
    /// # Errors
    /// The source's; `Timeout` and `Internal` when it hangs or panics; `Expired` when what it issued
    /// has expired already.
    pub async fn obtain(self) -> Result<ExpiringCredential<S::Credential>> {
        let Self { source, policy, jitter, clock } = self;
        let asked = (Instant::now(), clock.now());
        let lease = issue(&source, &policy, FIRST, asked).await?;
        let plan = Plan::after(&lease, asked, &policy, &jitter);
        let core = Core {
            source: Box::new(source),
            publisher: Publisher::new(lease),
            policy,
            jitter,
            clock,
            turn: tokio::sync::Mutex::new(()),
            plan: Mutex::new(plan),
            is_running: AtomicBool::new(false),
            standing: Standing::default(),
        };
        Ok(ExpiringCredential { live: core.publisher.live(), core: Arc::new(core) })
    }
}

impl<T: Send + Sync + 'static> ExpiringCredential<T> {
    /// Asks a source for a first credential.
    ///
    /// # Errors
    /// See [`ExpiringCredentialBuilder::obtain`].
    pub async fn obtain(source: impl CredentialSource<Credential = T>) -> Result<Self> {
        Self::builder(source).obtain().await
    }

    /// Another policy, jitter or clock.
    pub fn builder<S: CredentialSource<Credential = T>>(source: S) -> ExpiringCredentialBuilder<S> {
        ExpiringCredentialBuilder {
            source,
            policy: RenewalPolicy::new(),
            jitter: Jitter::random(),
            clock: Arc::new(SystemClock),
        }
    }

    /// The last credential, expired or not. No lock, no clock: one `arc_swap` load.
    #[must_use]
    pub fn load(&self) -> Guard<Lease<T>> {
        self.live.load()
    }

    /// The last credential, provided that it has not expired.
    ///
    /// # Errors
    /// [`Expired`].
    pub fn load_checked(&self) -> Result<Guard<Lease<T>>, Expired> {
        let lease = self.live.load();
        match lease.is_expired(Instant::now(), self.core.clock.now()) {
            true => Err(Expired { trouble: lease.trouble().cloned() }),
            false => Ok(lease),
        }
    }

    /// A credential that has not expired, asked for if need be: once for all who wait, and not while
    /// the source is left alone after a failure.
    ///
    /// # Errors
    /// What the source said last.
    pub async fn get(&self) -> Result<Guard<Lease<T>>> {
        if let Ok(lease) = self.load_checked() {
            return Ok(lease);
        }
        let turn = self.core.turn.lock().await;
        // Somebody else may have asked meanwhile.
        let expired = match self.load_checked() {
            Ok(lease) => return Ok(lease),
            Err(expired) => expired,
        };
        let Plan { gate, failures, .. } = *self.core.plan();
        match expired.trouble {
            _ if Instant::now() >= gate => {}
            // Somebody who asked has left before there was an answer.
            None if failures > 0 => tokio::time::sleep_until(gate).await,
            trouble => return Err(trouble.unwrap_or_else(|| Expired { trouble: None }.into())),
        }
        self.core.renew().await;
        drop(turn);
        self.load_checked().map_err(|expired| match expired.trouble {
            Some(trouble) => trouble,
            None => expired.into(),
        })
    }

    /// The credential alone, for who builds something dear from it: a renewal that fails, which
    /// [`live`](Self::live) shows with the credential that there was, is no news here. It is renewed for
    /// as long as anybody has one.
    #[must_use]
    pub fn credentials(&self) -> Live<Arc<T>> {
        self.live.map_by_key(|lease| Same(lease.shared()), Lease::shared)
    }

    /// The credential, and what is known of it, as a value that others can follow and derive from. It is
    /// renewed for as long as anybody has one.
    #[must_use]
    pub fn live(&self) -> Live<Lease<T>> {
        self.live.clone()
    }

    /// What renews it, for the application to spawn. It ends once nobody can read the credential.
    ///
    /// # Errors
    /// [`AlreadyRunning`] when another one is alive.
    pub fn run(
        &self,
    ) -> impl Future<Output = Result<(), AlreadyRunning>> + Send + 'static + use<T> {
        run(Arc::clone(&self.core))
    }
}

async fn run<T: Send + Sync + 'static>(core: Arc<Core<T>>) -> Result<(), AlreadyRunning> {
    if core.is_running.swap(true, Ordering::AcqRel) {
        return Err(AlreadyRunning);
    }
    let _shift = Shift(&core);
    while core.publisher.has_readers() {
        let due = core.due();
        if due <= Instant::now() {
            let _turn = core.turn.lock().await;
            // Somebody else may have asked meanwhile.
            if core.due() <= Instant::now() {
                core.renew().await;
            }
        } else {
            tokio::time::sleep_until(due.min(Instant::now() + TICK)).await;
        }
    }
    Ok(())
}

/// The time during which a run future is in charge.
struct Shift<'a, T>(&'a Core<T>);

impl<T> Drop for Shift<'_, T> {
    fn drop(&mut self) {
        self.0.is_running.store(false, Ordering::Release);
    }
}

impl<T: Send + Sync + 'static> Core<T> {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the source is to be asked.
    fn due(&self) -> Instant {
        let (plan, now, wall) = (*self.plan(), Instant::now(), self.clock.now());
        let wanted = if wall >= plan.renew_wall { now } else { plan.renew_at };
        wanted.max(plan.gate)
    }

    /// Asks the source; the caller holds the turn.
    async fn renew(&self) {
        let asked = (Instant::now(), self.clock.now());
        let serial = self.publisher.load().serial.saturating_add(1);
        let mut call = Begun { core: self, has_ended: false };
        let answer = issue(&*self.source, &self.policy, serial, asked).await;
        call.has_ended = true;
        match answer {
            Ok(lease) => {
                *self.plan() = Plan::after(&lease, asked, &self.policy, &self.jitter);
                self.publish(lease);
            }
            Err(error) => {
                self.pause(&error);
                let lease = self.publisher.load().in_trouble(error);
                self.publish(lease);
            }
        }
    }

    /// Leaves the source alone for a while.
    fn pause(&self, error: &Error) {
        let mut plan = self.plan();
        plan.failures = plan.failures.saturating_add(1);
        let pause = self.policy.pause(plan.failures, error, &self.jitter);
        plan.gate = Instant::now() + pause;
        plan.renew_at = plan.gate;
    }

    /// Has another credential issued in the place of one that its resource refused, once for all who
    /// ask; no sooner than the source may be asked.
    ///
    /// # Errors
    /// Why the source issued none.
    pub(super) async fn replace(&self, refused: u64) -> Result<()> {
        let _turn = self.turn.lock().await;
        if self.publisher.load().serial > refused {
            return Ok(());
        }
        let plan = *self.plan();
        let lease = self.publisher.load();
        if let Some(trouble) = lease.trouble().filter(|_| Instant::now() < plan.gate) {
            return Err(trouble.clone());
        }
        drop(lease);
        tokio::time::sleep_until(plan.gate).await;
        self.renew().await;
        let lease = self.publisher.load();
        match lease.trouble() {
            Some(trouble) if lease.serial <= refused => Err(trouble.clone()),
            _ => Ok(()),
        }
    }

    /// Wakers, and the destructor of what is replaced, may panic: it is published all the same, and
    /// renewals go on.
    fn publish(&self, lease: Lease<T>) {
        drop(catch_unwind(AssertUnwindSafe(|| self.publisher.publish(lease))));
    }
}

/// A call of the source. Dropped before it ended it counts as one that failed: those who ask and leave
/// must not ask again and again.
struct Begun<'a, T: Send + Sync + 'static> {
    core: &'a Core<T>,
    has_ended: bool,
}

impl<T: Send + Sync + 'static> Drop for Begun<'_, T> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.core.pause(&Error::new(ErrorKind::Timeout, "nobody waited for the source"));
        }
    }
}

impl Plan {
    fn after<T>(
        lease: &Lease<T>,
        (asked, wall): (Instant, SystemTime),
        policy: &RenewalPolicy,
        jitter: &Jitter,
    ) -> Self {
        let life = lease.expires_at.saturating_duration_since(asked);
        let after = policy.renew_after(life, jitter);
        let gate = asked + policy.backoff.first;
        Self { renew_at: asked + after, gate, failures: 0, renew_wall: wall + after }
    }
}

/// One call of a source: it ends in time and does not panic.
async fn issue<S: CredentialSource + ?Sized>(
    source: &S,
    policy: &RenewalPolicy,
    serial: u64,
    asked: (Instant, SystemTime),
) -> Result<Lease<S::Credential>> {
    // The call is given up in here: that may panic, too.
    let call = async { tokio::time::timeout(policy.call_timeout, source.issue()).await };
    let issued = match AssertUnwindSafe(call).catch_unwind().await {
        Ok(Ok(issued)) => issued?,
        Ok(Err(_)) => {
            return Err(Error::new(ErrorKind::Timeout, "the source did not answer in time"));
        }
        Err(_) => return Err(Error::new(ErrorKind::Internal, "the source panicked")),
    };
    let expired = || Error::new(ErrorKind::Expired, "what was issued has expired already");
    Lease::new(issued, serial, asked).ok_or_else(expired)
}

impl<T> Clone for ExpiringCredential<T> {
    fn clone(&self) -> Self {
        Self { live: self.live.clone(), core: Arc::clone(&self.core) }
    }
}

/// One issued credential and no other, though it be equal.
struct Same<T>(Arc<T>);

impl<T> PartialEq for Same<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Shows what is known of the credential, not the credential.
impl<T> fmt::Debug for ExpiringCredential<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpiringCredential")
            .field("source", &self.core.source)
            .field("lease", &*self.live.load())
            .finish_non_exhaustive()
    }
}
