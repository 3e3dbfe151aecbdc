//! Which version has which label: the rules of staging.

use std::time::{Duration, SystemTime};

use super::model::{CURRENT, PENDING, PREVIOUS, Payload, Secret, Version};
use crate::service::Refusal;

/// How many versions are kept beyond those of the last day (SDK doc of `PutSecretValue`).
const KEPT: usize = 100;
const YOUNG: Duration = Duration::from_secs(24 * 3_600);
/// Labels over all versions of a secret (User Guide, quotas).
const MOST_LABELS: usize = 20;

/// A version to be put.
#[derive(Debug)]
pub(super) struct NewVersion {
    /// The request's token is the version's id.
    pub(super) token: String,
    pub(super) payload: Option<Payload>,
    /// `None`: as the service chooses.
    pub(super) labels: Option<Vec<String>>,
    pub(super) at: SystemTime,
    /// How many versions there may be.
    pub(super) quota: usize,
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Payload(..)")
    }
}

impl Secret {
    /// Puts a version, or finds that it was put before: whether anything changed.
    ///
    /// # Errors
    ///
    /// `ResourceExistsException` if the token is that of a version with another value; `LimitExceededException` if there are
    /// too many versions that may not be removed.
    pub(super) fn put(&mut self, new: NewVersion) -> Result<bool, Refusal> {
        if let Some(known) = self.versions.iter_mut().find(|v| v.id == new.token) {
            if known.payload.is_some() {
                return if known.payload == new.payload {
                    Ok(false)
                } else {
                    Err(in_use(&new, &self.arn))
                };
            }
            // The version that a rotation has announced gets its value.
            known.payload = new.payload;
            known.key.clone_from(&self.key);
        } else {
            self.prune(new.at);
            if self.versions.len() >= new.quota {
                return Err(Refusal::new(
                    "LimitExceededException",
                    "You've reached the limit of versions for this secret.",
                ));
            }
            self.versions.push(Version {
                id: new.token.clone(),
                created: new.at,
                payload: new.payload,
                labels: Vec::new(),
                key: self.key.clone(),
            });
        }
        let mut labels = new.labels.unwrap_or_else(|| vec![CURRENT.to_owned()]);
        let first = self.labelled(CURRENT).is_none()
            && self.versions.iter().filter(|v| v.payload.is_some()).count() == 1;
        let has_value = self.version(&new.token).is_some_and(|v| v.payload.is_some());
        if first && has_value && !labels.iter().any(|l| l == CURRENT) {
            labels.push(CURRENT.to_owned());
        }
        for label in &labels {
            self.attach(label, &new.token);
        }
        self.check_labels()?;
        self.changed = new.at;
        Ok(true)
    }

    /// Moves a label, adds it or takes it away: `UpdateSecretVersionStage`.
    ///
    /// # Errors
    ///
    /// `InvalidParameterException` if the label is not where the caller believes; `ResourceNotFoundException` if there is no
    /// such version.
    pub(super) fn move_label(
        &mut self,
        label: &str,
        from: Option<&str>,
        to: Option<&str>,
        at: SystemTime,
    ) -> Result<(), Refusal> {
        let holder = self.labelled(label).map(|v| v.id.clone());
        for id in [from, to].into_iter().flatten() {
            if self.version(id).is_none() {
                return Err(Refusal::new(
                    "ResourceNotFoundException",
                    format!(
                        "Secrets Manager can't find the specified secret value for VersionId: {id}"
                    ),
                ));
            }
        }
        match (holder.as_deref(), from, to) {
            (_, None, None) => {
                return Err(parameter(
                    "You must specify at least one of RemoveFromVersionId and MoveToVersionId.",
                ));
            }
            (Some(holder), None, Some(to)) if holder != to => {
                return Err(parameter(format!(
                    "The parameter RemoveFromVersionId can't be empty. Staging label {label} is \
                     currently attached to version {holder}, so you must explicitly reference that \
                     version in RemoveFromVersionId."
                )));
            }
            (holder, Some(from), _) if holder != Some(from) => {
                return Err(parameter(format!(
                    "When you move staging label {label}, if you specify RemoveFromVersionId, it must \
                     be set to the version that currently has the staging label {label}."
                )));
            }
            (_, Some(_), None) if label == CURRENT => {
                return Err(parameter(format!(
                    "You can only move staging label {CURRENT} to a different secret version. It can’t \
                     be completely removed."
                )));
            }
            _ => {}
        }
        match to {
            Some(to) => {
                if label == CURRENT && self.version(to).is_some_and(|v| v.payload.is_none()) {
                    return Err(Refusal::new(
                        "InvalidRequestException",
                        format!("You can't attach {CURRENT} to a version without a secret value."),
                    ));
                }
                self.attach(label, to);
            }
            None => self.detach(label),
        }
        self.check_labels()?;
        self.changed = at;
        Ok(())
    }

    /// Attaches a label, which leaves any other version; where the current one is taken from becomes the previous one.
    fn attach(&mut self, label: &str, to: &str) {
        let before = self.labelled(label).map(|v| v.id.clone());
        if before.as_deref() == Some(to) {
            return;
        }
        self.detach(label);
        if let Some(version) = self.versions.iter_mut().find(|v| v.id == to) {
            version.labels.push(label.to_owned());
            version.labels.sort();
        }
        if let (CURRENT, Some(before)) = (label, before) {
            // A rotation that is over leaves its label at the current version; it goes when that version is the current one no more.
            if let Some(version) = self.versions.iter_mut().find(|v| v.id == before) {
                version.labels.retain(|l| l != PENDING);
            }
            self.attach(PREVIOUS, &before);
        }
    }

    fn detach(&mut self, label: &str) {
        for version in &mut self.versions {
            version.labels.retain(|l| l != label);
        }
    }

    /// Removes the oldest unlabelled versions beyond a hundred, but none of the last day.
    fn prune(&mut self, now: SystemTime) {
        while self.versions.len() >= KEPT {
            let outdated = self.versions.iter().position(|v| {
                v.labels.is_empty() && now.duration_since(v.created).is_ok_and(|age| age >= YOUNG)
            });
            let Some(index) = outdated else { return };
            self.versions.remove(index);
        }
    }

    fn check_labels(&self) -> Result<(), Refusal> {
        if self.versions.iter().map(|v| v.labels.len()).sum::<usize>() > MOST_LABELS {
            return Err(Refusal::new(
                "LimitExceededException",
                "You've reached the limit of staging labels for this secret.",
            ));
        }
        Ok(())
    }
}

fn in_use(new: &NewVersion, arn: &str) -> Refusal {
    Refusal::new(
        "ResourceExistsException",
        format!(
            "You can't use ClientRequestToken {} because that value is already in use for a version of \
             secret {arn}.",
            new.token
        ),
    )
}

fn parameter(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterException", message)
}
