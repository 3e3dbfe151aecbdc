//! The file behind the provider, for work on threads that may block.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::time::SystemTime;

use secrets_core::{
    Effect, Error, ErrorKind, Health, InvalidName, Precondition, Result, Secret, SecretInfo,
    SecretRef, SecretValue, VersionInfo,
};
use zeroize::Zeroizing;

use crate::file::{Contents, Stamp};
use crate::permissions;
use crate::variable::VariableNames;
use crate::version::VersionIds;
use crate::watch::Snapshot;

use super::config::{DotenvConfig, is_key};
use super::document::{self, Document, MAX_LEN};
use super::edit;
use super::fault::Fault;
use super::place::{self, Place, Replaced};

/// The longest value in bytes that is written.
pub(super) const VALUE_LIMIT: usize = 1 << 20;
/// How often a write begins again because somebody else changed the file.
const WRITES: u32 = 16;

#[derive(Debug)]
pub(super) struct Backend {
    pub(super) config: DotenvConfig,
    pub(super) names: VariableNames,
    pub(super) versions: VersionIds,
}

impl Backend {
    /// The key that a secret stands under.
    pub(super) fn key(&self, reference: &SecretRef) -> Result<String> {
        let key = self.names.variable(reference)?;
        if is_key(&key) {
            return Ok(key);
        }
        let reason = "a key of a .env file is a letter or `_`, then letters, digits, `_` and `.`";
        Err(InvalidName::NotUsable { reason }.into())
    }

    /// Reads the file once and gives its values to `use_them`.
    pub(super) fn with_values<T>(
        &self,
        use_them: impl FnOnce(&Values<'_>) -> Result<T>,
    ) -> Result<T> {
        let contents = place::read(&self.config.path)?;
        let bytes = contents.as_ref().map(|contents| &**contents.bytes).unwrap_or_default();
        let (_, text) = document::decode(bytes).map_err(|fault| self.error(fault))?;
        let document = Document::parse(text).map_err(|fault| self.error(fault))?;
        let resolved = document.resolve(self.config.substitution);
        use_them(&Values {
            backend: self,
            modified: contents
                .as_ref()
                .map_or(SystemTime::UNIX_EPOCH, |contents| contents.modified),
            // Of the entries of one key the last one counts.
            by_key: resolved.iter().map(|entry| (entry.key, &entry.value)).collect(),
        })
    }

    /// The keys of the file as secrets.
    pub(super) fn list(&self) -> Result<Vec<SecretInfo>> {
        self.with_values(|values| {
            let keys: BTreeSet<&str> = values.by_key.keys().copied().collect();
            let references = keys.into_iter().flat_map(|key| self.names.references(key));
            Ok(references
                .map(|reference| {
                    let mut info = SecretInfo::new(reference);
                    info.updated = Some(values.modified);
                    info
                })
                .collect())
        })
    }

    /// Writes a value. The file is read again under the lock, and the precondition checked on that.
    pub(super) fn set(
        &self,
        key: &str,
        value: &SecretValue,
        precondition: &Precondition,
    ) -> Result<VersionInfo> {
        let text = value.expose_secret_text().map_err(|_| {
            Error::new(ErrorKind::InvalidValue, "a .env file holds text; the value is not UTF-8")
        })?;
        if text.len() > VALUE_LIMIT {
            let message = format!("the value has more than {VALUE_LIMIT} bytes");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let written = self.change(|document| {
            self.check(document, key, precondition)?;
            match document.last(key) {
                Some(entry) if entry.is_exactly(text) => Ok(None),
                _ => edit::set(document, key, text).map(Some).map_err(|fault| self.error(fault)),
            }
        })?;
        self.versions.current(key, value.expose_secret(), written)
    }

    pub(super) fn delete(&self, key: &str) -> Result<()> {
        self.change(|document| match document.last(key) {
            Some(_) => edit::remove(document, key).map(Some).map_err(|fault| self.error(fault)),
            None => Err(absent(key)),
        })?;
        Ok(())
    }

    /// Replaces the file by what `edit` makes of it; says when what is there now was written.
    fn change(
        &self,
        edit: impl Fn(&Document<'_>) -> Result<Option<Zeroizing<String>>>,
    ) -> Result<SystemTime> {
        for _ in 0..WRITES {
            let place = Place::find(&self.config.path)?;
            let _lock = place.lock(self.config.lock_timeout)?;
            let old: Option<Contents> = place.read()?;
            let bytes = old.as_ref().map(|old| &**old.bytes).unwrap_or_default();
            let (mark, text) = document::decode(bytes).map_err(|fault| self.error(fault))?;
            let document = Document::parse(text).map_err(|fault| self.error(fault))?;
            let Some(new) = edit(&document)? else {
                return Ok(old.map_or(SystemTime::UNIX_EPOCH, |old| old.modified));
            };
            if mark.len() + new.len() > MAX_LEN {
                let message = format!("the file would have more than {MAX_LEN} bytes");
                return Err(Error::new(ErrorKind::TooLarge, message));
            }
            let stamp = old.as_ref().map(|old| old.stamp);
            match place.replace(stamp, &[mark.as_bytes(), new.as_bytes()])? {
                Replaced::Done { modified } => return Ok(modified),
                Replaced::Overtaken => {}
            }
        }
        let message = format!("`{}` was changed again and again", self.config.path.display());
        Err(Error::new(ErrorKind::Unavailable, message).with_effect(Effect::NotApplied))
    }

    fn check(&self, document: &Document<'_>, key: &str, precondition: &Precondition) -> Result<()> {
        let position = document.entries.iter().rposition(|entry| entry.key == key);
        match (precondition, position) {
            (Precondition::Any, _) | (Precondition::Absent, None) => Ok(()),
            (Precondition::Absent, Some(_)) => {
                Err(Error::new(ErrorKind::AlreadyExists, format!("`{key}` exists already")))
            }
            (Precondition::CurrentIs(expected), Some(position)) => {
                let resolved = document.resolve(self.config.substitution);
                let current = resolved.into_iter().nth(position).map(|entry| entry.value);
                let Some(value) = current else { return Err(not_current(key)) };
                let value = value.map_err(|fault| self.error(fault))?;
                let id = self.versions.id(key, value.as_bytes())?;
                if id == *expected { Ok(()) } else { Err(not_current(key)) }
            }
            _ => Err(not_current(key)),
        }
    }

    /// The stamp of the file, or nothing.
    pub(super) fn look(&self) -> Snapshot {
        let metadata = fs::metadata(&self.config.path).ok();
        metadata.map(|metadata| (None, Stamp::of(&metadata))).into_iter().collect()
    }

    /// Whoever cannot read the file gets no secret of it at all.
    pub(super) fn health(&self) -> Health {
        if let Err(error) = self.with_values(|_| Ok(())) {
            return Health::unhealthy(error.to_string());
        }
        let path = self.config.path.display();
        match fs::metadata(&self.config.path) {
            Err(error) => Health::degraded(format!("`{path}` cannot be found: {}", error.kind())),
            Ok(metadata) => match permissions::of_others(&metadata) {
                Some(open_to) => Health::degraded(format!("others can {open_to} `{path}`")),
                None => Health::healthy(),
            },
        }
    }

    fn error(&self, fault: Fault) -> Error {
        fault.at(&self.config.path)
    }
}

/// What a file holds at one moment.
pub(super) struct Values<'b> {
    backend: &'b Backend,
    modified: SystemTime,
    by_key: HashMap<&'b str, &'b Result<Zeroizing<String>, Fault>>,
}

impl Values<'_> {
    pub(super) fn secret(&self, key: &str) -> Result<Secret> {
        let value = match self.by_key.get(key) {
            None => return Err(absent(key)),
            Some(Err(fault)) => return Err(self.backend.error(*fault)),
            Some(Ok(value)) => SecretValue::copy_from_slice(value.as_bytes()),
        };
        let versions = &self.backend.versions;
        let version = versions.current(key, value.expose_secret(), self.modified)?;
        Ok(Secret::new(value, version))
    }
}

fn absent(key: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no `{key}` in the file"))
}

fn not_current(key: &str) -> Error {
    Error::new(ErrorKind::Conflict, format!("`{key}` has another version now"))
}
