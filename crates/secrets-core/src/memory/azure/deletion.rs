use std::time::Duration;

use crate::error::{Error, ErrorKind, Operation, Result};
use crate::memory::adapter::{Place, not_found};
use crate::memory::azure::adapter::AzureAdapter;
use crate::memory::azure::vault::{AzureError, Vault};
use crate::memory::session::{Access, Failure, Session};
use crate::metadata::{Deleted, Deletion};
use crate::options::DeleteMode;

/// How often to ask whether a phase of a deletion is over.
const INTERVAL: Duration = Duration::from_secs(1);
/// After so many times it is not a phase any more.
pub(super) const MAX_WAITS: u32 = 120;

/// The companion always goes first: a call that ends half-way leaves the secret where it was, so
/// that the same call finds it again and does the rest.
impl AzureAdapter {
    pub(super) async fn delete_both(
        &self,
        session: &Session<'_>,
        place: &Place,
        mode: DeleteMode,
    ) -> Result<Deleted> {
        if let DeleteMode::Recoverable { window: Some(window) } = mode
            && window != self.window()
        {
            let message = "the vault keeps deleted secrets for its own time only";
            return Err(Error::unsupported(Operation::DeleteSecret, message));
        }
        if let Some(companion) = &place.companion {
            match self.delete_one(session, companion).await {
                Ok(_) | Err(Failure::Refused(AzureError::SecretNotFound)) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        let deletion = match self.delete_one(session, &place.main).await {
            Ok(deletion) => Some(deletion),
            Err(Failure::Refused(AzureError::SecretNotFound)) => None,
            Err(failure) => return Err(failure.into()),
        };
        match (mode, deletion) {
            (DeleteMode::Recoverable { .. }, Some(deletion)) => Ok(Deleted::Recoverable(deletion)),
            (DeleteMode::Recoverable { .. }, None) => Err(self.absence(session, place).await?),
            // Deleted before and not purged, perhaps by a call like this one that was cut short.
            (DeleteMode::Immediate, _) => {
                self.purge_both(session, place, "no such secret").await?;
                Ok(Deleted::Gone)
            }
        }
    }

    pub(super) async fn restore_both(&self, session: &Session<'_>, place: &Place) -> Result<()> {
        if let Some(companion) = &place.companion {
            match self.recover(session, companion).await {
                Ok(()) | Err(Failure::Refused(AzureError::SecretNotFound)) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        match self.recover(session, &place.main).await {
            Err(Failure::Refused(AzureError::SecretNotFound)) => {
                Err(not_found("the secret is not deleted"))
            }
            recovered => Ok(recovered?),
        }
    }

    pub(super) async fn purge_both(
        &self,
        session: &Session<'_>,
        place: &Place,
        absent: &'static str,
    ) -> Result<()> {
        if let Some(companion) = &place.companion {
            match self.purge_one(session, companion).await {
                Ok(()) | Err(Failure::Refused(AzureError::SecretNotFound)) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        match self.purge_one(session, &place.main).await {
            Err(Failure::Refused(AzureError::SecretNotFound)) => Err(not_found(absent)),
            purged => Ok(purged?),
        }
    }

    async fn delete_one(
        &self,
        session: &Session<'_>,
        name: &str,
    ) -> Result<Deletion, Failure<AzureError>> {
        self.send(session, "DELETE secret", Access::Write, |vault, at| vault.delete(at, name)).await
    }

    async fn purge_one(
        &self,
        session: &Session<'_>,
        name: &str,
    ) -> Result<(), Failure<AzureError>> {
        for _ in 0..MAX_WAITS {
            let purge = |vault: &mut Vault, at| vault.purge(at, name);
            match self.send(session, "DELETE deleted secret", Access::Write, purge).await {
                Err(Failure::Refused(AzureError::BeingDeleted)) => {
                    wait(session).await?;
                }
                purged => return purged,
            }
        }
        Err(Failure::Failed(too_long()))
    }

    /// Brings a secret back and waits until it is there: for some seconds it answers like one that
    /// is missing.
    pub(super) async fn recover(
        &self,
        session: &Session<'_>,
        name: &str,
    ) -> Result<(), Failure<AzureError>> {
        let mut waits = 0..MAX_WAITS;
        while waits.next().is_some() {
            let recover = |vault: &mut Vault, at| vault.recover(at, name);
            match self.send(session, "POST recover", Access::Write, recover).await {
                Ok(()) => break,
                Err(Failure::Refused(AzureError::BeingDeleted)) => {
                    wait(session).await?;
                }
                Err(failure) => return Err(failure),
            }
        }
        for _ in waits {
            match self.bundle(session, name, None).await {
                Err(Failure::Refused(AzureError::SecretNotFound)) => {
                    wait(session).await?;
                }
                Ok(_) | Err(Failure::Refused(AzureError::SecretDisabled)) => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::Failed(too_long()))
    }

    /// Companions whose secret is gone: copies of credentials that nobody will tidy up.
    pub(super) async fn orphans(&self, session: &Session<'_>) -> Result<usize> {
        let names = |vault: &mut Vault, at| {
            let (all, _) = vault.list(at, None, Some(std::num::NonZeroU32::MAX));
            Ok(all.into_iter().map(|(name, _)| name.to_ascii_lowercase()).collect())
        };
        let names: Vec<String> = self.send(session, "GET secrets", Access::Read, names).await?;
        Ok(crate::memory::adapter::orphans(&super::adapter::RULES, &names))
    }
}

pub(super) fn too_long() -> Error {
    Error::new(ErrorKind::Timeout, "a deletion or a recovery takes longer than two minutes")
}

/// Waits for the next look at a phase.
pub(super) async fn wait(session: &Session<'_>) -> Result<(), Failure<AzureError>> {
    let message = "a deletion or a recovery has begun and is not done yet";
    session.pause(INTERVAL, message).await.map_err(Failure::Failed)
}
