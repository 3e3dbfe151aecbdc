use std::future::Future;
use std::sync::{Arc, Weak};

use secrets_core::{Error, ErrorKind, Operation, Result, Secret, VersionSelector};
use tokio::time::{Instant, timeout_at};

use crate::cache::cached::Asked;
use crate::cache::handle::SecretHandle;
use crate::cache::inner::Inner;
use crate::cache::source::late;
use crate::cache::unusable::Unusable;
use crate::credential::attempt::{Attempt, Repeatable};
use crate::credential::classify::FailureClass;
use crate::credential::failure::{UseError, UseErrorKind};
use crate::credential::moments::after;
use crate::credential::permit::{Holder, Outcome, Permit};
use crate::credential::policy::UsePolicy;
use crate::credential::trial::{Admission, Fallback, Terms, Trial};

/// Uses a secret at its resource, across a rotation that is under way, and sends what was refused so
/// seldom that no account is locked out. With the defaults of [`UsePolicy`]; see
/// [`UsePolicy::with_secret`] for what that covers.
///
/// ```
/// # use secrets_core::{SecretProviderExt, memory::{MemoryProvider, Personality}};
/// # use secrets_manager::SecretManager;
/// use secrets_manager::{Attempt, FailureClass, repeatable, with_secret};
///
/// # struct Connection;
/// # #[derive(Debug)] struct DbError(&'static str);
/// # impl std::fmt::Display for DbError { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.0) } }
/// # impl std::error::Error for DbError {}
/// # impl DbError { fn sqlstate(&self) -> &str { self.0 } }
/// # async fn connect(_: &[u8]) -> Result<Connection, DbError> { Ok(Connection) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let provider = MemoryProvider::new(Personality::Aws);
/// # provider.put_text("billing/db-password", "correct horse").await?;
/// # let manager = SecretManager::builder(provider).build()?;
/// # tokio::spawn(manager.run());
/// let password = manager.handle("billing/db-password").await?;
/// # while !manager.usage().is_running { tokio::task::yield_now().await; }
///
/// let classifier = |error: &DbError| secrets_manager::classify::postgres(error.sqlstate());
/// let login = repeatable(|attempt: Attempt| async move {
///     connect(attempt.value().expose_secret()).await
/// });
/// let connection = with_secret(&password, classifier, login).await?;
/// # let _ = connection;
/// # Ok(()) }
/// ```
///
/// # Errors
/// See [`UsePolicy::with_secret`].
pub async fn with_secret<T, E, C, F, W>(
    handle: &SecretHandle,
    classifier: C,
    work: Repeatable<F>,
) -> Result<T, UseError<E>>
where
    C: Fn(&E) -> FailureClass,
    F: Fn(Attempt) -> W,
    W: Future<Output = Result<T, E>>,
{
    UsePolicy::new().with_secret(handle, classifier, work).await
}

impl UsePolicy {
    /// Uses a secret at its resource. The closure is called with the current version; `classifier`
    /// says of its errors whether the resource refused the credential. All other errors are passed
    /// on untouched.
    ///
    /// A version that the resource has not accepted from this process before, or not for
    /// [some time](Self::with_trust), is tried by one caller while the others wait for what comes of it. When a version is refused, one caller does the
    /// following for all: it asks the provider, once; tries the version that this brings, once; if
    /// it brings none, tries the previous one, once; then, where
    /// [`with_pending`](Self::with_pending) says so, the pending one. If all are refused nothing is
    /// sent to the resource until there is another version, or the
    /// [time](Self::with_cool_down) has come for one attempt more, of which there are
    /// [few](Self::with_refusals). A caller who is dropped in the middle is replaced by another.
    ///
    /// What was under way already with an accepted version when the first refusal came is beyond
    /// this: it counts at the resource as well. So does what other processes do, other managers, and
    /// handles on another version selector. An attempt that is dropped, or panics, tells nothing: with a
    /// version that was not accepted yet so many of them as [`with_refusals`](Self::with_refusals) says
    /// follow one another at once, then there is the patience in between, twice that, and so on up to the
    /// cool-down. A limit of time belongs inside the closure, where it ends in an error.
    ///
    /// All users of one secret in a manager share what is known, so they should use it at one
    /// resource: where one accepts what another one refuses, each is taken at the other's word, and is
    /// sent what it refuses up to twice in each cool-down. A manager for each keeps them apart.
    ///
    /// Times are those of tokio, whose runtime needs its timer enabled.
    ///
    /// # Errors
    /// [`UseError`]: by its kind the closure's own error, or that nothing is accepted, or that the
    /// time was over.
    pub async fn with_secret<T, E, C, F, W>(
        &self,
        handle: &SecretHandle,
        classifier: C,
        work: Repeatable<F>,
    ) -> Result<T, UseError<E>>
    where
        C: Fn(&E) -> FailureClass,
        F: Fn(Attempt) -> W,
        W: Future<Output = Result<T, E>>,
    {
        let mut user = User::new(self, handle);
        let mut last = None;
        loop {
            let next = match user.next().await {
                Ok(next) => next,
                Err(end) => return Err(end.into_error(last, user.provider_error)),
            };
            let Next { secret, permit: Holder(permit) } = &next;
            let attempt = Attempt::new(secret.clone(), Arc::clone(permit));
            match (work.work)(attempt).await {
                Ok(done) => {
                    permit.report(Outcome::Accepted, Instant::now());
                    return Ok(done);
                }
                Err(error) => {
                    let verdict = Verdict { permit, outcome: Outcome::Refused };
                    if verdict.by(classifier(&error)) == Outcome::Other {
                        return Err(UseError::work(error));
                    }
                    last = Some(error);
                }
            }
            user.start_clock();
        }
    }
}

/// What a use of a secret needs of its handle.
#[derive(Debug, Clone)]
pub(crate) struct Footing {
    pub(crate) asked: Asked,
    pub(crate) inner: Weak<Inner>,
    pub(crate) trial: Arc<Trial>,
}

/// An attempt that may be made.
struct Next {
    secret: Secret,
    permit: Holder,
}

/// What an error says, reported when this is dropped: a refusal until the classifier says otherwise,
/// for it may panic.
struct Verdict<'a> {
    permit: &'a Permit,
    outcome: Outcome,
}

impl Verdict<'_> {
    fn by(mut self, class: FailureClass) -> Outcome {
        if class != FailureClass::Authentication {
            self.outcome = Outcome::Other;
        }
        self.outcome
    }
}

impl Drop for Verdict<'_> {
    fn drop(&mut self) {
        self.permit.report(self.outcome, Instant::now());
    }
}

/// Why there is no further attempt.
enum End {
    Barred,
    Budget,
    Unusable(Unusable),
}

impl End {
    fn into_error<E>(self, last: Option<E>, provider: Option<Error>) -> UseError<E> {
        let kind = match self {
            Self::Unusable(reason) => return UseError::unusable(reason, last),
            Self::Barred if last.is_some() => UseErrorKind::Refused,
            Self::Barred => UseErrorKind::Barred,
            Self::Budget => UseErrorKind::Budget,
        };
        UseError::ended(kind, last, provider)
    }
}

struct User<'a> {
    policy: &'a UsePolicy,
    handle: &'a SecretHandle,
    footing: Footing,
    /// Runs from the first refusal or the first wait.
    deadline: Option<Instant>,
    provider_error: Option<Error>,
}

impl<'a> User<'a> {
    fn new(policy: &'a UsePolicy, handle: &'a SecretHandle) -> Self {
        let footing = handle.footing();
        Self { policy, handle, footing, deadline: None, provider_error: None }
    }

    fn start_clock(&mut self) -> Instant {
        *self.deadline.get_or_insert_with(|| after(Instant::now(), self.policy.budget))
    }

    /// Does what there is to do, and waits, until there is an attempt to make.
    async fn next(&mut self) -> Result<Next, End> {
        let trial = Arc::clone(&self.footing.trial);
        loop {
            // Before the look: from here on it hears what is told to all.
            let news = trial.news.notified();
            let now = Instant::now();
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                return Err(End::Budget);
            }
            let current = current(self.handle).map_err(End::Unusable)?;
            let is_latest = || self.handle.shows(&current.version.id);
            match trial.admit(&current, is_latest, self.terms(now)) {
                Admission::Again => {}
                Admission::Try(secret, permit) => {
                    // The current one was just looked at.
                    let is_other = secret.version.id != current.version.id;
                    if is_other && self.handle.refuses_now(&secret.version).is_some() {
                        permit.is_outdated(Instant::now());
                        continue;
                    }
                    self.handle.count();
                    return Ok(Next { secret, permit: Holder(permit) });
                }
                Admission::Refresh(permit) => self.refresh(permit).await,
                Admission::Fetch(fallback, permit) => self.fetch(fallback, permit).await,
                Admission::Wait(until) => {
                    let until = until.min(self.start_clock());
                    let _ = timeout_at(until, news).await;
                }
                Admission::Barred => return Err(End::Barred),
            }
        }
    }

    fn terms(&self, now: Instant) -> Terms<'a> {
        let call = self.footing.inner.upgrade().map(|inner| {
            let setting = &inner.setting;
            setting.terms.policy.call_timeout
        });
        let call = call.unwrap_or_default().saturating_add(self.policy.patience);
        Terms { policy: self.policy, call, now }
    }

    async fn refresh(&mut self, permit: Arc<Permit>) {
        let holder = Holder(permit);
        let answer = self.ask(self.footing.asked.clone()).await;
        holder.0.refreshed(&answer, Instant::now());
        self.provider_error = answer.err();
    }

    async fn fetch(&mut self, fallback: Fallback, permit: Arc<Permit>) {
        let holder = Holder(permit);
        let asked = &self.footing.asked;
        let is_of_current = asked.key.selector == VersionSelector::Current;
        let other = asked.at(fallback.selector());
        let answer = if is_of_current { self.ask(other).await } else { Err(no_fallback()) };
        holder.0.fetched(fallback, &answer, Instant::now());
    }

    /// Asks the provider, whatever the cache has.
    async fn ask(&mut self, asked: Asked) -> Result<Secret> {
        let deadline = self.start_clock();
        let Some(inner) = self.footing.inner.upgrade() else { return Err(manager_gone()) };
        let answer = timeout_at(deadline, inner.refresh(&asked.key)).await;
        let secret = answer.unwrap_or_else(|_| Err(late(Operation::GetSecret)))?;
        match inner.setting.rule.refuses_now(&secret.version) {
            Some(error) => Err(error),
            None => asked.part(secret),
        }
    }
}

fn current(handle: &SecretHandle) -> Result<Secret, Unusable> {
    let state = handle.check()?;
    // Checked loads show nothing but values.
    state.secret().cloned().ok_or_else(Unusable::gone)
}

fn manager_gone() -> Error {
    let error = Error::new(ErrorKind::Internal, "the manager is gone");
    error.with_operation(Operation::GetSecret)
}

fn no_fallback() -> Error {
    let message = "a handle on one version has no other to fall back to";
    Error::unsupported(Operation::GetSecret, message)
}
