use async_trait::async_trait;

use crate::capability::Capabilities;
use crate::codec::{DecodedName, NameRules};
use crate::error::{Effect, Error, ErrorKind, Operation, Result};
use crate::health::Health;
use crate::memory::session::Session;
use crate::memory::shelf::Moment;
use crate::metadata::{Deleted, MetadataPatch, SecretInfo};
use crate::name::{InvalidName, SecretName};
use crate::options::{DeleteMode, IdempotencyKey, Precondition, Promoted, SetOptions};
use crate::page::{Page, PageRequest, SecretFilter};
use crate::reference::{NativeId, SecretRef};
use crate::value::{Secret, SecretValue};
use crate::version::{VersionId, VersionInfo, VersionSelector, VersionState};

/// What a provider for one cloud does with that cloud's requests. Options that the capabilities
/// rule out never get here.
#[async_trait]
pub(crate) trait Adapter: Send + Sync {
    fn capabilities(&self) -> &Capabilities;

    fn rules(&self) -> &NameRules;

    async fn get(
        &self,
        session: &Session<'_>,
        place: &Place,
        v: &VersionSelector,
    ) -> Result<Secret>;

    async fn get_many(
        &self,
        session: &Session<'_>,
        wanted: Vec<(Result<Place>, VersionSelector)>,
    ) -> Result<Vec<Result<Secret>>> {
        let mut answers = Vec::with_capacity(wanted.len());
        for (place, version) in wanted {
            answers.push(match place {
                Ok(place) => self.get(session, &place, &version).await,
                Err(error) => Err(error),
            });
        }
        Ok(answers)
    }

    async fn set(
        &self,
        session: &Session<'_>,
        place: &Place,
        value: SecretValue,
        options: SetOptions,
    ) -> Result<VersionInfo>;

    async fn promote(
        &self,
        session: &Session<'_>,
        place: &Place,
        pending: &VersionId,
        base: &VersionId,
        token: &IdempotencyKey,
    ) -> Result<Promoted>;

    async fn discard(&self, session: &Session<'_>, place: &Place, v: &VersionId) -> Result<()>;

    async fn update(
        &self,
        session: &Session<'_>,
        place: &Place,
        version: Option<&VersionId>,
        patch: MetadataPatch,
        precondition: Precondition,
    ) -> Result<()>;

    async fn set_state(
        &self,
        session: &Session<'_>,
        place: &Place,
        version: &VersionId,
        state: VersionState,
    ) -> Result<()>;

    async fn describe(&self, session: &Session<'_>, place: &Place) -> Result<SecretInfo>;

    async fn versions(
        &self,
        session: &Session<'_>,
        place: &Place,
        page: PageRequest,
    ) -> Result<Page<VersionInfo>>;

    async fn list(
        &self,
        session: &Session<'_>,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>>;

    async fn delete(
        &self,
        session: &Session<'_>,
        place: &Place,
        mode: DeleteMode,
    ) -> Result<Deleted>;

    async fn restore(&self, session: &Session<'_>, place: &Place) -> Result<()>;

    async fn purge(&self, session: &Session<'_>, place: &Place) -> Result<()>;

    async fn health(&self, session: &Session<'_>) -> Result<Health>;

    fn foreign(&self) -> &dyn Foreign;
}

/// What anybody else does with the same store, by the backend's own names and without our rules.
pub(crate) trait Foreign: Send + Sync {
    /// What a plain read returns, or the read of one version.
    fn read(&self, at: Moment, name: &str, version: Option<&str>) -> Result<Secret>;

    /// A plain write.
    fn write(&self, at: Moment, name: &str, value: SecretValue) -> Result<VersionId>;

    /// A plain deletion, with the backend's defaults.
    fn delete(&self, at: Moment, name: &str) -> Result<()>;

    /// Enables, disables or destroys a version.
    fn set_state(&self, at: Moment, name: &str, version: &str, to: VersionState) -> Result<()>;

    /// What the store holds, companions and all, without what is deleted.
    fn names(&self, at: Moment) -> Vec<String>;

    /// A secret without a version, where the backend has such a thing.
    fn create_empty(&self, _: Moment, _: &str) -> Result<()> {
        let message = "this backend has no secrets without a version";
        Err(Error::unsupported(Operation::SetSecret, message))
    }

    /// A rotation that has begun and has not set a value yet, where the backend has such a thing.
    fn begin_rotation(&self, _: Moment, _: &str) -> Result<VersionId> {
        let message = "this backend has no pending versions of its own";
        Err(Error::unsupported(Operation::SetSecret, message))
    }
}

/// Where a secret is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The backend's name of the secret.
    pub(crate) main: String,
    /// The backend's name of its companion, where there can be one.
    pub(crate) companion: Option<String>,
}

impl Place {
    /// Finds the place by the rules. A native id must be a name that the backend takes, and must
    /// not be a companion's.
    pub(crate) fn find(rules: &NameRules, reference: &SecretRef) -> Result<Self> {
        match reference {
            SecretRef::Name(name) => Self::of_name(rules, name),
            SecretRef::Native(id) => Self::of_native(rules, id.as_str()),
        }
    }

    fn of_native(rules: &NameRules, id: &str) -> Result<Self> {
        match rules.decode(id) {
            DecodedName::Name(name) => {
                Ok(Self { main: id.to_owned(), ..Self::of_name(rules, &name)? })
            }
            DecodedName::Companion(_) => Err(unusable("it is reserved for a companion")),
            DecodedName::Foreign if rules.accepts(id) => {
                Ok(Self { main: id.to_owned(), companion: None })
            }
            DecodedName::Foreign => Err(unusable("it is not a name of this backend")),
        }
    }

    fn of_name(rules: &NameRules, name: &SecretName) -> Result<Self> {
        let companion = match rules.companion_suffix() {
            "" => None,
            _ => Some(rules.encode_companion(name)?),
        };
        Ok(Self { main: rules.encode(name)?, companion })
    }

    /// The companion, for what needs one.
    pub(crate) fn companion(&self, operation: Operation) -> Result<&str> {
        self.companion.as_deref().ok_or_else(|| {
            let message = "a secret under a foreign name has no companion for a pending value";
            Error::unsupported(operation, message)
        })
    }
}

fn unusable(reason: &'static str) -> Error {
    InvalidName::NotUsable { reason }.into()
}

/// How many companions there are without their secret: copies of credentials that nobody will tidy
/// up.
pub(crate) fn orphans(rules: &NameRules, names: &[String]) -> usize {
    let is_orphan = |companion: &&String| match rules.decode(companion) {
        DecodedName::Companion(name) => {
            rules.encode(&name).is_ok_and(|main| !names.contains(&main))
        }
        DecodedName::Name(_) | DecodedName::Foreign => false,
    };
    names.iter().filter(is_orphan).count()
}

/// What a health check says of orphans.
pub(crate) fn health_of(orphans: usize) -> Health {
    match orphans {
        0 => Health::healthy(),
        count => Health::degraded(format!("{count} pending values outlived their secret")),
    }
}

/// What a listing shows for the backend's name of an entry; `None` for a companion.
pub(crate) fn listed(rules: &NameRules, native: &str) -> Option<SecretRef> {
    match rules.decode(native) {
        DecodedName::Name(name) => Some(SecretRef::Name(name)),
        DecodedName::Companion(_) => None,
        DecodedName::Foreign => NativeId::new(native).ok().map(SecretRef::Native),
    }
}

/// True when an entry passes the filter by name and tags.
pub(crate) fn passes(filter: &SecretFilter, info: &SecretInfo) -> bool {
    let name = match &info.reference {
        SecretRef::Name(name) => name.as_str(),
        SecretRef::Native(id) => id.as_str(),
    };
    name.starts_with(&filter.prefix)
        && filter.tags.iter().all(|(tag, value)| info.tags.get(tag) == Some(value))
}

/// A version id that the backend gave.
pub(crate) fn version_id(text: &str) -> Result<VersionId> {
    VersionId::new(text)
        .map_err(|_| Error::new(ErrorKind::Internal, "the backend gave no usable version id"))
}

pub(crate) fn not_found(message: &'static str) -> Error {
    Error::new(ErrorKind::NotFound, message)
}

pub(crate) fn conflict(message: &'static str) -> Error {
    Error::new(ErrorKind::Conflict, message)
}

/// A write under a precondition was made as `written`, and somebody else's came in between.
pub(crate) fn not_alone(precondition: &Precondition, written: VersionId) -> Error {
    let kind = match precondition {
        Precondition::Absent => ErrorKind::AlreadyExists,
        _ => ErrorKind::Conflict,
    };
    let message = "somebody else wrote the secret at the same time";
    Error::new(kind, message).with_effect(Effect::Partial).with_version(written)
}
