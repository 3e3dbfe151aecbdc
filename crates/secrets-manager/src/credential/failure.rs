use std::error::Error as StdError;
use std::fmt;

use secrets_core::Error;

use crate::cache::unusable::Unusable;

/// Why [`with_secret`](crate::with_secret) gave no result. `E` is the closure's own error.
pub struct UseError<E> {
    kind: UseErrorKind,
    work: Option<E>,
    secret: Option<Error>,
}

/// What kept a secret from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UseErrorKind {
    /// The closure failed, and not because of the credential. Its error is passed on as it is.
    Work,
    /// The resource refused every version that could be tried. The last error of the closure is
    /// here.
    Refused,
    /// Nothing was tried: the resource refused all there is, and that was not long enough ago or too
    /// often. Another version, once there is one, is tried at once, unless too many were refused in
    /// a row ([`with_refusals`](crate::UsePolicy::with_refusals)).
    Barred,
    /// The time was over while others tried, or the provider was asked. The last error of the
    /// closure, if it was called at all, is here.
    Budget,
    /// There is no value that may be used.
    Unusable,
}

impl UseErrorKind {
    /// The stable name, for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Refused => "refused",
            Self::Barred => "barred",
            Self::Budget => "budget",
            Self::Unusable => "unusable",
        }
    }
}

impl<E> UseError<E> {
    pub(crate) fn work(error: E) -> Self {
        Self { kind: UseErrorKind::Work, work: Some(error), secret: None }
    }

    pub(crate) fn ended(kind: UseErrorKind, work: Option<E>, provider: Option<Error>) -> Self {
        Self { kind, work, secret: provider }
    }

    pub(crate) fn unusable(reason: Unusable, work: Option<E>) -> Self {
        Self { kind: UseErrorKind::Unusable, work, secret: Some(reason.into()) }
    }

    /// What kept the secret from being used.
    #[must_use]
    pub const fn kind(&self) -> UseErrorKind {
        self.kind
    }

    /// The last error of the closure, where it was called.
    #[must_use]
    pub const fn work_error(&self) -> Option<&E> {
        self.work.as_ref()
    }

    /// The same, taken out.
    #[must_use]
    pub fn into_work_error(self) -> Option<E> {
        self.work
    }

    /// Why no newer version could be had, or why there is none that may be used.
    #[must_use]
    pub const fn secret_error(&self) -> Option<&Error> {
        self.secret.as_ref()
    }
}

impl<E> fmt::Display for UseError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            UseErrorKind::Work => "the work with the secret failed",
            UseErrorKind::Refused => "the resource refuses the credential",
            UseErrorKind::Barred => "the resource refused the credential, which is not tried again",
            UseErrorKind::Budget => "the time for another attempt with the secret was over",
            UseErrorKind::Unusable => "there is no value that may be used",
        })
    }
}

/// Shows the kind. The closure's error may quote what it was given, so it is not shown.
impl<E> fmt::Debug for UseError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UseError")
            .field("kind", &self.kind)
            .field("secret", &self.secret)
            .finish_non_exhaustive()
    }
}

impl<E: StdError + 'static> StdError for UseError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let work = self.work.as_ref().map(|error| error as &(dyn StdError + 'static));
        work.or_else(|| self.secret.as_ref().map(|error| error as &(dyn StdError + 'static)))
    }
}
