//! What is done with secrets inside of a transaction, and how they are read.

use std::sync::Arc;
use std::time::SystemTime;

use secrets_core::{
    Change, DeleteMode, Deleted, Deletion, Error, ErrorKind, Etag, IdempotencyKey, MetadataPatch,
    Precondition, Promoted, Result, Secret, SecretInfo, SecretName, SecretRef, SecretValue,
    SetOptions, Tags, VersionId, VersionInfo, VersionSelector, VersionState, WriteStage,
};

use super::crypto::mac;
use super::format::VersionKey;
use super::index::{Content, Entry, Labels, TokenMark, Version};
use super::index_codec::{MAX_TAGS, MAX_TEXT_LEN, MAX_VALUE_LEN};
use super::metadata_code::metadata_bytes;
use super::policy::Policy;
use super::record::RecordPlace;
use super::snapshot::Snapshot;
use super::transaction::Transaction;

/// Domains of the fingerprints of a token and of the content that came with it.
const TOKEN_DOMAIN: &[u8] = b"mainstay token 1";
const CONTENT_DOMAIN: &[u8] = b"mainstay content 1";

fn error(kind: ErrorKind, message: &'static str) -> Error {
    Error::new(kind, message)
}

fn no_secret() -> Error {
    error(ErrorKind::NotFound, "there is no such secret")
}

fn no_version() -> Error {
    error(ErrorKind::NotFound, "the secret has no such version")
}

fn pending_deletion() -> Error {
    error(ErrorKind::PendingDeletion, "the secret is deleted and can be restored")
}

impl Snapshot {
    /// The entry of a secret, deleted or not.
    pub(crate) fn entry(&self, name: &SecretName, now: SystemTime) -> Result<&Entry> {
        let entry = self.index.secrets.get(name).map(|entry| &**entry);
        entry.filter(|entry| !entry.is_past(now)).ok_or_else(no_secret)
    }

    pub(crate) fn get(
        &self,
        name: &SecretName,
        selector: &VersionSelector,
        now: SystemTime,
    ) -> Result<Secret> {
        let entry = self.entry(name, now)?;
        if entry.deletion.is_some() {
            return Err(pending_deletion());
        }
        let version = entry.select(selector)?;
        let record = match version.content {
            Content::Enabled(record) => record,
            Content::Disabled(_) => {
                return Err(error(ErrorKind::Disabled, "the version is disabled"));
            }
            Content::Destroyed => {
                return Err(error(ErrorKind::Destroyed, "the version's value is destroyed"));
            }
        };
        let mut plain = self.read(RecordPlace::secret(name, version.id), record)?;
        let mut value = SecretValue::from_boxed(std::mem::take(&mut *plain));
        if let Some(content_type) = &version.content_type {
            value = value.with_content_type(content_type.clone());
        }
        Ok(Secret::new(value, version.info(&entry.labels)?))
    }

    pub(crate) fn describe(&self, name: &SecretName, now: SystemTime) -> Result<SecretInfo> {
        self.entry(name, now)?.describe(name)
    }
}

impl Entry {
    fn select(&self, selector: &VersionSelector) -> Result<&Version> {
        let id = match selector {
            VersionSelector::Current => self.labels.current,
            VersionSelector::Previous => self.labels.previous,
            VersionSelector::Pending => self.labels.pending,
            VersionSelector::Id(id) => VersionKey::from_id(id),
            _ => return Err(error(ErrorKind::Unsupported, "this selector is not known here")),
        };
        id.and_then(|id| self.version(id)).ok_or_else(no_version)
    }

    pub(crate) fn describe(&self, name: &SecretName) -> Result<SecretInfo> {
        let id = |label: Option<VersionKey>| label.map(VersionKey::to_id).transpose();
        let mut info = SecretInfo::new(SecretRef::from(name));
        info.created = Some(self.created);
        info.updated = Some(self.updated);
        info.deletion = self.deletion;
        info.tags = self.tags.clone();
        info.description = self.description.as_deref().map(str::to_owned);
        info.etag = Some(Etag::Secret(self.etag()));
        info.current = id(self.labels.current)?;
        info.previous = id(self.labels.previous)?;
        info.pending = id(self.labels.pending)?;
        Ok(info)
    }

    fn etag(&self) -> Box<str> {
        format!("{:016x}", u64::from_be_bytes(self.revision)).into()
    }

    fn check(&self, precondition: &Precondition) -> Result<()> {
        let held = match precondition {
            Precondition::Any => true,
            Precondition::Absent => {
                return Err(error(ErrorKind::AlreadyExists, "the secret exists"));
            }
            Precondition::CurrentIs(id) => {
                VersionKey::from_id(id).is_some_and(|id| self.labels.current == Some(id))
            }
            Precondition::Etag(Etag::Secret(etag)) => *etag == self.etag(),
            _ => {
                let message = "versions have no etag here, only secrets";
                return Err(error(ErrorKind::Unsupported, message));
            }
        };
        if held {
            Ok(())
        } else {
            Err(error(ErrorKind::Conflict, "the precondition does not hold"))
        }
    }

    /// Enables, disables or destroys a version; says whether that changed anything.
    pub(crate) fn set_state(&mut self, id: VersionKey, state: VersionState) -> Result<bool> {
        let version = self.version_mut(id).ok_or_else(no_version)?;
        let next = match (version.content.record(), state) {
            (_, VersionState::Destroyed) => Content::Destroyed,
            (Some(record), VersionState::Enabled) => Content::Enabled(record),
            (Some(record), VersionState::Disabled) => Content::Disabled(record),
            (None, VersionState::Enabled | VersionState::Disabled) => {
                return Err(error(ErrorKind::Destroyed, "the version's value is destroyed"));
            }
            _ => return Err(error(ErrorKind::InvalidValue, "a version cannot be made empty")),
        };
        let changed = version.content != next;
        version.content = next;
        Ok(changed)
    }

    /// Applies what concerns the secret as a whole.
    fn patch(&mut self, patch: &MetadataPatch) -> Result<()> {
        let mut tags = self.tags.clone();
        patch.apply_tags(&mut tags);
        check_tags(&tags)?;
        self.tags = tags;
        if let Change::Set(text) = &patch.description {
            check_text(text)?;
        }
        let mut description = self.description.take().map(Into::into);
        patch.description.clone().apply(&mut description);
        self.description = description.map(String::into_boxed_str);
        Ok(())
    }
}

impl Version {
    /// Applies what concerns one version.
    fn patch(&mut self, patch: &MetadataPatch) {
        patch.not_before.clone().apply(&mut self.not_before);
        patch.expires.clone().apply(&mut self.expires);
    }
}

fn check_text(text: &str) -> Result<()> {
    if text.len() <= MAX_TEXT_LEN {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::TooLarge,
        format!("tags, descriptions and media types take {MAX_TEXT_LEN} bytes at most"),
    ))
}

fn check_tags(tags: &Tags) -> Result<()> {
    if tags.len() > MAX_TAGS {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!("a secret has {MAX_TAGS} tags at most"),
        ));
    }
    for (name, value) in tags {
        if name.is_empty() {
            return Err(error(ErrorKind::InvalidValue, "a tag's name is empty"));
        }
        check_text(name)?;
        check_text(value)?;
    }
    Ok(())
}

fn check_value(value: &SecretValue) -> Result<()> {
    if value.len() > MAX_VALUE_LEN {
        let message = format!("a value takes {MAX_VALUE_LEN} bytes at most");
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    value.content_type().map_or(Ok(()), check_text)
}

impl Transaction<'_> {
    /// A secret that is there and not deleted, to change.
    fn live_entry(&self, name: &SecretName) -> Result<Entry> {
        let entry = self.any_entry(name)?;
        if entry.deletion.is_some() { Err(pending_deletion()) } else { Ok(entry) }
    }

    fn any_entry(&self, name: &SecretName) -> Result<Entry> {
        let entry = self.index.secrets.get(name).filter(|entry| !entry.is_past(self.now));
        entry.map(|entry| Entry::clone(entry)).ok_or_else(no_secret)
    }

    /// Puts a changed entry back; it gets a new revision.
    fn put_entry(&mut self, name: &SecretName, mut entry: Entry) -> Result<()> {
        entry.revision = self.random()?;
        entry.updated = self.now;
        self.index.secrets.insert(name.clone(), Arc::new(entry));
        self.touch();
        Ok(())
    }

    /// Takes a secret out, whatever it is.
    pub(crate) fn forget(&mut self, name: &SecretName) {
        if self.index.secrets.remove(name).is_some() {
            self.touch();
        }
    }

    pub(crate) fn set(
        &mut self,
        name: &SecretName,
        value: &SecretValue,
        options: &SetOptions,
        policy: &Policy,
    ) -> Result<VersionInfo> {
        check_value(value)?;
        let mark = match &options.token {
            Some(token) => Some(self.token_mark(name, value, options, token)?),
            None => None,
        };
        let mut entry = match self.live_entry(name) {
            Ok(entry) => {
                if let Some(answer) = repeated(&entry, mark)? {
                    return Ok(answer);
                }
                entry.check(&options.precondition)?;
                entry
            }
            Err(absent) if absent.kind() == ErrorKind::NotFound => {
                check_absent(&options.precondition)?;
                Entry::new(self.now)
            }
            Err(other) => return Err(other),
        };
        entry.patch(&options.metadata)?;
        let id = self.new_version()?;
        let record = self.add_record(RecordPlace::secret(name, id), value.expose_secret())?;
        let mut version = Version {
            id,
            created: self.now,
            content: Content::Enabled(record),
            content_type: value.content_type().map(Into::into),
            not_before: None,
            expires: None,
            token: mark,
        };
        version.patch(&options.metadata);
        match options.stage {
            WriteStage::Current => {
                entry.labels.previous = entry.labels.current;
                entry.labels.current = Some(id);
            }
            WriteStage::Pending => entry.labels.pending = Some(id),
        }
        let info = version.info(&entry.labels)?;
        entry.versions.push(version);
        policy.retain(&mut entry);
        self.put_entry(name, entry)?;
        Ok(info)
    }

    fn token_mark(
        &self,
        name: &SecretName,
        value: &SecretValue,
        options: &SetOptions,
        token: &IdempotencyKey,
    ) -> Result<TokenMark> {
        let key = &self.index.lasting_key;
        let name = name.as_str().as_bytes();
        let stage = match options.stage {
            WriteStage::Current => [0],
            WriteStage::Pending => [1],
        };
        let content_type = value.content_type().unwrap_or_default().as_bytes();
        let metadata = metadata_bytes(&options.metadata);
        Ok(TokenMark {
            token: mac(key, &[TOKEN_DOMAIN, name, token.as_str().as_bytes()])?,
            content: mac(
                key,
                &[CONTENT_DOMAIN, name, &stage, content_type, &metadata, value.expose_secret()],
            )?,
        })
    }

    /// Moves the labels. What was done already is done.
    pub(crate) fn promote(
        &mut self,
        name: &SecretName,
        pending: &VersionId,
        base: &VersionId,
    ) -> Result<Promoted> {
        let mut entry = self.live_entry(name)?;
        let (pending_key, base_key) = (VersionKey::from_id(pending), VersionKey::from_id(base));
        let Labels { current, previous, pending: waiting } = entry.labels;
        let done = Promoted::new(pending.clone(), Some(base.clone()));
        if pending_key.is_some() && current == pending_key && previous == base_key {
            return Ok(done);
        }
        if base_key.is_none() || current != base_key {
            return Err(error(ErrorKind::Conflict, "the base version is not current"));
        }
        if pending_key.is_none() || waiting != pending_key {
            return Err(error(ErrorKind::NotFound, "the version does not wait for promotion"));
        }
        match pending_key.and_then(|id| entry.version(id)).map(|version| version.content) {
            Some(Content::Enabled(_)) => {}
            Some(Content::Disabled(_)) => {
                return Err(error(ErrorKind::Disabled, "the pending version is disabled"));
            }
            _ => return Err(error(ErrorKind::Destroyed, "the pending version is destroyed")),
        }
        entry.labels = Labels { current: pending_key, previous: base_key, pending: None };
        self.put_entry(name, entry)?;
        Ok(done)
    }

    /// Takes the pending version away with its value. Repeating it is harmless.
    pub(crate) fn discard_pending(&mut self, name: &SecretName, pending: &VersionId) -> Result<()> {
        let mut entry = self.live_entry(name)?;
        let Some(waiting) = entry.labels.pending else { return Ok(()) };
        if VersionKey::from_id(pending) != Some(waiting) {
            return Err(error(ErrorKind::Conflict, "another version waits for promotion"));
        }
        entry.labels.pending = None;
        if entry.labels.of(waiting).is_empty() {
            entry.versions.retain(|version| version.id != waiting);
        }
        self.put_entry(name, entry)
    }

    pub(crate) fn update_metadata(
        &mut self,
        name: &SecretName,
        version: Option<&VersionId>,
        patch: &MetadataPatch,
        precondition: &Precondition,
    ) -> Result<()> {
        let mut entry = self.live_entry(name)?;
        entry.check(precondition)?;
        let of_secret = !patch.set_tags.is_empty()
            || !patch.remove_tags.is_empty()
            || !patch.description.is_keep();
        let of_version = !patch.not_before.is_keep() || !patch.expires.is_keep();
        if of_secret && version.is_some() {
            let message = "tags and descriptions belong to the secret, not to a version";
            return Err(error(ErrorKind::Unsupported, message));
        }
        let selected = match version {
            Some(id) => Some(VersionKey::from_id(id).ok_or_else(no_version)?),
            None => entry.labels.current,
        };
        if version.is_some() || of_version {
            let version = selected.and_then(|id| entry.version_mut(id)).ok_or_else(no_version)?;
            version.patch(patch);
        }
        entry.patch(patch)?;
        if patch.is_empty() { Ok(()) } else { self.put_entry(name, entry) }
    }

    pub(crate) fn set_version_state(
        &mut self,
        name: &SecretName,
        version: &VersionId,
        state: VersionState,
    ) -> Result<()> {
        let mut entry = self.live_entry(name)?;
        let id = VersionKey::from_id(version).ok_or_else(no_version)?;
        if !entry.set_state(id, state)? {
            return Ok(());
        }
        self.put_entry(name, entry)
    }

    pub(crate) fn delete(
        &mut self,
        name: &SecretName,
        mode: DeleteMode,
        policy: &Policy,
    ) -> Result<Deleted> {
        let mut entry = self.any_entry(name)?;
        let window = match mode {
            DeleteMode::Immediate => {
                self.remove(name);
                return Ok(Deleted::Gone);
            }
            DeleteMode::Recoverable { window } => window.unwrap_or(policy.deletion_window),
            _ => return Err(error(ErrorKind::Unsupported, "this way to delete is not known here")),
        };
        if let Some(deletion) = entry.deletion {
            return Ok(Deleted::Recoverable(deletion));
        }
        let purge_at = self.now.checked_add(window).ok_or_else(|| {
            error(ErrorKind::InvalidValue, "the window ends after the end of time")
        })?;
        let deletion = Deletion::new(self.now, Some(purge_at));
        entry.deletion = Some(deletion);
        self.put_entry(name, entry)?;
        Ok(Deleted::Recoverable(deletion))
    }

    pub(crate) fn restore(&mut self, name: &SecretName) -> Result<()> {
        let mut entry = self.any_entry(name)?;
        if entry.deletion.take().is_none() {
            return Err(not_deleted());
        }
        self.put_entry(name, entry)
    }

    /// Takes a deleted secret out of the file, also one whose window has passed and that only waits
    /// to be taken out.
    pub(crate) fn purge(&mut self, name: &SecretName) -> Result<()> {
        let entry = self.index.secrets.get(name).ok_or_else(no_secret)?;
        if entry.deletion.is_none() {
            return Err(not_deleted());
        }
        self.remove(name);
        Ok(())
    }

    fn remove(&mut self, name: &SecretName) {
        self.index.secrets.remove(name);
        self.touch();
    }
}

fn not_deleted() -> Error {
    error(ErrorKind::NotFound, "the secret is not deleted")
}

fn check_absent(precondition: &Precondition) -> Result<()> {
    match precondition {
        Precondition::Any | Precondition::Absent => Ok(()),
        _ => Err(error(ErrorKind::Conflict, "the secret does not exist")),
    }
}

/// The answer to a write that was made before with the same token.
fn repeated(entry: &Entry, mark: Option<TokenMark>) -> Result<Option<VersionInfo>> {
    let Some(mark) = mark else { return Ok(None) };
    let made = entry
        .versions
        .iter()
        .find(|version| version.token.is_some_and(|token| token.token == mark.token));
    match made {
        None => Ok(None),
        Some(version) if version.token == Some(mark) => version.info(&entry.labels).map(Some),
        Some(_) => Err(error(ErrorKind::Conflict, "the token was used to write something else")),
    }
}
