use crate::error::{Error, ErrorKind, Result};
use crate::memory::adapter::{Place, not_found, version_id};
use crate::memory::google::adapter::GoogleAdapter;
use crate::memory::google::journal;
use crate::memory::google::metadata;
use crate::memory::google::project::{GoogleError, Project, SecretMeta, VersionMeta, Wanted};
use crate::memory::session::{Access, Failure, Session};
use crate::memory::shelf::Moment;
use crate::options::Etag;
use crate::value::{Secret, SecretValue};
use crate::version::{Stage, StageSet, VersionId, VersionInfo, VersionState};

/// Ids of versions in the companion start so: both secrets count from one.
const COMPANION: &str = "pending-";

/// Where a version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    Main(u64),
    Companion(u64),
}

impl Home {
    /// Finds a version by its id; one that is no number is not there.
    pub(super) fn of(version: &VersionId) -> Result<Self> {
        let text = version.as_str();
        let number = text.strip_prefix(COMPANION).unwrap_or(text);
        let number = number.parse().map_err(|_| not_found("no such version"))?;
        Ok(if text.starts_with(COMPANION) { Self::Companion(number) } else { Self::Main(number) })
    }

    /// The companion's number; a version that is not there does not wait.
    pub(super) fn pending(version: &VersionId) -> Option<u64> {
        match Self::of(version) {
            Ok(Self::Companion(number)) => Some(number),
            _ => None,
        }
    }
}

pub(super) fn pending_id(number: u64) -> Result<VersionId> {
    version_id(&format!("{COMPANION}{number}"))
}

pub(super) fn main_id(number: u64) -> Result<VersionId> {
    version_id(&number.to_string())
}

fn base_info(id: VersionId, version: &VersionMeta, stages: StageSet) -> VersionInfo {
    let mut info = VersionInfo::new(id, version.created).with_stages(stages);
    info.state = version.state;
    info.destroy_at = version.destroy_at;
    info.etag = Some(Etag::Version(version.etag.as_str().into()));
    info
}

/// A version of the secret; `latest` is the number of the newest.
pub(super) fn main_info(
    secret: &SecretMeta,
    version: &VersionMeta,
    latest: u64,
) -> Result<VersionInfo> {
    let mut stages = StageSet::EMPTY;
    if version.number == latest {
        stages = stages.with(Stage::Current);
    } else if journal::before(secret, latest) == Some(version.number) {
        stages = stages.with(Stage::Previous);
    }
    let mut info = base_info(main_id(version.number)?, version, stages);
    (info.not_before, info.expires) = metadata::validity(secret);
    Ok(info)
}

/// A version of the companion, which waits while it is enabled.
pub(super) fn companion_info(version: &VersionMeta) -> Result<VersionInfo> {
    let waits = version.state == VersionState::Enabled;
    let stages = waits.then_some(Stage::Pending).into_iter().collect();
    Ok(base_info(pending_id(version.number)?, version, stages))
}

impl GoogleAdapter {
    pub(super) async fn send<T>(
        &self,
        session: &Session<'_>,
        request: &'static str,
        access: Access,
        work: impl FnOnce(&mut Project, Moment) -> Result<T, GoogleError> + Send,
    ) -> Result<T, Failure<GoogleError>> {
        session.request(request, access, |at| work(&mut self.project(), at)).await
    }

    pub(super) async fn meta(
        &self,
        session: &Session<'_>,
        name: &str,
    ) -> Result<SecretMeta, Failure<GoogleError>> {
        self.send(session, "GetSecret", Access::Read, |google, at| google.secret(at, name)).await
    }

    pub(super) async fn version(
        &self,
        session: &Session<'_>,
        name: &str,
        wanted: Wanted<'_>,
    ) -> Result<VersionMeta, Failure<GoogleError>> {
        let read = |google: &mut Project, at| google.version(at, name, wanted);
        self.send(session, "GetSecretVersion", Access::Read, read).await
    }

    /// The number of the newest version; 0 where there is none.
    pub(super) async fn latest(&self, session: &Session<'_>, name: &str) -> Result<u64> {
        match self.version(session, name, Wanted::Latest).await {
            Ok(version) => Ok(version.number),
            Err(Failure::Refused(GoogleError::NotFound)) => Ok(0),
            Err(failure) => Err(failure.into()),
        }
    }

    /// The payload of a version. `FAILED_PRECONDITION` says that it cannot be read, not why: the
    /// version is asked for again to tell disabled from destroyed.
    pub(super) async fn payload(
        &self,
        session: &Session<'_>,
        name: &str,
        wanted: Wanted<'_>,
    ) -> Result<(u64, SecretValue)> {
        let read = |google: &mut Project, at| google.access(at, name, wanted);
        match self.send(session, "AccessSecretVersion", Access::Read, read).await {
            Ok(found) => Ok(found),
            Err(Failure::Refused(GoogleError::FailedPrecondition)) => {
                let version = self.version(session, name, wanted).await?;
                Err(unreadable(version.state))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    pub(super) async fn read_current(
        &self,
        session: &Session<'_>,
        place: &Place,
    ) -> Result<Secret> {
        let (number, value) = self.payload(session, &place.main, Wanted::Latest).await?;
        let secret = self.meta(session, &place.main).await?;
        let version = self.version(session, &place.main, Wanted::Number(number)).await?;
        Ok(Secret::new(value, main_info(&secret, &version, number)?))
    }

    pub(super) async fn read_previous(
        &self,
        session: &Session<'_>,
        place: &Place,
    ) -> Result<Secret> {
        let secret = self.meta(session, &place.main).await?;
        let latest = self.latest(session, &place.main).await?;
        let number = journal::before(&secret, latest);
        let number = number.ok_or_else(|| not_found("there is no version before the current"))?;
        let (_, value) = self.payload(session, &place.main, Wanted::Number(number)).await?;
        let version = self.version(session, &place.main, Wanted::Number(number)).await?;
        Ok(Secret::new(value, main_info(&secret, &version, latest)?))
    }

    pub(super) async fn read_number(
        &self,
        session: &Session<'_>,
        place: &Place,
        number: u64,
    ) -> Result<Secret> {
        let (_, value) = self.payload(session, &place.main, Wanted::Number(number)).await?;
        let secret = self.meta(session, &place.main).await?;
        let version = self.version(session, &place.main, Wanted::Number(number)).await?;
        let latest = self.latest(session, &place.main).await?;
        Ok(Secret::new(value, main_info(&secret, &version, latest)?))
    }

    /// One version of the companion.
    pub(super) async fn read_companion(
        &self,
        session: &Session<'_>,
        place: &Place,
        number: u64,
    ) -> Result<Secret> {
        let companion = place.companion.as_deref();
        let companion = companion.ok_or_else(|| not_found("no such version"))?;
        let wanted = Wanted::Number(number);
        let (_, value) = self.payload(session, companion, wanted).await?;
        let version = self.version(session, companion, wanted).await?;
        Ok(Secret::new(value, companion_info(&version)?))
    }

    /// The companion's version that waits for promotion: its newest one, if it is enabled and was
    /// not promoted by a call that ended before it could note that, or destroy it.
    pub(super) async fn waiting(
        &self,
        session: &Session<'_>,
        place: &Place,
        secret: &SecretMeta,
    ) -> Result<Option<VersionMeta>> {
        let Some(companion) = &place.companion else { return Ok(None) };
        let version = match self.version(session, companion, Wanted::Latest).await {
            Err(Failure::Refused(GoogleError::NotFound)) => return Ok(None),
            version => version?,
        };
        let noted = journal::done(secret).iter().any(|entry| entry.pending == version.number);
        if version.state != VersionState::Enabled || noted {
            return Ok(None);
        }
        let begun = journal::intent(secret).filter(|entry| entry.pending == version.number);
        if let Some(begun) = begun {
            let (main, number) = (&place.main, Wanted::Number(version.number));
            let latest = self.latest(session, main).await?;
            let (_, value) = self.payload(session, companion, number).await?;
            let added = self.added_since(session, main, begun.base, latest, &value).await?;
            return Ok(added.is_none().then_some(version));
        }
        Ok(Some(version))
    }
}

pub(super) fn unreadable(state: VersionState) -> Error {
    match state {
        VersionState::Destroyed => Error::new(ErrorKind::Destroyed, "the version is destroyed"),
        _ => Error::new(ErrorKind::Disabled, "the version is disabled"),
    }
}
