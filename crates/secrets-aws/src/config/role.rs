use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::place::{AccountId, Partition};

/// A role that is assumed, by whoever the service is until then.
///
/// ```
/// use secrets_aws::Role;
///
/// let role = Role::new("arn:aws:iam::123456789012:role/reader")
///     .with_external_id("billing-7")
///     .with_session_tag("team", "billing");
/// assert_eq!(role.session_name, "mainstay");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Role {
    /// The role.
    pub role_arn: String,
    /// What the other account wants to hear (no secret, says AWS).
    #[cfg_attr(feature = "serde", serde(default))]
    pub external_id: Option<String>,
    /// The name of the session, which CloudTrail shows; `mainstay` unless set.
    #[cfg_attr(feature = "serde", serde(default = "default_session_name"))]
    pub session_name: String,
    /// Tags of the session.
    #[cfg_attr(feature = "serde", serde(default))]
    pub session_tags: BTreeMap<String, String>,
    /// Keys of those tags that go on to the roles assumed from this one.
    #[cfg_attr(feature = "serde", serde(default))]
    pub transitive_tags: BTreeSet<String>,
    /// Who is behind the service; it stays for the whole chain.
    #[cfg_attr(feature = "serde", serde(default))]
    pub source_identity: Option<String>,
    /// How long the credentials last: 15 minutes to 12 hours, an hour at most in a chain.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "super::deserialize::optional_time")
    )]
    pub duration: Option<Duration>,
    /// A policy that narrows the role's, as JSON.
    #[cfg_attr(feature = "serde", serde(default))]
    pub policy: Option<String>,
    /// Managed policies that narrow it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub policy_arns: Vec<String>,
    /// The region whose STS is asked; that of the configuration unless set.
    #[cfg_attr(feature = "serde", serde(default))]
    pub sts_region: Option<String>,
}

pub(super) fn default_session_name() -> String {
    "mainstay".to_owned()
}

/// An hour: what AWS gives by default, and the most that a role assumed from a role may last.
const CHAINED: Duration = Duration::from_secs(3600);

impl Role {
    /// The role with this ARN.
    #[must_use]
    pub fn new(role_arn: impl Into<String>) -> Self {
        Self {
            role_arn: role_arn.into(),
            external_id: None,
            session_name: default_session_name(),
            session_tags: BTreeMap::new(),
            transitive_tags: BTreeSet::new(),
            source_identity: None,
            duration: None,
            policy: None,
            policy_arns: Vec::new(),
            sts_region: None,
        }
    }

    /// Sets the external id.
    #[must_use]
    pub fn with_external_id(mut self, id: impl Into<String>) -> Self {
        self.external_id = Some(id.into());
        self
    }

    /// Sets the name of the session.
    #[must_use]
    pub fn with_session_name(mut self, name: impl Into<String>) -> Self {
        self.session_name = name.into();
        self
    }

    /// Adds a tag of the session.
    #[must_use]
    pub fn with_session_tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.session_tags.insert(key.into(), value.into());
        self
    }

    /// Adds a tag of the session that goes on to the roles assumed from this one.
    #[must_use]
    pub fn with_transitive_tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let key = key.into();
        self.transitive_tags.insert(key.clone());
        self.with_session_tag(key, value)
    }

    /// Sets who is behind the service.
    #[must_use]
    pub fn with_source_identity(mut self, identity: impl Into<String>) -> Self {
        self.source_identity = Some(identity.into());
        self
    }

    /// Sets how long the credentials last.
    #[must_use]
    pub fn with_duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// Sets the policy that narrows the role's.
    #[must_use]
    pub fn with_policy(mut self, policy: impl Into<String>) -> Self {
        self.policy = Some(policy.into());
        self
    }

    /// Adds a managed policy that narrows the role's.
    #[must_use]
    pub fn with_policy_arn(mut self, arn: impl Into<String>) -> Self {
        self.policy_arns.push(arn.into());
        self
    }

    /// Sets the region whose STS is asked.
    #[must_use]
    pub fn with_sts_region(mut self, region: impl Into<String>) -> Self {
        self.sts_region = Some(region.into());
        self
    }

    /// The account that its ARN names.
    pub(super) fn account(&self) -> Option<&str> {
        self.role_arn.split(':').nth(4)
    }

    /// The limits are those of the API reference of STS (AssumeRole).
    fn problems(&self, partition: Option<Partition>) -> Vec<String> {
        let mut problems = role_problems(&self.role_arn, partition);
        let mut check = |holds: bool, problem: &str| {
            if !holds {
                problems.push(format!("the role `{}`: {problem}", self.role_arn));
            }
        };
        check(is_session_name(&self.session_name), SESSION_NAME);
        let is_external_id = |id: &String| is_made_of(id, 2..=1224, "_+=,.@:/-");
        check(
            self.external_id.as_ref().is_none_or(is_external_id),
            "its external id is not 2 to 1,224 letters, digits and `_+=,.@:/-`",
        );
        let is_source = |id: &String| is_session_name(id) && !id.starts_with("aws:");
        check(
            self.source_identity.as_ref().is_none_or(is_source),
            "its source identity is not 2 to 64 letters, digits and `_+=,.@-`",
        );
        let is_tag = |(key, value): (&String, &String)| {
            (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256
        };
        check(
            self.session_tags.len() <= 50 && self.session_tags.iter().all(is_tag),
            "a session has 50 tags at most, with keys of 1 to 128 and values of up to 256 characters",
        );
        let same_but_for_case = |key: &String| {
            let alike = self.session_tags.keys().filter(|other| other.eq_ignore_ascii_case(key));
            alike.count() > 1
        };
        check(
            !self.session_tags.keys().any(same_but_for_case),
            "two of its tags differ by case alone",
        );
        check(
            self.transitive_tags.iter().all(|key| self.session_tags.contains_key(key)),
            "a transitive tag is none of its session tags",
        );
        let whole = Duration::from_secs(15 * 60)..=Duration::from_secs(12 * 3600);
        check(
            self.duration.is_none_or(|time| whole.contains(&time)),
            "its duration is not between `15m` and `12h`",
        );
        let policies = self.policy.iter().chain(&self.policy_arns).map(|text| text.chars().count());
        check(policies.sum::<usize>() <= 2048, "its policies take more than 2,048 characters");
        check(self.policy.as_deref() != Some(""), "its policy is empty");
        check(self.policy_arns.len() <= 10, "it has more than 10 managed policies");
        let is_here = |region: &String| {
            Partition::of_region(region)
                .is_some_and(|found| partition.is_none_or(|own| own == found))
        };
        check(
            self.sts_region.as_ref().is_none_or(is_here),
            "its `sts_region` is no region of the partition",
        );
        problems
    }
}

/// What the first role of a chain is assumed from. AWS does not count the roles of instances and
/// containers
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// A role.
    Role,
    /// Anything else.
    Other,
}

/// What is wrong with roles that are assumed one from the other.
pub(super) fn chain_problems(
    chain: &[Role],
    from: From,
    partition: Option<Partition>,
) -> Vec<String> {
    let mut problems: Vec<String> =
        chain.iter().flat_map(|role| role.problems(partition)).collect();
    for role in chain.iter().skip(usize::from(from == From::Other)) {
        if role.duration.is_some_and(|time| time > CHAINED) {
            let role = &role.role_arn;
            problems
                .push(format!("the role `{role}`: assumed from a role it lasts an hour at most"));
        }
    }
    // AWS knows no such limit: a longer chain is a mistake, and each link costs a call.
    if chain.len() > 8 {
        problems.push("a chain has more than 8 roles".to_owned());
    }
    problems
}

/// What is wrong with the ARN of a role, and with a name of a session.
pub(super) fn web_identity_problems(
    role_arn: &str,
    session_name: &str,
    partition: Option<Partition>,
) -> Vec<String> {
    let mut problems = role_problems(role_arn, partition);
    if !is_session_name(session_name) {
        problems.push(format!("the role `{role_arn}`: {SESSION_NAME}"));
    }
    problems
}

const SESSION_NAME: &str = "its session name is not 2 to 64 letters, digits and `_+=,.@-`";

fn is_session_name(name: &str) -> bool {
    is_made_of(name, 2..=64, "_+=,.@-")
}

fn is_made_of(text: &str, lengths: std::ops::RangeInclusive<usize>, also: &str) -> bool {
    lengths.contains(&text.len())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || also.contains(letter))
}

fn role_problems(arn: &str, partition: Option<Partition>) -> Vec<String> {
    let refused = || vec![format!("`{arn}` is not the ARN of a role")];
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", of, "iam", "", account, resource] = parts.as_slice() else {
        return refused();
    };
    let is_named = resource.strip_prefix("role/").is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|letter| letter.is_ascii_graphic())
    });
    if !is_named || AccountId::new(account).is_err() || arn.len() > 2048 {
        return refused();
    }
    match (Partition::of_arn(of), partition) {
        (None, _) => vec![format!("`{arn}`: the partition `{of}` is not known")],
        (Some(found), Some(own)) if found != own => {
            vec![format!("`{arn}` lies in another partition than `{own}`")]
        }
        _ => Vec::new(),
    }
}
