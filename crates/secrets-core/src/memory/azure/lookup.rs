use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::memory::adapter::{Place, conflict, not_found, version_id};
use crate::memory::azure::adapter::AzureAdapter;
use crate::memory::azure::encoding;
use crate::memory::azure::tags;
use crate::memory::azure::vault::{Attributes, AzureError, Bundle, Vault};
use crate::memory::session::{Access, Failure, Refusal, Session};
use crate::value::Secret;
use crate::version::{Stage, StageSet, VersionId, VersionInfo, VersionState};

/// Ids of versions in the companion start so: the vault's own ids are hexadecimal.
const COMPANION: &str = "pending-";

/// Where a version is.
pub(super) enum Home<'a> {
    Main(&'a str),
    Companion(&'a str),
}

impl<'a> Home<'a> {
    pub(super) fn of(version: &'a VersionId) -> Self {
        match version.as_str().strip_prefix(COMPANION) {
            Some(id) => Self::Companion(id),
            None => Self::Main(version.as_str()),
        }
    }
}

pub(super) fn pending_id(attributes: &Attributes) -> String {
    format!("{COMPANION}{}", attributes.id)
}

pub(super) fn info(attributes: &Attributes, stages: StageSet) -> Result<VersionInfo> {
    let info = VersionInfo::new(version_id(&attributes.id)?, attributes.created);
    let mut info = info.with_stages(stages).with_tags(tags::of_user(&attributes.tags));
    info.not_before = attributes.not_before;
    info.expires = attributes.expires;
    if !attributes.enabled {
        info.state = VersionState::Disabled;
    }
    Ok(info)
}

/// A version of the companion, which waits unless it is disabled.
pub(super) fn companion_info(attributes: &Attributes) -> Result<VersionInfo> {
    let stages: StageSet = attributes.enabled.then_some(Stage::Pending).into_iter().collect();
    let mut info = info(attributes, stages)?;
    info.id = version_id(&pending_id(attributes))?;
    Ok(info)
}

/// A main version by what is known of the current one.
pub(super) fn main_info(attributes: &Attributes, newest: &Attributes) -> Result<VersionInfo> {
    let mut stages = StageSet::EMPTY;
    if attributes.id == newest.id {
        stages = stages.with(Stage::Current);
    }
    if newest.tags.get(tags::PREDECESSOR) == Some(&attributes.id) {
        stages = stages.with(Stage::Previous);
    }
    info(attributes, stages)
}

pub(super) fn secret(bundle: &Bundle, version: VersionInfo) -> Result<Secret> {
    Ok(Secret::new(encoding::decode(&bundle.text)?, version))
}

impl AzureAdapter {
    pub(super) async fn send<T>(
        &self,
        session: &Session<'_>,
        request: &'static str,
        access: Access,
        work: impl FnOnce(&mut Vault, crate::memory::shelf::Moment) -> Result<T, AzureError> + Send,
    ) -> Result<T, Failure<AzureError>> {
        session.request(request, access, |at| work(&mut self.vault(), at)).await
    }

    pub(super) async fn bundle(
        &self,
        session: &Session<'_>,
        name: &str,
        version: Option<&str>,
    ) -> Result<Bundle, Failure<AzureError>> {
        self.send(session, "GET secret", Access::Read, |vault, at| vault.get(at, name, version))
            .await
    }

    /// What a plain read meets, without its value; `None` where there is no such secret. A plain
    /// read of a disabled version says nothing about it: then the versions are listed.
    pub(super) async fn newest(
        &self,
        session: &Session<'_>,
        name: &str,
    ) -> Result<Option<Attributes>> {
        match self.bundle(session, name, None).await {
            Ok(bundle) => Ok(Some(bundle.attributes)),
            Err(Failure::Refused(AzureError::SecretNotFound)) => Ok(None),
            Err(Failure::Refused(AzureError::SecretDisabled)) => {
                last(self.versions_of(session, name).await?).map(Some)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// All versions of a secret, in the order of their ids; none for an absent one.
    pub(super) async fn versions_of(
        &self,
        session: &Session<'_>,
        name: &str,
    ) -> Result<Vec<Attributes>> {
        let mut all = Vec::new();
        let mut start: Option<String> = None;
        loop {
            let list = |vault: &mut Vault, at| Ok(vault.versions(at, name, start.as_deref(), None));
            let (page, next) = self.send(session, "GET versions", Access::Read, list).await?;
            all.extend(page);
            match next {
                Some(next) => start = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Why a secret is not there: deleted, or never made.
    pub(super) async fn absence(&self, session: &Session<'_>, place: &Place) -> Result<Error> {
        let read = |vault: &mut Vault, at| vault.get_deleted(at, &place.main);
        match self.send(session, "GET deleted secret", Access::Read, read).await {
            Ok(_) => Ok(AzureError::DeletedButRecoverable.to_error()),
            Err(Failure::Refused(AzureError::SecretNotFound)) => Ok(not_found("no such secret")),
            Err(failure) => Err(failure.into()),
        }
    }

    /// The current version, whatever its state.
    pub(super) async fn current(&self, session: &Session<'_>, place: &Place) -> Result<Attributes> {
        match self.newest(session, &place.main).await? {
            Some(newest) => Ok(newest),
            None => Err(self.absence(session, place).await?),
        }
    }

    /// The companion's version that waits for promotion: its newest one, unless it is disabled, or
    /// was promoted to `current` by a call that ended before it could disable it.
    pub(super) async fn waiting(
        &self,
        session: &Session<'_>,
        place: &Place,
        current: &Attributes,
    ) -> Result<Option<Bundle>> {
        let Some(companion) = &place.companion else { return Ok(None) };
        match self.bundle(session, companion, None).await {
            Ok(bundle) if promoted(current, &pending_id(&bundle.attributes)) => Ok(None),
            Ok(bundle) => Ok(Some(bundle)),
            Err(Failure::Refused(AzureError::SecretNotFound | AzureError::SecretDisabled)) => {
                Ok(None)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// After a write under a precondition: false when there is a version that is neither of those
    /// known before nor ours, so that somebody else wrote it meanwhile.
    pub(super) async fn is_alone(
        &self,
        session: &Session<'_>,
        name: &str,
        known: &BTreeSet<String>,
        ours: &str,
    ) -> Result<bool> {
        let after = self.versions_of(session, name).await?;
        Ok(after.iter().all(|version| version.id == ours || known.contains(&version.id)))
    }
}

/// True when this version was written by the promotion of that pending one.
fn promoted(version: &Attributes, pending: &str) -> bool {
    let rotation = version.tags.get(tags::ROTATION).and_then(|tag| tag.split_once('/'));
    rotation.is_some_and(|(_, promoted)| promoted == pending)
}

/// The newest of the versions. The list's order says nothing, and times are whole seconds: of those
/// of one second the one counts that no other names as its predecessor.
fn last(versions: Vec<Attributes>) -> Result<Attributes> {
    let time = versions.iter().map(|version| version.created).max();
    let predecessors: BTreeSet<String> = versions
        .iter()
        .filter_map(|version| version.tags.get(tags::PREDECESSOR).cloned())
        .collect();
    let mut newest = versions
        .into_iter()
        .filter(|version| Some(version.created) == time && !predecessors.contains(&version.id));
    match (newest.next(), newest.next()) {
        (Some(version), None) => Ok(version),
        _ => Err(conflict("the newest version is disabled, and it cannot be told which one it is")),
    }
}
