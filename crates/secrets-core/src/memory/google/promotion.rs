use crate::error::{Error, ErrorKind, Operation, Result};
use crate::memory::adapter::{Place, conflict, not_alone, not_found};
use crate::memory::google::adapter::GoogleAdapter;
use crate::memory::google::journal::{self, Entry};
use crate::memory::google::lookup::{Home, main_id};
use crate::memory::google::project::{GoogleError, Project, Wanted};
use crate::memory::google::write::busy;
use crate::memory::session::{Access, Failure, Session};
use crate::metadata::MetadataPatch;
use crate::options::{IdempotencyKey, Precondition, Promoted};
use crate::value::SecretValue;
use crate::version::{VersionId, VersionState};

/// So often a promotion begins anew when the secret's metadata changes in between.
const ATTEMPTS: u32 = 5;

impl GoogleAdapter {
    /// Appends the tested value to the secret, between an intent and a note that it is done; then
    /// destroys the companion's version, which would stay a second copy of a live credential.
    pub(super) async fn promote_pending(
        &self,
        session: &Session<'_>,
        place: &Place,
        pending: &VersionId,
        base: &VersionId,
        token: &IdempotencyKey,
    ) -> Result<Promoted> {
        let companion = place.companion(Operation::Promote)?;
        let waits_not = || not_found("the version does not wait for promotion");
        let number = Home::pending(pending).ok_or_else(waits_not)?;
        for _ in 0..ATTEMPTS {
            let secret = self.meta(session, &place.main).await?;
            if let Some(done) = journal::done_with(&secret, token.as_str()) {
                return self.conclude(session, companion, (number, base), &done).await;
            }
            let latest = self.latest(session, &place.main).await?;
            let value = self.pending_value(session, companion, number).await?;
            if let Some(value) = &value {
                let wanted = (Some(token), value);
                let done = self.repeated(session, &place.main, &secret, latest, wanted).await?;
                if let Some(done) = done {
                    return self.conclude(session, companion, (number, base), &done).await;
                }
            }
            if base.as_str() != latest.to_string() {
                return Err(conflict("the base is not current"));
            }
            let waiting = self.waiting(session, place, &secret).await?;
            let waits = waiting.is_some_and(|version| version.number == number);
            let value = value.filter(|_| waits).ok_or_else(waits_not)?;
            let entry = (Entry::new(token.as_str(), latest, number), &MetadataPatch::new());
            let Some(added) = self.add(session, &place.main, secret, &value, entry).await? else {
                continue;
            };
            return self.conclude(session, companion, (number, base), &added).await;
        }
        Err(busy())
    }

    /// Takes the pending version away, where it is the one that waits.
    pub(super) async fn discard_waiting(
        &self,
        session: &Session<'_>,
        place: &Place,
        pending: &VersionId,
    ) -> Result<()> {
        let companion = place.companion(Operation::DiscardPending)?;
        let secret = self.meta(session, &place.main).await?;
        match self.waiting(session, place, &secret).await? {
            None => Ok(()),
            Some(waiting) if Home::pending(pending) == Some(waiting.number) => {
                self.destroy(session, companion, waiting.number).await
            }
            Some(_) => Err(conflict("another version is pending")),
        }
    }

    async fn pending_value(
        &self,
        session: &Session<'_>,
        companion: &str,
        number: u64,
    ) -> Result<Option<SecretValue>> {
        match self.payload(session, companion, Wanted::Number(number)).await {
            Ok((_, value)) => Ok(Some(value)),
            Err(error) => match error.kind() {
                ErrorKind::NotFound | ErrorKind::Disabled | ErrorKind::Destroyed => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Ends a promotion of `pending` over `base`. Whether somebody else added in between shows in
    /// the number before that of the addition, in a repetition as well.
    async fn conclude(
        &self,
        session: &Session<'_>,
        companion: &str,
        (pending, base): (u64, &VersionId),
        added: &Entry,
    ) -> Result<Promoted> {
        if added.pending != pending {
            return Err(used_otherwise());
        }
        if base.as_str() != added.base.to_string() {
            let written = main_id(added.number)?;
            return Err(not_alone(&Precondition::CurrentIs(base.clone()), written));
        }
        self.destroy(session, companion, pending).await?;
        Ok(Promoted::new(main_id(added.number)?, Some(main_id(added.base)?)))
    }

    /// Destroys a version of the companion; one that is destroyed already is as good.
    async fn destroy(&self, session: &Session<'_>, companion: &str, number: u64) -> Result<()> {
        let state = VersionState::Destroyed;
        let work = |google: &mut Project, at| google.set_state(at, companion, number, state);
        match self.send(session, "DestroySecretVersion", Access::Write, work).await {
            Err(Failure::Refused(GoogleError::FailedPrecondition | GoogleError::NotFound)) => {
                Ok(())
            }
            destroyed => Ok(destroyed?),
        }
    }
}

/// The pending version that is asked for now still waits: it must not be taken away.
fn used_otherwise() -> Error {
    conflict("the token was used for another write")
}
