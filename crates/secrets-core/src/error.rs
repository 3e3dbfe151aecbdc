use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::name::InvalidName;
use crate::version::VersionId;

/// The result of a secret or key operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, whether to try again, and what happened to the data.
///
/// Clones share one record, so that one failure can answer many waiting readers. The message never
/// holds a secret; foreign errors are reachable by [`source`](std::error::Error::source) only.
///
/// ```
/// use secrets_core::{Effect, Error, ErrorKind, Operation, Retry};
///
/// let error = Error::new(ErrorKind::Throttled, "too many requests")
///     .with_operation(Operation::SetSecret)
///     .with_retry(Retry::After(std::time::Duration::from_secs(2)))
///     .with_effect(Effect::NotApplied);
/// assert_eq!(error.to_string(), "set_secret: throttled: too many requests");
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    retry: Retry,
    effect: Effect,
    maybe_absent: bool,
    operation: Option<Operation>,
    message: Cow<'static, str>,
    request_id: Option<Box<str>>,
    version: Option<VersionId>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind`. Retry class and effect start from the kind's defaults: `Throttled`,
    /// `Timeout` and `Unavailable` back off; `Timeout`, `Unavailable` and `Internal` leave the
    /// effect unknown; `Unauthenticated` wants new credentials.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner {
            kind,
            retry: kind.default_retry(),
            effect: kind.default_effect(),
            maybe_absent: false,
            operation: None,
            message: message.into(),
            request_id: None,
            version: None,
            source: None,
        }))
    }

    /// The answer of a provider that does not have an operation or an option.
    pub fn unsupported(operation: Operation, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unsupported, message).with_operation(operation)
    }

    /// Names the operation that failed.
    #[must_use]
    pub fn with_operation(mut self, operation: Operation) -> Self {
        Arc::make_mut(&mut self.0).operation = Some(operation);
        self
    }

    /// Sets the retry class.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        Arc::make_mut(&mut self.0).retry = retry;
        self
    }

    /// Says what happened to the data.
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        Arc::make_mut(&mut self.0).effect = effect;
        self
    }

    /// Notes the backend's request id.
    #[must_use]
    pub fn with_request_id(mut self, id: impl Into<Box<str>>) -> Self {
        Arc::make_mut(&mut self.0).request_id = Some(id.into());
        self
    }

    /// Names the version that a write left behind: with `Effect::Partial`, what was written.
    #[must_use]
    pub fn with_version(mut self, version: VersionId) -> Self {
        Arc::make_mut(&mut self.0).version = Some(version);
        self
    }

    /// Attaches the cause. Never attach an error whose text can hold a secret. Its `Debug` form is
    /// not printed by this error's, since clients' errors tend to carry whole answers in it.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::new(source));
        self
    }

    /// Marks a `PermissionDenied` that may hide an absent secret (Google answers so).
    #[must_use]
    pub fn with_maybe_absent(mut self) -> Self {
        Arc::make_mut(&mut self.0).maybe_absent = true;
        self
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether and when to try again.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// What happened to the data.
    pub fn effect(&self) -> Effect {
        self.0.effect
    }

    /// The operation that failed, where known.
    pub fn operation(&self) -> Option<Operation> {
        self.0.operation
    }

    /// The backend's request id, where it gave one.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The version that a write left behind, where it is known.
    pub fn version(&self) -> Option<&VersionId> {
        self.0.version.as_ref()
    }

    /// True when a `PermissionDenied` may stand for an absent secret.
    pub fn maybe_absent(&self) -> bool {
        self.0.maybe_absent
    }

    /// True when the same call may succeed later without a change by the caller.
    pub fn is_transient(&self) -> bool {
        matches!(self.0.retry, Retry::Backoff | Retry::After(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.0.operation {
            write!(f, "{}: ", operation.as_str())?;
        }
        write!(f, "{}: {}", self.0.kind.as_str(), self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("retry", &self.0.retry)
            .field("effect", &self.0.effect)
            .field("operation", &self.0.operation)
            .field("message", &self.0.message)
            .field("request_id", &self.0.request_id)
            .field("version", &self.0.version)
            .field("source", &self.0.source.as_ref().map(ToString::to_string))
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl From<InvalidName> for Error {
    fn from(reason: InvalidName) -> Self {
        Self::new(ErrorKind::InvalidName, "the name cannot be used").with_source(reason)
    }
}

macro_rules! named_enum {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$variant_meta])* $variant,)+ }

        impl $name {
            /// The stable name, for logs, metrics and audit records.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

named_enum! {
    /// The class of an error.
    pub enum ErrorKind {
        /// The secret, version or stage does not exist.
        NotFound = "not found",
        /// What should be created exists already.
        AlreadyExists = "already exists",
        /// A precondition did not hold, or an idempotency key came back with other content.
        Conflict = "conflict",
        /// The name cannot be expressed, or would escape its place.
        InvalidName = "invalid name",
        /// The value or an option is not acceptable.
        InvalidValue = "invalid value",
        /// The value is larger than the backend takes.
        TooLarge = "too large",
        /// The identity is known and may not do this.
        PermissionDenied = "permission denied",
        /// The identity is not accepted.
        Unauthenticated = "unauthenticated",
        /// The version is disabled.
        Disabled = "disabled",
        /// The version's validity has ended.
        Expired = "expired",
        /// The version's validity has not begun.
        NotYetValid = "not yet valid",
        /// The secret is deleted and can still be restored.
        PendingDeletion = "pending deletion",
        /// The version's value is gone for good.
        Destroyed = "destroyed",
        /// The backend limits the rate of requests.
        Throttled = "throttled",
        /// A quota is used up, of secrets, versions or grants: waiting does not help, clearing up
        /// does.
        QuotaExceeded = "quota exceeded",
        /// No answer came in time.
        Timeout = "timeout",
        /// The backend cannot be reached or cannot serve.
        Unavailable = "unavailable",
        /// Stored data is damaged, forged, or older than it may be.
        Integrity = "integrity",
        /// The provider does not have this operation or option.
        Unsupported = "unsupported",
        /// A fault of the provider or of this library.
        Internal = "internal",
    }
}

impl ErrorKind {
    fn default_retry(self) -> Retry {
        match self {
            Self::Throttled | Self::Timeout | Self::Unavailable => Retry::Backoff,
            Self::Unauthenticated => Retry::AfterReauth,
            _ => Retry::Never,
        }
    }

    fn default_effect(self) -> Effect {
        match self {
            Self::Timeout | Self::Unavailable | Self::Internal => Effect::Unknown,
            _ => Effect::NotApplied,
        }
    }
}

/// Whether and when the same call is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// Not without a change by the caller.
    Never,
    /// After a back-off of the caller's choice.
    Backoff,
    /// Not before this time has passed; the backend said so.
    After(Duration),
    /// After new credentials were obtained.
    AfterReauth,
}

/// What a failed write did to the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Nothing was changed.
    NotApplied,
    /// It is not known whether the change was made: read again before trying again.
    Unknown,
    /// A part was done: the value was written, its label or a precondition was not.
    Partial,
}

named_enum! {
    /// An operation of a provider.
    pub enum Operation {
        /// `SecretProvider::get_secret`.
        GetSecret = "get_secret",
        /// `SecretProvider::get_secrets`.
        GetSecrets = "get_secrets",
        /// `SecretProvider::set_secret`.
        SetSecret = "set_secret",
        /// `SecretProvider::promote`.
        Promote = "promote",
        /// `SecretProvider::discard_pending`.
        DiscardPending = "discard_pending",
        /// `SecretProvider::update_metadata`.
        UpdateMetadata = "update_metadata",
        /// `SecretProvider::set_version_state`.
        SetVersionState = "set_version_state",
        /// `SecretProvider::describe_secret`.
        DescribeSecret = "describe_secret",
        /// `SecretProvider::list_versions`.
        ListVersions = "list_versions",
        /// `SecretProvider::list_secrets`.
        ListSecrets = "list_secrets",
        /// `SecretProvider::delete_secret`.
        DeleteSecret = "delete_secret",
        /// `SecretProvider::restore_secret`.
        RestoreSecret = "restore_secret",
        /// `SecretProvider::purge_secret`.
        PurgeSecret = "purge_secret",
        /// `SecretProvider::health`.
        Health = "health",
        /// `KeyProvider::generate_data_key`.
        GenerateDataKey = "generate_data_key",
        /// `KeyProvider::wrap_key`.
        WrapKey = "wrap_key",
        /// `KeyProvider::unwrap_key`.
        UnwrapKey = "unwrap_key",
        /// `KeyProvider::rewrap_key`.
        RewrapKey = "rewrap_key",
        /// `KeyProvider::wrapping_version`.
        WrappingVersion = "wrapping_version",
        /// `Signer::sign`.
        Sign = "sign",
        /// `Signer::verify`.
        Verify = "verify",
        /// `Signer::public_key`.
        PublicKey = "public_key",
        /// `SecretResolver::resolve`.
        Resolve = "resolve",
    }
}
