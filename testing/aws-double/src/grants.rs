//! What principals may do.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    identity::Identity,
    policy::{Policy, Question, Verdict},
    service::Refusal,
};

/// The policies of principals: what IAM attaches to users and roles.
///
/// A principal without a policy may do everything in its own account, and elsewhere what a resource's own policy allows.
/// Clones are the same table.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    policies: Arc<Mutex<HashMap<String, Policy>>>,
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Access<'a> {
    /// Such as `secretsmanager:GetSecretValue`.
    pub(crate) action: &'a str,
    /// The ARN, or what the caller named if there is none; empty for an action on no resource.
    pub(crate) resource: &'a str,
    /// The account that the resource is in.
    pub(crate) owner: &'a str,
    /// The resource's own policy.
    pub(crate) resource_policy: Option<&'a Policy>,
    /// Further condition keys, in lower case.
    pub(crate) context: &'a BTreeMap<String, String>,
}

impl Grants {
    /// Sets the policy of a user or role, by ARN. It takes effect at once.
    pub fn set(&self, principal: &str, policy: Policy) {
        self.policies().insert(principal.to_owned(), policy);
    }

    /// Takes the policy of a user or role away: it may do everything in its account again.
    pub fn clear(&self, principal: &str) {
        self.policies().remove(principal);
    }

    /// Whether the identity may, by the evaluation logic of IAM: a deny anywhere wins; within an account either policy may
    /// allow, across accounts both must; the policy of a session narrows what the identity's own allows.
    ///
    /// # Errors
    ///
    /// `AccessDeniedException` with AWS's text.
    pub(crate) fn check(&self, identity: &Identity, access: &Access<'_>) -> Result<(), Refusal> {
        let question = Question {
            account: &identity.account,
            principal: &identity.principal,
            holder: &identity.holder,
            action: access.action,
            resource: access.resource,
            context: access.context,
        };
        let own = self.policies().get(&identity.holder).cloned();
        let own = own.map_or(Verdict::Allow, |policy| policy.decide(&question));
        let session = identity.session_policy.as_ref().map(|policy| policy.decide(&question));
        let of_resource =
            access.resource_policy.map_or(Verdict::Silent, |policy| policy.decide(&question));
        let reason = if own == Verdict::Deny {
            Some("with an explicit deny in an identity-based policy".to_owned())
        } else if of_resource == Verdict::Deny {
            Some("with an explicit deny in a resource-based policy".to_owned())
        } else if session == Some(Verdict::Deny) {
            Some("with an explicit deny in a session policy".to_owned())
        } else if session == Some(Verdict::Silent) {
            Some(missing("session", access.action))
        } else {
            let foreign = identity.account != access.owner;
            let (own, of_resource) = (own == Verdict::Allow, of_resource == Verdict::Allow);
            match (own, of_resource) {
                (true, true) => None,
                (true, false) => foreign.then(|| missing("resource-based", access.action)),
                (false, true) => foreign.then(|| missing("identity-based", access.action)),
                (false, false) => Some(missing("identity-based", access.action)),
            }
        };
        reason.map_or(Ok(()), |reason| Err(denied(identity, access, &reason)))
    }

    fn policies(&self) -> MutexGuard<'_, HashMap<String, Policy>> {
        self.policies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn missing(kind: &str, action: &str) -> String {
    format!("because no {kind} policy allows the {action} action")
}

/// The text that AWS sends (seen in aws-cdk#31566, le-tf-infra-aws#874).
fn denied(identity: &Identity, access: &Access<'_>, reason: &str) -> Refusal {
    let on = if access.resource.is_empty() {
        String::new()
    } else {
        format!(" on resource: {}", access.resource)
    };
    Refusal::new(
        "AccessDeniedException",
        format!(
            "User: {} is not authorized to perform: {}{on} {reason}",
            identity.principal, access.action
        ),
    )
}
