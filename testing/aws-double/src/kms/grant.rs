//! Grants: what a key lets a principal do beside its policy.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::ask::Ask;
use super::key::{Key, Needs, set};
use super::spec::Usage;
use super::{State, input, refuse};
use crate::kms::input::Input;
use crate::service::Refusal;
use crate::{random, stamp};

/// A grant on a key.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) id: String,
    name: Option<String>,
    grantee: String,
    retiring: Option<String>,
    operations: Vec<String>,
    equals: BTreeMap<String, String>,
    subset: BTreeMap<String, String>,
    created: SystemTime,
    ended: Option<SystemTime>,
    issuing_account: String,
    pub(super) tokens: Vec<String>,
}

impl Grant {
    /// Whether the grant allows what is asked, now that it has spread (or not yet, but a token of it is shown; or it has ended,
    /// but that has not spread).
    pub(super) fn allows(&self, ask: &Ask<'_>, operation: &str, spread: Duration) -> bool {
        let shown = ask.tokens.iter().any(|token| self.tokens.iter().any(|own| own == token));
        let begun = shown || stamp::later(self.created, spread) <= ask.now;
        let ended = self.ended.is_some_and(|at| stamp::later(at, spread) <= ask.now);
        begun
            && !ended
            && is_principal(&self.grantee, ask)
            && self.operations.iter().any(|own| own == operation)
            && self.holds_for(ask.context)
    }

    /// The constraints: names of pairs without regard to case, values with (SDK: `GrantConstraints`). They do not touch
    /// operations that have no encryption context.
    fn holds_for(&self, context: Option<&BTreeMap<String, String>>) -> bool {
        let Some(context) = context else {
            return true;
        };
        let lower = |map: &BTreeMap<String, String>| -> BTreeMap<String, String> {
            map.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect()
        };
        let given = lower(context);
        (self.equals.is_empty() || lower(&self.equals) == given)
            && lower(&self.subset).iter().all(|(name, value)| given.get(name) == Some(value))
    }

    fn to_json(&self, key: &Key) -> Value {
        let mut entry = json!({
            "KeyId": key.arn,
            "GrantId": self.id,
            "Name": self.name.clone().unwrap_or_default(),
            "CreationDate": stamp::epoch(self.created),
            "GranteePrincipal": self.grantee,
            "IssuingAccount": format!("arn:aws:iam::{}:root", self.issuing_account),
            "Operations": self.operations,
        });
        if let Some(retiring) = &self.retiring {
            set(&mut entry, "RetiringPrincipal", json!(retiring));
        }
        let mut constraints = serde_json::Map::new();
        if !self.equals.is_empty() {
            constraints.insert("EncryptionContextEquals".to_owned(), json!(self.equals));
        }
        if !self.subset.is_empty() {
            constraints.insert("EncryptionContextSubset".to_owned(), json!(self.subset));
        }
        if !constraints.is_empty() {
            set(&mut entry, "Constraints", Value::Object(constraints));
        }
        entry
    }
}

/// The operations that a grant may name for a key of this usage (AWS KMS Developer Guide, "Grant operations").
fn grantable(usage: Usage) -> &'static [&'static str] {
    match usage {
        Usage::EncryptDecrypt => &[
            "CreateGrant",
            "Decrypt",
            "DescribeKey",
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyPair",
            "GenerateDataKeyPairWithoutPlaintext",
            "GenerateDataKeyWithoutPlaintext",
            "ReEncryptFrom",
            "ReEncryptTo",
            "RetireGrant",
        ],
        Usage::SignVerify => {
            &["CreateGrant", "DescribeKey", "GetPublicKey", "RetireGrant", "Sign", "Verify"]
        }
        Usage::GenerateVerifyMac => {
            &["CreateGrant", "DescribeKey", "GenerateMac", "RetireGrant", "VerifyMac"]
        }
    }
}

fn is_principal(named: &str, ask: &Ask<'_>) -> bool {
    named == ask.identity.principal
        || named == ask.identity.holder
        || (named.ends_with(":root") && named.split(':').nth(4) == Some(&ask.identity.account))
}

fn principal(input: Input<'_>, at: &str) -> Result<Option<String>, Refusal> {
    let Some(arn) = input.text(at)? else {
        return Ok(None);
    };
    let known = arn.starts_with("arn:aws") && arn.split(':').count() >= 6;
    if known {
        return Ok(Some(arn.to_owned()));
    }
    Err(refuse::bad_arn(arn))
}

/// `CreateGrant`.
pub(super) fn create(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let input = ask.input;
    let grantee = principal(input, "GranteePrincipal")?
        .ok_or_else(|| input::invalid("null", "GranteePrincipal", "Member must not be null"))?;
    let retiring = principal(input, "RetiringPrincipal")?;
    let operations: Vec<String> =
        input.list("Operations")?.into_iter().map(str::to_owned).collect();
    let name = input.text("Name")?.map(str::to_owned);
    let constraints = input.part("Constraints");
    let part = |at| constraints.map_or(Ok(BTreeMap::new()), |part| part.map(at));
    let (equals, subset) = (part("EncryptionContextEquals")?, part("EncryptionContextSubset")?);
    let arn = state.manageable(ask, "CreateGrant", Needs::Enabled)?;
    if ask.dry_run()? {
        return Err(refuse::dry_run());
    }
    let token =
        random::text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 120);
    let key = state.key_mut(&arn)?;
    let allowed = grantable(key.spec.usage());
    if operations.is_empty() || operations.iter().any(|op| !allowed.contains(&op.as_str())) {
        let text = "Keys of this usage do not support one of the operations of the grant.";
        return Err(Refusal::new("ValidationException", text));
    }
    if !(equals.is_empty() && subset.is_empty()) && key.spec.usage() != Usage::EncryptDecrypt {
        let text = "Encryption context constraints need a symmetric encryption key.";
        return Err(Refusal::new("ValidationException", text));
    }
    let same = |grant: &&mut Grant| {
        name.is_some()
            && grant.ended.is_none()
            && (&grant.name, &grant.grantee, &grant.retiring) == (&name, &grantee, &retiring)
            && (&grant.operations, &grant.equals, &grant.subset) == (&operations, &equals, &subset)
    };
    if let Some(grant) = key.grants.iter_mut().find(same) {
        grant.tokens.push(token.clone());
        return Ok(json!({ "GrantId": grant.id, "GrantToken": token }));
    }
    let id = super::material::hex(&random::bytes::<32>());
    key.grants.push(Grant {
        id: id.clone(),
        name,
        grantee,
        retiring,
        operations,
        equals,
        subset,
        created: ask.now,
        ended: None,
        issuing_account: ask.identity.account.clone(),
        tokens: vec![token.clone()],
    });
    Ok(json!({ "GrantId": id, "GrantToken": token }))
}

/// `ListGrants`.
pub(super) fn list(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let (id, grantee) = (ask.input.text("GrantId")?, ask.input.text("GranteePrincipal")?);
    let arn = state.manageable(ask, "ListGrants", Needs::Nothing)?;
    let key = state.key(&arn)?;
    let wanted = |grant: &&Grant| {
        grant.ended.is_none()
            && id.is_none_or(|id| grant.id == id)
            && grantee.is_none_or(|grantee| grant.grantee == grantee)
    };
    let entries = key.grants.iter().filter(wanted).map(|grant| grant.to_json(key)).collect();
    ask.page(entries, "Grants", 50, 100)
}

/// `ListRetirableGrants`: all that a principal may retire, of the keys of the caller's account and region.
pub(super) fn list_retirable(state: &State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let retiring = principal(ask.input, "RetiringPrincipal")?;
    let retiring = retiring
        .ok_or_else(|| input::invalid("null", "RetiringPrincipal", "Member must not be null"))?;
    super::alias::allowed(ask, "ListRetirableGrants", "*")?;
    let own = |key: &&Key| key.account == ask.identity.account && key.region == ask.region;
    let entries = state.keys.values().filter(own).flat_map(|key| {
        let wanted =
            |grant: &&Grant| grant.ended.is_none() && grant.retiring.as_ref() == Some(&retiring);
        key.grants.iter().filter(wanted).map(|grant| grant.to_json(key)).collect::<Vec<_>>()
    });
    ask.page(entries.collect(), "Grants", 50, 100)
}

/// `RevokeGrant`.
pub(super) fn revoke(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let id = ask.input.required("GrantId")?;
    let arn = state.manageable(ask, "RevokeGrant", Needs::Nothing)?;
    if ask.dry_run()? {
        return Err(refuse::dry_run());
    }
    end(state.key_mut(&arn)?, id, ask.now)
}

/// `RetireGrant`, by token or by key and id: for the retiring principal, the grantee if the grant says so, and the account that
/// made it (SDK: `RetireGrant`).
pub(super) fn retire(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let (arn, id) = match ask.input.text("GrantToken")? {
        Some(token) => state
            .keys
            .values()
            .find_map(|key| {
                let own = |grant: &&Grant| grant.tokens.iter().any(|own| own == token);
                let grant = key.grants.iter().find(own)?;
                Some((key.arn.clone(), grant.id.clone()))
            })
            .ok_or_else(refuse::invalid_token)?,
        None => {
            let id = ask.input.required("GrantId")?.to_owned();
            (state.find(ask, ask.input.required("KeyId")?, super::Accept::Keys)?, id)
        }
    };
    let key = state.key(&arn)?;
    let grant = key.grants.iter().find(|grant| grant.id == id && grant.ended.is_none());
    let grant = grant.ok_or_else(|| no_grant(&id))?;
    let by_grant = grant.retiring.as_ref().is_some_and(|retiring| is_principal(retiring, ask))
        || (grant.operations.iter().any(|own| own == "RetireGrant")
            && is_principal(&grant.grantee, ask));
    if !by_grant {
        state.authorize(ask, key, "RetireGrant")?;
    }
    if ask.dry_run()? {
        return Err(refuse::dry_run());
    }
    end(state.key_mut(&arn)?, &id, ask.now)
}

fn end(key: &mut Key, id: &str, now: SystemTime) -> Result<Value, Refusal> {
    let grant = key.grants.iter_mut().find(|grant| grant.id == id && grant.ended.is_none());
    grant.ok_or_else(|| no_grant(id))?.ended = Some(now);
    Ok(json!({}))
}

fn no_grant(id: &str) -> Refusal {
    Refusal::new("NotFoundException", format!("Grant ID {id} not found"))
}
