//! Creating and updating secrets.

use serde_json::Value;

use super::{
    Op,
    input::{Input, constraint},
    labels::NewVersion,
    model::{CURRENT, PENDING, PREVIOUS, Place, Secret, arn},
    named, put, replicas,
    store::{View, check_name},
};
use crate::{random, service::Refusal, world::KeyUse};

const MOST_TAGS: usize = 50;
const LONGEST_DESCRIPTION: usize = 2_048;

impl Op<'_> {
    pub(super) fn create_secret(&self) -> Result<Value, Refusal> {
        let name = self.input.required("Name")?;
        check_name(name)?;
        let token = self.input.token()?;
        let payload = self.input.payload()?;
        let description = description(self.input)?;
        let tags = self.input.tags()?;
        check_tags(tags.as_deref().unwrap_or_default())?;
        let copies = replicas::requested(self.input)?;
        let place = self.place(name);
        self.authorize_creation(name, tags.is_some(), !copies.is_empty())?;
        let mut inner = self.service.store.lock();
        if let Some(existing) = inner.get(&place, self.now(), View::Newest) {
            return existing_answer(&existing, token, payload.as_ref());
        }
        let mut secret = self.blank(place)?;
        secret.description = description;
        secret.tags = tags;
        if payload.is_some() {
            self.authorize_key(secret.key.as_deref(), &secret, token, KeyUse::Encrypt)?;
            secret.put(NewVersion {
                token: token.to_owned(),
                payload,
                labels: None,
                at: self.now(),
                quota: self.service.settings.version_quota,
            })?;
        }
        self.replicate(&mut inner, &mut secret, copies)?;
        self.commit(&mut inner, &secret);
        drop(inner);
        self.tell(&secret, &[]);
        Ok(created(&secret, secret.version(token).map(|v| v.id.as_str()), self.now()))
    }

    pub(super) fn update_secret(&self) -> Result<Value, Refusal> {
        let token = self.input.token()?;
        let payload = self.input.payload()?;
        let description = description(self.input)?;
        let key = self.input.text("KmsKeyId")?;
        let has_value = payload.is_some();
        let ((), secret) = self.change_any(|op, inner, secret| {
            if has_value || description.is_some() {
                secret.check_primary()?;
            }
            if has_value && secret.version(token).is_some() {
                return Err(Refusal::new(
                    "ResourceExistsException",
                    format!(
                        "You can't use ClientRequestToken {token} because that value is already in use \
                         for a version of secret {}.",
                        secret.arn
                    ),
                ));
            }
            if let Some(description) = description {
                secret.description = Some(description);
            }
            if let Some(key) = key {
                op.authorize_key(Some(key), secret, token, KeyUse::Encrypt)?;
                re_encrypt(secret, key);
                op.note_replica_key(inner, secret);
            }
            if has_value {
                op.authorize_key(secret.key.as_deref(), secret, token, KeyUse::Encrypt)?;
                secret.put(NewVersion {
                    token: token.to_owned(),
                    payload,
                    labels: None,
                    at: op.now(),
                    quota: op.service.settings.version_quota,
                })?;
            }
            secret.changed = op.now();
            Ok(())
        })?;
        let version = has_value.then(|| ("versionId", Value::from(token)));
        self.tell(&secret, version.as_slice());
        let mut answer = named(&secret);
        put(&mut answer, "VersionId", has_value.then_some(token));
        Ok(answer)
    }

    fn authorize_creation(&self, name: &str, tags: bool, copies: bool) -> Result<(), Refusal> {
        // IAM sees the ARN that is to be, without its six characters.
        let resource = arn(&self.place(name), "??????");
        let more = [(tags, "TagResource"), (copies, "ReplicateSecretToRegions")];
        let actions = more.iter().filter(|(on, _)| *on).map(|(_, action)| *action);
        for action in std::iter::once("CreateSecret").chain(actions) {
            self.authorize(action, None, &resource, self.call.account, &Default::default())
                .map_err(|mut refusal| {
                    refusal.message = refusal.message.replace(&resource, name);
                    refusal
                })?;
        }
        Ok(())
    }

    /// A secret without a version.
    fn blank(&self, place: Place) -> Result<Secret, Refusal> {
        const SUFFIX: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        Ok(Secret {
            arn: arn(&place, &random::text(SUFFIX, 6)),
            place,
            description: None,
            key: self.input.text("KmsKeyId")?.map(str::to_owned),
            kind: self.input.text("Type")?.map(str::to_owned),
            tags: None,
            created: self.now(),
            changed: self.now(),
            deletion: None,
            versions: Vec::new(),
            policy: None,
            rotation: None,
            replicas: Vec::new(),
            primary: None,
        })
    }
}

/// What creating a secret that is there already answers.
fn existing_answer(
    existing: &Secret,
    token: &str,
    payload: Option<&super::model::Payload>,
) -> Result<Value, Refusal> {
    if existing.deletion.is_some() {
        return Err(Refusal::new(
            "InvalidRequestException",
            "You can't create this secret because a secret with this name is already scheduled for \
             deletion.",
        ));
    }
    match existing.version(token) {
        Some(version) if version.payload.as_ref() == payload => {
            Ok(created(existing, Some(token), existing.created))
        }
        Some(_) => Err(Refusal::new(
            "ResourceExistsException",
            format!(
                "You can't use ClientRequestToken {token} because that value is already in use for a \
                 version of secret {}.",
                existing.arn
            ),
        )),
        None => Err(Refusal::new(
            "ResourceExistsException",
            format!(
                "The operation failed because the secret {} already exists.",
                existing.place.name
            ),
        )),
    }
}

fn created(secret: &Secret, version: Option<&str>, now: std::time::SystemTime) -> Value {
    let mut answer = named(secret);
    put(&mut answer, "VersionId", version);
    let copies = replicas::status(secret, now);
    put(&mut answer, "ReplicationStatus", (!secret.replicas.is_empty()).then_some(copies));
    answer
}

/// The new key, for the versions that have one of the three labels and for all to come.
fn re_encrypt(secret: &mut Secret, key: &str) {
    secret.key = Some(key.to_owned());
    for version in &mut secret.versions {
        if [CURRENT, PENDING, PREVIOUS].iter().any(|l| version.has(l)) {
            version.key = Some(key.to_owned());
        }
    }
}

fn description(input: Input<'_>) -> Result<Option<String>, Refusal> {
    let text = input.text("Description")?;
    if text.is_some_and(|t| t.len() > LONGEST_DESCRIPTION) {
        return Err(constraint(
            "Description",
            &format!("Member must have length less than or equal to {LONGEST_DESCRIPTION}"),
        ));
    }
    Ok(text.map(str::to_owned))
}

pub(super) fn check_tags(tags: &[(String, String)]) -> Result<(), Refusal> {
    if tags.len() > MOST_TAGS {
        return Err(Refusal::new(
            "InvalidParameterException",
            format!("A secret can have at most {MOST_TAGS} tags."),
        ));
    }
    Ok(())
}
