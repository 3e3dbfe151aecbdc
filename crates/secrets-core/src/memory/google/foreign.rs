use std::num::NonZeroU32;

use crate::error::{Error, Result};
use crate::memory::adapter::{Foreign, not_found};
use crate::memory::google::adapter::GoogleAdapter;
use crate::memory::google::lookup::{main_id, unreadable};
use crate::memory::google::project::{GoogleError, Wanted};
use crate::memory::session::Refusal;
use crate::memory::shelf::Moment;
use crate::value::{Secret, SecretValue};
use crate::version::{VersionId, VersionInfo, VersionState};

impl Foreign for GoogleAdapter {
    /// `version` is a number or an alias.
    fn read(&self, at: Moment, name: &str, version: Option<&str>) -> Result<Secret> {
        let project = self.project();
        let wanted = match version {
            None => Wanted::Latest,
            Some(version) => version.parse().map_or(Wanted::Alias(version), Wanted::Number),
        };
        let meta = project.version(at, name, wanted).map_err(Refusal::to_error)?;
        match project.access(at, name, wanted) {
            Ok((number, value)) => {
                Ok(Secret::new(value, VersionInfo::new(main_id(number)?, meta.created)))
            }
            Err(GoogleError::FailedPrecondition) => Err(unreadable(meta.state)),
            Err(refusal) => Err(refusal.to_error()),
        }
    }

    fn write(&self, at: Moment, name: &str, value: SecretValue) -> Result<VersionId> {
        let mut project = self.project();
        match project.create(at, name) {
            Ok(_) | Err(GoogleError::AlreadyExists) => {}
            Err(refusal) => return Err(refusal.to_error()),
        }
        main_id(project.add(at, name, value).map_err(Refusal::to_error)?)
    }

    fn delete(&self, at: Moment, name: &str) -> Result<()> {
        self.project().delete(at, name).map_err(Refusal::to_error)
    }

    fn set_state(&self, at: Moment, name: &str, version: &str, to: VersionState) -> Result<()> {
        let number = version.parse().map_err(|_| not_found("no such version"))?;
        match self.project().set_state(at, name, number, to) {
            Err(GoogleError::FailedPrecondition) => Err(unreadable(VersionState::Destroyed)),
            done => done.map_err(|refusal| -> Error { refusal.to_error() }),
        }
    }

    fn names(&self, at: Moment) -> Vec<String> {
        let (secrets, _) = self.project().list(at, None, Some(NonZeroU32::MAX));
        secrets.into_iter().map(|(name, _)| name).collect()
    }

    fn create_empty(&self, at: Moment, name: &str) -> Result<()> {
        self.project().create(at, name).map(drop).map_err(Refusal::to_error)
    }
}
