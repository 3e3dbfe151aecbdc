use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use secrets_core::{
    Effect, Error, ErrorKind, GetOptions, Operation, Result, Secret, SecretRef, Stage,
    VersionSelector,
};

use crate::error::{Failure, send};
use crate::provider::SecretsManagerProvider;
use crate::provider::content::Content;
use crate::provider::labels;
use crate::provider::session::{Session, named, time};

/// A version id has so many characters (API reference, `VersionId`).
const ID_LEN: std::ops::RangeInclusive<usize> = 32..=64;

/// Which version `GetSecretValue` is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'a> {
    Label(&'static str),
    Version(&'a str),
}

impl SecretsManagerProvider {
    pub(super) async fn get(
        &self,
        reference: &SecretRef,
        options: &GetOptions,
        operation: Operation,
    ) -> Result<Secret> {
        let session = self.session(reference, operation)?;
        let wanted = match &options.version {
            VersionSelector::Current => Wanted::Label(labels::CURRENT),
            VersionSelector::Previous => Wanted::Label(labels::PREVIOUS),
            VersionSelector::Pending => Wanted::Label(labels::PENDING),
            VersionSelector::Id(id) if ID_LEN.contains(&id.as_str().len()) => {
                Wanted::Version(id.as_str())
            }
            VersionSelector::Id(_) => return Err(session.not_found("no such version")),
            _ => return Err(session.error(ErrorKind::Unsupported, "an unknown selector")),
        };
        let secret = session.value(wanted).await?;
        let waits = secret.version.stages.contains(Stage::Pending);
        if options.version == VersionSelector::Pending && !waits {
            return Err(session.not_found("no version is pending"));
        }
        Ok(secret)
    }
}

impl Session {
    /// Reads a version, and says why it cannot be read.
    pub(super) async fn value(&self, wanted: Wanted<'_>) -> Result<Secret> {
        match self.get_value(wanted).await {
            Ok(secret) => Ok(secret),
            Err(failure) => Err(self.explained(failure).await),
        }
    }

    /// `GetSecretValue`.
    pub(super) async fn get_value(&self, wanted: Wanted<'_>) -> Result<Secret, Failure> {
        let call = self.read("GetSecretValue");
        let request = self.client.get_secret_value().secret_id(self.id());
        let request = match wanted {
            // A read without a stage means AWSCURRENT to AWS, and something else to others.
            Wanted::Label(label) => request.version_stage(label),
            Wanted::Version(id) => request.version_id(id),
        };
        let output = send!(call, request)?;
        // Answers that got out of step, as those of a proxy can, are about another secret.
        let (name, arn) = (output.name(), output.arn());
        let is_named = name.is_some() || arn.is_some();
        if is_named && !self.target.is(name, arn) {
            return Err(call
                .own(ErrorKind::Integrity, "the answer is about another secret")
                .into());
        }
        let secret = secret(output)
            .map_err(|error| named(error, self.operation()).with_effect(Effect::NotApplied))?;
        match wanted {
            Wanted::Version(id) if secret.version.id.as_str() != id => {
                Err(call.own(ErrorKind::Integrity, "the answer is about another version").into())
            }
            _ => Ok(secret),
        }
    }

    /// `InvalidRequestException` stands for several states. Where its text tells none that is known,
    /// the description does.
    async fn explained(&self, failure: Failure) -> Error {
        if failure.code() == "InvalidRequestException"
            && failure.kind() == ErrorKind::Conflict
            && let Ok(described) = self.describe().await
            && described.0.deleted_date().is_some()
        {
            let message = "the secret is scheduled for deletion";
            return failure.told_as(ErrorKind::PendingDeletion, message);
        }
        match failure.code() {
            "ResourceNotFoundException" => {
                failure.told_as(ErrorKind::NotFound, self.target.absence_of_version())
            }
            _ => failure.into(),
        }
    }
}

fn secret(output: GetSecretValueOutput) -> Result<Secret> {
    let labels = output.version_stages.unwrap_or_default();
    let created = time(output.created_date.as_ref());
    let version = labels::version(output.version_id.as_deref(), &labels, created)?;
    let content = Content { text: output.secret_string, bytes: output.secret_binary };
    Ok(Secret::new(content.into_value()?, version))
}
