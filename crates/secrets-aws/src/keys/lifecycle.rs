use std::time::SystemTime;

use secrets_core::{KeyRef, Result};

use super::describe::time;
use super::provider::KmsProvider;
use super::window::DeletionWindow;
use super::wrap::incomplete;
use crate::error::{Call, send};

/// What stops a key from being used, and what lets it be used again. AWS takes ids and ARNs here,
/// no aliases, and lets some seconds pass until the change is in force everywhere.
impl KmsProvider {
    /// Lets a disabled key be used again.
    ///
    /// # Errors
    /// `NotFound`, `PendingDeletion`, `PermissionDenied`, `QuotaExceeded`, or that it cannot be
    /// reached.
    pub async fn enable_key(&self, key: &KeyRef) -> Result<()> {
        let call = Call::write(None, "EnableKey");
        let (client, target) = self.at(key, None)?;
        send!(call, client.enable_key().key_id(target.id()))?;
        Ok(())
    }

    /// Stops all use of a key until it is enabled: what it wrapped stays shut meanwhile.
    ///
    /// # Errors
    /// As [`enable_key`](Self::enable_key).
    pub async fn disable_key(&self, key: &KeyRef) -> Result<()> {
        let call = Call::write(None, "DisableKey");
        let (client, target) = self.at(key, None)?;
        send!(call, client.disable_key().key_id(target.id()))?;
        Ok(())
    }

    /// Has a key deleted when the window has passed, and tells when. From now on it cannot be used;
    /// **after that, what it wrapped is lost.**
    ///
    /// # Errors
    /// As [`enable_key`](Self::enable_key); `PendingDeletion` when it is so already.
    pub async fn schedule_key_deletion(
        &self,
        key: &KeyRef,
        window: DeletionWindow,
    ) -> Result<SystemTime> {
        let call = Call::write(None, "ScheduleKeyDeletion");
        let (client, target) = self.at(key, None)?;
        let request = client
            .schedule_key_deletion()
            .key_id(target.id())
            .pending_window_in_days(window.days());
        let told = send!(call, request)?;
        told.deletion_date.as_ref().and_then(time).ok_or_else(|| incomplete(&call))
    }

    /// Takes a scheduled deletion back. The key is disabled afterwards.
    ///
    /// # Errors
    /// As [`enable_key`](Self::enable_key); `Conflict` when no deletion is scheduled.
    pub async fn cancel_key_deletion(&self, key: &KeyRef) -> Result<()> {
        let call = Call::write(None, "CancelKeyDeletion");
        let (client, target) = self.at(key, None)?;
        send!(call, client.cancel_key_deletion().key_id(target.id()))?;
        Ok(())
    }
}
