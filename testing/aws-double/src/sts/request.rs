//! What both ways of assuming a role ask for: the name of the session, how long, narrowed to what, with which tags.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::policy::Policy;
use crate::service::Refusal;

/// The longest session policy, in characters (SDK: `AssumeRole`).
const POLICY: usize = 2_048;
/// What policy and tags may take packed. AWS does not publish the number: *assumed*.
const PACKED: usize = 4_096;
/// Sessions of a chained role end after an hour (SDK: `AssumeRole`).
const CHAINED: Duration = Duration::from_secs(3_600);

/// What a role is assumed for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) role: String,
    pub(super) session: String,
    pub(super) duration: Option<Duration>,
    pub(super) policy: Option<Policy>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) source_identity: Option<String>,
    /// What policy and tags take of what they may, in per cent.
    pub(super) packed: usize,
}

pub(super) fn invalid(message: String) -> Refusal {
    Refusal::new("ValidationError", message)
}

fn constraint(value: &str, at: &str, what: &str) -> Refusal {
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint: {what}"
    ))
}

/// A parameter of the form.
pub(super) fn text<'a>(input: &'a Value, at: &str) -> Option<&'a str> {
    input.get(at).and_then(Value::as_str)
}

/// A text of `[\w+=,.@-]` and what `more` adds, of a length within bounds.
fn name<'a>(
    input: &'a Value,
    at: &str,
    (least, most): (usize, usize),
    more: &str,
) -> Result<Option<&'a str>, Refusal> {
    let Some(value) = text(input, at) else {
        return Ok(None);
    };
    let mut letters = at.chars();
    let at: String =
        letters.next().map(|c| c.to_ascii_lowercase()).into_iter().chain(letters).collect();
    if value.len() < least {
        let what = format!("Member must have length greater than or equal to {least}");
        return Err(constraint(value, &at, &what));
    }
    if value.len() > most {
        let what = format!("Member must have length less than or equal to {most}");
        return Err(constraint(value, &at, &what));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) || more.contains(c);
    if value.chars().all(fits) {
        return Ok(Some(value));
    }
    let pattern = format!("Member must satisfy regular expression pattern: [\\w+=,.@{more}-]*");
    Err(constraint(value, &at, &pattern))
}

/// The external id, by its alphabet.
pub(super) fn external_id(input: &Value) -> Result<Option<&str>, Refusal> {
    name(input, "ExternalId", (2, 1_224), ":/")
}

impl Wanted {
    pub(super) fn read(input: &Value) -> Result<Self, Refusal> {
        let missing = |at: &str| constraint("null", at, "Member must not be null");
        let role = text(input, "RoleArn").ok_or_else(|| missing("roleArn"))?;
        let session = name(input, "RoleSessionName", (2, 64), "")?;
        let session = session.ok_or_else(|| missing("roleSessionName"))?;
        if role.len() < 20 {
            let what = "Member must have length greater than or equal to 20";
            return Err(constraint(role, "roleArn", what));
        }
        if role.split(':').count() < 6 || !role.contains(":role/") {
            return Err(invalid(format!("{role} is invalid")));
        }
        if input.get("PolicyArns").is_some() {
            return Err(invalid("The double has no managed policies.".to_owned()));
        }
        let policy_text = text(input, "Policy");
        let tags = tags(input)?;
        let taken = policy_text.map_or(0, str::len)
            + tags.iter().map(|(key, value)| key.len() + value.len() + 2).sum::<usize>();
        if taken > PACKED {
            let text = format!(
                "Packed size of session tags consumes {}% of allotted space.",
                taken * 100 / PACKED
            );
            return Err(Refusal::new("PackedPolicyTooLarge", text));
        }
        Ok(Self {
            role: role.to_owned(),
            session: session.to_owned(),
            duration: duration(input)?,
            policy: policy_text.map(policy).transpose()?,
            tags,
            source_identity: name(input, "SourceIdentity", (2, 64), "")?.map(str::to_owned),
            packed: taken * 100 / PACKED,
        })
    }

    /// How long the session lasts: an hour unless asked, never longer than the role allows, an hour for a role that a role
    /// assumes.
    pub(super) fn lasting(&self, most: Duration, chained: bool) -> Result<Duration, Refusal> {
        let wanted = self.duration.unwrap_or(CHAINED);
        if chained && wanted > CHAINED {
            return Err(invalid(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
                    .to_owned(),
            ));
        }
        if wanted > most {
            return Err(invalid(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
                    .to_owned(),
            ));
        }
        Ok(wanted)
    }
}

fn duration(input: &Value) -> Result<Option<Duration>, Refusal> {
    let Some(value) = text(input, "DurationSeconds") else {
        return Ok(None);
    };
    let seconds: i64 = value
        .parse()
        .map_err(|_| Refusal::new("MalformedInput", "DurationSeconds is not a whole number"))?;
    let range = [
        (seconds < 900, "greater than or equal to 900"),
        (seconds > 43_200, "less than or equal to 43200"),
    ];
    if let Some((_, what)) = range.into_iter().find(|(out, _)| *out) {
        let what = format!("Member must have value {what}");
        return Err(constraint(value, "durationSeconds", &what));
    }
    Ok(Some(Duration::from_secs(seconds.unsigned_abs())))
}

fn policy(document: &str) -> Result<Policy, Refusal> {
    if document.len() > POLICY {
        let what = format!("Member must have length less than or equal to {POLICY}");
        return Err(constraint("the policy", "policy", &what));
    }
    let malformed = |why: &str| Refusal::new("MalformedPolicyDocument", why);
    let policy = Policy::parse(document).map_err(|why| malformed(&why))?;
    let value: Value = serde_json::from_str(document).unwrap_or_default();
    let statements = match value.get("Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        one => one.into_iter().collect::<Vec<_>>(),
    };
    if statements
        .iter()
        .any(|one| one.get("Principal").is_some() || one.get("NotPrincipal").is_some())
    {
        return Err(malformed("Policy document should not specify a principal."));
    }
    Ok(policy)
}

fn tags(input: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    let mut tags = BTreeMap::new();
    let list = input.get("Tags").and_then(Value::as_array).cloned().unwrap_or_default();
    if list.len() > 50 {
        return Err(constraint(
            "the tags",
            "tags",
            "Member must have length less than or equal to 50",
        ));
    }
    for tag in list {
        let key = text(&tag, "Key").unwrap_or_default();
        let value = text(&tag, "Value").unwrap_or_default();
        if key.is_empty()
            || key.len() > 128
            || value.len() > 256
            || key.to_lowercase().starts_with("aws:")
        {
            return Err(constraint(
                key,
                "tags",
                "a key of 1 to 128 and a value of up to 256 characters",
            ));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(Refusal::new(
                "InvalidParameterValue",
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
    }
    let transitive =
        input.get("TransitiveTagKeys").and_then(Value::as_array).cloned().unwrap_or_default();
    if transitive.iter().filter_map(Value::as_str).any(|key| !tags.contains_key(key)) {
        let text = "The specified transitive tag key must be included in the requested tags.";
        return Err(Refusal::new("InvalidParameterValue", text));
    }
    Ok(tags)
}
