use std::future::Future;
use std::sync::Arc;

use secrets_core::Error;
use tokio::time::{Instant, timeout_at};

use crate::credential::{FailureClass, Repeatable, UseError, UseErrorKind, UsePolicy, after};
use crate::expiring::credential::ExpiringCredential;
use crate::expiring::standing::{Admission, Trial};

/// Uses an expiring credential at its resource, and has another one issued when the resource refuses
/// it, so seldom that no account is locked out. With the defaults of [`UsePolicy`]; see
/// [`UsePolicy::with_credential`] for what that covers.
///
/// ```
/// # use secrets_core::{Result, SecretValue, async_trait};
/// # use std::time::Duration;
/// # use secrets_manager::expiring::{CredentialSource, ExpiringCredential, Issued, with_credential};
/// # #[derive(Debug)] struct TokenEndpoint;
/// # #[async_trait]
/// # impl CredentialSource for TokenEndpoint {
/// #     type Credential = SecretValue;
/// #     async fn issue(&self) -> Result<Issued<SecretValue>> {
/// #         Ok(Issued::for_span(SecretValue::copy_from_slice(b"t0ken"), Duration::from_secs(900)))
/// #     }
/// # }
/// # #[derive(Debug)] struct HttpError(u16);
/// # async fn call(_: &[u8]) -> std::result::Result<(), HttpError> { Ok(()) }
/// use secrets_manager::{classify, repeatable};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// let token = ExpiringCredential::obtain(TokenEndpoint).await?;
/// let classifier = |error: &HttpError| classify::http(error.0);
/// let request = repeatable(|token: std::sync::Arc<SecretValue>| async move {
///     call(token.expose_secret()).await
/// });
/// with_credential(&token, classifier, request).await.map_err(|error| error.to_string())?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// See [`UsePolicy::with_credential`].
pub async fn with_credential<T, R, E, C, F, W>(
    credential: &ExpiringCredential<T>,
    classifier: C,
    work: Repeatable<F>,
) -> Result<R, UseError<E>>
where
    T: Send + Sync + 'static,
    C: Fn(&E) -> FailureClass,
    F: Fn(Arc<T>) -> W,
    W: Future<Output = Result<R, E>>,
{
    UsePolicy::new().with_credential(credential, classifier, work).await
}

impl UsePolicy {
    /// Uses an expiring credential at its resource. `classifier` says of the closure's errors whether
    /// the resource refused the credential; all others are passed on untouched.
    ///
    /// What was refused is sent by nobody again. The first refusal has another credential issued at
    /// once, however many were refused the same one, though the one before has not expired; if that is
    /// refused as well, nothing is issued or sent before [`cool_down`](Self::with_cool_down) has passed,
    /// twice that after the next one, up to 32 times, until one is accepted. One that was not accepted
    /// yet, or not within [`trust`](Self::with_trust), is tried by one caller while the others wait, for
    /// [`patience`](Self::with_patience) at most; so long also when he is dropped, or panics. When as many as
    /// [`with_refusals`](Self::with_refusals) says were, and none was accepted since, it is twice as long
    /// after each one more, up to the cool-down: a limit of time belongs inside the closure, where it ends
    /// in an error. Pauses of the source are kept. Whether the pending version is tried is a setting of
    /// [`with_secret`](Self::with_secret) alone.
    ///
    /// What is under way already with an accepted credential when it is first refused counts at the
    /// resource as well, as does what other processes do.
    ///
    /// # Errors
    /// [`UseError`]: `Work` with the closure's own error; `Refused` when the source issues no other one
    /// or that is refused too; `Barred` when nothing was tried for that; `Unusable` when there is none
    /// that has not expired; `Budget`.
    pub async fn with_credential<T, R, E, C, F, W>(
        &self,
        credential: &ExpiringCredential<T>,
        classifier: C,
        work: Repeatable<F>,
    ) -> Result<R, UseError<E>>
    where
        T: Send + Sync + 'static,
        C: Fn(&E) -> FailureClass,
        F: Fn(Arc<T>) -> W,
        W: Future<Output = Result<R, E>>,
    {
        let standing = &credential.core.standing;
        let (mut last, mut deadline) = (None, None);
        let late = |last| UseError::ended(UseErrorKind::Budget, last, None);
        loop {
            let lease = match credential.get().await {
                Ok(lease) => lease,
                Err(error) => {
                    return Err(UseError::ended(UseErrorKind::Unusable, last, Some(error)));
                }
            };
            let (serial, value) = (lease.serial, lease.shared());
            drop(lease);
            let now = Instant::now();
            let until = *deadline.get_or_insert_with(|| after(now, self.budget));
            let trial = match standing.admit(serial, self, now) {
                Admission::Go => None,
                Admission::Try => Some(Trial::new(standing, self, serial, now)),
                Admission::Wait | Admission::Replace if now >= until => return Err(late(last)),
                Admission::Wait => {
                    standing.wait(self, until).await;
                    continue;
                }
                Admission::Replace => {
                    match timeout_at(until, credential.core.replace(serial)).await {
                        Ok(Ok(())) => continue,
                        Ok(Err(error)) => return Err(ended(last, Some(error))),
                        Err(_) => return Err(late(last)),
                    }
                }
                Admission::Barred => return Err(ended(last, None)),
            };
            deadline = last.as_ref().map(|_| until);
            let answer = (work.work)(value).await;
            if let Some(trial) = trial {
                trial.told();
            }
            match answer {
                Ok(done) => {
                    standing.accept(serial, Instant::now());
                    return Ok(done);
                }
                Err(error) if classifier(&error) == FailureClass::Authentication => {
                    standing.refuse(serial, Instant::now());
                    last = Some(error);
                }
                Err(error) => {
                    standing.leave(serial);
                    return Err(UseError::work(error));
                }
            }
        }
    }
}

fn ended<E>(last: Option<E>, source: Option<Error>) -> UseError<E> {
    let kind = if last.is_some() { UseErrorKind::Refused } else { UseErrorKind::Barred };
    UseError::ended(kind, last, source)
}
