use std::fmt;
use std::sync::Arc;

use secrets_core::{Secret, SecretValue};
use tokio::time::Instant;

use crate::credential::permit::{Outcome, Permit};

/// One go at the resource: the secret to use, as the closure of [`with_secret`](crate::with_secret)
/// is given it.
pub struct Attempt {
    secret: Secret,
    permit: Arc<Permit>,
}

impl Attempt {
    pub(crate) fn new(secret: Secret, permit: Arc<Permit>) -> Self {
        Self { secret, permit }
    }

    /// The secret with its version, which need not be the current one.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Its value.
    #[must_use]
    pub fn value(&self) -> &SecretValue {
        &self.secret.value
    }

    /// Says that the resource accepted the secret, ahead of the end of the work: others who wait for
    /// this may begin. Worth a call where the work takes longer than the login. Said too early it
    /// lets the others run into the same refusal.
    pub fn accepted(&self) {
        self.permit.report(Outcome::Vouched, Instant::now());
    }
}

/// Shows the version, never the value.
impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("version", &self.secret.version.id).finish_non_exhaustive()
    }
}

/// Work that may be done more than once; made by [`repeatable`].
#[must_use = "give it to `with_secret`"]
pub struct Repeatable<F> {
    pub(crate) work: F,
}

/// Declares that the closure may be called again when the resource refused the credential, so
/// nothing that it did before that may matter. A login, a request that carries its credential, a
/// transaction that is begun anew: yes. What sends mail and then logs in: no.
pub fn repeatable<F>(work: F) -> Repeatable<F> {
    Repeatable { work }
}

impl<F> fmt::Debug for Repeatable<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repeatable").finish_non_exhaustive()
    }
}
