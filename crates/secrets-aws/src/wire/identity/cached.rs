use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use secrets_core::{Clock, Error, ErrorKind};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use super::failure;
use super::held::{Held, Moment, Standing};

/// The first pause after a failed refresh; it doubles up to the second, or, while there are no
/// credentials and every call fails, to the third.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE_WITHOUT: Duration = Duration::from_secs(5);
/// How old credentials are at least before a service's word that they are stale is acted on.
const DOUBT_AFTER: Duration = Duration::from_secs(5);

const BROKEN_OFF: &str = "the fetch was broken off";

type Outcome = secrets_core::Result<Credentials>;
type Flight = watch::Receiver<Option<Outcome>>;

/// How much longer than its own time a fetch is waited for. Its timer runs on the runtime of the
/// caller who began it, and stands still with that one: a runtime of one thread that nobody blocks
/// on does not end, and does nothing.
const OVERDUE: Duration = Duration::from_secs(1);

/// Credentials that no reader waits for, once there are any.
///
/// Before they end, the first caller who notices has them fetched by a task of its own and goes on
/// with those that are still good, as do all others. Whoever comes when there are none waits, with
/// all others, for one fetch. A fetch belongs to nobody: a caller who gives up does not end it.
#[derive(Clone)]
pub(crate) struct Cached(Arc<Shared>);

struct Shared {
    link: Arc<str>,
    source: SharedCredentialsProvider,
    clock: Arc<dyn Clock>,
    times: Times,
    state: Mutex<State>,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(in crate::wire) struct Times {
    /// A fetch.
    pub(in crate::wire) fetch: Duration,
    /// A caller's wait for one. Shorter than an attempt of the caller, whose own end would not say
    /// which link it waited for.
    pub(in crate::wire) wait: Duration,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    flight: Option<(Flight, Instant)>,
    failures: u32,
    retry_at: Option<Instant>,
    last_failure: Option<Error>,
    doubted: bool,
}

/// Whether a caller waits for credentials that are fetched although there are good ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    OnlyIfNone,
    AlsoIfDue,
}

enum Sight {
    Ready(Credentials),
    Coming(Flight),
    Failed(Error),
}

impl Cached {
    pub(super) fn new(
        link: Arc<str>,
        source: SharedCredentialsProvider,
        clock: Arc<dyn Clock>,
        times: Times,
    ) -> Self {
        Self(Arc::new(Shared { link, source, clock, times, state: Mutex::default() }))
    }

    /// The same, for a link that is assumed from this one: it takes what is about to be replaced
    /// only when the replacement fails, so that a chain is refreshed from its inner end.
    pub(super) fn settled(&self) -> Settled {
        Settled(self.clone())
    }

    /// A service said that it does not know the credentials with this access key: they are fetched
    /// anew, unless they just were. Tells whether others are there, or can be asked for.
    pub(crate) fn doubt(&self, key: Option<&str>) -> bool {
        let now = self.0.now();
        let mut state = self.0.state();
        let Some(held) = &state.held else { return false };
        if key.is_some_and(|key| key != held.credentials.access_key_id()) {
            // Replaced meanwhile.
            return true;
        }
        state.doubted = held.age(now) >= DOUBT_AFTER;
        let may_ask = state.flight.is_some() || state.may_begin(now);
        state.doubted && may_ask
    }

    /// Waits for those that are fetched in place of doubted ones. A failure is told by whoever asks
    /// for credentials next.
    pub(crate) async fn renewed(&self) {
        let _ = self.get(Patience::AlsoIfDue).await;
    }

    async fn get(&self, patience: Patience) -> Outcome {
        // A fetch is lost when its runtime ends; then it is begun once more.
        for _ in 0..2 {
            let mut flight = match self.0.look(patience) {
                Sight::Ready(credentials) => return Ok(credentials),
                Sight::Failed(failure) => return Err(failure),
                Sight::Coming(flight) => flight,
            };
            let landing = flight.wait_for(Option::is_some);
            let Ok(landed) = tokio::time::timeout(self.0.times.wait, landing).await else {
                let late = failure::of(&self.0.link, ErrorKind::Timeout, "no answer yet");
                return self.0.still_good().ok_or(late);
            };
            // The sender is gone without a word.
            let Ok(landed) = landed else { continue };
            match landed.clone() {
                Some(Err(error)) => return self.0.still_good().ok_or(error),
                Some(Ok(credentials)) => return Ok(credentials),
                None => {}
            }
        }
        Err(failure::of(&self.0.link, ErrorKind::Internal, BROKEN_OFF))
    }
}

impl Shared {
    fn now(&self) -> Moment {
        Moment { wall: self.clock.now(), steady: Instant::now() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never waits: what there is, what is coming, or why there is nothing.
    fn look(self: &Arc<Self>, patience: Patience) -> Sight {
        let now = self.now();
        let mut state = self.state();
        let standing = state.standing(now);
        let held = state.held.as_ref().filter(|_| standing != Standing::Ended);
        let good = held.map(|held| held.credentials.clone());
        if let (Some(credentials), Standing::Fresh) = (&good, standing) {
            return Sight::Ready(credentials.clone());
        }
        let may_begin = state.may_begin(now);
        let overdue = self.times.fetch + OVERDUE;
        let flight = match &state.flight {
            Some((flight, since)) if now.steady.duration_since(*since) < overdue => {
                Some(flight.clone())
            }
            _ if may_begin => self.begin(&mut state, now),
            _ => None,
        };
        match (good, flight) {
            (Some(credentials), Some(_)) if patience == Patience::OnlyIfNone => {
                Sight::Ready(credentials)
            }
            (_, Some(flight)) => Sight::Coming(flight),
            (Some(credentials), None) => Sight::Ready(credentials),
            (None, None) => Sight::Failed(state.last_failure.clone().unwrap_or_else(|| {
                failure::of(&self.link, ErrorKind::Internal, "there is no tokio runtime")
            })),
        }
    }

    fn begin(self: &Arc<Self>, state: &mut State, now: Moment) -> Option<Flight> {
        let runtime = Handle::try_current().ok()?;
        let (sender, flight) = watch::channel(None);
        state.flight = Some((flight.clone(), now.steady));
        let landing = Landing { shared: Arc::clone(self), sender, settled: false };
        runtime.spawn(async move {
            let outcome = landing.shared.fetch().await;
            landing.settle(outcome);
        });
        Some(flight)
    }

    async fn fetch(&self) -> Outcome {
        match tokio::time::timeout(self.times.fetch, self.source.provide_credentials()).await {
            Err(_) => Err(failure::of(&self.link, ErrorKind::Timeout, "no answer in time")),
            Ok(Err(error)) => Err(failure::of_source(&self.link, &error)),
            Ok(Ok(credentials)) => self.checked(credentials),
        }
    }

    /// Refuses what has ended already: either the source gives what is old, or a clock is wrong.
    fn checked(&self, credentials: Credentials) -> Outcome {
        let now = self.now();
        if Held::new(credentials.clone(), now, 0.0).standing(now) == Standing::Ended {
            let what = "the source gave credentials that have expired; is the clock right?";
            return Err(failure::of(&self.link, ErrorKind::Unauthenticated, what));
        }
        Ok(credentials)
    }

    fn still_good(&self) -> Option<Credentials> {
        let now = self.now();
        let state = self.state();
        let held = state.held.as_ref().filter(|held| held.standing(now) != Standing::Ended)?;
        Some(held.credentials.clone())
    }
}

impl State {
    fn standing(&self, now: Moment) -> Standing {
        match self.held.as_ref().map(|held| held.standing(now)) {
            Some(Standing::Fresh) if self.doubted => Standing::Due,
            Some(standing) => standing,
            None => Standing::Ended,
        }
    }

    /// Whether the pause after a failure is over.
    fn may_begin(&self, now: Moment) -> bool {
        self.retry_at.is_none_or(|at| at <= now.steady)
    }

    fn succeed(&mut self, credentials: Credentials, now: Moment) {
        self.held = Some(Held::new(credentials, now, part()));
        self.failures = 0;
        self.retry_at = None;
        self.last_failure = None;
        self.doubted = false;
    }

    fn fail(&mut self, failure: Error, now: Moment) {
        let longest = match self.standing(now) {
            Standing::Ended => LONGEST_PAUSE_WITHOUT,
            Standing::Fresh | Standing::Due => LONGEST_PAUSE,
        };
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10)).min(longest);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now.steady + (pause / 2) + (pause / 2).mul_f64(part()));
        self.last_failure = Some(failure);
    }
}

/// The end of a fetch, which comes however it ends.
struct Landing {
    shared: Arc<Shared>,
    sender: watch::Sender<Option<Outcome>>,
    settled: bool,
}

impl Landing {
    fn settle(mut self, outcome: Outcome) {
        let now = self.shared.now();
        let mut state = self.shared.state();
        let is_late = !self.is_under_way(&state);
        match &outcome {
            // What comes after another fetch was begun is as good, unless that one has landed.
            Ok(credentials) if !is_late || state.standing(now) != Standing::Fresh => {
                state.succeed(credentials.clone(), now);
            }
            Err(failure) if !is_late => state.fail(failure.clone(), now),
            Ok(_) | Err(_) => {}
        }
        if !is_late {
            state.flight = None;
        }
        drop(state);
        self.settled = true;
        // Whoever listens may be one who needs credentials to pass it on.
        if let Err(failure) = &outcome {
            tracing::warn!(target: "secrets_aws::identity", %failure, "credentials were not refreshed");
        }
        self.sender.send_replace(Some(outcome));
    }

    /// Whether this is the fetch that callers wait for, and not one that was given up.
    fn is_under_way(&self, state: &State) -> bool {
        let flight = state.flight.as_ref();
        flight.is_some_and(|(flight, _)| flight.same_channel(&self.sender.subscribe()))
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let now = self.shared.now();
        let mut state = self.shared.state();
        if !self.is_under_way(&state) {
            return;
        }
        state.flight = None;
        // A source that panics is one that fails. A runtime that ended says nothing of the source.
        if std::thread::panicking() {
            let failure = failure::of(&self.shared.link, ErrorKind::Internal, BROKEN_OFF);
            state.fail(failure, now);
        }
    }
}

/// From 0 to 1, by chance.
fn part() -> f64 {
    let mut bytes = [0; 4];
    // Without a random source all wait for the longest time, which is safe.
    getrandom::fill(&mut bytes)
        .map_or(1.0, |()| f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX))
}

impl ProvideCredentials for Cached {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        if let Sight::Ready(credentials) = self.0.look(Patience::OnlyIfNone) {
            return future::ProvideCredentials::ready(Ok(credentials));
        }
        future::ProvideCredentials::new(async move {
            self.get(Patience::OnlyIfNone).await.map_err(CredentialsError::provider_error)
        })
    }
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").field("link", &self.0.link).finish_non_exhaustive()
    }
}

/// [`Cached::settled`].
#[derive(Debug, Clone)]
pub(super) struct Settled(Cached);

impl ProvideCredentials for Settled {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            self.0.get(Patience::AlsoIfDue).await.map_err(CredentialsError::provider_error)
        })
    }
}

#[cfg(test)]
#[path = "cached_tests.rs"]
mod tests;
