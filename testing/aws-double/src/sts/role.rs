//! Roles and who may assume them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::policy::Policy;

/// A role that principals may assume.
///
/// ```
/// use std::time::Duration;
///
/// use aws_double::Role;
///
/// let role = Role::new("deployer")
///     .trusting("arn:aws:iam::111122223333:root")
///     .external_id("from-the-contract")
///     .max_session(Duration::from_secs(4 * 3_600));
/// assert_eq!(role.arn("111122223333"), "arn:aws:iam::111122223333:role/deployer");
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Role {
    name: String,
    statements: Vec<Value>,
    external_id: Option<String>,
    pub(super) max_session: Duration,
}

impl Role {
    /// A role of this name (with its path, if it has one: `ops/deployer`) that no one may assume yet.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            statements: Vec::new(),
            external_id: None,
            max_session: Duration::from_secs(3_600),
        }
    }

    /// Lets a principal assume the role and tag its sessions: a user, a role, an account by its root or its 12 digits.
    pub fn trusting(self, principal: &str) -> Self {
        self.statement(json!({
            "Effect": "Allow",
            "Principal": { "AWS": principal },
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        }))
    }

    /// Lets those assume the role whom an issuer of the role's account vouches for, with this `sub`.
    pub fn trusting_tokens(self, account: &str, issuer: &str, subject: &str) -> Self {
        let host = super::issuer::host(issuer);
        self.statement(json!({
            "Effect": "Allow",
            "Principal": { "Federated": super::issuer::provider_arn(account, issuer) },
            "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
            "Condition": { "StringEquals": { format!("{host}:sub"): subject } },
        }))
    }

    /// Adds a statement of the trust policy, as IAM writes it.
    pub fn statement(mut self, statement: Value) -> Self {
        self.statements.push(statement);
        self
    }

    /// Asks for this external id of all but web identities, whatever else a statement asks for.
    pub fn external_id(self, id: &str) -> Self {
        Self { external_id: Some(id.to_owned()), ..self }
    }

    /// How long sessions may last: an hour unless set, 12 at most (SDK: `AssumeRole`).
    pub fn max_session(self, most: Duration) -> Self {
        Self { max_session: most, ..self }
    }

    /// Its ARN in an account of the partition `aws`.
    #[must_use]
    pub fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:role/{}", self.name)
    }

    /// The name without its path, as it stands in the ARNs of sessions.
    pub(super) fn short_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// The trust policy.
    pub(super) fn trust(&self) -> Result<Policy, String> {
        let with_id = |statement: &Value| {
            let mut statement = statement.clone();
            let by_aws = statement.pointer("/Principal/AWS").is_some();
            if let (true, Some(id), Some(fields)) =
                (by_aws, &self.external_id, statement.as_object_mut())
            {
                let condition = fields.entry("Condition").or_insert_with(|| json!({}));
                let condition = condition.as_object_mut().map(|all| all.entry("StringEquals"));
                let equals = condition.map(|entry| entry.or_insert_with(|| json!({})));
                if let Some(equals) = equals.and_then(Value::as_object_mut) {
                    equals.insert("sts:ExternalId".to_owned(), json!(id));
                }
            }
            statement
        };
        let statements: Vec<Value> = self.statements.iter().map(with_id).collect();
        Policy::parse(&json!({ "Version": "2012-10-17", "Statement": statements }).to_string())
    }
}

/// The roles of a double, and how their sessions begin.
///
/// Clones are the same table.
#[derive(Debug, Clone, Default)]
pub struct Roles {
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    roles: BTreeMap<String, Role>,
    valid_after: Duration,
}

impl Roles {
    /// Puts a role into an account: its ARN. What the role may do is for [`Grants`](crate::Grants) to say; everything in its own
    /// account if they say nothing.
    pub fn add(&self, account: &str, role: Role) -> String {
        let arn = role.arn(account);
        self.table().roles.insert(arn.clone(), role);
        arn
    }

    /// Takes a role away. Sessions of it live on.
    pub fn remove(&self, arn: &str) {
        self.table().roles.remove(arn);
    }

    /// Lets credentials issued from now on be valid only after a while, by the double's clock: until then they are unknown, as
    /// they are on AWS before they have spread. None unless set.
    pub fn set_valid_after(&self, after: Duration) {
        self.table().valid_after = after;
    }

    pub(super) fn find(&self, arn: &str) -> Option<Role> {
        self.table().roles.get(arn).cloned()
    }

    pub(super) fn valid_after(&self) -> Duration {
        self.table().valid_after
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
