use std::fmt;
use std::sync::Arc;

use crate::clock::Clock;
use crate::error::Result;
use crate::memory::adapter::{Foreign, Place, listed};
use crate::memory::provider::Shared;
use crate::memory::shelf::{Lag, Moment};
use crate::reference::SecretRef;
use crate::value::{Secret, SecretValue};
use crate::version::{VersionId, VersionState};

/// A store as somebody else sees it who knows nothing of this library: another program with the
/// cloud's own SDK, an operator at the console.
///
/// It uses plain requests without our rules, tags, labels or companions, meets no faults, sees every
/// change at once, and its calls return when they are done. So it is the oracle of tests: *what it
/// reads, every plain reader reads*. It never gets a pending value by asking for the secret.
#[derive(Clone)]
pub struct Outside {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
}

impl Outside {
    pub(crate) fn new(shared: Arc<Shared>, clock: Arc<dyn Clock>) -> Self {
        Self { shared, clock }
    }

    /// What a plain read of the secret returns.
    ///
    /// # Errors
    /// Those of the cloud: `NotFound`, `Disabled`, `Destroyed`, `PendingDeletion`.
    pub fn read(&self, reference: &SecretRef) -> Result<Secret> {
        self.foreign().read(self.moment(), &self.place(reference)?.main, None)
    }

    /// What a read of one version returns; `version` is the cloud's own id.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_version(&self, reference: &SecretRef, version: &str) -> Result<Secret> {
        self.foreign().read(self.moment(), &self.place(reference)?.main, Some(version))
    }

    /// A plain write: the value is current at once.
    ///
    /// # Errors
    /// Those of the cloud.
    pub fn write(&self, reference: &SecretRef, value: SecretValue) -> Result<VersionId> {
        let place = self.place(reference)?;
        let id = self.foreign().write(self.moment(), &place.main, value)?;
        self.shared.announce(reference);
        Ok(id)
    }

    /// A plain deletion: the cloud's default, and of this entry alone.
    ///
    /// # Errors
    /// Those of the cloud.
    pub fn delete(&self, reference: &SecretRef) -> Result<()> {
        let place = self.place(reference)?;
        self.foreign().delete(self.moment(), &place.main)?;
        self.shared.announce(reference);
        Ok(())
    }

    /// Enables, disables or destroys a version, where the cloud can.
    ///
    /// # Errors
    /// Those of the cloud.
    pub fn set_state(
        &self,
        reference: &SecretRef,
        version: &str,
        state: VersionState,
    ) -> Result<()> {
        let place = self.place(reference)?;
        self.foreign().set_state(self.moment(), &place.main, version, state)?;
        self.shared.announce(reference);
        Ok(())
    }

    /// Creates a secret without a version: what AWS and Google show when somebody's second call
    /// never came.
    ///
    /// # Errors
    /// `Unsupported` on Azure; those of the cloud.
    pub fn create_empty(&self, reference: &SecretRef) -> Result<()> {
        self.foreign().create_empty(self.moment(), &self.place(reference)?.main)
    }

    /// Begins a rotation that has not set a value yet: on AWS a version with the label `AWSPENDING`
    /// and [`VersionState::Empty`], as `RotateSecret` makes.
    ///
    /// # Errors
    /// `Unsupported` on the other clouds; those of the cloud: `Conflict` while another version is
    /// pending.
    pub fn begin_rotation(&self, reference: &SecretRef) -> Result<VersionId> {
        self.foreign().begin_rotation(self.moment(), &self.place(reference)?.main)
    }

    /// The cloud's names of all entries that are not deleted, companions among them.
    pub fn names(&self) -> Vec<String> {
        self.foreign().names(self.moment())
    }

    /// The cloud's names of the companions: what listings of a provider hide.
    pub fn companions(&self) -> Vec<String> {
        let rules = self.shared.adapter.rules();
        self.names().into_iter().filter(|name| listed(rules, name).is_none()).collect()
    }

    /// What a plain read of any entry returns, companions included, by the cloud's own name.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_named(&self, name: &str) -> Result<Secret> {
        self.foreign().read(self.moment(), name, None)
    }

    /// A plain deletion of any entry, companions included, by the cloud's own name.
    ///
    /// # Errors
    /// Those of the cloud.
    pub fn delete_named(&self, name: &str) -> Result<()> {
        self.foreign().delete(self.moment(), name)?;
        if let Some(reference) = listed(self.shared.adapter.rules(), name) {
            self.shared.announce(&reference);
        }
        Ok(())
    }

    fn foreign(&self) -> &dyn Foreign {
        self.shared.adapter.foreign()
    }

    fn place(&self, reference: &SecretRef) -> Result<Place> {
        Place::find(self.shared.adapter.rules(), reference)
    }

    fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), lag: Lag::NONE }
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").field("names", &self.names()).finish_non_exhaustive()
    }
}
