//! A chain of providers: the first that has a secret answers for it.

mod abilities;
mod batch;
mod listing;
mod look;
mod members;
mod provider;

use std::fmt;
use std::sync::Arc;

use secrets_core::{Capabilities, ProviderId, SecretProvider};

use crate::fallback::members::Members;

/// What a chain does when a provider cannot be reached: it answers `Unavailable`, `Timeout` or
/// `Throttled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnUnavailable {
    /// The read fails: another store's value may be an older one, or another one altogether.
    #[default]
    Fail,
    /// Reads of the *current* value go on to the next provider. Reads of other versions still fail,
    /// for nobody can tell whether the provider that is out has the secret. When no other provider
    /// has it the error is that of the one that was out, never `NotFound`.
    Fall,
}

/// A provider made of several: a primary and others that are asked, in their order, for what the
/// ones before do not have.
///
/// # Who answers
///
/// The unit is the *secret*. The first provider that has it answers for all of its versions, so that
/// the previous version of one store is never mixed with the current one of another.
///
/// | an earlier provider says | to a read of the current version | of any other version |
/// |---|---|---|
/// | `NotFound` | the next is asked | the next is asked if the provider does not have the secret at all, which takes one more call; otherwise it is `NotFound` |
/// | a name that it cannot express, but for the primary; a native id that is none of its own | the next is asked | the next is asked |
/// | `Unavailable`, `Timeout`, `Throttled` | as [`OnUnavailable`] says | fails |
/// | anything else: `PermissionDenied`, `Integrity`, `Disabled`, `Destroyed`, `PendingDeletion`, `Expired`, `Unauthenticated`, `Internal`, … | fails | fails |
///
/// An error names the provider that it comes from, and holds that provider's own error as its
/// source. When all say not found so does the chain.
///
/// A secret of which a provider holds no current version yet, since its first one is pending, is not
/// there for readers of the current version. Google answers `PermissionDenied` for what does not
/// exist to those who may not list it: behind such an identity nothing is ever asked.
///
/// # Writes
///
/// Writes, promotions, deletions and changes of metadata go to the primary alone; what only another
/// provider has is `NotFound` to them, but for `set_secret`, which creates the secret in the primary
/// and so covers the other.
///
/// **Deleting from the primary for good uncovers the secret of the same name in the next provider**:
/// once the primary answers `NotFound` readers get the other store's value. While the primary answers
/// `PendingDeletion`, as after a deletion that can be taken back, nothing is uncovered. To revoke a
/// secret delete it everywhere.
///
/// # Native ids
///
/// Only the provider whose an id is understands it, and nobody can tell by the looks. So it is asked
/// for in turn as well: who does not understand it (`InvalidName`) does not have it. An id that means
/// something to two of them means the earlier one's secret. Writes by a native id go to the primary.
///
/// # Versions
///
/// Ids of the primary's versions are its own. Those of the others have their place in the chain before
/// them (`~1~` for the second provider), so that no id means versions of two stores: one that was read
/// from another provider is `NotFound` once the primary has the secret, never another value. Where the
/// primary's own ids begin with `~`, as those of a chain within the chain can, `~0~` stands before them. No
/// provider is asked for a version by an id that is another's. (An id of which no room is left for what
/// should stand before it, of 512 bytes, stays as it is.)
///
/// # Lists
///
/// One provider after the other; what an earlier one has, deleted secrets that can be restored
/// included, is left out of the later ones' pages, so no name is listed twice. That is one call of
/// each earlier provider for each entry of a later one. Lists never fall through: one that fails
/// fails, since it would not be complete.
///
/// # Capabilities
///
/// Those of the primary for all that writes. Exact versions, the previous one, descriptions and hints
/// are the primary's as well; where the primary is read-only, it is enough that another one has them.
/// A provider that lacks one of these has only its current version, by its id or by none, and is
/// described by that. Lists are there where all have them, batches where one has. Hints are those of
/// all who give any. Reads are as late as the latest of all.
///
/// ```
/// use secrets_core::memory::{MemoryProvider, Personality};
/// use secrets_core::{ErrorKind, SecretProviderExt};
/// use secrets_manager::Fallback;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cloud = MemoryProvider::new(Personality::Aws);
/// let local = MemoryProvider::builder(Personality::Google).scope("local").build()?;
/// local.put_text("billing/db", "local").await?;
///
/// let chain = Fallback::new(cloud).then(local);
/// assert_eq!(chain.read("billing/db").await?.value.expose_secret(), b"local");
///
/// chain.put_text("billing/db", "cloud").await?; // into the primary
/// assert_eq!(chain.read("billing/db").await?.value.expose_secret(), b"cloud");
/// assert_eq!(chain.read("not/there").await.unwrap_err().kind(), ErrorKind::NotFound);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Fallback {
    members: Members,
    on_unavailable: OnUnavailable,
    id: ProviderId,
    capabilities: Capabilities,
}

impl Fallback {
    /// A chain of one.
    #[must_use]
    pub fn new(primary: impl SecretProvider) -> Self {
        Self::of(Members::new(Arc::new(primary)), OnUnavailable::Fail)
    }

    /// Asks this provider for what those before do not have.
    #[must_use]
    pub fn then(self, provider: impl SecretProvider) -> Self {
        let members = self.members.with(Arc::new(provider));
        Self::of(members, self.on_unavailable)
    }

    /// What to do when a provider cannot be reached; [`OnUnavailable::Fail`] unless set.
    ///
    /// A provider that hangs takes the time that the caller gives to all of them, so bound the time
    /// that each may take before it is put into a chain.
    #[must_use]
    pub fn on_unavailable(mut self, on_unavailable: OnUnavailable) -> Self {
        self.on_unavailable = on_unavailable;
        self
    }

    /// The identities of the providers, the primary's first.
    pub fn providers(&self) -> impl Iterator<Item = &ProviderId> {
        self.members.all().map(|member| member.provider.id())
    }

    fn of(members: Members, on_unavailable: OnUnavailable) -> Self {
        let (id, capabilities) = (members.id(), abilities::of(&members));
        Self { members, on_unavailable, id, capabilities }
    }
}

/// Shows the providers' identities.
impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback")
            .field("providers", &self.providers().collect::<Vec<_>>())
            .field("on_unavailable", &self.on_unavailable)
            .finish_non_exhaustive()
    }
}
