use std::time::{Duration, SystemTime};

use aws_sdk_kms::types::{RotationType, RotationsListEntry};
use secrets_core::{KeyRef, Result, VersionId};

use super::describe::time;
use super::provider::KmsProvider;
use super::window::whole_days;
use super::wrap::{MOST_PAGES, endless};
use crate::error::{Call, send};

/// Time between automatic rotations: 90 to 2,560 whole days (API reference, `EnableKeyRotation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationPeriod(i32);

impl RotationPeriod {
    /// 365 days: AWS's default.
    pub const YEAR: Self = Self(365);

    /// A period of this length.
    ///
    /// # Errors
    /// `InvalidValue` for anything but 90 to 2,560 whole days.
    pub fn new(period: Duration) -> Result<Self> {
        whole_days(period, 90..=2560, "a key rotates every 90 to 2560 whole days").map(Self)
    }
}

/// How a key rotates.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyRotation {
    /// Time between automatic rotations; `None` when there are none.
    pub period: Option<Duration>,
    /// When the next one is due.
    pub next: Option<SystemTime>,
    /// Since when one that somebody asked for is under way.
    pub asked: Option<SystemTime>,
}

/// A rotation that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotationRecord {
    /// The material that wraps since then; told for symmetric keys whose material is KMS's own.
    pub material: Option<VersionId>,
    /// When.
    pub when: Option<SystemTime>,
    /// Whether somebody asked for it; the schedule otherwise.
    pub was_asked_for: bool,
}

const DAY: u64 = 24 * 60 * 60;

/// New material for a symmetric key. What older material wrapped still opens; to bring it under the new
/// one, rewrap what [`wrapping_version`](secrets_core::KeyProvider::wrapping_version) calls
/// superseded. AWS takes ids and ARNs here, no aliases.
impl KmsProvider {
    /// How a key rotates.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied`, `PendingDeletion`, `Unsupported` for a key that does not
    /// rotate (an asymmetric one), or that it cannot be reached.
    pub async fn key_rotation(&self, key: &KeyRef) -> Result<KeyRotation> {
        let call = Call::read(None, "GetKeyRotationStatus");
        let (client, target) = self.at(key, None)?;
        let told = send!(call, client.get_key_rotation_status().key_id(target.id()))?;
        let days = told.rotation_period_in_days.and_then(|days| u64::try_from(days).ok());
        let period = Duration::from_secs(days.unwrap_or(365) * DAY);
        Ok(KeyRotation {
            period: told.key_rotation_enabled.then_some(period),
            next: told.next_rotation_date.as_ref().and_then(time),
            asked: told.on_demand_rotation_start_date.as_ref().and_then(time),
        })
    }

    /// Has a key rotated every so often, from now on.
    ///
    /// # Errors
    /// As [`key_rotation`](Self::key_rotation); `Disabled`.
    pub async fn enable_key_rotation(&self, key: &KeyRef, period: RotationPeriod) -> Result<()> {
        let call = Call::write(None, "EnableKeyRotation");
        let (client, target) = self.at(key, None)?;
        let request =
            client.enable_key_rotation().key_id(target.id()).rotation_period_in_days(period.0);
        send!(call, request)?;
        Ok(())
    }

    /// Has a key rotated no more, unless somebody asks for it.
    ///
    /// # Errors
    /// As [`enable_key_rotation`](Self::enable_key_rotation).
    pub async fn disable_key_rotation(&self, key: &KeyRef) -> Result<()> {
        let call = Call::write(None, "DisableKeyRotation");
        let (client, target) = self.at(key, None)?;
        send!(call, client.disable_key_rotation().key_id(target.id()))?;
        Ok(())
    }

    /// Has a key rotated now; AWS does it in the background. A key has 25 of these.
    ///
    /// # Errors
    /// As [`enable_key_rotation`](Self::enable_key_rotation); `QuotaExceeded` after the last one;
    /// `Conflict` while another rotation is under way.
    pub async fn rotate_key_now(&self, key: &KeyRef) -> Result<()> {
        let call = Call::write(None, "RotateKeyOnDemand");
        let (client, target) = self.at(key, None)?;
        send!(call, client.rotate_key_on_demand().key_id(target.id()))?;
        Ok(())
    }

    /// The rotations that are done, as AWS lists them.
    ///
    /// # Errors
    /// As [`key_rotation`](Self::key_rotation).
    pub async fn key_rotations(&self, key: &KeyRef) -> Result<Vec<RotationRecord>> {
        let call = Call::read(None, "ListKeyRotations");
        let (client, target) = self.at(key, None)?;
        let (mut records, mut marker) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let request = client.list_key_rotations().key_id(target.id()).set_marker(marker);
            let told = send!(call, request)?;
            records.extend(told.rotations.unwrap_or_default().iter().map(record));
            marker = told.next_marker.filter(|_| told.truncated);
            if marker.is_none() {
                return Ok(records);
            }
        }
        Err(endless(&call))
    }
}

fn record(told: &RotationsListEntry) -> RotationRecord {
    RotationRecord {
        material: told.key_material_id.as_deref().and_then(|id| VersionId::new(id).ok()),
        when: told.rotation_date.as_ref().and_then(time),
        was_asked_for: told.rotation_type == Some(RotationType::OnDemand),
    }
}
