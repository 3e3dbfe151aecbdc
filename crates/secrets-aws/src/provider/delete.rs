use std::time::Duration;

use aws_smithy_types::DateTime;
use secrets_core::{DeleteMode, Deleted, Deletion, Error, ErrorKind, Operation, Result, SecretRef};

use crate::error::send;
use crate::provider::SecretsManagerProvider;
use crate::provider::session::{Patience, Session, time};

const DAY: u64 = 24 * 60 * 60;
/// The window that AWS takes, in days (API reference, `RecoveryWindowInDays`).
const WINDOW: std::ops::RangeInclusive<u64> = 7..=30;
/// How long a forced deletion may take to be seen: it is asynchronous, without a bound.
const GONE_WITHIN: Duration = Duration::from_secs(60);

impl SecretsManagerProvider {
    pub(super) async fn delete(&self, reference: &SecretRef, mode: DeleteMode) -> Result<Deleted> {
        let session = self.session(reference, Operation::DeleteSecret)?;
        match mode {
            DeleteMode::Immediate => {
                // AWS deletes what is absent without complaint.
                session.existing(self.patience()).await?;
                session.force().await?;
                Ok(Deleted::Gone)
            }
            DeleteMode::Recoverable { window } => {
                let days = days(window).ok_or_else(|| {
                    let message = "a deleted secret is kept for 7 to 30 whole days";
                    session.error(ErrorKind::Unsupported, message)
                })?;
                self.schedule(&session, days).await
            }
            _ => Err(session.error(ErrorKind::Unsupported, "an unknown mode of deletion")),
        }
    }

    async fn schedule(&self, session: &Session, days: Option<i64>) -> Result<Deleted> {
        let request = session.client.delete_secret().secret_id(session.id());
        let call = session.write("DeleteSecret");
        let asked = self.now();
        match send!(call, request.set_recovery_window_in_days(days)) {
            Ok(output) => {
                let purge_at = time(output.deletion_date.as_ref());
                Ok(Deleted::Recoverable(Deletion::new(asked, purge_at)))
            }
            // An attempt whose answer was lost may have done it.
            Err(failure) if failure.kind() == ErrorKind::PendingDeletion && call.is_unclear() => {
                let described = session.describe().await?;
                let (at, changed) = (described.0.deleted_date(), described.0.last_changed_date());
                let deletion = deletion(at, changed).unwrap_or(Deletion::new(asked, None));
                Ok(Deleted::Recoverable(deletion))
            }
            Err(failure) => Err(session.told(failure)),
        }
    }

    pub(super) async fn restore(&self, reference: &SecretRef) -> Result<()> {
        let session = self.session(reference, Operation::RestoreSecret)?;
        self.scheduled(&session).await?;
        session.restore().await
    }

    pub(super) async fn purge(&self, reference: &SecretRef) -> Result<()> {
        let session = self.session(reference, Operation::PurgeSecret)?;
        self.scheduled(&session).await?;
        session.force().await
    }

    /// Fails where no deletion is scheduled.
    async fn scheduled(&self, session: &Session) -> Result<()> {
        let mut patience = self.patience();
        loop {
            let described = session.describe().await.map_err(|failure| session.told(failure))?;
            if described.0.deleted_date().is_some() {
                return Ok(());
            }
            // It may have been deleted a moment ago.
            if !patience.wait().await {
                return Err(session.not_found("the secret is not deleted"));
            }
        }
    }
}

impl Session {
    /// `RestoreSecret`.
    pub(super) async fn restore(&self) -> Result<()> {
        let call = self.write("RestoreSecret");
        let request = self.client.restore_secret().secret_id(self.id());
        send!(call, request).map(drop).map_err(|failure| self.told(failure))
    }

    /// Deletes without a window, also what is scheduled already, and asks until it is not described
    /// any more: the deletion is asynchronous.
    async fn force(&self) -> Result<()> {
        let call = self.write("DeleteSecret");
        let request = self.client.delete_secret().secret_id(self.id());
        let sent = send!(call, request.force_delete_without_recovery(true));
        match sent {
            // Already gone, by an attempt whose answer was lost or by somebody else.
            Err(failure) if failure.kind() == ErrorKind::NotFound => return Ok(()),
            sent => drop(sent?),
        }
        let mut patience = Patience::new(GONE_WITHIN);
        loop {
            match self.describe().await {
                Err(failure) if failure.kind() == ErrorKind::NotFound => return Ok(()),
                Err(failure) => return Err(begun(failure.into())),
                Ok(_) if patience.wait().await => {}
                Ok(_) => {
                    let message = "the deletion has begun and has not taken effect yet";
                    return Err(begun(self.error(ErrorKind::Timeout, message)));
                }
            }
        }
    }
}

/// The deletion was accepted; whether it has taken effect is not known.
fn begun(error: Error) -> Error {
    error.with_effect(secrets_core::Effect::Unknown)
}

/// The window in days, `None` for AWS's own; `None` outside for one that AWS does not have.
fn days(window: Option<Duration>) -> Option<Option<i64>> {
    let Some(window) = window else { return Some(None) };
    let days = window.as_secs() / DAY;
    let whole = Duration::from_secs(days * DAY) == window && WINDOW.contains(&days);
    whole.then(|| i64::try_from(days).ok())
}

/// The deletion that `DeletedDate` tells. The reference calls it the time of the deletion in one
/// place and that of its end in another: a time to come is the end, and then the last change is the
/// deletion.
pub(super) fn deletion(at: Option<&DateTime>, changed: Option<&DateTime>) -> Option<Deletion> {
    let at = at?;
    let told = time(Some(at))?;
    match changed.filter(|changed| at.secs().saturating_sub(changed.secs()) >= DAY.cast_signed()) {
        Some(changed) => Some(Deletion::new(time(Some(changed)).unwrap_or(told), Some(told))),
        None => Some(Deletion::new(told, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_whole_days_from_7_to_30() {
        let day = |days: u64| Duration::from_secs(days * DAY);
        assert_eq!(days(None), Some(None));
        assert_eq!(days(Some(day(7))), Some(Some(7)));
        assert_eq!(days(Some(day(30))), Some(Some(30)));
        for window in [day(6), day(31), day(7) + Duration::from_secs(1), Duration::ZERO] {
            assert_eq!(days(Some(window)), None, "{window:?}");
        }
        assert_eq!(days(Some(Duration::MAX)), None);
    }

    #[test]
    fn a_deletion_is_read_either_way() {
        let (asked, end) = (DateTime::from_secs(1_000), DateTime::from_secs(1_000 + 7 * 86_400));
        let both = deletion(Some(&end), Some(&asked)).unwrap();
        assert_eq!(Some(both.deleted), time(Some(&asked)));
        assert_eq!(both.purge_at, time(Some(&end)));
        let alone = deletion(Some(&asked), Some(&asked)).unwrap();
        assert_eq!((Some(alone.deleted), alone.purge_at), (time(Some(&asked)), None));
        assert!(deletion(None, Some(&asked)).is_none());
        // An answer may hold any time.
        let (first, last) = (DateTime::from_secs(i64::MIN), DateTime::from_secs(i64::MAX));
        for (at, changed) in [(&first, &last), (&last, &first)] {
            deletion(Some(at), Some(changed));
        }
    }
}
