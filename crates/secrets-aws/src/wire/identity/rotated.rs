use std::sync::Arc;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use secrets_core::{Error, ErrorKind};

use super::{failure, source};
use crate::config::RotatedKeys;

/// Keys that the application replaces, as they are now.
#[derive(Debug)]
pub(super) struct Rotated {
    pub(super) link: Arc<str>,
    pub(super) keys: RotatedKeys,
}

impl Rotated {
    async fn ask(&self) -> provider::Result {
        let keys = self.keys.now().await.map_err(|error| self.failure(&error))?;
        let refused = |what: &str| {
            let error = failure::of(&self.link, ErrorKind::Unauthenticated, what);
            CredentialsError::provider_error(error)
        };
        if let Some(problem) = keys.problems().first() {
            return Err(refused(problem));
        }
        source::credentials(&keys).map_err(|_| refused("a secret of them is not text"))
    }

    /// What is wrong with where the keys are kept is not told as if it were wrong with what is asked for:
    /// keys that are not found do not make a secret one that is gone.
    fn failure(&self, error: &Error) -> CredentialsError {
        let kind = match error.is_transient() {
            true => error.kind(),
            false => ErrorKind::Unauthenticated,
        };
        let what = format!("they cannot be read ({})", error.kind().as_str());
        CredentialsError::provider_error(failure::of(&self.link, kind, what))
    }
}

impl ProvideCredentials for Rotated {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.ask())
    }
}
