use std::num::NonZeroU32;

use crate::error::{Error, Operation, Result};
use crate::memory::adapter::{Foreign, version_id};
use crate::memory::azure::adapter::AzureAdapter;
use crate::memory::azure::encoding::Text;
use crate::memory::azure::lookup::info;
use crate::memory::azure::vault::{AzureError, Patch, Put};
use crate::memory::session::Refusal;
use crate::memory::shelf::Moment;
use crate::metadata::Tags;
use crate::value::{Secret, SecretValue};
use crate::version::{StageSet, VersionId, VersionState};

impl Foreign for AzureAdapter {
    fn read(&self, at: Moment, name: &str, version: Option<&str>) -> Result<Secret> {
        let vault = self.vault();
        match vault.get(at, name, version) {
            Ok(bundle) => {
                let version = info(&bundle.attributes, StageSet::EMPTY)?;
                Ok(Secret::new(bundle.text.value, version))
            }
            Err(AzureError::SecretNotFound) if vault.get_deleted(at, name).is_ok() => {
                Err(AzureError::DeletedButRecoverable.to_error())
            }
            Err(refusal) => Err(refusal.to_error()),
        }
    }

    fn write(&self, at: Moment, name: &str, value: SecretValue) -> Result<VersionId> {
        let text = Text { content_type: value.content_type().map(str::to_owned), value };
        let put = Put { text, tags: Tags::new(), not_before: None, expires: None };
        let written = self.vault().put(at, name, put).map_err(Refusal::to_error)?;
        version_id(&written.id)
    }

    fn delete(&self, at: Moment, name: &str) -> Result<()> {
        self.vault().delete(at, name).map(|_| ()).map_err(Refusal::to_error)
    }

    fn set_state(&self, at: Moment, name: &str, version: &str, to: VersionState) -> Result<()> {
        let enabled = match to {
            VersionState::Enabled => true,
            VersionState::Disabled => false,
            VersionState::Destroyed | VersionState::Empty => {
                let message = "versions cannot be destroyed here";
                return Err(Error::unsupported(Operation::SetVersionState, message));
            }
        };
        let patch = Patch { enabled: Some(enabled), ..Patch::default() };
        self.vault().patch(at, name, version, patch).map_err(Refusal::to_error)
    }

    fn names(&self, at: Moment) -> Vec<String> {
        let (secrets, _) = self.vault().list(at, None, Some(NonZeroU32::MAX));
        secrets.into_iter().map(|(name, _)| name).collect()
    }
}
