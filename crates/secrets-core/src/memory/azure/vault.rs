use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::error::{Error, ErrorKind, Retry};
use crate::memory::azure::encoding::{MAX_TYPE, MAX_VALUE, Text};
use crate::memory::paging;
use crate::memory::random::SplitMix64;
use crate::memory::session::Refusal;
use crate::memory::settings::Settings;
use crate::memory::shelf::{Moment, Shelf};
use crate::metadata::{Change, Deletion, Tags};

/// So many tags, four of which are ours (Key Vault, "About keys, secrets, and certificates").
pub(crate) const MAX_TAGS: usize = 15;
/// A tag's name and value take so many characters (same page).
pub(crate) const MAX_TAG_LEN: usize = 256;

/// What Key Vault answers instead of doing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AzureError {
    /// 404.
    SecretNotFound,
    /// 403 `Forbidden`.
    SecretDisabled,
    /// 409 `Conflict`: the name is taken by a deleted secret.
    DeletedButRecoverable,
    /// 409 `Conflict`: the first phase of a deletion.
    BeingDeleted,
    /// 409 `Conflict`: recovered, and not there yet.
    BeingRecovered,
    /// 400: the value, a tag or a name.
    BadParameter,
    /// The vault's recovery level lacks `Purgeable`. Status 403 is assumed.
    PurgeProtected,
}

impl Refusal for AzureError {
    fn code(self) -> &'static str {
        match self {
            Self::SecretNotFound => "SecretNotFound",
            Self::SecretDisabled => "Forbidden/SecretDisabled",
            Self::DeletedButRecoverable => "Conflict/ObjectIsDeletedButRecoverable",
            Self::BeingDeleted => "Conflict/ObjectIsBeingDeleted",
            Self::BeingRecovered => "Conflict/ObjectIsBeingRecovered",
            Self::BadParameter => "BadParameter",
            Self::PurgeProtected => "Forbidden",
        }
    }

    fn to_error(self) -> Error {
        let (kind, message) = match self {
            Self::SecretNotFound => (ErrorKind::NotFound, "no such secret or version"),
            Self::SecretDisabled => (ErrorKind::Disabled, "the version is disabled"),
            Self::DeletedButRecoverable => {
                (ErrorKind::PendingDeletion, "the secret is deleted and can be recovered")
            }
            Self::BeingDeleted => (ErrorKind::PendingDeletion, "the secret is being deleted"),
            Self::BeingRecovered => (ErrorKind::Conflict, "the secret is being recovered"),
            Self::BadParameter => (ErrorKind::InvalidValue, "the value or a tag is not acceptable"),
            Self::PurgeProtected => {
                (ErrorKind::PermissionDenied, "the vault protects deleted secrets from purging")
            }
        };
        let error = Error::new(kind, message);
        match self {
            Self::BeingDeleted | Self::BeingRecovered => error.with_retry(Retry::Backoff),
            _ => error,
        }
    }
}

/// A version without its value.
#[derive(Debug, Clone)]
pub(crate) struct Attributes {
    pub(crate) id: String,
    pub(crate) enabled: bool,
    /// Whole seconds, as on the wire: the order of two writes in one second is lost.
    pub(crate) created: SystemTime,
    pub(crate) updated: SystemTime,
    pub(crate) not_before: Option<SystemTime>,
    pub(crate) expires: Option<SystemTime>,
    pub(crate) content_type: Option<String>,
    pub(crate) tags: Tags,
}

/// A version with its value.
#[derive(Debug, Clone)]
pub(crate) struct Bundle {
    pub(crate) text: Text,
    pub(crate) attributes: Attributes,
}

/// What a `PUT` carries.
#[derive(Debug, Clone)]
pub(crate) struct Put {
    pub(crate) text: Text,
    pub(crate) tags: Tags,
    pub(crate) not_before: Option<SystemTime>,
    pub(crate) expires: Option<SystemTime>,
}

/// What a `PATCH` carries: tags are replaced as a whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patch {
    pub(crate) enabled: Option<bool>,
    pub(crate) tags: Option<Tags>,
    pub(crate) not_before: Change<SystemTime>,
    pub(crate) expires: Change<SystemTime>,
}

#[derive(Clone)]
struct VaultSecret {
    display: String,
    /// In the order of their creation, which no answer shows.
    versions: Vec<Arc<Bundle>>,
    recovering_until: SystemTime,
}

impl VaultSecret {
    fn version(&self, id: &str) -> Option<&Bundle> {
        self.versions.iter().map(|bundle| &**bundle).find(|bundle| bundle.attributes.id == id)
    }

    fn newest(&self) -> Option<&Bundle> {
        self.versions.last().map(|bundle| &**bundle)
    }
}

#[derive(Clone)]
struct DeletedSecret {
    secret: VaultSecret,
    deletion: Deletion,
    visible_from: SystemTime,
}

/// The vault's store and its rules, without any of ours. Names are kept in lower case, since the
/// vault takes `A` and `a` for one letter.
pub(crate) struct Vault {
    secrets: Shelf<VaultSecret>,
    deleted: Shelf<DeletedSecret>,
    random: SplitMix64,
    page: NonZeroU32,
    window: Duration,
    deleting: Duration,
    recovering: Duration,
    purge_protection: bool,
}

impl Vault {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            secrets: Shelf::new(settings.within()),
            deleted: Shelf::new(settings.within()),
            random: SplitMix64::new(settings.seed),
            page: settings.page_size,
            window: settings.recovery_window(),
            deleting: settings.deleting,
            recovering: settings.recovering,
            purge_protection: settings.purge_protection,
        }
    }

    /// A number that nobody else has drawn.
    pub(crate) fn nonce(&mut self) -> String {
        self.random.hex32()
    }

    /// `GET /secrets/{name}` and `GET /secrets/{name}/{version}`.
    pub(crate) fn get(
        &self,
        at: Moment,
        name: &str,
        version: Option<&str>,
    ) -> Result<Bundle, AzureError> {
        let secret = self.living(at, name).ok_or(AzureError::SecretNotFound)?;
        let bundle = match version {
            None => secret.newest(),
            Some(id) => secret.version(id),
        };
        let bundle = bundle.ok_or(AzureError::SecretNotFound)?;
        if bundle.attributes.enabled { Ok(bundle.clone()) } else { Err(AzureError::SecretDisabled) }
    }

    /// `PUT /secrets/{name}`: always a new version, always the current one. That an empty value is
    /// taken is assumed.
    pub(crate) fn put(
        &mut self,
        at: Moment,
        name: &str,
        put: Put,
    ) -> Result<Attributes, AzureError> {
        let key = name.to_ascii_lowercase();
        self.check_name_is_free(at, &key)?;
        let text = put.text.value.expose_secret_text().map_err(|_| AzureError::BadParameter)?;
        let long_type =
            put.text.content_type.as_ref().is_some_and(|t| t.chars().count() > MAX_TYPE);
        if text.chars().count() > MAX_VALUE || long_type || !tags_fit(&put.tags) {
            return Err(AzureError::BadParameter);
        }
        let now = whole_seconds(at.now);
        let attributes = Attributes {
            id: self.random.hex32(),
            enabled: true,
            created: now,
            updated: now,
            not_before: put.not_before.map(whole_seconds),
            expires: put.expires.map(whole_seconds),
            content_type: put.text.content_type.clone(),
            tags: put.tags,
        };
        let bundle = Bundle { text: put.text, attributes: attributes.clone() };
        if let Some(secret) = self.secrets.edit(&key, at) {
            secret.versions.push(Arc::new(bundle));
        } else {
            let display = name.to_owned();
            let recovering_until = SystemTime::UNIX_EPOCH;
            let secret =
                VaultSecret { display, versions: vec![Arc::new(bundle)], recovering_until };
            self.secrets.insert(&key, at, secret);
        }
        Ok(attributes)
    }

    /// `PATCH /secrets/{name}/{version}`.
    pub(crate) fn patch(
        &mut self,
        at: Moment,
        name: &str,
        version: &str,
        patch: Patch,
    ) -> Result<(), AzureError> {
        let key = name.to_ascii_lowercase();
        let found = self.living(at.exact(), &key).ok_or(AzureError::SecretNotFound)?;
        if found.version(version).is_none() {
            return Err(AzureError::SecretNotFound);
        }
        if patch.tags.as_ref().is_some_and(|tags| !tags_fit(tags)) {
            return Err(AzureError::BadParameter);
        }
        let secret = self.secrets.edit(&key, at).ok_or(AzureError::SecretNotFound)?;
        let bundle = secret.versions.iter_mut().find(|bundle| bundle.attributes.id == version);
        let bundle = Arc::make_mut(bundle.ok_or(AzureError::SecretNotFound)?);
        let attributes = &mut bundle.attributes;
        attributes.enabled = patch.enabled.unwrap_or(attributes.enabled);
        attributes.updated = whole_seconds(at.now);
        if let Some(tags) = patch.tags {
            attributes.tags = tags;
        }
        patch.not_before.apply(&mut attributes.not_before);
        patch.expires.apply(&mut attributes.expires);
        attributes.not_before = attributes.not_before.map(whole_seconds);
        attributes.expires = attributes.expires.map(whole_seconds);
        Ok(())
    }

    /// `GET /secrets/{name}/versions`: empty for an absent secret, and in the order of the ids,
    /// which is not that of time.
    pub(crate) fn versions(
        &self,
        at: Moment,
        name: &str,
        after: Option<&str>,
        limit: Option<NonZeroU32>,
    ) -> (Vec<Attributes>, Option<String>) {
        let secret = self.living(at, name);
        let mut all: Vec<Attributes> = secret.map_or_else(Vec::new, |secret| {
            secret.versions.iter().map(|bundle| bundle.attributes.clone()).collect()
        });
        all.sort_by(|a, b| a.id.cmp(&b.id));
        let later = all.into_iter().filter(|version| after.is_none_or(|a| version.id.as_str() > a));
        paging::cut(later, limit.unwrap_or(self.page), |version| version.id.clone())
    }

    /// `GET /secrets`: names with what the newest version tells, without its id.
    pub(crate) fn list(
        &self,
        at: Moment,
        after: Option<&str>,
        limit: Option<NonZeroU32>,
    ) -> (Vec<(String, Attributes)>, Option<String>) {
        let secrets = self.secrets.iter_after(after, at);
        let living = secrets.filter(|(_, secret)| secret.recovering_until <= at.now);
        let listed = living.filter_map(|(_, secret)| {
            Some((secret.display.clone(), secret.newest()?.attributes.clone()))
        });
        paging::cut(listed, limit.unwrap_or(self.page), |(name, _)| name.to_ascii_lowercase())
    }

    /// `DELETE /secrets/{name}`.
    pub(crate) fn delete(&mut self, at: Moment, name: &str) -> Result<Deletion, AzureError> {
        let key = name.to_ascii_lowercase();
        let secret = self.secrets.get(&key, at.exact()).ok_or(AzureError::SecretNotFound)?;
        // Assumed: recorded is this answer to a write only.
        if secret.recovering_until > at.now {
            return Err(AzureError::BeingRecovered);
        }
        let secret = self.secrets.remove(&key, at).ok_or(AzureError::SecretNotFound)?;
        let deletion = Deletion::new(at.now, at.now.checked_add(self.window));
        let visible_from = end_of(at.now, self.deleting);
        self.deleted.insert(&key, at, DeletedSecret { secret, deletion, visible_from });
        Ok(deletion)
    }

    /// `GET /deletedsecrets/{name}`.
    pub(crate) fn get_deleted(
        &self,
        at: Moment,
        name: &str,
    ) -> Result<(Attributes, Deletion), AzureError> {
        let deleted = self.recoverable(at, name).filter(|deleted| deleted.visible_from <= at.now);
        let deleted = deleted.ok_or(AzureError::SecretNotFound)?;
        let newest = deleted.secret.newest().ok_or(AzureError::SecretNotFound)?;
        Ok((newest.attributes.clone(), deleted.deletion))
    }

    /// `GET /deletedsecrets`.
    pub(crate) fn list_deleted(
        &self,
        at: Moment,
        after: Option<&str>,
        limit: Option<NonZeroU32>,
    ) -> (Vec<(String, Attributes, Deletion)>, Option<String>) {
        let all = self.deleted.iter_after(after, at);
        let there = all.filter(|(_, d)| !is_over(d, at.now) && d.visible_from <= at.now);
        let listed = there.filter_map(|(_, deleted)| {
            let newest = deleted.secret.newest()?;
            Some((deleted.secret.display.clone(), newest.attributes.clone(), deleted.deletion))
        });
        paging::cut(listed, limit.unwrap_or(self.page), |(name, ..)| name.to_ascii_lowercase())
    }

    /// `POST /deletedsecrets/{name}/recover`.
    pub(crate) fn recover(&mut self, at: Moment, name: &str) -> Result<(), AzureError> {
        let key = name.to_ascii_lowercase();
        self.settled_deletion(at, &key)?;
        let deleted = self.deleted.remove(&key, at).ok_or(AzureError::SecretNotFound)?;
        let mut secret = deleted.secret;
        secret.recovering_until = end_of(at.now, self.recovering);
        self.secrets.insert(&key, at, secret);
        Ok(())
    }

    /// `DELETE /deletedsecrets/{name}`.
    pub(crate) fn purge(&mut self, at: Moment, name: &str) -> Result<(), AzureError> {
        let key = name.to_ascii_lowercase();
        self.settled_deletion(at, &key)?;
        if self.purge_protection {
            return Err(AzureError::PurgeProtected);
        }
        self.deleted.remove(&key, at).map(|_| ()).ok_or(AzureError::SecretNotFound)
    }

    /// Recorded for purging a key; assumed for recovering, and for a write below.
    fn settled_deletion(&self, at: Moment, key: &str) -> Result<(), AzureError> {
        let deleted = self.recoverable(at.exact(), key).ok_or(AzureError::SecretNotFound)?;
        if deleted.visible_from > at.now { Err(AzureError::BeingDeleted) } else { Ok(()) }
    }

    fn check_name_is_free(&self, at: Moment, key: &str) -> Result<(), AzureError> {
        if let Some(deleted) = self.recoverable(at.exact(), key) {
            let phase_one = deleted.visible_from > at.now;
            return Err(if phase_one {
                AzureError::BeingDeleted
            } else {
                AzureError::DeletedButRecoverable
            });
        }
        match self.secrets.get(key, at.exact()) {
            Some(secret) if secret.recovering_until > at.now => Err(AzureError::BeingRecovered),
            _ => Ok(()),
        }
    }

    fn living(&self, at: Moment, name: &str) -> Option<&VaultSecret> {
        let secret = self.secrets.get(&name.to_ascii_lowercase(), at)?;
        (secret.recovering_until <= at.now).then_some(secret)
    }

    fn recoverable(&self, at: Moment, name: &str) -> Option<&DeletedSecret> {
        let deleted = self.deleted.get(&name.to_ascii_lowercase(), at)?;
        (!is_over(deleted, at.now)).then_some(deleted)
    }
}

/// When a phase is over that begins now. One that takes no time is over whatever the clock does.
fn end_of(now: SystemTime, phase: Duration) -> SystemTime {
    if phase.is_zero() { SystemTime::UNIX_EPOCH } else { now + phase }
}

fn is_over(deleted: &DeletedSecret, now: SystemTime) -> bool {
    deleted.deletion.purge_at.is_some_and(|end| now >= end)
}

fn tags_fit(tags: &Tags) -> bool {
    let fits = |text: &str| text.chars().count() <= MAX_TAG_LEN;
    tags.len() <= MAX_TAGS && tags.iter().all(|(name, value)| fits(name) && fits(value))
}

/// Times on the wire are whole seconds since 1970.
fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}
