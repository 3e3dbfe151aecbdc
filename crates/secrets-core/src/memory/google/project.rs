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
use crate::metadata::Tags;
use crate::value::SecretValue;
use crate::version::VersionState;

/// A payload takes so many bytes (secret-manager/quotas).
pub(crate) const MAX_VALUE: usize = 65_536;
/// So many labels.
pub(crate) const MAX_LABELS: usize = 64;
/// All annotations together take so many bytes.
const MAX_ANNOTATIONS: usize = 16 * 1024;
/// So many aliases.
const MAX_ALIASES: usize = 50;

/// What Secret Manager answers instead of doing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GoogleError {
    /// 404: the secret or the version, or the secret "has no versions".
    NotFound,
    /// 409.
    AlreadyExists,
    /// 400: a stale etag, a disabled version, a destroyed one. Only reading again tells which.
    FailedPrecondition,
    /// 400: a label, an annotation, an alias, the payload.
    InvalidArgument,
}

impl Refusal for GoogleError {
    fn code(self) -> &'static str {
        match self {
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::InvalidArgument => "INVALID_ARGUMENT",
        }
    }

    fn to_error(self) -> Error {
        let (kind, message) = match self {
            Self::NotFound => (ErrorKind::NotFound, "no such secret or version"),
            Self::AlreadyExists => (ErrorKind::AlreadyExists, "the secret exists"),
            Self::FailedPrecondition => (ErrorKind::Conflict, "the etag is stale"),
            Self::InvalidArgument => {
                (ErrorKind::InvalidValue, "the value, a label or an annotation is not acceptable")
            }
        };
        Error::new(kind, message)
    }
}

/// A secret without its versions.
#[derive(Debug, Clone)]
pub(crate) struct SecretMeta {
    pub(crate) created: SystemTime,
    pub(crate) etag: String,
    pub(crate) labels: Tags,
    pub(crate) annotations: Tags,
    pub(crate) aliases: BTreeMap<String, u64>,
}

/// A version without its payload.
#[derive(Debug, Clone)]
pub(crate) struct VersionMeta {
    pub(crate) number: u64,
    pub(crate) created: SystemTime,
    pub(crate) state: VersionState,
    pub(crate) destroy_at: Option<SystemTime>,
    pub(crate) etag: String,
}

#[derive(Clone)]
struct GoogleSecret {
    meta: SecretMeta,
    versions: BTreeMap<u64, Arc<GoogleVersion>>,
}

#[derive(Clone)]
struct GoogleVersion {
    meta: VersionMeta,
    payload: Option<SecretValue>,
}

/// Which version a request names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    Latest,
    Number(u64),
    Alias(&'a str),
}

/// The project's store and its rules, without any of ours.
pub(crate) struct Project {
    secrets: Shelf<GoogleSecret>,
    random: SplitMix64,
    page: NonZeroU32,
    destroy_delay: Option<Duration>,
}

impl Project {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            secrets: Shelf::new(settings.within()),
            random: SplitMix64::new(settings.seed),
            page: settings.page_size,
            destroy_delay: settings.destroy_delay,
        }
    }

    /// The quotes are part of an etag (secret-manager/docs/etags).
    fn etag(&mut self) -> String {
        format!("\"{:x}\"", self.random.next() >> 12)
    }

    /// `CreateSecret`: without a version.
    pub(crate) fn create(&mut self, at: Moment, name: &str) -> Result<SecretMeta, GoogleError> {
        if self.secrets.get(name, at.exact()).is_some() {
            return Err(GoogleError::AlreadyExists);
        }
        let meta = SecretMeta {
            created: at.now,
            etag: self.etag(),
            labels: Tags::new(),
            annotations: Tags::new(),
            aliases: BTreeMap::new(),
        };
        let secret = GoogleSecret { meta: meta.clone(), versions: BTreeMap::new() };
        self.secrets.insert(name, at, secret);
        Ok(meta)
    }

    /// `GetSecret`.
    pub(crate) fn secret(&self, at: Moment, name: &str) -> Result<SecretMeta, GoogleError> {
        self.secrets.get(name, at).map(|s| s.meta.clone()).ok_or(GoogleError::NotFound)
    }

    /// `UpdateSecret`: refused when `etag` is stale. (It can be left out; nobody here does.)
    pub(crate) fn update(
        &mut self,
        at: Moment,
        name: &str,
        etag: &str,
        change: impl FnOnce(&mut SecretMeta),
    ) -> Result<SecretMeta, GoogleError> {
        let mut meta = self.secret(at.exact(), name)?;
        if etag != meta.etag {
            return Err(GoogleError::FailedPrecondition);
        }
        change(&mut meta);
        if !fits(&meta) {
            return Err(GoogleError::InvalidArgument);
        }
        meta.etag = self.etag();
        let secret = self.secrets.edit(name, at).ok_or(GoogleError::NotFound)?;
        secret.meta = meta.clone();
        Ok(meta)
    }

    /// `DeleteSecret`: final.
    pub(crate) fn delete(&mut self, at: Moment, name: &str) -> Result<(), GoogleError> {
        self.secrets.remove(name, at).map(|_| ()).ok_or(GoogleError::NotFound)
    }

    /// `AddSecretVersion`: has no etag field, so it is never conditional. That an empty payload is
    /// taken is assumed.
    pub(crate) fn add(
        &mut self,
        at: Moment,
        name: &str,
        payload: SecretValue,
    ) -> Result<u64, GoogleError> {
        if payload.len() > MAX_VALUE {
            return Err(GoogleError::InvalidArgument);
        }
        let etag = self.etag();
        let secret = self.secrets.edit(name, at).ok_or(GoogleError::NotFound)?;
        let number = secret.versions.keys().next_back().map_or(1, |highest| highest + 1);
        let state = VersionState::Enabled;
        let meta = VersionMeta { number, created: at.now, state, destroy_at: None, etag };
        let version = GoogleVersion { meta, payload: Some(payload) };
        secret.versions.insert(number, Arc::new(version));
        Ok(number)
    }

    /// `AccessSecretVersion`: strongly consistent by number, eventually by anything else.
    pub(crate) fn access(
        &self,
        at: Moment,
        name: &str,
        wanted: Wanted<'_>,
    ) -> Result<(u64, SecretValue), GoogleError> {
        let version = self.find(at, name, wanted)?;
        match (state_at(version, at.now), &version.payload) {
            (VersionState::Enabled, Some(payload)) => Ok((version.meta.number, payload.clone())),
            _ => Err(GoogleError::FailedPrecondition),
        }
    }

    /// `GetSecretVersion`.
    pub(crate) fn version(
        &self,
        at: Moment,
        name: &str,
        wanted: Wanted<'_>,
    ) -> Result<VersionMeta, GoogleError> {
        self.find(at, name, wanted).map(|version| meta_at(version, at.now))
    }

    /// `ListSecretVersions`: newest first.
    pub(crate) fn versions(
        &self,
        at: Moment,
        name: &str,
        below: Option<u64>,
        limit: Option<NonZeroU32>,
    ) -> Result<(Vec<VersionMeta>, Option<String>), GoogleError> {
        let secret = self.secrets.get(name, at).ok_or(GoogleError::NotFound)?;
        let earlier = secret.versions.range(..below.unwrap_or(u64::MAX)).rev();
        let metas = earlier.map(|(_, version)| meta_at(version, at.now));
        Ok(paging::cut(metas, limit.unwrap_or(self.page), |version| version.number.to_string()))
    }

    /// `ListSecrets`.
    pub(crate) fn list(
        &self,
        at: Moment,
        after: Option<&str>,
        limit: Option<NonZeroU32>,
    ) -> (Vec<(String, SecretMeta)>, Option<String>) {
        let secrets = self.secrets.iter_after(after, at);
        let metas = secrets.map(|(name, secret)| (name.to_owned(), secret.meta.clone()));
        paging::cut(metas, limit.unwrap_or(self.page), |(name, _)| name.clone())
    }

    /// `EnableSecretVersion`, `DisableSecretVersion`, `DestroySecretVersion`, by number only. The
    /// version's etag changes even where the state does not; the secret's never does.
    pub(crate) fn set_state(
        &mut self,
        at: Moment,
        name: &str,
        number: u64,
        state: VersionState,
    ) -> Result<(), GoogleError> {
        let version = self.find(at.exact(), name, Wanted::Number(number))?;
        if state_at(version, at.now) == VersionState::Destroyed {
            return Err(GoogleError::FailedPrecondition);
        }
        let (etag, delay) = (self.etag(), self.destroy_delay);
        let secret = self.secrets.edit(name, at).ok_or(GoogleError::NotFound)?;
        let version = secret.versions.get_mut(&number).map(Arc::make_mut);
        let version = version.ok_or(GoogleError::NotFound)?;
        version.meta.etag = etag;
        version.meta.destroy_at = None;
        version.meta.state = state;
        match (state, delay) {
            (VersionState::Destroyed, Some(delay)) => {
                version.meta.state = VersionState::Disabled;
                version.meta.destroy_at = at.now.checked_add(delay);
            }
            (VersionState::Destroyed, None) => version.payload = None,
            _ => {}
        }
        Ok(())
    }

    fn find(
        &self,
        at: Moment,
        name: &str,
        wanted: Wanted<'_>,
    ) -> Result<&GoogleVersion, GoogleError> {
        let at = if matches!(wanted, Wanted::Number(_)) { at.exact() } else { at };
        let secret = self.secrets.get(name, at).ok_or(GoogleError::NotFound)?;
        let version = match wanted {
            Wanted::Latest => secret.versions.values().next_back(),
            Wanted::Number(number) => secret.versions.get(&number),
            Wanted::Alias(alias) => {
                secret.meta.aliases.get(alias).and_then(|number| secret.versions.get(number))
            }
        };
        version.map(|version| &**version).ok_or(GoogleError::NotFound)
    }
}

fn state_at(version: &GoogleVersion, now: SystemTime) -> VersionState {
    match version.meta.destroy_at {
        Some(end) if now >= end => VersionState::Destroyed,
        _ => version.meta.state,
    }
}

fn meta_at(version: &GoogleVersion, now: SystemTime) -> VersionMeta {
    let state = state_at(version, now);
    let destroy_at = version.meta.destroy_at.filter(|_| state != VersionState::Destroyed);
    VersionMeta { state, destroy_at, ..version.meta.clone() }
}

fn fits(meta: &SecretMeta) -> bool {
    let annotations: usize = meta.annotations.iter().map(|(k, v)| k.len() + v.len()).sum();
    let alias_fits = |alias: &String| {
        alias.len() <= 63
            && alias.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
            && alias != "latest"
            && alias != "NEW"
    };
    meta.labels.len() <= MAX_LABELS
        && meta.labels.iter().all(|(name, value)| label_fits(name, value))
        && annotations <= MAX_ANNOTATIONS
        && meta.aliases.len() <= MAX_ALIASES
        && meta.aliases.keys().all(alias_fits)
}

/// Labels are lower case: letters, digits, `_`, `-`, 63 characters, a letter first.
pub(crate) fn label_fits(name: &str, value: &str) -> bool {
    let fits = |text: &str| {
        let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        text.len() <= 63 && text.bytes().all(known)
    };
    fits(name) && fits(value) && name.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
}
