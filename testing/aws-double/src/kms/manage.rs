//! Making, describing and ending keys; their policies and tags.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ask::Ask;
use super::key::{Key, KeyState, Manager, Needs, days};
use super::material::Material;
use super::spec::KeySpec;
use super::{Accept, State, alias, refuse};
use crate::policy::{Policy, Question, Verdict};
use crate::service::Refusal;
use crate::{random, stamp, world};

/// The longest key policy, in bytes (SDK: `PutKeyPolicy`).
const POLICY_BYTES: usize = 32_768;

/// A key that is to be, its material made.
pub(super) struct NewKey {
    spec: KeySpec,
    manager: Manager,
    external: bool,
    description: String,
    policy_text: String,
    policy: Policy,
    tags: BTreeMap<String, String>,
    material: Material,
}

impl NewKey {
    /// What `CreateKey` asks for.
    pub(super) fn read(ask: &Ask<'_>) -> Result<Self, Refusal> {
        let input = ask.input;
        let spec = input.text("KeySpec")?.or(input.text("CustomerMasterKeySpec")?);
        let spec = spec.unwrap_or("SYMMETRIC_DEFAULT");
        let spec = KeySpec::parse(spec).ok_or_else(|| {
            refuse::unsupported(&format!("The double has no keys of the spec {spec}."))
        })?;
        match input.text("KeyUsage")? {
            Some(usage) if usage != spec.usage().name() => {
                let text =
                    format!("KeyUsage {usage} is not compatible with KeySpec {}", spec.name());
                return Err(Refusal::new("ValidationException", text));
            }
            None if spec.usage() != super::spec::Usage::EncryptDecrypt => {
                let text = format!(
                    "You must specify a KeyUsage value for a key of the spec {}.",
                    spec.name()
                );
                return Err(Refusal::new("ValidationException", text));
            }
            _ => {}
        }
        if input.flag("MultiRegion")? {
            return Err(refuse::unsupported("The double has no multi-Region keys."));
        }
        let external = match input.text("Origin")? {
            None | Some("AWS_KMS") => false,
            Some("EXTERNAL") if spec == KeySpec::Symmetric => true,
            Some(origin) => {
                let text = format!("The double has no keys of the origin {origin}.");
                return Err(refuse::unsupported(&text));
            }
        };
        alias::allowed(ask, "CreateKey", "*")?;
        let policy_text = match input.text("Policy")? {
            Some(text) => text.to_owned(),
            None => default_policy(ask),
        };
        let policy = read_policy(ask, &policy_text)?;
        let material = if external {
            Material::Symmetric(Vec::new())
        } else {
            Material::generate(spec, ask.now)?
        };
        Ok(Self {
            spec,
            manager: Manager::Customer,
            external,
            description: input.text("Description")?.unwrap_or_default().to_owned(),
            policy_text,
            policy,
            tags: tags(ask)?,
            material,
        })
    }

    /// The key of an AWS service: its policy lets everyone of the account use it, but only through that service.
    pub(super) fn managed(ask: &Ask<'_>, service: &str) -> Result<Self, Refusal> {
        let account = &ask.identity.account;
        let policy_text = json!({
            "Version": "2012-10-17",
            "Id": format!("auto-{service}-2"),
            "Statement": [
                {
                    "Sid": format!("Allow access through {service} for all principals in the account"),
                    "Effect": "Allow",
                    "Principal": { "AWS": ["*"] },
                    "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:CreateGrant", "kms:DescribeKey", "kms:GenerateDataKey*"],
                    "Resource": "*",
                    "Condition": { "StringEquals": {
                        "kms:CallerAccount": account,
                        "kms:ViaService": format!("{service}.{}.amazonaws.com", ask.region),
                    } },
                },
                {
                    "Sid": "Allow direct access to key metadata to the account",
                    "Effect": "Allow",
                    "Principal": { "AWS": [root(ask)] },
                    "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
                    "Resource": "*",
                },
            ],
        })
        .to_string();
        let policy = Policy::parse(&policy_text).map_err(|why| refuse::malformed_policy(&why))?;
        Ok(Self {
            spec: KeySpec::Symmetric,
            manager: Manager::Aws,
            external: false,
            description: format!(
                "Default key that protects what {service} stores when no other key is defined"
            ),
            policy_text,
            policy,
            tags: BTreeMap::new(),
            material: Material::generate(KeySpec::Symmetric, ask.now)?,
        })
    }

    /// Puts the key among the others: its ARN.
    pub(super) fn add(self, state: &mut State, ask: &Ask<'_>) -> String {
        let id = random::uuid();
        let arn = ask.arn(&format!("key/{id}"));
        let key = Key {
            arn: arn.clone(),
            id,
            account: ask.identity.account.clone(),
            region: ask.region.to_owned(),
            spec: self.spec,
            manager: self.manager,
            external: self.external,
            created: ask.now,
            description: self.description,
            state: if self.external { KeyState::PendingImport } else { KeyState::Enabled },
            material: self.material,
            schedule: None,
            rotating_since: None,
            policy_text: self.policy_text,
            policy: self.policy,
            tags: self.tags,
            grants: Vec::new(),
        };
        state.keys.insert(arn.clone(), key);
        arn
    }

    /// The answer of `CreateKey`.
    pub(super) fn insert(self, state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let arn = self.add(state, ask);
        Ok(json!({ "KeyMetadata": state.key(&arn)?.metadata() }))
    }
}

fn root(ask: &Ask<'_>) -> String {
    format!("arn:{}:iam::{}:root", world::partition(ask.region), ask.identity.account)
}

/// The policy of a key that is made without one (Developer Guide, "Default key policy").
fn default_policy(ask: &Ask<'_>) -> String {
    json!({
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": { "AWS": root(ask) },
            "Action": "kms:*",
            "Resource": "*",
        }],
    })
    .to_string()
}

/// A key policy: a document of principals, not too long, and one that lets its author change it again, unless told otherwise.
fn read_policy(ask: &Ask<'_>, text: &str) -> Result<Policy, Refusal> {
    if text.len() > POLICY_BYTES {
        return Err(refuse::limit("The key policy exceeds the limit of 32 KB."));
    }
    let policy = Policy::parse(text).map_err(|why| refuse::malformed_policy(&why))?;
    if !policy.names_principals() {
        return Err(refuse::malformed_policy("Missing required field Principal"));
    }
    let context = ask.conditions();
    let may_change = policy.decide(&Question {
        account: &ask.identity.account,
        principal: &ask.identity.principal,
        holder: &ask.identity.holder,
        action: "kms:PutKeyPolicy",
        resource: "*",
        context: &context,
    });
    if may_change != Verdict::Allow && !ask.input.flag("BypassPolicyLockoutSafetyCheck")? {
        let text = "The new key policy will not allow you to update the key policy in the future.";
        return Err(refuse::malformed_policy(text));
    }
    Ok(policy)
}

/// `DescribeKey`.
pub(super) fn describe(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let reference = ask.input.required("KeyId")?;
    let arn = state.find(ask, reference, Accept::KeysAndAliases)?;
    let key = state.key(&arn)?;
    state.authorize(ask, key, "DescribeKey")?;
    Ok(json!({ "KeyMetadata": key.metadata() }))
}

/// `ListKeys`: those of the caller's account and region.
pub(super) fn list(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    alias::allowed(ask, "ListKeys", "*")?;
    let own = |key: &&Key| key.account == ask.identity.account && key.region == ask.region;
    let entry = |key: &Key| json!({ "KeyId": key.id, "KeyArn": key.arn });
    let entries = state.keys.values().filter(own).map(entry).collect();
    ask.page(entries, "Keys", 100, 1_000)
}

/// `EnableKey`.
pub(super) fn enable(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    switch(state, ask, "EnableKey", KeyState::Enabled)
}

/// `DisableKey`.
pub(super) fn disable(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    switch(state, ask, "DisableKey", KeyState::Disabled)
}

fn switch(state: &mut State, ask: &Ask<'_>, op: &str, to: KeyState) -> Result<Value, Refusal> {
    let arn = state.manageable(ask, op, Needs::NotPendingDeletion)?;
    let key = state.key_mut(&arn)?;
    if key.state == KeyState::PendingImport {
        return Err(refuse::invalid_state(&arn, "is pending import."));
    }
    key.state = to;
    Ok(json!({}))
}

/// `ScheduleKeyDeletion`: 7 to 30 days, 30 if none are given.
pub(super) fn schedule_deletion(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let window = ask.input.number("PendingWindowInDays", 7, 30)?.unwrap_or(30);
    let arn = state.manageable(ask, "ScheduleKeyDeletion", Needs::NotPendingDeletion)?;
    let at = stamp::later(ask.now, days(window));
    state.key_mut(&arn)?.state = KeyState::PendingDeletion { at };
    Ok(json!({
        "KeyId": arn,
        "DeletionDate": stamp::epoch(at),
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": window,
    }))
}

/// `CancelKeyDeletion`: the key is disabled then (SDK).
pub(super) fn cancel_deletion(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let arn = state.manageable(ask, "CancelKeyDeletion", Needs::Nothing)?;
    let key = state.key_mut(&arn)?;
    if !matches!(key.state, KeyState::PendingDeletion { .. }) {
        return Err(refuse::invalid_state(&arn, "is not pending deletion."));
    }
    key.state = KeyState::Disabled;
    Ok(json!({ "KeyId": arn }))
}

/// `UpdateKeyDescription`.
pub(super) fn update_description(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let description = ask.input.text("Description")?.unwrap_or_default().to_owned();
    let arn = state.manageable(ask, "UpdateKeyDescription", Needs::NotPendingDeletion)?;
    state.key_mut(&arn)?.description = description;
    Ok(json!({}))
}

fn only_default(ask: &Ask<'_>) -> Result<(), Refusal> {
    match ask.input.text("PolicyName")? {
        None | Some("default") => Ok(()),
        Some(name) => {
            let text = format!("No such policy exists: {name}");
            Err(Refusal::new("NotFoundException", text))
        }
    }
}

/// `GetKeyPolicy`.
pub(super) fn get_policy(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let arn = state.manageable(ask, "GetKeyPolicy", Needs::Nothing)?;
    only_default(ask)?;
    Ok(json!({ "Policy": state.key(&arn)?.policy_text, "PolicyName": "default" }))
}

/// `PutKeyPolicy`.
pub(super) fn put_policy(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let text = ask.input.required("Policy")?;
    let arn = state.manageable(ask, "PutKeyPolicy", Needs::Nothing)?;
    only_default(ask)?;
    let policy = read_policy(ask, text)?;
    let key = state.key_mut(&arn)?;
    if key.manager == Manager::Aws {
        return Err(refuse::unsupported(&format!("{arn} is managed by AWS.")));
    }
    key.policy_text = text.to_owned();
    key.policy = policy;
    Ok(json!({}))
}

/// `ListKeyPolicies`: the only name there is.
pub(super) fn list_policies(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    state.manageable(ask, "ListKeyPolicies", Needs::Nothing)?;
    Ok(json!({ "PolicyNames": ["default"], "Truncated": false }))
}

fn tags(ask: &Ask<'_>) -> Result<BTreeMap<String, String>, Refusal> {
    let mut tags = BTreeMap::new();
    for tag in ask.input.items("Tags")? {
        let (key, value) = (tag.required("TagKey")?, tag.text("TagValue")?.unwrap_or_default());
        if key.len() > 128 || value.len() > 256 || key.starts_with("aws:") {
            return Err(Refusal::new("TagException", "A tag is not valid."));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(Refusal::new("TagException", "Duplicate tag keys."));
        }
    }
    Ok(tags)
}

/// `TagResource`.
pub(super) fn tag(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let tags = tags(ask)?;
    let arn = state.manageable(ask, "TagResource", Needs::NotPendingDeletion)?;
    let key = state.key_mut(&arn)?;
    key.tags.extend(tags);
    Ok(json!({}))
}

/// `UntagResource`.
pub(super) fn untag(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let names = ask.input.list("TagKeys")?;
    let arn = state.manageable(ask, "UntagResource", Needs::NotPendingDeletion)?;
    state.key_mut(&arn)?.tags.retain(|name, _| !names.contains(&name.as_str()));
    Ok(json!({}))
}

/// `ListResourceTags`.
pub(super) fn list_tags(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let arn = state.manageable(ask, "ListResourceTags", Needs::Nothing)?;
    let tag = |(name, value): (&String, &String)| json!({ "TagKey": name, "TagValue": value });
    let entries = state.key(&arn)?.tags.iter().map(tag).collect();
    ask.page(entries, "Tags", 50, 50)
}
