use std::fmt;
use std::sync::Arc;

use audit_log::{Code, Id};
use secrets_core::{
    Error, GetOptions, Operation, Result, Secret, SecretName, SecretProvider, SecretRef,
    VersionSelector,
};
use tokio::time::Instant;

use crate::access::Reader;
use crate::alias::Target;
use crate::audit::words::{id_of, id_of_text};
use crate::cache::handle::SecretHandle;
use crate::cache::hit::Hit;
use crate::cache::inner::{Inner, Tenancy};
use crate::cache::line::Key;
use crate::cache::source::Source;

/// One provider of a [`SecretManager`](crate::SecretManager) behind its cache. Clones share it.
///
/// It is a [`SecretProvider`] itself: reads come from the cache where they may, and what is written
/// through it is what the next read gives. Wherever a secret is named an [`Alias`](crate::Alias) of the
/// main provider may stand, but for writes through one that is not the whole current secret: those are
/// `Unsupported`.
#[derive(Clone)]
pub struct CachedProvider {
    pub(crate) tenancy: Arc<Tenancy>,
    pub(crate) source: Arc<Source>,
}

impl CachedProvider {
    /// The current value of a secret, if it is in the cache and may be served: fresh, or stale and
    /// being asked for. No lock, no await, no clock, no allocation.
    ///
    /// It relies on the run future to take away what may not be served; while none is alive it
    /// always gives `None`. `None` says nothing about the secret: [`get`](Self::get) does.
    ///
    /// With an audit log each hit is an event, taken along without waiting; where what cannot be
    /// recorded is refused, this always gives `None`.
    #[inline]
    #[must_use]
    pub fn try_get(&self, name: &str) -> Option<Hit> {
        let found = self.source.names.find(name)?;
        if found.listed.stale_since.is_some() && self.source.names.want(&found) {
            self.inner().wake.notify_one();
        }
        let hit = Hit::new(found.listed);
        match &self.source.witness {
            None => Some(hit),
            Some(witness) => witness.hit(self.called(name), hit),
        }
    }

    /// The current value of a secret: from the cache if it may be served, otherwise from the
    /// provider. However many ask at once, the provider is called once.
    ///
    /// Unlike [`try_get`](Self::try_get) this reads the clock, so it serves nothing past its bounds
    /// even if the run future is stalled, and works without one.
    ///
    /// # Errors
    /// `InvalidName`; `Expired` and `NotYetValid`; what the provider answers, from the call that
    /// was just made or from one that is not worth repeating yet. While the provider fails, a value
    /// is served until `stale_if_error` has passed. By an alias of a field, also those of
    /// [`json_field`](secrets_core::SecretValue::json_field): the value is there, and the field is not.
    /// With an audit log that refuses what it cannot record, `Unavailable` from
    /// [`NotRecorded`](crate::NotRecorded).
    pub async fn get(&self, name: &str) -> Result<Secret> {
        if self.source.witness.is_some() {
            return self.get_secret(&named(name)?, GetOptions::default()).await;
        }
        if let Some(secret) = self.checked_hit(name) {
            return Ok(secret);
        }
        self.get_secret(&named(name)?, GetOptions::default()).await
    }

    /// A handle on the current value of a secret, which is read first if need be.
    ///
    /// # Errors
    /// As [`get`](Self::get): there is no handle without a value.
    pub async fn handle(&self, name: &str) -> Result<SecretHandle> {
        self.handle_of(&named(name)?, VersionSelector::Current).await
    }

    /// A handle on any version of a secret, by name or by the backend's own id.
    ///
    /// # Errors
    /// As [`get`](Self::get). `Unsupported` for another version than that of an
    /// [`Alias`](crate::Alias) that names one, or that stands for a field.
    pub async fn handle_of(
        &self,
        reference: &SecretRef,
        selector: VersionSelector,
    ) -> Result<SecretHandle> {
        self.handle_by(reference, selector, Reader::of_task()).await
    }

    /// A handle on the current value of a secret, whose loads are counted under a label.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn handle_for(&self, name: &str, label: Code) -> Result<SecretHandle> {
        self.handle_by(&named(name)?, VersionSelector::Current, Reader::Label(label)).await
    }

    async fn handle_by(
        &self,
        reference: &SecretRef,
        selector: VersionSelector,
        reader: Reader,
    ) -> Result<SecretHandle> {
        let asked = self.asked(reference, selector)?;
        let handle = self.inner().handle(&asked).await;
        let handle = match &self.source.witness {
            None => handle,
            Some(witness) => witness.issue(&asked.key.reference, &reader, handle).await,
        };
        Ok(handle?.metered(self.inner().setting.ledger.meter(&asked.key, reader)))
    }

    /// Forgets a secret, in all its versions: the next reader asks the provider. What a handle
    /// holds is kept, as stale, and asked for at once. An answer that is on its way is not kept.
    pub fn invalidate(&self, reference: &SecretRef) {
        let reference = self.aliased(reference).map_or(reference, |target| &target.key.reference);
        self.inner().invalidate(self.source.number, reference);
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.tenancy.inner
    }

    pub(crate) fn key(&self, reference: &SecretRef, selector: VersionSelector) -> Key {
        Key { source: self.source.number, reference: reference.clone(), selector }
    }

    /// What a reference stands for, if it is an alias.
    pub(crate) fn aliased(&self, reference: &SecretRef) -> Option<&Arc<Target>> {
        self.inner().setting.aliases.find(self.source.number, reference)
    }

    /// What events call a secret that is read by this name.
    #[cold]
    fn called(&self, name: &str) -> Id {
        let reference = SecretName::new(name).map(SecretRef::from);
        reference.map_or_else(|_| id_of_text(name), |reference| id_of(self.whole(&reference)))
    }

    /// What a reader asks for: an alias of one version has no others.
    pub(crate) fn asked(&self, reference: &SecretRef, selector: VersionSelector) -> Result<Asked> {
        let Some(target) = self.aliased(reference) else {
            return Ok(Asked { key: self.key(reference, selector), target: None });
        };
        let is_open = target.key.selector == VersionSelector::Current;
        let key = match selector {
            VersionSelector::Current => target.key.clone(),
            other if is_open || target.key.selector == other => {
                Key { selector: other, ..target.key.clone() }
            }
            _ => return Err(refused(Operation::GetSecret, "the alias stands for another version")),
        };
        Ok(Asked { key, target: Some(Arc::clone(target)).filter(|target| !target.is_whole()) })
    }

    /// The secret that is meant where no part of it can be.
    pub(crate) fn whole<'a>(&'a self, reference: &'a SecretRef) -> &'a SecretRef {
        self.aliased(reference).map_or(reference, |target| &target.key.reference)
    }

    /// The secret that is written to: a part of a value cannot be, nor a version that is not current.
    pub(crate) fn writable<'a>(
        &'a self,
        reference: &'a SecretRef,
        operation: Operation,
    ) -> Result<&'a SecretRef> {
        match self.aliased(reference) {
            None => Ok(reference),
            Some(target) if target.is_plain() => Ok(&target.key.reference),
            Some(_) => {
                let message =
                    "the alias stands for a field or for one version: write to the secret";
                Err(refused(operation, message))
            }
        }
    }

    /// A hit that the clocks allow.
    pub(crate) fn checked_hit(&self, name: &str) -> Option<Secret> {
        let found = self.source.names.find(name)?;
        let (setting, now) = (&self.inner().setting, Instant::now());
        let is_good = setting.pulse.is_beating(now)
            && setting.pulse.stamp(now) < found.listed.good_until
            && setting.rule.refuses_now(&found.listed.secret.version).is_none();
        if !is_good {
            return None;
        }
        if found.listed.stale_since.is_some() && self.source.names.want(&found) {
            self.inner().wake.notify_one();
        }
        Some(Secret::clone(&found.listed.secret))
    }
}

/// A question of a reader, with aliases followed.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) key: Key,
    /// The alias of a part of the value.
    target: Option<Arc<Target>>,
}

impl Asked {
    /// The same question about another version.
    pub(crate) fn at(&self, selector: VersionSelector) -> Self {
        let key = Key { selector, ..self.key.clone() };
        Self { key, target: self.target.clone() }
    }

    /// Which fields of the value, one within the other.
    pub(crate) fn fields(&self) -> &[Box<str>] {
        self.target.as_ref().map(|target| &*target.fields).unwrap_or_default()
    }

    /// What of the value was asked for.
    pub(crate) fn part(&self, secret: Secret) -> Result<Secret> {
        match &self.target {
            Some(target) => target.extract(&secret),
            None => Ok(secret),
        }
    }

    /// Which outlet of the line gives it out. The line of a version that the alias does not name has
    /// none: its part can be read, not held.
    pub(crate) fn outlet(&self) -> Result<usize> {
        match &self.target {
            None => Ok(0),
            Some(target) if target.key == self.key => Ok(target.outlet),
            Some(_) => {
                let message = "there are no handles on a field of a version that no alias names";
                Err(refused(Operation::GetSecret, message))
            }
        }
    }
}

fn refused(operation: Operation, message: &'static str) -> Error {
    Error::unsupported(operation, message)
}

fn named(name: &str) -> Result<SecretRef> {
    let name = SecretName::new(name);
    Ok(name.map_err(|reason| Error::from(reason).with_operation(Operation::GetSecret))?.into())
}

/// Shows which provider.
impl fmt::Debug for CachedProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedProvider").field("id", self.id()).finish_non_exhaustive()
    }
}
