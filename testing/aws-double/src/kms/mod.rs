//! KMS: keys with real cryptography, their states, rotations, aliases, policies and grants.

mod alias;
mod ask;
mod blob;
mod encrypt;
mod grant;
pub(crate) mod input;
mod key;
mod manage;
mod material;
mod refuse;
mod rotation;
mod sign;
mod spec;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use serde_json::Value;

use self::alias::Alias;
use self::ask::Ask;
pub use self::key::LeavingKey;
use self::key::{Key, KeyState, Needs};
use self::spec::Usage;
use crate::grants::Access;
use crate::policy::{Policy, Question, Verdict};
use crate::random;
use crate::service::{Call, Refusal, Reply, Service};
use crate::world::{KeyAccess, KeyRequest, KeyUse, World};

/// The KMS of a double: what tests turn on it. Operations come over HTTP.
///
/// Clones are the same KMS.
#[derive(Clone)]
pub struct Kms {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Over the ciphertexts of all keys, so that no byte of one can be changed unnoticed.
    seal: hmac::Key,
}

/// All keys and aliases, of all accounts and regions.
struct State {
    keys: BTreeMap<String, Key>,
    aliases: BTreeMap<String, Alias>,
    grants_spread: Duration,
    rotation_takes: Duration,
    leaving: LeavingKey,
}

/// What an operation takes for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accept {
    /// Its id or ARN.
    Keys,
    /// An alias or alias ARN as well.
    KeysAndAliases,
}

/// Operations that act on keys of other accounts too (SDK: "Cross-account use: Yes").
const ACROSS_ACCOUNTS: [&str; 18] = [
    "CreateGrant",
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GetKeyRotationStatus",
    "GetPublicKey",
    "ListGrants",
    "ReEncrypt",
    "ReEncryptFrom",
    "ReEncryptTo",
    "RetireGrant",
    "RevokeGrant",
    "Sign",
    "Verify",
    "VerifyMac",
];

impl Kms {
    /// How long grants take to spread: five minutes of the double's clock ("usually less than five minutes", SDK:
    /// `CreateGrant`). A grant token makes one usable at once.
    pub const GRANTS_SPREAD: Duration = Duration::from_secs(300);

    pub(crate) fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    keys: BTreeMap::new(),
                    aliases: BTreeMap::new(),
                    grants_spread: Self::GRANTS_SPREAD,
                    rotation_takes: Duration::ZERO,
                    leaving: LeavingKey::default(),
                }),
                seal: hmac::Key::new(hmac::HMAC_SHA256, &random::bytes::<32>()),
            }),
        }
    }

    /// Sets how long a new grant, and the end of one, take to be seen, by the double's clock.
    pub fn set_grants_spread(&self, takes: Duration) {
        self.state().grants_spread = takes;
    }

    /// Sets how long a rotation on demand takes, by the double's clock: meanwhile another one is `ConflictException`. None at
    /// all unless set.
    pub fn set_rotation_takes(&self, takes: Duration) {
        self.state().rotation_takes = takes;
    }

    /// Sets how the use of keys that are pending deletion is refused.
    pub fn set_leaving_key(&self, how: LeavingKey) {
        self.state().leaving = how;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, call: &Call<'_>) -> Result<Value, Refusal> {
        let ask = Ask::new(call)?;
        // RSA keys take their time: made before the lock is held.
        let fresh = match call.operation {
            "CreateKey" => Some(manage::NewKey::read(&ask)?),
            _ => None,
        };
        let mut state = self.state();
        state.settle(ask.now)?;
        if let Some(fresh) = fresh {
            return fresh.insert(&mut state, &ask);
        }
        state.carry_out(call.operation, &ask, &self.shared.seal)
    }
}

impl fmt::Debug for Kms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Kms")
            .field("keys", &state.keys.len())
            .field("aliases", &state.aliases.len())
            .finish_non_exhaustive()
    }
}

impl Service for Kms {
    fn call<'a>(&'a self, call: &'a Call<'a>) -> Reply<'a> {
        Box::pin(std::future::ready(self.answer(call)))
    }
}

/// Other services ask for their callers: a secret under a key may be read by whoever may use both.
impl KeyAccess for Kms {
    fn authorize(&self, world: &World, request: &KeyRequest<'_>) -> Result<(), Refusal> {
        let nothing = Value::Null;
        let ask = Ask {
            input: input::Input(&nothing),
            identity: request.identity,
            world,
            region: request.region,
            now: request.now,
            tokens: Vec::new(),
            context: Some(request.context),
            via: Some(request.service),
        };
        let op = match request.purpose {
            KeyUse::Encrypt => "GenerateDataKey",
            KeyUse::Decrypt => "Decrypt",
        };
        let mut state = self.state();
        state.settle(ask.now)?;
        state.usable(&ask, op, request.key)?.is_for(Usage::EncryptDecrypt, op)
    }
}

impl State {
    fn carry_out(&mut self, op: &str, ask: &Ask<'_>, seal: &hmac::Key) -> Result<Value, Refusal> {
        let known = |token: &str| self.keys.values().any(|key| key.has_token(token));
        if !ask.tokens.iter().all(|token| known(token)) {
            return Err(refuse::invalid_token());
        }
        match op {
            "DescribeKey" => manage::describe(self, ask),
            "ListKeys" => manage::list(self, ask),
            "EnableKey" => manage::enable(self, ask),
            "DisableKey" => manage::disable(self, ask),
            "ScheduleKeyDeletion" => manage::schedule_deletion(self, ask),
            "CancelKeyDeletion" => manage::cancel_deletion(self, ask),
            "UpdateKeyDescription" => manage::update_description(self, ask),
            "GetKeyPolicy" => manage::get_policy(self, ask),
            "PutKeyPolicy" => manage::put_policy(self, ask),
            "ListKeyPolicies" => manage::list_policies(self, ask),
            "TagResource" => manage::tag(self, ask),
            "UntagResource" => manage::untag(self, ask),
            "ListResourceTags" => manage::list_tags(self, ask),
            "CreateAlias" => alias::create(self, ask),
            "UpdateAlias" => alias::update(self, ask),
            "DeleteAlias" => alias::delete(self, ask),
            "ListAliases" => alias::list(self, ask),
            "EnableKeyRotation" => rotation::enable(self, ask),
            "DisableKeyRotation" => rotation::disable(self, ask),
            "GetKeyRotationStatus" => rotation::status(self, ask),
            "RotateKeyOnDemand" => rotation::on_demand(self, ask),
            "ListKeyRotations" => rotation::list(self, ask),
            "CreateGrant" => grant::create(self, ask),
            "ListGrants" => grant::list(self, ask),
            "ListRetirableGrants" => grant::list_retirable(self, ask),
            "RevokeGrant" => grant::revoke(self, ask),
            "RetireGrant" => grant::retire(self, ask),
            "Encrypt" => encrypt::encrypt(self, ask, seal),
            "Decrypt" => encrypt::decrypt(self, ask, seal),
            "ReEncrypt" => encrypt::re_encrypt(self, ask, seal),
            "GenerateDataKey" => encrypt::data_key(self, ask, seal),
            "GenerateDataKeyWithoutPlaintext" => encrypt::data_key_sealed(self, ask, seal),
            "GenerateRandom" => encrypt::random(ask),
            "Sign" => sign::sign(self, ask),
            "Verify" => sign::verify(self, ask),
            "GetPublicKey" => sign::public_key(self, ask),
            "GenerateMac" => sign::mac(self, ask),
            "VerifyMac" => sign::verify_mac(self, ask),
            _ => Err(Refusal::new("UnknownOperationException", "")),
        }
    }

    /// Lets happen what is due: deletions, and rotations.
    fn settle(&mut self, now: SystemTime) -> Result<(), Refusal> {
        self.keys
            .retain(|_, key| !matches!(key.state, KeyState::PendingDeletion { at } if at <= now));
        let keys = &self.keys;
        self.aliases.retain(|_, alias| keys.contains_key(&alias.target));
        for key in self.keys.values_mut() {
            key.rotate_if_due(now, self.rotation_takes)?;
        }
        Ok(())
    }

    fn key(&self, arn: &str) -> Result<&Key, Refusal> {
        self.keys.get(arn).ok_or_else(|| refuse::no_key(arn))
    }

    fn key_mut(&mut self, arn: &str) -> Result<&mut Key, Refusal> {
        self.keys.get_mut(arn).ok_or_else(|| refuse::no_key(arn))
    }

    /// The ARN of the key that a reference names: an id, a key ARN, an alias, an alias ARN.
    fn find(&mut self, ask: &Ask<'_>, reference: &str, accept: Accept) -> Result<String, Refusal> {
        let arn = if reference.starts_with("arn:") {
            own_region(ask, reference)?;
            reference.to_owned()
        } else if reference.starts_with("alias/") {
            ask.arn(reference)
        } else if is_key_id(reference) {
            ask.arn(&format!("key/{reference}"))
        } else {
            return Err(refuse::bad_id(reference));
        };
        let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
        if resource.starts_with("key/") {
            return self.key(&arn).map(|key| key.arn.clone()).map_err(|missing| {
                let own = arn.split(':').nth(4) == Some(&ask.identity.account);
                if own { missing } else { refuse::foreign_key(&ask.identity.principal, &arn) }
            });
        }
        match (resource.strip_prefix("alias/"), accept) {
            (Some(_), Accept::Keys) => Err(refuse::bad_id(reference)),
            (Some(name), Accept::KeysAndAliases) => {
                if let Some(service) = name.strip_prefix("aws/") {
                    self.provide_managed(ask, &arn, service)?;
                }
                let alias = self.aliases.get(&arn).ok_or_else(|| refuse::no_alias(&arn))?;
                Ok(alias.target.clone())
            }
            (None, _) => Err(refuse::bad_arn(reference)),
        }
    }

    /// The key of an AWS service comes to be when it is first asked for (SDK: `DescribeKey`).
    fn provide_managed(
        &mut self,
        ask: &Ask<'_>,
        alias: &str,
        service: &str,
    ) -> Result<(), Refusal> {
        let own = alias.split(':').nth(4) == Some(&ask.identity.account);
        if !own || self.aliases.contains_key(alias) {
            return Ok(());
        }
        let arn = manage::NewKey::managed(ask, service)?.add(self, ask);
        self.aliases.insert(alias.to_owned(), Alias::new(arn, ask.now));
        Ok(())
    }

    /// The key that `KeyId` names, for managing it: found, allowed, in a state for it.
    fn manageable(&mut self, ask: &Ask<'_>, op: &str, needs: Needs) -> Result<String, Refusal> {
        let reference = ask.input.required("KeyId")?;
        let arn = self.find(ask, reference, Accept::Keys)?;
        let key = self.key(&arn)?;
        self.authorize(ask, key, op)?;
        key.is_ready(needs, self.leaving)?;
        Ok(arn)
    }

    /// The key that a reference names, for using it.
    fn usable(&mut self, ask: &Ask<'_>, op: &str, reference: &str) -> Result<&Key, Refusal> {
        let arn = self.find(ask, reference, Accept::KeysAndAliases)?;
        let key = self.key(&arn)?;
        self.authorize(ask, key, op)?;
        key.is_ready(Needs::Enabled, self.leaving)?;
        Ok(key)
    }

    /// Whether the caller may. The key policy speaks first: by naming the principal it allows alone; by naming the account it
    /// leaves it to the account's policies. A grant allows too. What is denied anywhere stays denied (Developer Guide,
    /// "Troubleshooting AWS KMS permissions").
    fn authorize(&self, ask: &Ask<'_>, key: &Key, op: &str) -> Result<(), Refusal> {
        let context = ask.conditions();
        let action = format!("kms:{op}");
        let identity = ask.identity;
        let foreign = identity.account != key.account;
        if foreign && !ACROSS_ACCOUNTS.contains(&op) {
            return Err(ask.denied(op, &key.arn));
        }
        let question = Question {
            account: &identity.account,
            principal: &identity.principal,
            holder: &identity.holder,
            action: &action,
            resource: &key.arn,
            context: &context,
        };
        let policy = key.policy.decide(&question);
        let by_name = key.policy.decide(&Question { account: "", ..question });
        if policy == Verdict::Deny {
            return Err(Refusal::new(
                "AccessDeniedException",
                format!(
                    "User: {} is not authorized to perform: {action} on resource: {} with an explicit deny in a \
                     resource-based policy",
                    identity.principal, key.arn
                ),
            ));
        }
        let everything = Policy::new().allow(&["*"], &["*"]);
        let check = |resource_policy| {
            let access = Access {
                action: &action,
                resource: &key.arn,
                owner: &identity.account,
                resource_policy,
                context: &context,
            };
            ask.world.grants.check(identity, &access)
        };
        let granted = key.grants.iter().any(|grant| grant.allows(ask, op, self.grants_spread));
        if granted || (by_name == Verdict::Allow && !foreign) {
            // Only what denies outright, or the session's own policy, still counts.
            return check(Some(&everything));
        }
        match policy {
            Verdict::Allow => check(None),
            _ => Err(ask.denied(op, &key.arn)),
        }
    }
}

/// An ARN must be of KMS, and of this region: KMS answers for no other one.
fn own_region(ask: &Ask<'_>, arn: &str) -> Result<(), Refusal> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, "kms", region, account, resource]
            if partition.starts_with("aws") && account.len() == 12 && !resource.is_empty() =>
        {
            if *region == ask.region {
                return Ok(());
            }
            Err(Refusal::new("NotFoundException", format!("Invalid arn {region}")))
        }
        _ => Err(refuse::bad_arn(arn)),
    }
}

/// A UUID, or the id of a multi-Region key.
fn is_key_id(text: &str) -> bool {
    let uuid = |text: &str| {
        let parts: Vec<usize> = text.split('-').map(str::len).collect();
        parts == [8, 4, 4, 4, 12] && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
    };
    let multi = |rest: &str| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit());
    uuid(text) || text.strip_prefix("mrk-").is_some_and(multi)
}
