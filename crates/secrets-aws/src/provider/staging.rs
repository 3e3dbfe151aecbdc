use secrets_core::{
    Effect, Error, ErrorKind, Operation, Promoted, Result, SecretRef, Stage, VersionId,
};

use crate::error::Failure;
use crate::provider::SecretsManagerProvider;
use crate::provider::labels;
use crate::provider::read::Wanted;
use crate::provider::session::{Move, Session};
use crate::provider::write::Moved;

impl SecretsManagerProvider {
    /// The pending version is read first: a move of `AWSCURRENT` to a version without a value, as
    /// `RotateSecret` makes one, would leave every reader without a secret.
    pub(super) async fn promote_pending(
        &self,
        reference: &SecretRef,
        pending: &VersionId,
        base: &VersionId,
    ) -> Result<Promoted> {
        let session = self.session(reference, Operation::Promote)?;
        let stage = self.waiting(&session, pending).await?;
        match stage {
            Waiting::Yes => {
                let (to, base) = (pending.as_str(), base.as_str());
                let moved = Moved { to, base, patience: self.patience() };
                session.make_current(moved).await?;
            }
            Waiting::Promoted => self.check_base(&session, pending, base).await?,
            Waiting::No => return Err(self.why_not(&session, base).await?),
        }
        if let Err(failure) = session.unpend(pending).await {
            return Err(Error::from(failure)
                .with_effect(Effect::Partial)
                .with_version(pending.clone()));
        }
        Ok(Promoted::new(pending.clone(), Some(base.clone())))
    }

    async fn waiting(&self, session: &Session, pending: &VersionId) -> Result<Waiting> {
        let mut patience = self.patience();
        loop {
            let read = session.value(Wanted::Version(pending.as_str())).await;
            let stages = match &read {
                Ok(secret) => secret.version.stages,
                Err(error) if error.kind() == ErrorKind::NotFound => Default::default(),
                Err(_) => return read.map(|_| Waiting::No),
            };
            if stages.contains(Stage::Pending) {
                return Ok(Waiting::Yes);
            }
            if stages.contains(Stage::Current) {
                return Ok(Waiting::Promoted);
            }
            // It may have been staged a moment ago.
            if stages.contains(Stage::Previous) || !patience.wait().await {
                return read.map(|_| Waiting::No);
            }
        }
    }

    /// A promotion that is repeated has to be the same one.
    async fn check_base(
        &self,
        session: &Session,
        pending: &VersionId,
        base: &VersionId,
    ) -> Result<()> {
        let mut patience = self.patience();
        loop {
            let described = session.living().await?;
            let is_seen = described.current() == Some(pending.as_str());
            if is_seen && described.previous() == Some(base.as_str()) {
                return Ok(());
            }
            if is_seen || !patience.wait().await {
                let message = "the pending version was promoted from another base";
                return Err(session.conflict(message));
            }
        }
    }

    async fn why_not(&self, session: &Session, base: &VersionId) -> Result<Error> {
        let described = session.living().await?;
        Ok(match described.current() == Some(base.as_str()) {
            true => session.not_found("the version does not wait for promotion"),
            false => session.conflict("the base is not current"),
        })
    }

    pub(super) async fn discard(&self, reference: &SecretRef, pending: &VersionId) -> Result<()> {
        let session = self.session(reference, Operation::DiscardPending)?;
        let failure = match session.take_off(pending).await {
            Ok(()) => return Ok(()),
            Err(failure) if is_elsewhere(&failure) => failure,
            Err(failure) => return Err(failure.into()),
        };
        let mut patience = self.patience();
        loop {
            let described = session.living().await?;
            match described.pending() {
                None => return Ok(()),
                // AWS has just said that it does not: this read is behind.
                Some(waiting) if waiting == pending.as_str() && patience.wait().await => {}
                Some(waiting) if waiting == pending.as_str() => return Err(failure.into()),
                Some(_) => return Err(session.conflict("another version is pending")),
            }
        }
    }
}

/// What a version that is to be promoted does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Yes,
    Promoted,
    No,
}

fn is_elsewhere(failure: &Failure) -> bool {
    matches!(failure.code(), "InvalidParameterException" | "ResourceNotFoundException")
}

impl Session {
    /// Takes `AWSPENDING` off a version, by AWS's newest state.
    pub(super) async fn take_off(&self, pending: &VersionId) -> Result<(), Failure> {
        let call = self.write("UpdateSecretVersionStage");
        let off = Move { from: Some(pending.as_str()), to: None };
        self.move_label(&call, labels::PENDING, off).await
    }

    /// The same where it may be off already.
    async fn unpend(&self, pending: &VersionId) -> Result<(), Failure> {
        match self.take_off(pending).await {
            Err(failure) if is_elsewhere(&failure) => Ok(()),
            taken => taken,
        }
    }
}
