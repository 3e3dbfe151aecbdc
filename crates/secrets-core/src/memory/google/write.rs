use crate::error::{Error, ErrorKind, Operation, Result, Retry};
use crate::memory::adapter::{Place, conflict, not_alone, not_found};
use crate::memory::google::adapter::GoogleAdapter;
use crate::memory::google::journal::{self, Entry, NO_TOKEN};
use crate::memory::google::lookup::{companion_info, main_id, main_info};
use crate::memory::google::metadata;
use crate::memory::google::project::{GoogleError, Project, SecretMeta, VersionMeta, Wanted};
use crate::memory::session::{Access, Failure, Session};
use crate::metadata::{MetadataPatch, Tags};
use crate::options::{IdempotencyKey, Precondition, SetOptions};
use crate::value::SecretValue;
use crate::version::{VersionInfo, WriteStage};

/// So often a change of metadata is tried again when somebody else's comes in between.
const ATTEMPTS: u32 = 5;

impl GoogleAdapter {
    pub(super) async fn set_stage(
        &self,
        session: &Session<'_>,
        place: &Place,
        value: &SecretValue,
        options: &SetOptions,
    ) -> Result<VersionInfo> {
        self.check_value(value)?;
        match options.stage {
            WriteStage::Current => self.set_current(session, place, value, options).await,
            WriteStage::Pending => self.set_pending(session, place, value, options).await,
        }
    }

    async fn set_current(
        &self,
        session: &Session<'_>,
        place: &Place,
        value: &SecretValue,
        options: &SetOptions,
    ) -> Result<VersionInfo> {
        let name = &place.main;
        for _ in 0..ATTEMPTS {
            let secret = self.secret_for(session, name, options).await?;
            metadata::check(&secret.labels, &options.metadata)?;
            let latest = self.latest(session, name).await?;
            let token = options.token.as_ref();
            let done = self.repeated(session, name, &secret, latest, (token, value)).await?;
            let added = match done {
                Some(entry) if is_over(&options.precondition, &entry) => entry,
                Some(entry) => {
                    return Err(not_alone(&options.precondition, main_id(entry.number)?));
                }
                None => {
                    check_base(&options.precondition, latest)?;
                    let entry = Entry::new(token_text(token), latest, 0);
                    let patch = &options.metadata;
                    let added = self.add(session, name, secret, value, (entry, patch)).await?;
                    let Some(added) = added else { continue };
                    if !is_over(&options.precondition, &added) {
                        return Err(not_alone(&options.precondition, main_id(added.number)?));
                    }
                    added
                }
            };
            let version = self.version(session, name, Wanted::Number(added.number)).await?;
            let secret = self.meta(session, name).await?;
            return main_info(&secret, &version, latest.max(added.number));
        }
        Err(busy())
    }

    /// The secret, made if need be.
    async fn secret_for(
        &self,
        session: &Session<'_>,
        name: &str,
        options: &SetOptions,
    ) -> Result<SecretMeta> {
        match self.meta(session, name).await {
            Err(Failure::Refused(GoogleError::NotFound)) => {
                if matches!(options.precondition, Precondition::CurrentIs(_)) {
                    return Err(conflict("the base is not current"));
                }
                metadata::check(&Tags::new(), &options.metadata)?;
                self.create(session, name, Access::Write).await
            }
            secret => Ok(secret?),
        }
    }

    /// Pending values go into the companion, where no plain reader of the secret looks.
    async fn set_pending(
        &self,
        session: &Session<'_>,
        place: &Place,
        value: &SecretValue,
        options: &SetOptions,
    ) -> Result<VersionInfo> {
        let companion = place.companion(Operation::SetSecret)?;
        let main = self.meta(session, &place.main).await?;
        metadata::check(&main.labels, &options.metadata)?;
        let current = self.latest(session, &place.main).await?;
        match &options.precondition {
            _ if current == 0 => return Err(not_found("the secret has no current version")),
            Precondition::CurrentIs(base) if base.as_str() != current.to_string() => {
                return Err(conflict("the base is not current"));
            }
            _ => {}
        }
        let number = self.append_pending(session, companion, value, options).await?;
        if !options.metadata.is_empty() {
            self.patch(session, &place.main, &options.metadata, None).await?;
        }
        let version: VersionMeta = self.version(session, companion, Wanted::Number(number)).await?;
        companion_info(&version)
    }

    async fn append_pending(
        &self,
        session: &Session<'_>,
        companion: &str,
        value: &SecretValue,
        options: &SetOptions,
    ) -> Result<u64> {
        let token = options.token.as_ref();
        let none = MetadataPatch::new();
        for _ in 0..ATTEMPTS {
            let secret = match self.meta(session, companion).await {
                Err(Failure::Refused(GoogleError::NotFound)) => {
                    self.create(session, companion, Access::Prepare).await?
                }
                secret => secret?,
            };
            let latest = self.latest(session, companion).await?;
            let done = self.repeated(session, companion, &secret, latest, (token, value)).await?;
            if let Some(entry) = done {
                return Ok(entry.number);
            }
            let entry = Entry::new(token_text(token), latest, 0);
            let added = self.add(session, companion, secret, value, (entry, &none)).await?;
            if let Some(added) = added {
                return Ok(added.number);
            }
        }
        Err(busy())
    }

    /// The empty secret that a call leaves which ends between its two requests is ours to finish.
    async fn create(
        &self,
        session: &Session<'_>,
        name: &str,
        access: Access,
    ) -> Result<SecretMeta> {
        let create = |google: &mut Project, at| google.create(at, name);
        match self.send(session, "CreateSecret", access, create).await {
            Err(Failure::Refused(GoogleError::AlreadyExists)) => {
                Ok(self.meta(session, name).await?)
            }
            created => Ok(created?),
        }
    }

    /// Adds a version in three requests: the intent (guarded by the secret's etag) with what else
    /// changes, the value, that it is done. `None` when the secret has changed since it was read;
    /// nothing was written then.
    pub(super) async fn add(
        &self,
        session: &Session<'_>,
        name: &str,
        secret: SecretMeta,
        value: &SecretValue,
        (mut entry, patch): (Entry, &MetadataPatch),
    ) -> Result<Option<Entry>> {
        let intent = |google: &mut Project, at| {
            google.update(at, name, &secret.etag, |meta| {
                journal::begin(meta, &entry);
                metadata::apply(patch, meta);
            })
        };
        let access = if patch.is_empty() { Access::Prepare } else { Access::Write };
        let begun = match self.send(session, "UpdateSecret", access, intent).await {
            Err(Failure::Refused(GoogleError::FailedPrecondition)) => return Ok(None),
            begun => begun?,
        };
        let work = |google: &mut Project, at| google.add(at, name, value.clone());
        entry.number = self.send(session, "AddSecretVersion", Access::Write, work).await?;
        // Numbers have no gaps: whoever added in between is what was current before ours, also
        // where that is found out by a repetition.
        entry.base = entry.number.saturating_sub(1);
        self.finish(session, name, begun, &entry).await?;
        Ok(Some(entry))
    }

    /// Notes that an addition is done. Annotations are replaced as a whole, so a change by somebody
    /// else means reading again.
    async fn finish(
        &self,
        session: &Session<'_>,
        name: &str,
        mut secret: SecretMeta,
        entry: &Entry,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let work = |google: &mut Project, at| {
                google.update(at, name, &secret.etag, |meta| journal::finish(meta, entry))
            };
            match self.send(session, "UpdateSecret", Access::Prepare, work).await {
                Err(Failure::Refused(GoogleError::FailedPrecondition)) => {
                    secret = self.meta(session, name).await?;
                }
                updated => return updated.map(|_| ()).map_err(Error::from),
            }
        }
        Err(busy())
    }

    /// The addition that an earlier call with the same token made: noted as done, or begun and then
    /// cut short.
    pub(super) async fn repeated(
        &self,
        session: &Session<'_>,
        name: &str,
        secret: &SecretMeta,
        latest: u64,
        (token, value): (Option<&IdempotencyKey>, &SecretValue),
    ) -> Result<Option<Entry>> {
        let Some(token) = token else { return Ok(None) };
        if let Some(done) = journal::done_with(secret, token.as_str()) {
            let (_, written) = self.payload(session, name, Wanted::Number(done.number)).await?;
            if written.ct_eq(value) {
                return Ok(Some(done));
            }
            return Err(conflict("the token was used for another value"));
        }
        let begun = journal::intent(secret).filter(|entry| entry.token == token.as_str());
        let Some(mut entry) = begun else { return Ok(None) };
        let Some(number) = self.added_since(session, name, entry.base, latest, value).await? else {
            return Ok(None);
        };
        entry.number = number;
        entry.base = number.saturating_sub(1);
        self.finish(session, name, secret.clone(), &entry).await?;
        Ok(Some(entry))
    }

    /// The version above `base` that has this value. Versions tell nothing about themselves, so
    /// values are compared.
    pub(super) async fn added_since(
        &self,
        session: &Session<'_>,
        name: &str,
        base: u64,
        latest: u64,
        value: &SecretValue,
    ) -> Result<Option<u64>> {
        for number in base + 1..=latest {
            match self.payload(session, name, Wanted::Number(number)).await {
                Ok((_, written)) if written.ct_eq(value) => return Ok(Some(number)),
                Err(error) if !is_unreadable(&error) => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Changes labels and annotations. They are replaced as a whole, so each try reads them anew,
    /// unless the caller brought the etag that must still hold.
    pub(super) async fn patch(
        &self,
        session: &Session<'_>,
        name: &str,
        patch: &MetadataPatch,
        etag: Option<&str>,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let secret = self.meta(session, name).await?;
            metadata::check(&secret.labels, patch)?;
            let guard = etag.unwrap_or(&secret.etag);
            let work = |google: &mut Project, at| {
                google.update(at, name, guard, |meta| metadata::apply(patch, meta))
            };
            match self.send(session, "UpdateSecret", Access::Write, work).await {
                Err(Failure::Refused(GoogleError::FailedPrecondition)) if etag.is_none() => {}
                updated => return updated.map(|_| ()).map_err(Error::from),
            }
        }
        Err(busy())
    }

    pub(super) fn check_value(&self, value: &SecretValue) -> Result<()> {
        if value.len() > self.max_value() {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "the value is larger than this provider takes",
            ));
        }
        Ok(())
    }
}

fn token_text(token: Option<&IdempotencyKey>) -> &str {
    token.map_or(NO_TOKEN, IdempotencyKey::as_str)
}

fn check_base(precondition: &Precondition, latest: u64) -> Result<()> {
    match precondition {
        // An empty secret is one that nobody can read: it does not exist yet.
        Precondition::Absent if latest > 0 => {
            Err(Error::new(ErrorKind::AlreadyExists, "the secret exists"))
        }
        Precondition::CurrentIs(base) if base.as_str() != latest.to_string() => {
            Err(conflict("the base is not current"))
        }
        _ => Ok(()),
    }
}

/// An addition is never conditional: whether somebody else added in between shows in the number
/// before its own.
fn is_over(precondition: &Precondition, added: &Entry) -> bool {
    match precondition {
        Precondition::Absent => added.base == 0,
        Precondition::CurrentIs(base) => base.as_str() == added.base.to_string(),
        _ => true,
    }
}

pub(super) fn busy() -> Error {
    conflict("others keep changing the secret").with_retry(Retry::Backoff)
}

fn is_unreadable(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Disabled | ErrorKind::Destroyed | ErrorKind::NotFound)
}
