//! What AWS refuses, as errors of the contract: by code, never by status.
//!
//! AWS sends nearly every refusal as HTTP 400 with a code, throttling too. What a failure did to the
//! data is told by all attempts of a call together: a refusal of the second says nothing of a first
//! one whose answer was lost.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;
use secrets_core::{Effect, Error, ErrorKind, Operation, Result, Retry};

mod attempts;
mod codes;
#[cfg(test)]
mod tests;

pub(crate) use attempts::Attempts;

/// One call of an AWS API: what it is called, and what its failures may tell.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    operation: Option<Operation>,
    request: &'static str,
    access: Access,
    holds_secret: bool,
    attempts: Attempts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

impl Call {
    /// A call that changes nothing, such as `Decrypt`, made by an operation of the contract or by
    /// none.
    pub(crate) fn read(operation: impl Into<Option<Operation>>, request: &'static str) -> Self {
        Self::new(operation.into(), request, Access::Read)
    }

    /// A call that changes something. Give its [`attempts`](Self::attempts) to the SDK: without them
    /// every failure but a refusal leaves the effect unknown.
    pub(crate) fn write(operation: impl Into<Option<Operation>>, request: &'static str) -> Self {
        Self::new(operation.into(), request, Access::Write)
    }

    /// A call that changes nothing and whose request holds a secret, such as `Encrypt`: AWS's messages
    /// quote requests, so nothing of its own text gets into the errors.
    #[cfg(feature = "kms")]
    pub(crate) fn read_secret(
        operation: impl Into<Option<Operation>>,
        request: &'static str,
    ) -> Self {
        Self { holds_secret: true, ..Self::read(operation, request) }
    }

    /// A write whose request holds a secret, likewise.
    pub(crate) fn write_secret(
        operation: impl Into<Option<Operation>>,
        request: &'static str,
    ) -> Self {
        Self { holds_secret: true, ..Self::write(operation, request) }
    }

    fn new(operation: Option<Operation>, request: &'static str, access: Access) -> Self {
        Self { operation, request, access, holds_secret: false, attempts: Attempts::default() }
    }

    /// The interceptor that watches the attempts of this call.
    pub(crate) fn attempts(&self) -> Attempts {
        self.attempts.clone()
    }

    /// What went wrong.
    pub(crate) fn failure<E>(&self, error: SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let request_id = error.request_id().map(Box::<str>::from);
        let code = error.code().map(Box::<str>::from);
        let told = match &error {
            SdkError::ServiceError(refused) => match error.code() {
                Some(code) => {
                    self.refused(code, error.message().unwrap_or_default(), refused.raw())
                }
                None => self.not_aws(refused.raw()),
            },
            SdkError::ResponseError(answer) => self.not_aws(answer.raw()),
            SdkError::TimeoutError(_) => {
                Error::new(ErrorKind::Timeout, format!("{} got no answer in time", self.request))
            }
            SdkError::ConstructionFailure(_) => {
                let message = format!("{} could not be made a request", self.request);
                Error::new(ErrorKind::InvalidValue, message).with_source(Transport::of(&error))
            }
            _ => self.not_sent(&error),
        };
        let mut told = told.with_effect(self.effect(&error));
        if let Some(operation) = self.operation {
            told = told.with_operation(operation);
        }
        if let Some(id) = request_id {
            told = told.with_request_id(id);
        }
        Failure { code, error: told }
    }

    /// An error of this library's that belongs to this call.
    pub(crate) fn own(&self, kind: ErrorKind, message: &'static str) -> Error {
        let mut error = Error::new(kind, message);
        if self.changes_nothing() {
            error = error.with_effect(Effect::NotApplied);
        }
        match self.operation {
            Some(operation) => error.with_operation(operation),
            None => error,
        }
    }

    fn changes_nothing(&self) -> bool {
        self.access == Access::Read
    }

    /// Whether an attempt may have been carried out.
    pub(crate) fn is_unclear(&self) -> bool {
        self.attempts.is_unclear()
    }

    fn effect<E>(&self, error: &SdkError<E, HttpResponse>) -> Effect {
        if self.changes_nothing() {
            return Effect::NotApplied;
        }
        let sent_unseen = !self.attempts.was_seen()
            && !matches!(error, SdkError::ServiceError(_) | SdkError::ConstructionFailure(_));
        if sent_unseen || self.is_unclear() { Effect::Unknown } else { Effect::NotApplied }
    }

    /// AWS said no.
    fn refused(&self, code: &str, message: &str, raw: &HttpResponse) -> Error {
        let meaning = codes::meaning(self.request, code, message, raw.status().as_u16());
        let mut text =
            format!("{} was refused: {} (`{}`)", self.request, meaning.text, Shown(code));
        if meaning.quotable && !self.holds_secret && !message.is_empty() {
            text.push_str(": ");
            text.push_str(&Shown(message).to_string());
        }
        let error = Error::new(meaning.kind, text);
        match wait_told(raw) {
            Some(wait) if error.is_transient() => error.with_retry(Retry::After(wait)),
            _ => error,
        }
    }

    /// The answer is no answer of AWS: a proxy's page, half of a document.
    fn not_aws(&self, raw: &HttpResponse) -> Error {
        let status = raw.status().as_u16();
        let kind = match status {
            429 => ErrorKind::Throttled,
            407 => ErrorKind::Unauthenticated,
            _ => ErrorKind::Unavailable,
        };
        let message = format!(
            "{} got an answer that is not one of AWS (HTTP {status}): a proxy, another endpoint, or \
             an answer cut short",
            self.request
        );
        let error = Error::new(kind, message);
        match wait_told(raw) {
            Some(wait) if error.is_transient() => error.with_retry(Retry::After(wait)),
            _ => error,
        }
    }

    /// Nothing came back: no credentials, no connection, or one that broke.
    fn not_sent<E>(&self, error: &SdkError<E, HttpResponse>) -> Error
    where
        E: StdError + 'static,
    {
        if let Some(told) = find::<Error>(error) {
            return told.clone();
        }
        let request = self.request;
        if let Some(no_credentials) = find::<CredentialsError>(error) {
            let (kind, message) = match no_credentials {
                CredentialsError::ProviderTimedOut(_) => {
                    (ErrorKind::Timeout, format!("{request}: credentials did not come in time"))
                }
                _ => (ErrorKind::Unauthenticated, format!("{request}: there are no credentials")),
            };
            return Error::new(kind, message).with_source(Transport::of(error));
        }
        let kind = match error {
            SdkError::DispatchFailure(failure) if failure.is_timeout() => ErrorKind::Timeout,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, format!("{request} got no answer")).with_source(Transport::of(error))
    }
}

/// Why a call failed: the error that a caller gets, and AWS's code to decide by.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    code: Option<Box<str>>,
    error: Error,
}

impl Failure {
    /// AWS's code, where AWS answered.
    pub(crate) fn code(&self) -> &str {
        self.code.as_deref().unwrap_or_default()
    }

    /// The class of the error.
    pub(crate) fn kind(&self) -> ErrorKind {
        self.error.kind()
    }

    /// The same failure as another error, with the request's id and what happened to the data.
    pub(crate) fn told_as(
        self,
        kind: ErrorKind,
        message: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Error {
        let mut error = Error::new(kind, message).with_effect(self.error.effect());
        if let Some(operation) = self.error.operation() {
            error = error.with_operation(operation);
        }
        match self.error.request_id() {
            Some(id) => error.with_request_id(id),
            None => error,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { code: None, error }
    }
}

/// The error of one item of a batch, which AWS tells by code in an answer that succeeds.
pub(crate) fn of_item(operation: Operation, code: &str, message: &str, id: Option<&str>) -> Error {
    let meaning = codes::meaning("BatchGetSecretValue", code, message, 400);
    let error = Error::new(meaning.kind, format!("{} (`{}`)", meaning.text, Shown(code)))
        .with_operation(operation)
        .with_effect(Effect::NotApplied);
    match id {
        Some(id) => error.with_request_id(id),
        None => error,
    }
}

/// A result of the SDK as one of the contract's.
pub(crate) trait OrFailure<T> {
    /// Maps the error.
    fn or_failure(self, call: &Call) -> Result<T, Failure>;
}

impl<T, E> OrFailure<T> for std::result::Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    fn or_failure(self, call: &Call) -> Result<T, Failure> {
        self.map_err(|error| call.failure(error))
    }
}

/// What the transport said, as text: the SDK's own errors carry whole answers.
#[derive(Debug)]
struct Transport(String);

/// So many bytes of foreign text are shown at most.
const MOST_SHOWN: usize = 400;

impl Transport {
    fn of<E, R>(error: &SdkError<E, R>) -> Self
    where
        E: StdError + 'static,
        R: fmt::Debug,
    {
        let mut text = String::new();
        let mut next = error.source();
        while let Some(cause) = next {
            let part = cause.to_string();
            if !text.contains(&part) {
                if !text.is_empty() {
                    text.push_str(": ");
                }
                text.push_str(&part);
            }
            next = cause.source();
        }
        Self(Shown(&text).to_string())
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Transport {}

/// Foreign text on one line, of bounded length.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, character) in self.0.char_indices() {
            if at >= MOST_SHOWN {
                return f.write_str("…");
            }
            if character.is_control()
                || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            {
                write!(f, "{}", character.escape_unicode())?;
            } else {
                fmt::Write::write_char(f, character)?;
            }
        }
        Ok(())
    }
}

/// The first error of this type in a chain.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<T>() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

/// How long the answer asks to wait: `Retry-After` in seconds (RFC 9110 section 10.2.3), or
/// `x-amz-retry-after` in milliseconds (the SDKs' retry specification).
fn wait_told(raw: &HttpResponse) -> Option<Duration> {
    let header = |name| raw.headers().get(name)?.trim().parse::<u64>().ok();
    let seconds = header("retry-after").map(Duration::from_secs);
    header("x-amz-retry-after").map(Duration::from_millis).or(seconds)
}

/// Sends a request of an SDK with its attempts watched and its logs kept silent:
/// `send!(call, client.get_secret_value()…)`.
macro_rules! send {
    ($call:expr, $request:expr) => {{
        let (call, request) = (&$call, $request);
        let sent = request.customize().interceptor(call.attempts()).send();
        let sent = $crate::quiet::quietly(sent).await;
        $crate::error::OrFailure::or_failure(sent, call)
    }};
}

pub(crate) use send;
