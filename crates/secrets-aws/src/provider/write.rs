use std::time::Duration;

use secrets_core::{
    Change, Effect, Error, ErrorKind, IdempotencyKey, Operation, Precondition, Result, SecretRef,
    SecretValue, SetOptions, Stage, Tags, VersionId, VersionInfo, WriteStage,
};

use crate::error::{Failure, send};
use crate::provider::SecretsManagerProvider;
use crate::provider::capabilities::MAX_VALUE;
use crate::provider::content::Content;
use crate::provider::create::NewSecret;
use crate::provider::labels;
use crate::provider::metadata::{Done, tags, to_tags};
use crate::provider::read::Wanted;
use crate::provider::session::{Described, Move, Patience, Session, named};

/// A name whose deletion has begun is refused for some seconds more.
const DELETION_ENDS_WITHIN: Duration = Duration::from_secs(30);

/// One `set_secret`.
struct Write<'a> {
    provider: &'a SecretsManagerProvider,
    session: Session,
    value: SecretValue,
    /// AWS makes it the version's id, and so every repetition of the request the same request.
    token: Box<str>,
    options: SetOptions,
    /// What it is created with, should it be.
    new: &'a NewSecret,
}

impl SecretsManagerProvider {
    pub(super) async fn set(
        &self,
        reference: &SecretRef,
        value: SecretValue,
        options: SetOptions,
        new: &NewSecret,
    ) -> Result<VersionInfo> {
        let session = self.session(reference, Operation::SetSecret)?;
        if value.len() > MAX_VALUE {
            let message = "a value has 65,536 bytes at most";
            return Err(session.error(ErrorKind::TooLarge, message));
        }
        if value.is_empty() {
            return Err(session.error(ErrorKind::InvalidValue, "a value has one byte at least"));
        }
        session.check_patch(&Tags::new(), &options.metadata)?;
        let token = match &options.token {
            Some(token) => token.as_str().into(),
            None => random_token(&session)?,
        };
        let write = Write { provider: self, session, value, token, options, new };
        match (write.options.stage, write.options.precondition.clone()) {
            (_, Precondition::Etag(_)) => {
                let message = "Secrets Manager has no etags: a write can be guarded by a version";
                Err(write.session.error(ErrorKind::Unsupported, message))
            }
            (WriteStage::Pending, _) => write.pending().await,
            (WriteStage::Current, Precondition::Any) => write.any().await,
            (WriteStage::Current, Precondition::Absent) => write.absent().await,
            (WriteStage::Current, Precondition::CurrentIs(base)) => write.after(&base).await,
            _ => {
                let message = "an unknown precondition";
                Err(write.session.error(ErrorKind::Unsupported, message))
            }
        }
    }
}

/// A token of this library's making, for a caller who gave none: the SDK repeats requests, too.
pub(super) fn random_token(session: &Session) -> Result<Box<str>> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| {
        session.error(ErrorKind::Internal, "the system gives no random bytes for a token")
    })?;
    Ok(IdempotencyKey::from_random(bytes).as_str().into())
}

impl Write<'_> {
    /// Whatever is there.
    async fn any(self) -> Result<VersionInfo> {
        self.check_tags().await?;
        let mut patience = Patience::new(DELETION_ENDS_WITHIN);
        loop {
            match self.put(labels::CURRENT).await {
                Err(failure) if failure.code() == "ResourceNotFoundException" => {}
                put => return self.finish(put).await,
            }
            match self.create().await {
                // Somebody else created it meanwhile.
                Err(failure) if failure.kind() == ErrorKind::AlreadyExists => {
                    let put = self.put(labels::CURRENT).await;
                    return self.finish(put).await;
                }
                // Not there for a write and in the way of a creation: its deletion is under way.
                Err(failure) if failure.kind() == ErrorKind::PendingDeletion => {
                    if !patience.wait().await {
                        return Err(failure.into());
                    }
                }
                created => return created.map_err(|failure| self.session.told(failure)),
            }
        }
    }

    /// Only where there is nothing.
    async fn absent(self) -> Result<VersionInfo> {
        match self.create().await {
            Ok(created) => Ok(created),
            Err(failure) if failure.kind() == ErrorKind::AlreadyExists => {
                Err(self.not_absent(failure).await)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// `ResourceExistsException` says both that the name is taken and that the token was used for
    /// another value: whether there is such a version tells them apart.
    async fn not_absent(&self, failure: Failure) -> Error {
        match self.session.get_value(Wanted::Version(&self.token)).await {
            Ok(_) => failure.told_as(ErrorKind::Conflict, "the token was used for another value"),
            Err(_) => failure.told_as(ErrorKind::AlreadyExists, "the secret exists"),
        }
    }

    /// Only over `base`. AWS has no conditional put, but it moves labels conditionally: the version
    /// is put under a label of ours that no reader asks for, and then made current.
    ///
    /// Cut off after the put, it leaves a version that nobody reads, whose label the next such write
    /// takes over; cut off after the move, the same label on the current version.
    async fn after(self, base: &VersionId) -> Result<VersionInfo> {
        let described = self.base(base).await?;
        self.session.check_patch(&tags(&described), &self.options.metadata)?;
        let token = &*self.token;
        let put = self.put_under(labels::STAGED).await.map_err(|failure| self.told(failure))?;
        let has = |label: &str| put.labels.iter().any(|one| one == label);
        if described.current() != Some(token) && !has(labels::CURRENT) {
            // It was current, and somebody went back behind it: a repetition does not undo that.
            if has(labels::PREVIOUS) {
                self.unstage().await;
                return self.finish(Ok(put.version)).await;
            }
            if !has(labels::STAGED) {
                return Err(self.was_written());
            }
            let moved =
                Moved { to: token, base: base.as_str(), patience: self.provider.patience() };
            if let Err(error) = self.session.make_current(moved).await {
                if error.kind() == ErrorKind::Conflict {
                    self.unstage().await;
                }
                return Err(error);
            }
        }
        self.unstage().await;
        let VersionInfo { id, created, .. } = put.version;
        let version = VersionInfo::new(id, created);
        let version = version.with_stages([Stage::Current].into_iter().collect());
        self.finish(Ok(version)).await
    }

    /// The version has been there for long: "the request is ignored" (API reference,
    /// `ClientRequestToken` of `PutSecretValue`). It may have been current twice ago, or never, where
    /// a writer who died had lost its label to another.
    fn was_written(&self) -> Error {
        let message = "the token's value was written before and is not current: to make it so \
                       again is another write, with a token of its own";
        self.session.conflict(message).with_effect(Effect::Unknown)
    }

    /// The description of a secret whose current version may be the base, or is ours already.
    async fn base(&self, base: &VersionId) -> Result<Described> {
        let session = &self.session;
        let stale = || session.conflict("the base is not current");
        let mut patience = self.provider.patience();
        loop {
            let described = match session.living().await {
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(stale()),
                described => described?,
            };
            let current = described.current();
            if current == Some(base.as_str()) || current == Some(&*self.token) {
                return Ok(described);
            }
            // A base that is not known here may be younger than what this read tells.
            let is_known = described
                .0
                .version_ids_to_stages()
                .is_some_and(|versions| versions.contains_key(base.as_str()));
            if is_known || !patience.wait().await {
                return Err(stale());
            }
        }
    }

    /// Takes our label off. Where it stays it harms nobody: a concurrent writer may have taken it
    /// over, and the next one will.
    async fn unstage(&self) {
        let call = self.session.write("UpdateSecretVersionStage");
        let off = Move { from: Some(&self.token), to: None };
        let _ = self.session.move_label(&call, labels::STAGED, off).await;
    }

    /// Beside the current version.
    ///
    /// "If this operation creates the first version for the secret, then Secrets Manager
    /// automatically attaches the staging label AWSCURRENT to it" (API reference, `PutSecretValue`):
    /// there has to be a current version, or the value would be shown to every reader untested.
    async fn pending(self) -> Result<VersionInfo> {
        let session = &self.session;
        let mut patience = self.provider.patience();
        let described = loop {
            match session.living().await {
                Ok(described) if described.current().is_some() => break described,
                Ok(_) if patience.wait().await => {}
                Err(error) if error.kind() == ErrorKind::NotFound && patience.wait().await => {}
                Ok(_) => return Err(session.not_found("the secret has no current version")),
                Err(error) => return Err(error),
            }
        };
        session.check_patch(&tags(&described), &self.options.metadata)?;
        match &self.options.precondition {
            Precondition::Absent => {
                return Err(session.error(ErrorKind::AlreadyExists, "the secret exists"));
            }
            Precondition::CurrentIs(base) if described.current() != Some(base.as_str()) => {
                return Err(session.conflict("the base is not current"));
            }
            _ => {}
        }
        let written = self.put(labels::PENDING).await.map_err(|failure| self.told(failure))?;
        if written.stages.contains(Stage::Current) && described.current() != Some(&*self.token) {
            let message = "the secret was emptied meanwhile, and AWS made the value current";
            return Err(session
                .conflict(message)
                .with_effect(Effect::Partial)
                .with_version(written.id));
        }
        self.finish(Ok(written)).await
    }

    /// `CreateSecret`: value, tags and description in one request.
    async fn create(&self) -> Result<VersionInfo, Failure> {
        let session = &self.session;
        let Some(name) = session.target.name() else {
            let message = "an ARN names no secret that could be created: give a name";
            return Err(session.not_found(message).into());
        };
        let content = Content::of(&self.value);
        let metadata = &self.options.metadata;
        let description = match &metadata.description {
            Change::Set(text) => Some(text.clone()),
            Change::Keep | Change::Clear => None,
        };
        let tags = (!metadata.set_tags.is_empty()).then(|| to_tags(&metadata.set_tags));
        let request = session
            .client
            .create_secret()
            .name(name)
            .client_request_token(&*self.token)
            .set_secret_string(content.text)
            .set_secret_binary(content.bytes)
            .set_description(description)
            .set_tags(tags)
            .set_kms_key_id(self.new.kms_key().or(self.provider.kms_key()).map(str::to_owned))
            .set_add_replica_regions(self.new.replicas())
            .set_force_overwrite_replica_secret(self.new.overwrites());
        let call = session.write_secret("CreateSecret");
        let output = send!(call, request)?;
        let labels = [labels::CURRENT.to_owned()];
        self.version(output.version_id.as_deref(), &labels)
    }

    /// `PutSecretValue`.
    async fn put(&self, label: &str) -> Result<VersionInfo, Failure> {
        self.put_under(label).await.map(|put| put.version)
    }

    /// The same with the labels that AWS tells: those of the version's newest state.
    async fn put_under(&self, label: &str) -> Result<Put, Failure> {
        let content = Content::of(&self.value);
        let request = self
            .session
            .client
            .put_secret_value()
            .secret_id(self.session.id())
            .client_request_token(&*self.token)
            .set_secret_string(content.text)
            .set_secret_binary(content.bytes)
            .version_stages(label);
        let call = self.session.write_secret("PutSecretValue");
        let output = send!(call, request)?;
        let labels = output.version_stages.unwrap_or_default();
        let version = self.version(output.version_id.as_deref(), &labels)?;
        Ok(Put { version, labels })
    }

    /// The version of a write. AWS does not tell its time: that of this host.
    fn version(&self, id: Option<&str>, labels: &[String]) -> Result<VersionInfo, Failure> {
        let now = self.provider.now();
        let version = labels::version(id, labels, Some(now));
        Ok(version.map_err(|error| named(error, self.session.operation()))?)
    }

    /// The tags that are there, where tags are to be set: too many are refused before the value is
    /// written.
    async fn check_tags(&self) -> Result<()> {
        if self.options.metadata.set_tags.is_empty() {
            return Ok(());
        }
        match self.session.describe().await {
            Ok(described) => self.session.check_patch(&tags(&described), &self.options.metadata),
            // Writing does not need the right to describe.
            Err(failure)
                if matches!(failure.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) =>
            {
                Ok(())
            }
            Err(failure) => Err(failure.into()),
        }
    }

    async fn finish(&self, written: Result<VersionInfo, Failure>) -> Result<VersionInfo> {
        let written = written.map_err(|failure| self.told(failure))?;
        self.session.patch(&self.options.metadata, &mut Done::version(&written.id)).await?;
        Ok(written)
    }

    fn told(&self, failure: Failure) -> Error {
        self.session.told(failure)
    }
}

/// What `PutSecretValue` tells.
struct Put {
    version: VersionInfo,
    labels: Vec<String>,
}

/// A conditional move of `AWSCURRENT`.
pub(super) struct Moved<'a> {
    pub(super) to: &'a str,
    pub(super) base: &'a str,
    pub(super) patience: Patience,
}

impl Session {
    /// Moves `AWSCURRENT`, provided that it is on the base; `AWSPREVIOUS` follows by itself. Where
    /// AWS refuses, the description tells whether an attempt whose answer was lost has done it.
    pub(super) async fn make_current(&self, moved: Moved<'_>) -> Result<()> {
        let Moved { to, base, mut patience } = moved;
        let call = self.write("UpdateSecretVersionStage");
        let from_to = Move { from: Some(base), to: Some(to) };
        let failure = match self.move_label(&call, labels::CURRENT, from_to).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        let is_elsewhere =
            matches!(failure.code(), "InvalidParameterException" | "ResourceNotFoundException");
        if !is_elsewhere {
            return Err(self.told(failure));
        }
        loop {
            let described = self.living().await?;
            let (current, previous) = (described.current(), described.previous());
            let is_done = current == Some(to) && previous == Some(base);
            // Carried out, and another version made current since.
            let was_done = call.is_unclear() && previous == Some(to);
            if is_done || was_done {
                return Ok(());
            }
            // AWS has just said that the label is elsewhere: this read is behind.
            if current == Some(base) && patience.wait().await {
                continue;
            }
            return Err(failure.told_as(ErrorKind::Conflict, "the base is not current"));
        }
    }
}
