//! STS: roles assumed by principals and by web identity tokens. What it issues goes into the double's table of identities.

mod issuer;
mod request;
mod role;
mod token;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::digest;
use serde_json::{Value, json};

pub use self::issuer::{Issuer, IssuerState, Issuers};
use self::request::{Wanted, external_id, text};
pub use self::role::{Role, Roles};
use crate::grants::Access;
use crate::identity::{Credentials, Session};
use crate::policy::{Policy, Question, Verdict};
use crate::service::{Call, Refusal, Reply, Service};
use crate::stamp;
use crate::world::World;

/// The longest web identity token, in characters (SDK: `AssumeRoleWithWebIdentity`).
const TOKEN: usize = 20_000;

/// STS, the query protocol's `2011-06-15`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sts {
    pub(crate) roles: Roles,
    pub(crate) issuers: Issuers,
}

impl Service for Sts {
    fn call<'a>(&'a self, call: &'a Call<'a>) -> Reply<'a> {
        let answer = match call.operation {
            "AssumeRole" => self.assume(call),
            "AssumeRoleWithWebIdentity" => self.assume_by_token(call),
            "GetCallerIdentity" => caller(call),
            other => Err(Refusal::new(
                "InvalidAction",
                format!("Could not find operation {other} for version 2011-06-15"),
            )),
        };
        Box::pin(std::future::ready(answer))
    }

    fn is_unsigned(&self, operation: &str) -> bool {
        operation == "AssumeRoleWithWebIdentity"
    }
}

impl Sts {
    /// `AssumeRole`. A role that is not there is refused like one that may not be assumed.
    fn assume(&self, call: &Call<'_>) -> Result<Value, Refusal> {
        let wanted = Wanted::read(call.input)?;
        let external = external_id(call.input)?;
        if call.principal.ends_with(":root") {
            return Err(denied("Roles may not be assumed by root accounts.".to_owned()));
        }
        if text(call.input, "TokenCode").is_some() {
            let text = "MultiFactorAuthentication failed with invalid MFA one time pass code.";
            return Err(denied(text.to_owned()));
        }
        let mut context = conditions(&wanted);
        if let Some(id) = external {
            context.insert("sts:externalid".to_owned(), id.to_owned());
        }
        let role = self.roles.find(&wanted.role);
        for action in actions("sts:AssumeRole", &wanted) {
            let trusted = role.as_ref().is_some_and(|role| trusts(role, call, action, &context));
            if !trusted {
                return Err(denied(format!(
                    "User: {} is not authorized to perform: {action} on resource: {}",
                    call.principal, wanted.role
                )));
            }
        }
        let most = role.as_ref().map_or(Duration::ZERO, |role| role.max_session);
        let lasting = wanted.lasting(most, call.principal.contains(":assumed-role/"))?;
        let name = role.as_ref().map_or("", Role::short_name);
        Ok(self.issue(call, &wanted, name, lasting))
    }

    /// `AssumeRoleWithWebIdentity`, without a signature: the token is the credential.
    fn assume_by_token(&self, call: &Call<'_>) -> Result<Value, Refusal> {
        let wanted = Wanted::read(call.input)?;
        let token = text(call.input, "WebIdentityToken").unwrap_or_default();
        if token.len() < 4 || token.len() > TOKEN {
            return Err(request::invalid(format!(
                "1 validation error detected: Value at 'webIdentityToken' failed to satisfy constraint: Member must \
                 have length between 4 and {TOKEN}"
            )));
        }
        let account = wanted.role.split(':').nth(4).unwrap_or_default();
        let verified = token::verify(token, account, &self.issuers, call.now)?;
        let host = issuer::host(&verified.issuer).to_lowercase();
        let mut context = conditions(&wanted);
        context.insert(format!("{host}:sub"), verified.subject.clone());
        context.insert(format!("{host}:aud"), verified.audience.clone());
        let role = self.roles.find(&wanted.role);
        for action in actions("sts:AssumeRoleWithWebIdentity", &wanted) {
            let question = Question {
                account: "",
                principal: &verified.provider.arn,
                holder: &verified.provider.arn,
                action,
                resource: &wanted.role,
                context: &context,
            };
            let trusted = role.as_ref().and_then(|role| role.trust().ok());
            if trusted.is_none_or(|trust| trust.decide(&question) != Verdict::Allow) {
                return Err(denied(format!("Not authorized to perform {action}")));
            }
        }
        let most = role.as_ref().map_or(Duration::ZERO, |role| role.max_session);
        let lasting = wanted.lasting(most, false)?;
        let name = role.as_ref().map_or("", Role::short_name);
        let mut answer = self.issue(call, &wanted, name, lasting);
        if let Some(fields) = answer.as_object_mut() {
            fields.insert("SubjectFromWebIdentityToken".to_owned(), json!(verified.subject));
            fields.insert("Audience".to_owned(), json!(verified.audience));
            fields.insert("Provider".to_owned(), json!(verified.issuer));
        }
        Ok(answer)
    }

    fn issue(&self, call: &Call<'_>, wanted: &Wanted, role: &str, lasting: Duration) -> Value {
        let account = wanted.role.split(':').nth(4).unwrap_or_default();
        let partition = wanted.role.split(':').nth(1).unwrap_or("aws");
        let arn = format!("arn:{partition}:sts::{account}:assumed-role/{role}/{}", wanted.session);
        let after = self.roles.valid_after();
        let credentials = call.world.identities.issue(Session {
            account: account.to_owned(),
            principal: arn.clone(),
            holder: wanted.role.clone(),
            session_policy: wanted.policy.clone(),
            not_before: (!after.is_zero()).then(|| stamp::later(call.now, after)),
            expires: stamp::later(call.now, lasting),
        });
        let mut answer = json!({
            "Credentials": document(&credentials, &stamp::iso(stamp::later(call.now, lasting))),
            "AssumedRoleUser": {
                "AssumedRoleId": format!("{}:{}", unique_id("AROA", &wanted.role), wanted.session),
                "Arn": arn,
            },
        });
        if let Some(fields) = answer.as_object_mut() {
            if wanted.packed > 0 {
                fields.insert("PackedPolicySize".to_owned(), json!(wanted.packed));
            }
            if let Some(source) = &wanted.source_identity {
                fields.insert("SourceIdentity".to_owned(), json!(source));
            }
        }
        answer
    }
}

/// Session credentials of a role for a service that assumes it by itself, as the addresses of instances and containers hand
/// them out.
pub(crate) fn session_of(
    world: &World,
    role: &str,
    session: &str,
    lasting: Duration,
) -> Credentials {
    let partition = role.split(':').nth(1).unwrap_or("aws");
    let account = role.split(':').nth(4).unwrap_or_default();
    let name = role.rsplit('/').next().unwrap_or_default();
    world.identities.issue(Session {
        account: account.to_owned(),
        principal: format!("arn:{partition}:sts::{account}:assumed-role/{name}/{session}"),
        holder: role.to_owned(),
        session_policy: None,
        not_before: None,
        expires: stamp::later(world.clock.now(), lasting),
    })
}

/// `GetCallerIdentity`: anyone may ask, whatever policies say (SDK).
fn caller(call: &Call<'_>) -> Result<Value, Refusal> {
    let identity =
        call.identity.ok_or_else(|| denied("Request is missing a signature".to_owned()))?;
    let id = match identity.principal.split_once(":assumed-role/") {
        Some((_, rest)) => {
            let session = rest.rsplit('/').next().unwrap_or_default();
            format!("{}:{session}", unique_id("AROA", &identity.holder))
        }
        None => unique_id("AIDA", &identity.principal),
    };
    Ok(json!({ "UserId": id, "Account": identity.account, "Arn": identity.principal }))
}

fn document(credentials: &Credentials, expires: &str) -> Value {
    json!({
        "AccessKeyId": credentials.access_key(),
        "SecretAccessKey": credentials.secret_key(),
        "SessionToken": credentials.session_token(),
        "Expiration": expires,
    })
}

/// The actions that a request needs: tags and a source identity are actions of their own.
fn actions<'a>(first: &'a str, wanted: &Wanted) -> Vec<&'a str> {
    let mut actions = vec![first];
    if !wanted.tags.is_empty() {
        actions.push("sts:TagSession");
    }
    if wanted.source_identity.is_some() {
        actions.push("sts:SetSourceIdentity");
    }
    actions
}

fn conditions(wanted: &Wanted) -> BTreeMap<String, String> {
    let mut context = BTreeMap::new();
    context.insert("sts:rolesessionname".to_owned(), wanted.session.clone());
    for (key, value) in &wanted.tags {
        context.insert(format!("aws:requesttag/{}", key.to_lowercase()), value.clone());
    }
    context
}

/// The trust policy must allow; by naming the caller it does so alone within the account, else the caller's own policies must
/// allow as well (IAM User Guide, "Policy evaluation logic").
fn trusts(role: &Role, call: &Call<'_>, action: &str, context: &BTreeMap<String, String>) -> bool {
    let (Ok(trust), Some(identity)) = (role.trust(), call.identity) else {
        return false;
    };
    let resource = text(call.input, "RoleArn").unwrap_or_default();
    let question = Question {
        account: &identity.account,
        principal: &identity.principal,
        holder: &identity.holder,
        action,
        resource,
        context,
    };
    if trust.decide(&question) != Verdict::Allow {
        return false;
    }
    let by_name = trust.decide(&Question { account: "", ..question }) == Verdict::Allow;
    let own_account = resource.split(':').nth(4) == Some(&identity.account);
    let everything = Policy::new().allow(&["*"], &["*"]);
    let access = Access {
        action,
        resource,
        owner: &identity.account,
        resource_policy: (by_name && own_account).then_some(&everything),
        context,
    };
    call.world.grants.check(identity, &access).is_ok()
}

fn denied(message: String) -> Refusal {
    Refusal::new("AccessDenied", message).with_status(403)
}

/// An id of AWS's shape that is the same for the same ARN.
fn unique_id(prefix: &str, arn: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let hash = digest::digest(&digest::SHA256, arn.as_bytes());
    let letters = hash.as_ref().iter().take(17).filter_map(|byte| {
        ALPHABET.get(usize::from(*byte) % ALPHABET.len()).map(|letter| char::from(*letter))
    });
    prefix.chars().chain(letters).collect()
}
