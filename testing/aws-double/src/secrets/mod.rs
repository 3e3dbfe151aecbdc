//! Secrets Manager. Every rule is in `RULES.md`, with its source and its test.

mod batch;
mod create;
mod delete;
mod describe;
mod filter;
mod input;
mod labels;
mod list;
mod model;
mod pages;
mod password;
mod policies;
mod replicas;
mod rotation;
mod store;
mod value;

use std::{
    collections::BTreeMap,
    future::ready,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use self::{
    input::Input,
    model::{Place, Secret},
    store::{Caller, Inner, SecretId, Store, View},
};
pub use self::{
    rotation::{RotationEvent, Rotations},
    store::Consistency,
};
use crate::{
    grants::Access,
    random,
    service::{Call, Refusal, Reply, Service},
    stamp,
    world::{Change, KeyRequest, KeyUse},
};

/// What a test may set about Secrets Manager before it starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) consistency: Consistency,
    /// How long a deletion takes once it is due.
    pub(crate) deletion_takes: Duration,
    /// How long a copy to another region takes.
    pub(crate) replication_takes: Duration,
    /// How many versions a secret may have.
    pub(crate) version_quota: usize,
    /// How many bytes of values an answer of `BatchGetSecretValue` may have.
    pub(crate) batch_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            consistency: Consistency::default(),
            deletion_takes: Duration::from_secs(2),
            replication_takes: Duration::from_secs(1),
            version_quota: 100,
            batch_bytes: 1024 * 1024,
        }
    }
}

/// Secrets Manager.
#[derive(Debug)]
pub(crate) struct SecretsManager {
    store: Store,
    settings: Settings,
    rotations: Rotations,
    /// What page tokens are sealed with.
    seal: [u8; 16],
}

/// An operation at work.
struct Op<'a> {
    service: &'a SecretsManager,
    call: &'a Call<'a>,
    input: Input<'a>,
}

impl SecretsManager {
    pub(crate) fn new(settings: Settings, rotations: Rotations) -> Self {
        Self { store: Store::default(), settings, rotations, seal: random::bytes() }
    }

    fn answer(&self, call: &Call<'_>) -> Result<Value, Refusal> {
        let op = Op { service: self, call, input: Input(call.input) };
        match call.operation {
            "BatchGetSecretValue" => op.batch_get_secret_value(),
            "CancelRotateSecret" => op.cancel_rotate_secret(),
            "CreateSecret" => op.create_secret(),
            "DeleteResourcePolicy" => op.delete_resource_policy(),
            "DeleteSecret" => op.delete_secret(),
            "DescribeSecret" => op.describe_secret(),
            "GetRandomPassword" => op.get_random_password(),
            "GetResourcePolicy" => op.get_resource_policy(),
            "GetSecretValue" => op.get_secret_value(),
            "ListSecretVersionIds" => op.list_secret_version_ids(),
            "ListSecrets" => op.list_secrets(),
            "PutResourcePolicy" => op.put_resource_policy(),
            "PutSecretValue" => op.put_secret_value(),
            "RemoveRegionsFromReplication" => op.remove_regions_from_replication(),
            "ReplicateSecretToRegions" => op.replicate_secret_to_regions(),
            "RestoreSecret" => op.restore_secret(),
            "RotateSecret" => op.rotate_secret(),
            "StopReplicationToReplica" => op.stop_replication_to_replica(),
            "TagResource" => op.tag_resource(),
            "UntagResource" => op.untag_resource(),
            "UpdateSecret" => op.update_secret(),
            "UpdateSecretVersionStage" => op.update_secret_version_stage(),
            "ValidateResourcePolicy" => op.validate_resource_policy(),
            _ => Err(Refusal::new("UnknownOperationException", "")),
        }
    }
}

impl Service for SecretsManager {
    fn call<'a>(&'a self, call: &'a Call<'a>) -> Reply<'a> {
        Box::pin(ready(self.answer(call)))
    }
}

impl Op<'_> {
    fn now(&self) -> SystemTime {
        self.call.now
    }

    fn caller(&self) -> Caller<'_> {
        Caller { account: self.call.account, region: self.call.region, now: self.call.now }
    }

    /// The state that reads of one secret see.
    fn read_view(&self) -> View {
        self.view(self.service.settings.consistency.reads)
    }

    /// The state that lists see.
    fn list_view(&self) -> View {
        self.view(self.service.settings.consistency.lists)
    }

    fn view(&self, delay: Duration) -> View {
        // Not the newest even without a delay: that may be a copy on its way to this region.
        View::AsOf(stamp::earlier(self.now(), delay.max(self.call.stale)))
    }

    /// The secret that the input names as `SecretId`, if the caller may do this with it.
    fn open(&self, inner: &Inner, view: View) -> Result<Arc<Secret>, Refusal> {
        let id = self.input.required("SecretId")?;
        self.open_as(inner, id, view, self.call.operation, &BTreeMap::new())
    }

    /// The secret of this name, if the caller may do this with it. Permission is asked before existence.
    fn open_as(
        &self,
        inner: &Inner,
        id: &str,
        view: View,
        action: &str,
        more: &BTreeMap<String, String>,
    ) -> Result<Arc<Secret>, Refusal> {
        let parsed = SecretId::parse(id)?;
        let owner = parsed.account().unwrap_or(self.call.account);
        let secret = inner.find(&parsed, &self.caller(), view);
        let mut context = secret.as_deref().map(Secret::context).unwrap_or_default();
        context.extend(more.clone());
        self.authorize(action, secret.as_deref(), id, owner, &context)?;
        secret.ok_or_else(|| {
            Refusal::new(
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret.",
            )
        })
    }

    /// Whether the caller may do this with a secret, or with what it named if there is none.
    fn authorize(
        &self,
        action: &str,
        secret: Option<&Secret>,
        named: &str,
        owner: &str,
        context: &BTreeMap<String, String>,
    ) -> Result<(), Refusal> {
        let Some(identity) = self.call.identity else { return Ok(()) };
        let action = format!("secretsmanager:{action}");
        self.call.world.grants.check(
            identity,
            &Access {
                action: &action,
                resource: secret.map_or(named, |s| s.arn.as_str()),
                owner,
                resource_policy: secret.and_then(|s| s.policy.as_ref()).map(|p| &p.policy),
                context,
            },
        )
    }

    /// Whether the caller may do what concerns no secret in particular.
    fn authorize_alone(&self, action: &str) -> Result<(), Refusal> {
        self.authorize(action, None, "", self.call.account, &BTreeMap::new())
    }

    /// Whether the caller may use this key for a version of a secret.
    fn authorize_key(
        &self,
        key: Option<&str>,
        secret: &Secret,
        version: &str,
        purpose: KeyUse,
    ) -> Result<(), Refusal> {
        let Some(identity) = self.call.identity else { return Ok(()) };
        let Some(key) = key.filter(|k| !k.ends_with("alias/aws/secretsmanager")) else {
            // The key that AWS manages is for its own account alone.
            let foreign = secret.place.account != self.call.account;
            return if foreign { Err(no_key()) } else { Ok(()) };
        };
        let context = BTreeMap::from([
            ("SecretARN".to_owned(), secret.arn.clone()),
            ("SecretVersionId".to_owned(), version.to_owned()),
        ]);
        let request = KeyRequest {
            key,
            purpose,
            identity,
            service: "secretsmanager",
            context: &context,
            region: self.call.region,
            now: self.now(),
        };
        self.call.world.authorize_key(&request).map_err(|refusal| {
            if refusal.code == "AccessDeniedException" {
                return no_key();
            }
            match purpose {
                KeyUse::Encrypt => Refusal::new(
                    "EncryptionFailure",
                    "Secrets Manager can't encrypt the protected secret text using the provided KMS \
                     key. Check that the customer master key (CMK) is available, enabled, and not in an \
                     invalid state.",
                ),
                KeyUse::Decrypt => Refusal::new(
                    "DecryptionFailure",
                    "Secrets Manager can't decrypt the protected secret text using the provided KMS \
                     key.",
                ),
            }
        })
    }

    /// Changes the secret that the input names, which must not be a replica: permission, state, the change, the commit.
    fn change<T>(
        &self,
        change: impl FnOnce(&Self, &mut Inner, &mut Secret) -> Result<T, Refusal>,
    ) -> Result<(T, Secret), Refusal> {
        self.change_any(|op, inner, secret| {
            secret.check_primary()?;
            change(op, inner, secret)
        })
    }

    /// The same for a replica too.
    fn change_any<T>(
        &self,
        change: impl FnOnce(&Self, &mut Inner, &mut Secret) -> Result<T, Refusal>,
    ) -> Result<(T, Secret), Refusal> {
        let mut inner = self.service.store.lock();
        let secret = self.open(&inner, View::Newest)?;
        secret.check_live()?;
        let mut changed = Secret::clone(&secret);
        let out = change(self, &mut inner, &mut changed)?;
        self.commit(&mut inner, &changed);
        drop(inner);
        Ok((out, changed))
    }

    /// Commits a secret, and the copies that follow it.
    fn commit(&self, inner: &mut Inner, secret: &Secret) {
        inner.commit(&secret.place, Some(secret.clone()), self.now());
        for replica in secret.replicas.iter().filter(|r| r.synced.is_some()) {
            self.copy(inner, secret, replica);
        }
    }

    /// Tells of a change that this call has made.
    fn tell(&self, secret: &Secret, details: &[(&str, Value)]) {
        // CloudTrail shows these and never values; the rest of a request is of no use to who listens.
        const SHOWN: [&str; 8] = [
            "secretId",
            "name",
            "clientRequestToken",
            "versionStage",
            "versionStages",
            "moveToVersionId",
            "removeFromVersionId",
            "recoveryWindowInDays",
        ];
        let fields = self.call.input.as_object().into_iter().flatten();
        let request = fields
            .map(|(name, value)| (lower_first(name), value.clone()))
            .filter(|(name, _)| SHOWN.contains(&name.as_str()))
            .collect();
        self.tell_as(self.call.operation, Teller::Caller, secret, request, details);
    }

    /// Tells of what the service did by itself.
    fn tell_of_service(&self, name: &str, secret: &Secret, details: &[(&str, Value)]) {
        self.tell_as(name, Teller::Service, secret, BTreeMap::new(), details);
    }

    fn tell_as(
        &self,
        name: &str,
        by: Teller<'_>,
        secret: &Secret,
        request: BTreeMap<String, Value>,
        details: &[(&str, Value)],
    ) {
        let mut details: BTreeMap<String, Value> =
            details.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        details.insert("arn".to_owned(), json!(secret.arn));
        let (principal, request_id) = match by {
            Teller::Caller | Teller::Service => {
                (self.call.principal.to_owned(), self.call.request_id.to_owned())
            }
            // A call of its own, with a role of its own.
            Teller::Function(function) => (role_of(function), random::uuid()),
        };
        self.call.world.tell(&Change {
            source: "secretsmanager",
            name: name.to_owned(),
            by_service: matches!(by, Teller::Service),
            resource: secret.arn.clone(),
            request,
            details,
            account: secret.place.account.clone(),
            region: secret.place.region.clone(),
            principal,
            request_id,
            at: self.now(),
        });
    }

    /// Where the caller's own secret of this name is.
    fn place(&self, name: &str) -> Place {
        Place {
            account: self.call.account.to_owned(),
            region: self.call.region.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// Who does what is told.
#[derive(Debug, Clone, Copy)]
enum Teller<'a> {
    /// Whoever called.
    Caller,
    /// The service by itself.
    Service,
    /// The function of a rotation, by its ARN.
    Function(&'a str),
}

/// The role that a function calls as: one of its own name, in its own account.
fn role_of(function: &str) -> String {
    let mut parts = function.split(':').skip(1);
    let partition = parts.next().unwrap_or("aws");
    let (account, name) = (parts.nth(2).unwrap_or_default(), parts.nth(1).unwrap_or_default());
    format!("arn:{partition}:sts::{account}:assumed-role/{name}/{name}")
}

/// ARN and name, with which most answers begin.
fn named(secret: &Secret) -> Value {
    json!({ "ARN": secret.arn, "Name": secret.place.name })
}

/// Puts a field into an answer if there is something to put.
fn put(answer: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let (Some(fields), Some(value)) = (answer.as_object_mut(), value) {
        fields.insert(name.to_owned(), value.into());
    }
}

fn no_key() -> Refusal {
    Refusal::new("AccessDeniedException", "Access to KMS is not allowed")
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|c| c.to_ascii_lowercase()).into_iter().chain(letters).collect()
}
