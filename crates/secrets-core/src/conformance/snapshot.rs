//! What can be read of a secret, to see that a refused call changed nothing.

use std::collections::BTreeMap;

use crate::error::{ErrorKind, Result};
use crate::metadata::Tags;
use crate::reference::SecretRef;
use crate::value::{Secret, SecretValue};
use crate::version::{StageSet, VersionId, VersionSelector, VersionState};

use super::check::{Capability, Stop, Verdict};
use super::context::Cx;
use super::outcome::done;

/// The state of a secret, as far as the provider shows it.
pub(super) struct Snapshot {
    current: Read,
    previous: Option<Read>,
    pending: Option<Read>,
    versions: Option<BTreeMap<VersionId, (VersionState, StageSet)>>,
    info: Option<Info>,
}

enum Read {
    Value(VersionId, SecretValue),
    Denied(ErrorKind),
}

#[derive(PartialEq)]
enum Info {
    Known { tags: Tags, description: Option<String>, is_deleted: bool },
    Denied(ErrorKind),
}

impl From<Result<Secret>> for Read {
    fn from(read: Result<Secret>) -> Self {
        match read {
            Ok(secret) => Self::Value(secret.version.id, secret.value),
            Err(error) => Self::Denied(error.kind()),
        }
    }
}

impl PartialEq for Read {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Value(id, value), Self::Value(other_id, other)) => {
                id == other_id && value.ct_eq(other)
            }
            (Self::Denied(kind), Self::Denied(other)) => kind == other,
            _ => false,
        }
    }
}

impl Snapshot {
    /// The first thing that differs.
    fn difference(&self, after: &Self) -> Option<&'static str> {
        let same = [
            (self.current == after.current, "the current value changed"),
            (self.pending == after.pending, "the pending value changed"),
            (self.previous == after.previous, "the previous value changed"),
            (self.versions == after.versions, "the versions changed"),
            (self.info == after.info, "tags, description or deletion changed"),
        ];
        same.into_iter().find(|(same, _)| !same).map(|(_, what)| what)
    }
}

impl Cx<'_> {
    /// Reads all that can be read of a secret.
    pub(super) async fn snapshot(&self, r: &SecretRef) -> Verdict<Snapshot> {
        Ok(Snapshot {
            current: self.get(r, VersionSelector::Current).await.into(),
            previous: self.read_if(Capability::Previous, r, VersionSelector::Previous).await,
            pending: self.read_if(Capability::Staging, r, VersionSelector::Pending).await,
            versions: self.version_states(r).await?,
            info: self.info(r).await,
        })
    }

    async fn read_if(
        &self,
        capability: Capability,
        r: &SecretRef,
        version: VersionSelector,
    ) -> Option<Read> {
        if !self.has(capability) {
            return None;
        }
        Some(self.get(r, version).await.into())
    }

    async fn version_states(
        &self,
        r: &SecretRef,
    ) -> Verdict<Option<BTreeMap<VersionId, (VersionState, StageSet)>>> {
        if !self.has(Capability::Versions) {
            return Ok(None);
        }
        if let Err(error) = self.provider.list_versions(r, Default::default()).await {
            // A secret that is absent or deleted has no list; the reads tell which.
            let absent = [ErrorKind::NotFound, ErrorKind::PendingDeletion];
            return if absent.contains(&error.kind()) {
                Ok(None)
            } else {
                done("list the versions", Err(error))
            };
        }
        let versions = self.versions(r, None).await?;
        Ok(Some(versions.into_iter().map(|v| (v.id, (v.state, v.stages))).collect()))
    }

    async fn info(&self, r: &SecretRef) -> Option<Info> {
        if !self.has(Capability::Describe) {
            return None;
        }
        Some(match self.provider.describe_secret(r).await {
            Ok(info) => Info::Known {
                tags: info.tags,
                description: info.description,
                is_deleted: info.deletion.is_some(),
            },
            Err(error) => Info::Denied(error.kind()),
        })
    }

    /// Fails when anything that can be read of the secret is not as it was.
    pub(super) async fn unchanged(
        &self,
        step: &'static str,
        r: &SecretRef,
        before: &Snapshot,
    ) -> Verdict {
        self.let_changes_show().await;
        self.settle(move || {
            Box::pin(async move {
                match before.difference(&self.snapshot(r).await?) {
                    None => Ok(()),
                    Some(what) => Err(Stop::failed(step, "a refused call changes nothing", what)),
                }
            })
        })
        .await
    }
}
