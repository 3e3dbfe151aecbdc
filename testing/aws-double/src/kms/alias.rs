//! Aliases: names for keys, of an account and region.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::ask::Ask;
use super::key::{Key, Needs};
use super::{Accept, State, refuse};
use crate::grants::Access;
use crate::service::Refusal;
use crate::stamp;

/// The aliases that a key may have (AWS KMS quotas: "Aliases per KMS key").
const PER_KEY: usize = 50;

/// A name for a key.
#[derive(Debug, Clone)]
pub(super) struct Alias {
    /// The ARN of the key.
    pub(super) target: String,
    created: SystemTime,
    updated: SystemTime,
}

impl Alias {
    pub(super) fn new(target: String, now: SystemTime) -> Self {
        Self { target, created: now, updated: now }
    }
}

/// `CreateAlias`.
pub(super) fn create(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let arn = named(ask, "CreateAlias")?;
    let target = target(state, ask, "CreateAlias")?;
    if state.aliases.contains_key(&arn) {
        let text = format!("An alias with the name {arn} already exists");
        return Err(Refusal::new("AlreadyExistsException", text));
    }
    if state.aliases.values().filter(|alias| alias.target == target).count() >= PER_KEY {
        return Err(refuse::limit("The key has as many aliases as it may have."));
    }
    state.aliases.insert(arn, Alias::new(target, ask.now));
    Ok(json!({}))
}

/// `UpdateAlias`: the new key must be of the same kind and usage.
pub(super) fn update(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let arn = named(ask, "UpdateAlias")?;
    let target = target(state, ask, "UpdateAlias")?;
    let before = state.aliases.get(&arn).ok_or_else(|| refuse::no_alias(&arn))?.target.clone();
    let (old, new) = (state.key(&before)?, state.key(&target)?);
    state.authorize(ask, old, "UpdateAlias")?;
    if kind(old) != kind(new) {
        let text =
            "The current and the new key of an alias must be of the same type and key usage.";
        return Err(Refusal::new("ValidationException", text));
    }
    if let Some(alias) = state.aliases.get_mut(&arn) {
        alias.target = target;
        alias.updated = ask.now;
    }
    Ok(json!({}))
}

/// `DeleteAlias`.
pub(super) fn delete(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let arn = named(ask, "DeleteAlias")?;
    let target = state.aliases.get(&arn).ok_or_else(|| refuse::no_alias(&arn))?.target.clone();
    state.authorize(ask, state.key(&target)?, "DeleteAlias")?;
    state.aliases.remove(&arn);
    Ok(json!({}))
}

/// `ListAliases`: those of the caller's account and region, or of one key.
pub(super) fn list(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let key = match ask.input.text("KeyId")? {
        Some(reference) => Some(state.find(ask, reference, Accept::Keys)?),
        None => None,
    };
    allowed(ask, "ListAliases", "*")?;
    let own = ask.arn("alias/");
    let entries = state
        .aliases
        .iter()
        .filter(|(arn, alias)| {
            arn.starts_with(&own) && key.as_ref().is_none_or(|key| alias.target == *key)
        })
        .map(|(arn, alias)| {
            json!({
                "AliasName": arn.splitn(6, ':').nth(5),
                "AliasArn": arn,
                "TargetKeyId": alias.target.rsplit('/').next(),
                "CreationDate": stamp::epoch(alias.created),
                "LastUpdatedDate": stamp::epoch(alias.updated),
            })
        })
        .collect();
    ask.page(entries, "Aliases", 50, 100)
}

/// The ARN of the alias that `AliasName` names: `alias/` and letters, digits, `/`, `_`, `-`; never `alias/aws/…` (SDK:
/// `CreateAlias`).
fn named(ask: &Ask<'_>, op: &str) -> Result<String, Refusal> {
    let name = ask.input.required("AliasName")?;
    let invalid = |text: &str| Refusal::new("InvalidAliasNameException", text);
    let Some(rest) = name.strip_prefix("alias/") else {
        return Err(Refusal::new(
            "ValidationException",
            "Alias must start with the prefix \"alias/\". Please see http://docs.aws.amazon.com/kms/latest/developerguide/programming-aliases.html",
        ));
    };
    if rest.starts_with("aws/") {
        return Err(Refusal::new(
            "NotAuthorizedException",
            "Aliases that begin with `alias/aws/` are reserved for AWS.",
        ));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-');
    if rest.is_empty() || name.len() > 256 || !rest.chars().all(fits) {
        return Err(invalid("The specified alias name is not valid."));
    }
    let arn = ask.arn(name);
    allowed(ask, op, &arn)?;
    Ok(arn)
}

/// The key to be named: found, allowed, not on its way out.
fn target(state: &mut State, ask: &Ask<'_>, op: &str) -> Result<String, Refusal> {
    let reference = ask.input.required("TargetKeyId")?;
    let arn = state.find(ask, reference, Accept::Keys)?;
    let key = state.key(&arn)?;
    state.authorize(ask, key, op)?;
    key.is_ready(Needs::NotPendingDeletion, state.leaving)?;
    Ok(arn)
}

/// Aliases themselves have no policy: the caller's own decides.
pub(super) fn allowed(ask: &Ask<'_>, op: &str, resource: &str) -> Result<(), Refusal> {
    ask.world.grants.check(
        ask.identity,
        &Access {
            action: &format!("kms:{op}"),
            resource,
            owner: &ask.identity.account,
            resource_policy: None,
            context: &ask.conditions(),
        },
    )
}

fn kind(key: &Key) -> (&'static str, &'static str) {
    use super::spec::Usage;
    let kind = match key.spec.usage() {
        Usage::EncryptDecrypt => "symmetric",
        Usage::SignVerify => "asymmetric",
        Usage::GenerateVerifyMac => "hmac",
    };
    (kind, key.spec.usage().name())
}
