use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use crate::error::{Error, ErrorKind, Operation, Result};
use crate::memory::adapter::{Place, conflict, not_alone, version_id};
use crate::memory::azure::adapter::AzureAdapter;
use crate::memory::azure::deletion::{MAX_WAITS, too_long, wait};
use crate::memory::azure::encoding::{self, Text};
use crate::memory::azure::lookup::{companion_info, main_info};
use crate::memory::azure::tags;
use crate::memory::azure::vault::{Attributes, AzureError, Put, Vault};
use crate::memory::session::{Access, Failure, Session};
use crate::options::{Precondition, SetOptions};
use crate::value::SecretValue;
use crate::version::VersionInfo;

impl AzureAdapter {
    /// `set_secret` to current. The vault takes every write, so a precondition is checked before
    /// and somebody else's write in between is found afterwards.
    pub(super) async fn set_current(
        &self,
        session: &Session<'_>,
        place: &Place,
        value: &SecretValue,
        options: &SetOptions,
    ) -> Result<VersionInfo> {
        let guarded = options.precondition != Precondition::Any;
        // Before the current version is read: what comes between the two is not known, and shows.
        let known = match guarded || options.token.is_some() {
            true => self.versions_of(session, &place.main).await?,
            false => Vec::new(),
        };
        let before = self.newest(session, &place.main).await?;
        if let Some(done) = self.repeated(session, &place.main, &known, value, options).await? {
            return main_info(&done, before.as_ref().unwrap_or(&done));
        }
        match (&options.precondition, &before) {
            (Precondition::Absent, Some(_)) => {
                return Err(Error::new(ErrorKind::AlreadyExists, "the secret exists"));
            }
            (Precondition::CurrentIs(base), Some(before)) if before.id != base.as_str() => {
                return Err(conflict("the base is not current"));
            }
            (Precondition::CurrentIs(_), None) => {
                let absence = self.absence(session, place).await?;
                let deleted = absence.kind() == ErrorKind::PendingDeletion;
                return Err(if deleted { absence } else { conflict("the base is not current") });
            }
            _ => {}
        }
        let mut put = self.put_of(value, options, before.as_ref())?;
        if let Some(before) = &before {
            put.tags.insert(tags::PREDECESSOR.to_owned(), before.id.clone());
        }
        let written = self.put(session, &place.main, put).await?;
        if guarded {
            let known: BTreeSet<String> = known.into_iter().map(|version| version.id).collect();
            if !self.is_alone(session, &place.main, &known, &written.id).await? {
                return Err(not_alone(&options.precondition, version_id(&written.id)?));
            }
        }
        main_info(&written, &written)
    }

    /// `set_secret` to pending: into the companion, where no plain reader of the secret looks.
    pub(super) async fn set_pending(
        &self,
        session: &Session<'_>,
        place: &Place,
        value: &SecretValue,
        options: &SetOptions,
    ) -> Result<VersionInfo> {
        let companion = place.companion(Operation::SetSecret)?;
        let current = self.current(session, place).await?;
        if let Precondition::CurrentIs(base) = &options.precondition
            && base.as_str() != current.id
        {
            return Err(conflict("the base is not current"));
        }
        let known = match &options.token {
            Some(_) => self.versions_of(session, companion).await?,
            None => Vec::new(),
        };
        if let Some(done) = self.repeated(session, companion, &known, value, options).await? {
            return companion_info(&done);
        }
        let put = self.put_of(value, options, Some(&current))?;
        let written = self.put_companion(session, companion, put).await?;
        companion_info(&written)
    }

    /// A companion that was deleted without its secret, or restored a moment ago, is brought back
    /// before it is used again.
    async fn put_companion(
        &self,
        session: &Session<'_>,
        companion: &str,
        put: Put,
    ) -> Result<Attributes> {
        for _ in 0..MAX_WAITS {
            match self.put(session, companion, put.clone()).await {
                Err(Failure::Refused(
                    AzureError::DeletedButRecoverable | AzureError::BeingDeleted,
                )) => self.recover(session, companion).await?,
                Err(Failure::Refused(AzureError::BeingRecovered)) => wait(session).await?,
                written => return Ok(written?),
            }
        }
        Err(too_long())
    }

    /// The version that an earlier call with the same token wrote. Compared are the values
    /// themselves: no hash of one is kept anywhere.
    async fn repeated(
        &self,
        session: &Session<'_>,
        name: &str,
        known: &[Attributes],
        value: &SecretValue,
        options: &SetOptions,
    ) -> Result<Option<Attributes>> {
        let Some(token) = &options.token else { return Ok(None) };
        let is_ours = |version: &&Attributes| {
            version.tags.get(tags::WRITE).is_some_and(|write| write == token.as_str())
        };
        let Some(version) = known.iter().find(is_ours) else { return Ok(None) };
        let written = self.bundle(session, name, Some(&version.id)).await?;
        if encoding::decode(&written.text)?.ct_eq(value) {
            Ok(Some(written.attributes))
        } else {
            Err(conflict("the token was used for another value"))
        }
    }

    /// What to put: tags and media type go on from the version before, as every `PUT` replaces them.
    fn put_of(
        &self,
        value: &SecretValue,
        options: &SetOptions,
        before: Option<&Attributes>,
    ) -> Result<Put> {
        let none = tags_of(None);
        let kept = before.and_then(|version| version.content_type.as_deref());
        let text: Text = encoding::encode(value, encoding::user_type(kept), self.max_value())?;
        let mut tags = tags::patched(before.map_or(&none, |v| &v.tags), &options.metadata)?;
        let write = match &options.token {
            Some(token) => token.as_str().to_owned(),
            None => self.vault().nonce(),
        };
        tags.insert(tags::WRITE.to_owned(), write);
        Ok(Put {
            text,
            tags,
            not_before: tags::set(&options.metadata.not_before).map(|time| not_earlier(*time)),
            expires: tags::set(&options.metadata.expires).copied(),
        })
    }

    pub(super) async fn put(
        &self,
        session: &Session<'_>,
        name: &str,
        put: Put,
    ) -> Result<Attributes, Failure<AzureError>> {
        let work = |vault: &mut Vault, at| vault.put(at, name, put);
        self.send(session, "PUT secret", Access::Write, work).await
    }
}

fn tags_of(version: Option<&Attributes>) -> crate::metadata::Tags {
    version.map(|version| version.tags.clone()).unwrap_or_default()
}

/// The wire has whole seconds: a start is moved up, so that nothing becomes valid too early. (An
/// end is cut down by the vault.)
pub(super) fn not_earlier(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let up = u64::from(since.subsec_nanos() > 0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs().saturating_add(up))
}
