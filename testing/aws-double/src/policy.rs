//! Policies: what IAM, a secret, a key or a role says of who may do what.
//!
//! The part of the policy language that decides about an account, a principal, an action and a resource. Conditions are read
//! for `StringEquals`, `StringLike` and their negations over `aws:PrincipalArn`, `aws:PrincipalAccount` and whatever a service
//! puts in; a statement with any other operator never applies, except that a denying one always does.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A policy, as a JSON document or built here.
///
/// ```
/// use aws_double::Policy;
///
/// let reader = Policy::new()
///     .allow(&["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"], &["*"])
///     .deny(&["secretsmanager:GetSecretValue"], &["arn:aws:secretsmanager:*:*:secret:root/*"]);
/// assert!(reader.to_string().contains("Deny"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Policy {
    statements: Vec<Statement>,
}

#[derive(Debug, Clone)]
struct Statement {
    deny: bool,
    /// `None`: of whoever the policy is attached to.
    principals: Option<Matches>,
    actions: Matches,
    /// `None`: of whatever the policy is attached to.
    resources: Option<Matches>,
    conditions: Vec<Condition>,
}

/// Patterns, or all but what they match.
#[derive(Debug, Clone)]
struct Matches {
    patterns: Vec<String>,
    negated: bool,
}

#[derive(Debug, Clone)]
struct Condition {
    operator: String,
    key: String,
    values: Vec<String>,
}

/// What a policy is asked.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// The caller's account.
    pub(crate) account: &'a str,
    /// The caller.
    pub(crate) principal: &'a str,
    /// What the caller's policies hang on: itself or its role.
    pub(crate) holder: &'a str,
    /// Such as `secretsmanager:GetSecretValue`.
    pub(crate) action: &'a str,
    /// The ARN.
    pub(crate) resource: &'a str,
    /// Further condition keys, in lower case.
    pub(crate) context: &'a BTreeMap<String, String>,
}

/// What a policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A statement denies: nothing else counts.
    Deny,
    /// A statement allows and none denies.
    Allow,
    /// No statement applies.
    Silent,
}

impl Policy {
    /// One that says nothing, so that everything is denied.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows actions (`service:Operation`, with `*` and `?`) on resources (ARNs, with `*` and `?`).
    #[must_use]
    pub fn allow(self, actions: &[&str], resources: &[&str]) -> Self {
        self.with(false, actions, resources)
    }

    /// Denies actions on resources, whatever else allows them.
    #[must_use]
    pub fn deny(self, actions: &[&str], resources: &[&str]) -> Self {
        self.with(true, actions, resources)
    }

    fn with(mut self, deny: bool, actions: &[&str], resources: &[&str]) -> Self {
        self.statements.push(Statement {
            deny,
            principals: None,
            actions: Matches::of(actions),
            resources: Some(Matches::of(resources)),
            conditions: Vec::new(),
        });
        self
    }

    /// Reads a document.
    ///
    /// # Errors
    ///
    /// A text about the first thing that is not a policy.
    pub(crate) fn parse(document: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(document)
            .map_err(|_| "This policy contains invalid Json".to_owned())?;
        let top = value.as_object().ok_or("Policy document must be a JSON object")?;
        let statements = match top.get("Statement") {
            Some(Value::Array(items)) => items.iter().map(Statement::read).collect(),
            Some(one @ Value::Object(_)) => Statement::read(one).map(|s| vec![s]),
            _ => Err("Missing required field Statement".to_owned()),
        }?;
        Ok(Self { statements })
    }

    /// Whether some statement allows everyone, without a condition.
    pub(crate) fn is_public(&self) -> bool {
        self.statements.iter().any(|s| {
            !s.deny
                && s.conditions.is_empty()
                && s.principals
                    .as_ref()
                    .is_some_and(|p| p.negated || p.patterns.iter().any(|pattern| pattern == "*"))
        })
    }

    /// Whether every statement names whom it is of, as the policy of a resource must.
    pub(crate) fn names_principals(&self) -> bool {
        self.statements.iter().all(|s| s.principals.is_some())
    }

    /// What it says.
    pub(crate) fn decide(&self, question: &Question<'_>) -> Verdict {
        let mut verdict = Verdict::Silent;
        for statement in self.statements.iter().filter(|s| s.applies(question)) {
            if statement.deny {
                return Verdict::Deny;
            }
            verdict = Verdict::Allow;
        }
        verdict
    }
}

/// The JSON document.
impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let statements: Vec<Value> = self.statements.iter().map(Statement::to_json).collect();
        write!(f, "{}", json!({ "Version": "2012-10-17", "Statement": statements }))
    }
}

impl Statement {
    fn read(value: &Value) -> Result<Self, String> {
        let fields = value.as_object().ok_or("Statement must be a JSON object")?;
        let deny = match fields.get("Effect").and_then(Value::as_str) {
            Some("Allow") => false,
            Some("Deny") => true,
            _ => return Err("Effect must be Allow or Deny".to_owned()),
        };
        let actions =
            either(fields, "Action", "NotAction")?.ok_or("Missing required field Action")?;
        Ok(Self {
            deny,
            principals: principals(fields)?,
            actions,
            resources: either(fields, "Resource", "NotResource")?,
            conditions: conditions(fields)?,
        })
    }

    fn applies(&self, question: &Question<'_>) -> bool {
        self.actions.hit(question.action, false)
            && self.resources.as_ref().is_none_or(|r| r.hit(question.resource, true))
            && self.principals.as_ref().is_none_or(|p| p.hit_principal(question))
            && self.conditions.iter().all(|c| c.holds(question).unwrap_or(self.deny))
    }

    fn to_json(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("Effect".into(), json!(if self.deny { "Deny" } else { "Allow" }));
        fields.insert("Action".into(), json!(self.actions.patterns));
        if let Some(resources) = &self.resources {
            fields.insert("Resource".into(), json!(resources.patterns));
        }
        if let Some(principals) = &self.principals {
            fields.insert("Principal".into(), json!({ "AWS": principals.patterns }));
        }
        Value::Object(fields)
    }
}

impl Matches {
    fn of(patterns: &[&str]) -> Self {
        Self { patterns: patterns.iter().map(|&p| p.to_owned()).collect(), negated: false }
    }

    fn hit(&self, text: &str, by_case: bool) -> bool {
        let matches = |pattern: &String| {
            if by_case {
                like(pattern, text)
            } else {
                like(&pattern.to_lowercase(), &text.to_lowercase())
            }
        };
        self.patterns.iter().any(matches) != self.negated
    }

    /// A principal is named by its ARN, its role's, its account's number or root, or `*`; ARNs of principals know no wildcards.
    fn hit_principal(&self, question: &Question<'_>) -> bool {
        let named = |pattern: &String| {
            pattern == "*"
                || pattern == question.principal
                || pattern == question.holder
                || pattern == question.account
                || (pattern.ends_with(":root")
                    && pattern.split(':').nth(4) == Some(question.account))
        };
        self.patterns.iter().any(named) != self.negated
    }
}

impl Condition {
    /// `None` for an operator that is not known.
    fn holds(&self, question: &Question<'_>) -> Option<bool> {
        let actual = match self.key.as_str() {
            "aws:principalarn" => Some(question.holder),
            "aws:principalaccount" => Some(question.account),
            other => question.context.get(other).map(String::as_str),
        };
        let any = |test: &dyn Fn(&str, &str) -> bool| {
            actual.is_some_and(|a| self.values.iter().any(|v| test(v, a)))
        };
        match self.operator.as_str() {
            "StringEquals" | "ArnEquals" => Some(any(&|v, a| v == a)),
            "StringLike" | "ArnLike" => Some(any(&like)),
            "StringNotEquals" | "ArnNotEquals" => Some(!any(&|v, a| v == a)),
            "StringNotLike" | "ArnNotLike" => Some(!any(&like)),
            _ => None,
        }
    }
}

fn texts(value: &Value) -> Result<Vec<String>, String> {
    let text =
        |v: &Value| v.as_str().map(str::to_owned).ok_or("The value must be a text".to_owned());
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        one => text(one).map(|t| vec![t]),
    }
}

fn either(
    fields: &Map<String, Value>,
    plain: &str,
    negated: &str,
) -> Result<Option<Matches>, String> {
    match (fields.get(plain), fields.get(negated)) {
        (Some(value), None) => Ok(Some(Matches { patterns: texts(value)?, negated: false })),
        (None, Some(value)) => Ok(Some(Matches { patterns: texts(value)?, negated: true })),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(format!("{plain} and {negated} exclude each other")),
    }
}

fn principals(fields: &Map<String, Value>) -> Result<Option<Matches>, String> {
    let (value, negated) = match (fields.get("Principal"), fields.get("NotPrincipal")) {
        (Some(value), None) => (value, false),
        (None, Some(value)) => (value, true),
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err("Principal and NotPrincipal exclude each other".into()),
    };
    let patterns = match value {
        Value::Object(kinds) => {
            let all: Result<Vec<_>, _> = kinds.values().map(texts).collect();
            all?.concat()
        }
        Value::String(all) if all == "*" => vec![all.clone()],
        _ => return Err("Invalid principal in policy".into()),
    };
    Ok(Some(Matches { patterns, negated }))
}

fn conditions(fields: &Map<String, Value>) -> Result<Vec<Condition>, String> {
    let Some(value) = fields.get("Condition") else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    for (operator, keys) in value.as_object().ok_or("Condition must be a JSON object")? {
        for (key, values) in keys.as_object().ok_or("Condition must hold JSON objects")? {
            out.push(Condition {
                operator: operator.clone(),
                key: key.to_lowercase(),
                values: texts(values)?,
            });
        }
    }
    Ok(out)
}

/// Whether the text is of the pattern, where `*` is any text and `?` one character.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let (p, t) = (pattern.as_bytes(), text.as_bytes());
    let (mut pi, mut ti) = (0, 0);
    // Where the last star stands, and how far it has eaten.
    let mut star: Option<(usize, usize)> = None;
    while let Some(&c) = t.get(ti) {
        match p.get(pi) {
            Some(b'*') => {
                star = Some((pi, ti));
                pi += 1;
            }
            Some(&q) if q == b'?' || q == c => {
                pi += 1;
                ti += 1;
            }
            _ => match star {
                Some((at, eaten)) => {
                    star = Some((at, eaten + 1));
                    pi = at + 1;
                    ti = eaten + 1;
                }
                None => return false,
            },
        }
    }
    p.get(pi..).is_some_and(|rest| rest.iter().all(|&c| c == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(policy: &Policy, principal: &str, action: &str, resource: &str) -> Verdict {
        policy.decide(&Question {
            account: "111122223333",
            principal,
            holder: principal,
            action,
            resource,
            context: &BTreeMap::new(),
        })
    }

    #[test]
    fn wildcards() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbbc", true),
            ("a*c", "abbb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*-??????", "db-AbCdEf", true),
            ("*-??????", "db", false),
            ("a*b*c", "aXbYbZc", true),
        ] {
            assert_eq!(like(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_deny_wins_and_silence_is_no_leave() {
        let policy = Policy::new().allow(&["s:*"], &["*"]).deny(&["s:get"], &["x/*"]);
        assert_eq!(ask(&policy, "me", "s:Get", "y"), Verdict::Allow);
        assert_eq!(ask(&policy, "me", "s:Get", "x/y"), Verdict::Deny);
        assert_eq!(ask(&policy, "me", "t:Get", "y"), Verdict::Silent);
    }

    #[test]
    fn principals_by_arn_account_and_root() {
        for (named, expected) in [
            ("\"*\"", Verdict::Allow),
            (r#"{"AWS":"111122223333"}"#, Verdict::Allow),
            (r#"{"AWS":["arn:aws:iam::111122223333:root"]}"#, Verdict::Allow),
            (r#"{"AWS":"arn:aws:iam::999922223333:root"}"#, Verdict::Silent),
            (r#"{"AWS":"arn:aws:iam::111122223333:user/a"}"#, Verdict::Allow),
            (r#"{"AWS":"arn:aws:iam::111122223333:user/b"}"#, Verdict::Silent),
        ] {
            let text = format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{named},"Action":"*","Resource":"*"}}}}"#
            );
            let policy = Policy::parse(&text).unwrap();
            assert_eq!(
                ask(&policy, "arn:aws:iam::111122223333:user/a", "s:Get", "x"),
                expected,
                "{named}"
            );
        }
    }

    #[test]
    fn a_condition_that_is_not_known_never_allows() {
        let text = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Odd":{"k":"v"}}}]}"#;
        assert_eq!(ask(&Policy::parse(text).unwrap(), "me", "s:Get", "x"), Verdict::Silent);
        let text = text.replace("Allow", "Deny");
        assert_eq!(ask(&Policy::parse(&text).unwrap(), "me", "s:Get", "x"), Verdict::Deny);
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"Statement":[{"Effect":"Maybe"}]}"#,
            r#"{"Statement":[{"Effect":"Allow"}]}"#,
        ] {
            assert!(Policy::parse(text).is_err(), "{text}");
        }
    }
}
