use std::collections::BTreeSet;

use crate::error::{Operation, Result};
use crate::memory::adapter::{Place, conflict, not_alone, not_found, version_id};
use crate::memory::azure::adapter::AzureAdapter;
use crate::memory::azure::lookup::{Home, pending_id};
use crate::memory::azure::tags;
use crate::memory::azure::vault::{Attributes, Patch, Put, Vault};
use crate::memory::session::{Access, Session};
use crate::options::{IdempotencyKey, Precondition, Promoted};
use crate::version::VersionId;

impl AzureAdapter {
    /// Appends the tested value to the secret, in one `PUT` with its tags; then disables the
    /// companion's version, which would stay a second copy of a live credential.
    pub(super) async fn promote_pending(
        &self,
        session: &Session<'_>,
        place: &Place,
        pending: &VersionId,
        base: &VersionId,
        token: &IdempotencyKey,
    ) -> Result<Promoted> {
        let companion = place.companion(Operation::Promote)?;
        let rotation = format!("{}/{pending}", token.as_str());
        let known = self.versions_of(session, &place.main).await?;
        let done = known.iter().find(|v| v.tags.get(tags::ROTATION) == Some(&rotation));
        if let Some(done) = done {
            self.retire(session, companion, pending).await?;
            return promoted(done);
        }
        let current = self.current(session, place).await?;
        if current.id != base.as_str() {
            return Err(conflict("the base is not current"));
        }
        let waiting = self.waiting(session, place, &current).await?;
        let waiting = waiting.filter(|bundle| pending_id(&bundle.attributes) == pending.as_str());
        let waiting =
            waiting.ok_or_else(|| not_found("the version does not wait for promotion"))?;
        let mut tags = waiting.attributes.tags;
        tags.insert(tags::ROTATION.to_owned(), rotation);
        tags.insert(tags::PREDECESSOR.to_owned(), current.id);
        let (not_before, expires) = (waiting.attributes.not_before, waiting.attributes.expires);
        let put = Put { text: waiting.text, tags, not_before, expires };
        let written = self.put(session, &place.main, put).await?;
        let known: BTreeSet<String> = known.into_iter().map(|version| version.id).collect();
        if !self.is_alone(session, &place.main, &known, &written.id).await? {
            let written = version_id(&written.id)?;
            return Err(not_alone(&Precondition::CurrentIs(base.clone()), written));
        }
        self.retire(session, companion, pending).await?;
        promoted(&written)
    }

    /// Takes the pending version away, where it is the one that waits.
    pub(super) async fn discard_waiting(
        &self,
        session: &Session<'_>,
        place: &Place,
        pending: &VersionId,
    ) -> Result<()> {
        let companion = place.companion(Operation::DiscardPending)?;
        let current = self.current(session, place).await?;
        match self.waiting(session, place, &current).await? {
            None => Ok(()),
            Some(waiting) if pending_id(&waiting.attributes) == pending.as_str() => {
                self.retire(session, companion, pending).await
            }
            Some(_) => Err(conflict("another version is pending")),
        }
    }

    /// Disables a version of the companion.
    async fn retire(
        &self,
        session: &Session<'_>,
        companion: &str,
        pending: &VersionId,
    ) -> Result<()> {
        let Home::Companion(id) = Home::of(pending) else {
            return Err(not_found("the version does not wait for promotion"));
        };
        let patch = Patch { enabled: Some(false), ..Patch::default() };
        let disable = |vault: &mut Vault, at| vault.patch(at, companion, id, patch);
        Ok(self.send(session, "PATCH secret", Access::Write, disable).await?)
    }
}

fn promoted(version: &Attributes) -> Result<Promoted> {
    let previous = version.tags.get(tags::PREDECESSOR).map(|id| version_id(id)).transpose()?;
    Ok(Promoted::new(version_id(&version.id)?, previous))
}
