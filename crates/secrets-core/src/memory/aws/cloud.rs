use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::error::{Error, ErrorKind};
use crate::memory::paging;
use crate::memory::random::SplitMix64;
use crate::memory::session::Refusal;
use crate::memory::settings::Settings;
use crate::memory::shelf::{Moment, Shelf};
use crate::metadata::{Deletion, Tags};
use crate::value::SecretValue;
use crate::version::VersionState;

/// `SecretString` and `SecretBinary` take so many bytes (quotas of Secrets Manager).
pub(crate) const MAX_VALUE: usize = 65_536;
/// So many tags (API reference, `TagResource`).
pub(crate) const MAX_TAGS: usize = 50;
/// `BatchGetSecretValue` takes so many ids.
pub(crate) const MAX_BATCH: usize = 20;
/// Above so many versions those without a label are removed, unless they are younger than a day.
const MAX_VERSIONS: usize = 100;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What Secrets Manager answers instead of doing it. Each comes as HTTP 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AwsError {
    /// The secret, the version, or the version's value is not there.
    ResourceNotFound,
    /// The secret is there already, or the token was used with another value.
    ResourceExists,
    /// The secret is scheduled for deletion.
    ScheduledForDeletion,
    /// A rotation has begun and is not finished: `AWSPENDING` is on a version that is not current.
    RotationInProgress,
    /// A label is not where `RemoveFromVersionId` says.
    LabelElsewhere,
    /// Too many tags, an unfit value.
    InvalidParameter,
}

impl Refusal for AwsError {
    fn code(self) -> &'static str {
        match self {
            Self::ResourceNotFound => "ResourceNotFoundException",
            Self::ResourceExists => "ResourceExistsException",
            Self::ScheduledForDeletion | Self::RotationInProgress => "InvalidRequestException",
            Self::LabelElsewhere | Self::InvalidParameter => "InvalidParameterException",
        }
    }

    fn to_error(self) -> Error {
        let (kind, message) = match self {
            Self::ResourceNotFound => (ErrorKind::NotFound, "no such secret, version or stage"),
            Self::ResourceExists => (ErrorKind::Conflict, "the token was used for another value"),
            Self::ScheduledForDeletion => {
                (ErrorKind::PendingDeletion, "the secret is scheduled for deletion")
            }
            Self::RotationInProgress => {
                (ErrorKind::Conflict, "a rotation has begun and is not finished")
            }
            Self::LabelElsewhere => (ErrorKind::Conflict, "the stage is not at the base version"),
            Self::InvalidParameter => {
                (ErrorKind::InvalidValue, "the value or a tag is not acceptable")
            }
        };
        Error::new(kind, message)
    }
}

/// A staging label. Ours is `mainstay-staged`: a version that waits for a conditional move of
/// `AWSCURRENT` to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Label {
    Current,
    Previous,
    Pending,
    Staged,
}

#[derive(Clone)]
pub(crate) struct AwsSecret {
    pub(crate) created: SystemTime,
    pub(crate) changed: SystemTime,
    pub(crate) description: Option<String>,
    pub(crate) tags: Tags,
    pub(crate) labels: BTreeMap<Label, String>,
    pub(crate) deletion: Option<Deletion>,
    forced: bool,
    versions: BTreeMap<Arc<str>, AwsVersion>,
}

#[derive(Clone)]
struct AwsVersion {
    created: SystemTime,
    value: Option<SecretValue>,
}

/// A version as the service describes it.
#[derive(Clone)]
pub(crate) struct Described {
    pub(crate) id: String,
    pub(crate) created: SystemTime,
    pub(crate) labels: Vec<Label>,
    pub(crate) state: VersionState,
}

/// Which version `GetSecretValue` reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    Label(Label),
    Version(&'a str),
}

impl AwsSecret {
    fn new(now: SystemTime) -> Self {
        Self {
            created: now,
            changed: now,
            description: None,
            tags: Tags::new(),
            labels: BTreeMap::new(),
            deletion: None,
            forced: false,
            versions: BTreeMap::new(),
        }
    }

    pub(crate) fn label(&self, label: Label) -> Option<&str> {
        self.labels.get(&label).map(String::as_str)
    }

    fn is_gone(&self, now: SystemTime) -> bool {
        self.deletion.and_then(|deletion| deletion.purge_at).is_some_and(|end| now >= end)
    }

    fn described(&self, id: &str, version: &AwsVersion) -> Described {
        let labels = self.labels.iter().filter(|(_, at)| *at == id);
        let state = match version.value {
            Some(_) => VersionState::Enabled,
            None => VersionState::Empty,
        };
        Described {
            id: id.to_owned(),
            created: version.created,
            labels: labels.map(|(label, _)| *label).collect(),
            state,
        }
    }

    /// Puts a label on a version; `AWSPREVIOUS` follows where `AWSCURRENT` was, and `AWSPENDING`
    /// leaves with it: a promotion that was cut off before it took that label off is over with the
    /// next version that becomes current.
    fn attach(&mut self, label: Label, id: &str) {
        let before = self.labels.insert(label, id.to_owned());
        if label == Label::Current
            && let Some(before) = before.filter(|before| before != id)
        {
            if self.label(Label::Pending) == Some(before.as_str()) {
                self.labels.remove(&Label::Pending);
            }
            self.labels.insert(Label::Previous, before);
        }
    }

    fn prune(&mut self, now: SystemTime) {
        let old = |v: &AwsVersion| now.duration_since(v.created).is_ok_and(|age| age >= DAY);
        while self.versions.len() > MAX_VERSIONS {
            let unlabelled = self.versions.iter().filter(|(id, version)| {
                old(version) && !self.labels.values().any(|labelled| **labelled == ***id)
            });
            let oldest = unlabelled.min_by_key(|(_, version)| version.created);
            let Some(oldest) = oldest.map(|(id, _)| id.clone()) else { return };
            self.versions.remove(&oldest);
        }
    }
}

/// The service's store and its rules, without any of ours.
pub(crate) struct AwsCloud {
    secrets: Shelf<AwsSecret>,
    random: SplitMix64,
    force_delay: Duration,
    page: NonZeroU32,
}

impl AwsCloud {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            secrets: Shelf::new(settings.within()),
            random: SplitMix64::new(settings.seed),
            force_delay: settings.deleting,
            page: settings.page_size,
        }
    }

    /// A `ClientRequestToken` as the SDK makes one when the caller gives none.
    pub(crate) fn token(&mut self) -> String {
        self.random.uuid()
    }

    /// `CreateSecret`.
    pub(crate) fn create(
        &mut self,
        at: Moment,
        name: &str,
        token: &str,
        value: SecretValue,
    ) -> Result<Described, AwsError> {
        check(&value)?;
        // Repeated with the same token and value: the same request, not another one.
        let is_repeated =
            |secret: &AwsSecret| secret.deletion.is_none() && secret.versions.contains_key(token);
        if !self.there(name, at.exact()).is_some_and(is_repeated) {
            self.create_empty(at, name)?;
        }
        self.put(at, name, token, value, &[Label::Current])
    }

    /// `CreateSecret` without a value.
    pub(crate) fn create_empty(&mut self, at: Moment, name: &str) -> Result<(), AwsError> {
        match self.there(name, at.exact()) {
            Some(secret) if secret.deletion.is_some() => Err(AwsError::ScheduledForDeletion),
            Some(_) => Err(AwsError::ResourceExists),
            None => {
                self.secrets.insert(name, at, AwsSecret::new(at.now));
                Ok(())
            }
        }
    }

    /// `PutSecretValue`.
    pub(crate) fn put(
        &mut self,
        at: Moment,
        name: &str,
        token: &str,
        value: SecretValue,
        labels: &[Label],
    ) -> Result<Described, AwsError> {
        check(&value)?;
        let secret = self.living(name, at.exact())?;
        if let Some(known) = secret.versions.get(token) {
            let same = known.value.as_ref().is_some_and(|known| known.ct_eq(&value));
            let described = secret.described(token, known);
            // A version that a rotation made empty takes its first value under its own token.
            if same {
                return Ok(described);
            }
            if known.value.is_some() {
                return Err(AwsError::ResourceExists);
            }
        }
        let secret = self.secrets.edit(name, at).ok_or(AwsError::ResourceNotFound)?;
        let first = secret.versions.is_empty();
        secret.changed = at.now;
        let version = AwsVersion { created: at.now, value: Some(value) };
        secret.versions.insert(token.into(), version.clone());
        for label in labels {
            secret.attach(*label, token);
        }
        // "If this operation creates the first version for the secret, Secrets Manager
        // automatically attaches AWSCURRENT to it" (API reference, PutSecretValue).
        if first {
            secret.attach(Label::Current, token);
        }
        secret.prune(at.now);
        Ok(secret.described(token, &version))
    }

    /// What `RotateSecret` does first: `AWSPENDING` on a version without a value. Where the label is
    /// on another version than `AWSCURRENT` "any later invocation of RotateSecret assumes that a
    /// previous rotation request is still in progress and returns an error" (API reference).
    pub(crate) fn begin_rotation(&mut self, at: Moment, name: &str) -> Result<String, AwsError> {
        let secret = self.living(name, at.exact())?;
        let pending = secret.label(Label::Pending);
        if pending.is_some() && pending != secret.label(Label::Current) {
            return Err(AwsError::RotationInProgress);
        }
        let id = self.random.uuid();
        let secret = self.secrets.edit(name, at).ok_or(AwsError::ResourceNotFound)?;
        secret.versions.insert(id.as_str().into(), AwsVersion { created: at.now, value: None });
        secret.attach(Label::Pending, &id);
        Ok(id)
    }

    /// `GetSecretValue`.
    pub(crate) fn get(
        &self,
        at: Moment,
        name: &str,
        wanted: Wanted<'_>,
    ) -> Result<(SecretValue, Described), AwsError> {
        let secret = self.living(name, at)?;
        let id = match wanted {
            Wanted::Version(id) => id,
            Wanted::Label(label) => secret.label(label).ok_or(AwsError::ResourceNotFound)?,
        };
        let version = secret.versions.get(id).ok_or(AwsError::ResourceNotFound)?;
        let value = version.value.clone().ok_or(AwsError::ResourceNotFound)?;
        Ok((value, secret.described(id, version)))
    }

    /// `DescribeSecret`; it describes deleted secrets, too.
    pub(crate) fn describe(&self, at: Moment, name: &str) -> Result<AwsSecret, AwsError> {
        self.there(name, at).cloned().ok_or(AwsError::ResourceNotFound)
    }

    /// `ListSecretVersionIds` with `IncludeDeprecated`.
    pub(crate) fn versions(
        &self,
        at: Moment,
        name: &str,
        after: Option<&str>,
        limit: Option<NonZeroU32>,
    ) -> Result<(Vec<Described>, Option<String>), AwsError> {
        let secret = self.there(name, at).ok_or(AwsError::ResourceNotFound)?;
        let later = secret.versions.iter().filter(|(id, _)| after.is_none_or(|a| &***id > a));
        let described = later.map(|(id, version)| secret.described(id, version));
        Ok(paging::cut(described, limit.unwrap_or(self.page), |version| version.id.clone()))
    }

    /// `ListSecrets` with `IncludePlannedDeletion`.
    pub(crate) fn list(
        &self,
        at: Moment,
        after: Option<&str>,
        limit: Option<NonZeroU32>,
    ) -> (Vec<(String, AwsSecret)>, Option<String>) {
        let secrets = self.secrets.iter_after(after, at).filter(|(_, s)| !s.is_gone(at.now));
        let named = secrets.map(|(name, secret)| (name.to_owned(), secret.clone()));
        paging::cut(named, limit.unwrap_or(self.page), |(name, _)| name.clone())
    }

    /// `UpdateSecretVersionStage`: moves a label from `from` to `to`; `None` is nowhere.
    pub(crate) fn move_label(
        &mut self,
        at: Moment,
        name: &str,
        label: Label,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<(), AwsError> {
        let secret = self.living(name, at.exact())?;
        let held = secret.label(label);
        // Moving a label to where it is already changes nothing and needs no `RemoveFromVersionId`.
        if held == to {
            return Ok(());
        }
        if held != from {
            return Err(AwsError::LabelElsewhere);
        }
        if to.is_some_and(|id| !secret.versions.contains_key(id)) {
            return Err(AwsError::ResourceNotFound);
        }
        let secret = self.secrets.edit(name, at).ok_or(AwsError::ResourceNotFound)?;
        secret.changed = at.now;
        match to {
            Some(id) => secret.attach(label, id),
            None => drop(secret.labels.remove(&label)),
        }
        Ok(())
    }

    /// `TagResource`, `UntagResource` and `UpdateSecret`, each of which changes one of these.
    pub(crate) fn update(
        &mut self,
        at: Moment,
        name: &str,
        change: impl FnOnce(&mut AwsSecret),
    ) -> Result<(), AwsError> {
        let mut changed = self.living(name, at.exact())?.clone();
        change(&mut changed);
        if changed.tags.len() > MAX_TAGS {
            return Err(AwsError::InvalidParameter);
        }
        let secret = self.secrets.edit(name, at).ok_or(AwsError::ResourceNotFound)?;
        *secret = changed;
        secret.changed = at.now;
        Ok(())
    }

    /// `DeleteSecret` with `RecoveryWindowInDays`.
    pub(crate) fn delete(
        &mut self,
        at: Moment,
        name: &str,
        window: Duration,
    ) -> Result<Deletion, AwsError> {
        self.living(name, at.exact())?;
        let deletion = Deletion::new(at.now, at.now.checked_add(window));
        let secret = self.secrets.edit(name, at).ok_or(AwsError::ResourceNotFound)?;
        secret.deletion = Some(deletion);
        Ok(deletion)
    }

    /// `DeleteSecret` with `ForceDeleteWithoutRecovery`: also of what is scheduled already, and
    /// successful for what is absent. It takes effect asynchronously.
    pub(crate) fn force_delete(&mut self, at: Moment, name: &str) -> Result<(), AwsError> {
        if self.force_delay.is_zero() {
            self.secrets.remove(name, at);
        } else if let Some(secret) = self.secrets.edit(name, at) {
            let end = at.now.checked_add(self.force_delay);
            secret.deletion = Some(Deletion::new(at.now, end));
            secret.forced = true;
        }
        Ok(())
    }

    /// `RestoreSecret`.
    pub(crate) fn restore(&mut self, at: Moment, name: &str) -> Result<(), AwsError> {
        let secret = self.there(name, at.exact()).ok_or(AwsError::ResourceNotFound)?;
        if secret.forced {
            return Err(AwsError::ScheduledForDeletion);
        }
        let secret = self.secrets.edit(name, at).ok_or(AwsError::ResourceNotFound)?;
        secret.deletion = None;
        Ok(())
    }

    fn there(&self, name: &str, at: Moment) -> Option<&AwsSecret> {
        self.secrets.get(name, at).filter(|secret| !secret.is_gone(at.now))
    }

    fn living(&self, name: &str, at: Moment) -> Result<&AwsSecret, AwsError> {
        match self.there(name, at) {
            None => Err(AwsError::ResourceNotFound),
            Some(secret) if secret.deletion.is_some() => Err(AwsError::ScheduledForDeletion),
            Some(secret) => Ok(secret),
        }
    }
}

/// `SecretString` and `SecretBinary` have 1 to 65,536 bytes (API reference, `PutSecretValue`).
fn check(value: &SecretValue) -> Result<(), AwsError> {
    match value.len() {
        1..=MAX_VALUE => Ok(()),
        _ => Err(AwsError::InvalidParameter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::personality::Personality;
    use crate::memory::shelf::Lag;

    #[test]
    fn the_first_version_is_current_whatever_label_is_asked_for() {
        let mut cloud = AwsCloud::new(&Settings::new(Personality::Aws));
        let at = Moment { now: SystemTime::UNIX_EPOCH, lag: Lag::NONE };
        let value = |text: &str| SecretValue::copy_from_slice(text.as_bytes());
        cloud.create_empty(at, "db").unwrap();
        let pending = Wanted::Label(Label::Pending);
        assert_eq!(cloud.get(at, "db", pending).err(), Some(AwsError::ResourceNotFound));
        cloud.put(at, "db", "token-1", value("untested"), &[Label::Pending]).unwrap();
        let (shown, described) = cloud.get(at, "db", Wanted::Label(Label::Current)).unwrap();
        assert_eq!(shown.expose_secret(), b"untested");
        assert_eq!(described.labels, [Label::Current, Label::Pending]);
        // From the second on the label decides.
        let second = cloud.put(at, "db", "token-2", value("second"), &[Label::Pending]).unwrap();
        assert_eq!(second.labels, [Label::Pending]);
    }

    #[test]
    fn pending_leaves_a_version_with_current() {
        let mut cloud = AwsCloud::new(&Settings::new(Personality::Aws));
        let at = Moment { now: SystemTime::UNIX_EPOCH, lag: Lag::NONE };
        let value = |text: &str| SecretValue::copy_from_slice(text.as_bytes());
        cloud.create(at, "db", "token-1", value("1")).unwrap();
        cloud.put(at, "db", "token-2", value("2"), &[Label::Pending]).unwrap();
        // A promotion that ends here, with both labels on its version.
        cloud.move_label(at, "db", Label::Current, Some("token-1"), Some("token-2")).unwrap();
        assert_eq!(cloud.describe(at, "db").unwrap().label(Label::Pending), Some("token-2"));
        cloud.put(at, "db", "token-3", value("3"), &[Label::Current]).unwrap();
        let described = cloud.describe(at, "db").unwrap();
        assert_eq!(described.label(Label::Previous), Some("token-2"));
        assert_eq!(described.label(Label::Pending), None);
        // Nothing is under way that would hold the next rotation up.
        let begun = cloud.begin_rotation(at, "db").unwrap();
        // One that waits on another version stays where it is.
        cloud.put(at, "db", "token-4", value("4"), &[Label::Current]).unwrap();
        assert_eq!(cloud.describe(at, "db").unwrap().label(Label::Pending), Some(&*begun));
    }
}
