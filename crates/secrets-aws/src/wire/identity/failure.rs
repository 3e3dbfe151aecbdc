//! Why there are no credentials: which link of the chain failed, and how.
//!
//! The errors are the contract's, hidden in those of the SDK until a provider finds them there.
//! They hold no key and no token; clones share one, since one failure answers all who wait.

use std::error::Error as StdError;
use std::sync::Arc;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use secrets_core::{Effect, Error, ErrorKind};

/// The failure of a link, such as ``the role `arn:…` ``. No call of a service was made.
pub(super) fn of(link: &Arc<str>, kind: ErrorKind, what: impl AsRef<str>) -> Error {
    let what = what.as_ref();
    Error::new(kind, format!("there are no credentials: {link}: {what}"))
        .with_effect(Effect::NotApplied)
}

/// The failure of one of the SDK's sources. What a source said is not quoted: it may hold a key.
pub(super) fn of_source(link: &Arc<str>, error: &CredentialsError) -> Error {
    if let Some(inner) = within(error) {
        return inner.clone();
    }
    let (kind, what) = match error {
        CredentialsError::CredentialsNotLoaded(_) => (ErrorKind::Unauthenticated, "it has none"),
        CredentialsError::ProviderTimedOut(_) => (ErrorKind::Timeout, "no answer in time"),
        CredentialsError::InvalidConfiguration(_) => {
            (ErrorKind::Unauthenticated, "its configuration cannot be")
        }
        CredentialsError::ProviderError(_) => (ErrorKind::Unavailable, "it failed"),
        _ => (ErrorKind::Unavailable, "what it gave cannot be read"),
    };
    of(link, kind, what)
}

/// The failure of a call of STS.
pub(super) fn of_sts<E>(link: &Arc<str>, error: &SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    // An inner link failed, so that the call was never made.
    if let Some(inner) = within(error) {
        return inner.clone();
    }
    let (kind, what) = match error {
        SdkError::TimeoutError(_) => (ErrorKind::Timeout, "no answer of STS in time".to_owned()),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            (ErrorKind::Timeout, "no connection to STS in time".to_owned())
        }
        SdkError::DispatchFailure(_) => {
            (ErrorKind::Unavailable, "STS cannot be reached".to_owned())
        }
        SdkError::ResponseError(_) => {
            (ErrorKind::Unavailable, "what answered is not STS".to_owned())
        }
        SdkError::ServiceError(service) => of_service(service.err(), service.raw()),
        _ => (ErrorKind::Internal, "the call of STS could not be made".to_owned()),
    };
    let failure = of(link, kind, what);
    match error.request_id() {
        Some(id) => failure.with_request_id(id),
        None => failure,
    }
}

fn of_service<E: ProvideErrorMetadata>(error: &E, response: &HttpResponse) -> (ErrorKind, String) {
    let Some(code) = error.code() else {
        return (ErrorKind::Unavailable, "what answered is not STS".to_owned());
    };
    let kind = match code {
        "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "SlowDown" => {
            ErrorKind::Throttled
        }
        "MalformedPolicyDocument" | "PackedPolicyTooLarge" | "ValidationError" => {
            ErrorKind::InvalidValue
        }
        "IDPCommunicationError" => ErrorKind::Unavailable,
        _ if response.status().is_server_error() => ErrorKind::Unavailable,
        _ => ErrorKind::Unauthenticated,
    };
    // Codes are words; whatever else stands there is not from STS.
    let is_word = code.len() <= 64 && code.bytes().all(|letter| letter.is_ascii_alphanumeric());
    (kind, if is_word { format!("refused as `{code}`") } else { "refused".to_owned() })
}

/// The contract's error among the causes of another.
fn within<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    std::iter::successors(Some(error), |error| StdError::source(*error))
        .find_map(|cause| cause.downcast_ref())
}
