//! Reading and writing values, and moving labels.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    Op,
    input::constraint,
    labels::NewVersion,
    model::{CURRENT, Payload, Secret, Version},
    named, put,
    store::{Inner, View},
};
use crate::{service::Refusal, stamp, world::KeyUse};

impl Op<'_> {
    pub(super) fn get_secret_value(&self) -> Result<Value, Refusal> {
        let id = self.input.required("SecretId")?;
        let version = self.input.text("VersionId")?;
        let stage = self.input.text("VersionStage")?;
        let mut inner = self.service.store.lock();
        self.read(&mut inner, id, version, stage, self.read_view())
    }

    /// A value as `GetSecretValue` gives it.
    pub(super) fn read(
        &self,
        inner: &mut Inner,
        id: &str,
        version: Option<&str>,
        stage: Option<&str>,
        view: View,
    ) -> Result<Value, Refusal> {
        let asked = stage.unwrap_or(CURRENT).to_owned();
        let context = BTreeMap::from([("secretsmanager:versionstage".to_owned(), asked)]);
        let secret = self.open_as(inner, id, view, "GetSecretValue", &context)?;
        secret.check_live()?;
        let version = pick(&secret, version, stage)?;
        let key = version.key.as_deref();
        self.authorize_key(key, &secret, &version.id, KeyUse::Decrypt)?;
        let answer = value(&secret, version);
        inner.touch(&secret.arn, &version.id, self.now());
        Ok(answer)
    }

    pub(super) fn put_secret_value(&self) -> Result<Value, Refusal> {
        let token = self.input.token()?;
        let payload = self.input.payload()?.ok_or_else(|| {
            Refusal::new(
                "InvalidRequestException",
                "You must provide either SecretString or SecretBinary.",
            )
        })?;
        let labels = self.input.texts("VersionStages", 20)?;
        let labels: Option<Vec<String>> =
            labels.map(|l| l.into_iter().map(str::to_owned).collect());
        for label in labels.iter().flatten() {
            check_label(label)?;
        }
        let ((changed, rotated), secret) = self.change(|op, _, secret| {
            op.authorize_key(secret.key.as_deref(), secret, token, KeyUse::Encrypt)?;
            let changed = secret.put(NewVersion {
                token: token.to_owned(),
                payload: Some(payload),
                labels,
                at: op.now(),
                quota: op.service.settings.version_quota,
            })?;
            Ok((changed, changed && secret.note_rotation(token, op.now())))
        })?;
        if changed {
            self.tell(&secret, &[("versionId", json!(token))]);
        }
        self.tell_if_rotated(&secret, rotated, token);
        let mut answer = named(&secret);
        put(&mut answer, "VersionId", Some(token));
        put(&mut answer, "VersionStages", secret.version(token).map(|v| json!(v.labels)));
        Ok(answer)
    }

    pub(super) fn update_secret_version_stage(&self) -> Result<Value, Refusal> {
        let label = self.input.required("VersionStage")?;
        check_label(label)?;
        let from = self.input.text("RemoveFromVersionId")?;
        let to = self.input.text("MoveToVersionId")?;
        let (rotated, secret) = self.change(|op, _, secret| {
            secret.move_label(label, from, to, op.now())?;
            let promoted = to.filter(|_| label == CURRENT);
            Ok(promoted.is_some_and(|to| secret.note_rotation(to, op.now())))
        })?;
        self.tell(&secret, &[]);
        self.tell_if_rotated(&secret, rotated, to.unwrap_or_default());
        Ok(named(&secret))
    }
}

fn pick<'a>(
    secret: &'a Secret,
    id: Option<&str>,
    stage: Option<&str>,
) -> Result<&'a Version, Refusal> {
    let missing = |what: String| {
        Refusal::new(
            "ResourceNotFoundException",
            format!("Secrets Manager can't find the specified secret value for {what}"),
        )
    };
    let found = match (id, stage) {
        (Some(id), stage) => {
            let version = secret.version(id).ok_or_else(|| missing(format!("VersionId: {id}")))?;
            if stage.is_some_and(|label| !version.has(label)) {
                return Err(Refusal::new(
                    "InvalidRequestException",
                    "You provided a VersionStage that is not associated to the provided VersionId.",
                ));
            }
            version
        }
        (None, stage) => {
            let label = stage.unwrap_or(CURRENT);
            secret.labelled(label).ok_or_else(|| missing(format!("staging label: {label}")))?
        }
    };
    if found.payload.is_none() {
        let what = match (id, stage) {
            (Some(id), _) => format!("VersionId: {id}"),
            (None, label) => format!("staging label: {}", label.unwrap_or(CURRENT)),
        };
        return Err(missing(what));
    }
    Ok(found)
}

fn value(secret: &Secret, version: &Version) -> Value {
    let mut answer = named(secret);
    put(&mut answer, "VersionId", Some(version.id.as_str()));
    match &version.payload {
        Some(Payload::Text(text)) => put(&mut answer, "SecretString", Some(text.as_str())),
        Some(Payload::Binary(bytes)) => {
            put(&mut answer, "SecretBinary", Some(BASE64_STANDARD.encode(bytes)));
        }
        None => {}
    }
    let labels = (!version.labels.is_empty()).then(|| json!(version.labels));
    put(&mut answer, "VersionStages", labels);
    put(&mut answer, "CreatedDate", Some(stamp::epoch(version.created)));
    answer
}

fn check_label(label: &str) -> Result<(), Refusal> {
    if label.is_empty() || label.len() > 256 {
        return Err(constraint(
            "VersionStage",
            "Member must have length less than or equal to 256",
        ));
    }
    Ok(())
}
