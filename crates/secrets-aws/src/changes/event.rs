//! What EventBridge says of Secrets Manager, read as hints.
//!
//! Two sources tell of changes. Secrets Manager itself sends `Secret Label Updated` when a label moves
//! (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/secret-event-notifications.html>).
//! CloudTrail passes on calls and what the service does by itself, such as `RotationSucceeded`
//! (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html>).
//! Where they name the secret is nowhere promised, and differs: all the places that were seen are
//! looked at.

use secrets_core::{ChangeHint, SecretRef, VersionId};
use serde_json::Value;

use crate::arn::Arn;
use crate::provider::listed;

/// The most that a message of SQS, SNS or EventBridge holds: 1 MiB
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>).
pub(crate) const LARGEST: usize = 1 << 20;

/// What a message said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// Something changed, or may have.
    Changed(Vec<ChangeHint>),
    /// An event that changes no secret: of another service, a read, a call that failed.
    Nothing,
}

/// Why a message is no event. The message is not quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnEvent {
    /// It is larger than any message of AWS.
    #[error("the message takes more than 1 MiB")]
    TooLarge,
    /// It is no JSON.
    #[error("the message is not JSON")]
    NotJson,
    /// It is JSON of another form.
    #[error("the message is not an event of EventBridge, nor one that SNS passed on")]
    OtherForm,
}

/// Reads the body of a message: an event, or a notification of SNS with an event in it.
pub(crate) fn read(body: &[u8]) -> Result<Heard, NotAnEvent> {
    let event = parse(body)?;
    let passed_on = text(&event, "/Type") == Some("Notification");
    match text(&event, "/Message").filter(|_| passed_on) {
        Some(message) => understand(&parse(message.as_bytes())?),
        None => understand(&event),
    }
}

fn parse(body: &[u8]) -> Result<Value, NotAnEvent> {
    if body.len() > LARGEST {
        return Err(NotAnEvent::TooLarge);
    }
    serde_json::from_slice(body).map_err(|_| NotAnEvent::NotJson)
}

fn understand(event: &Value) -> Result<Heard, NotAnEvent> {
    let (Some(source), Some(kind)) = (text(event, "/source"), text(event, "/detail-type")) else {
        return Err(NotAnEvent::OtherForm);
    };
    if !event.get("detail").is_some_and(Value::is_object) {
        return Err(NotAnEvent::OtherForm);
    }
    if source != "aws.secretsmanager" {
        return Ok(Heard::Nothing);
    }
    if kind == "Secret Label Updated" {
        return Ok(Heard::Changed(label_updated(event)));
    }
    if is_without_effect(event) {
        return Ok(Heard::Nothing);
    }
    Ok(Heard::Changed(hints(named_by_trail(event))))
}

/// `AWSPENDING` and `AWSPREVIOUS` are not told of: they move with `AWSCURRENT`, or nobody reads them.
fn label_updated(event: &Value) -> Vec<ChangeHint> {
    let mut references = Vec::new();
    push(&mut references, text(event, "/detail/name").and_then(listed));
    if references.is_empty() {
        references = whole_arns(event, &["/resources/0"]);
    }
    let is_current = text(event, "/detail/labelUpdated") == Some("AWSCURRENT");
    let version = text(event, "/detail/versionId").filter(|_| is_current);
    let version = version.and_then(|id| VersionId::new(id).ok());
    let mut hints = hints(references);
    for hint in hints.iter_mut().filter(|hint| hint.reference.is_some()) {
        hint.version.clone_from(&version);
    }
    hints
}

/// A read, or a call that was refused.
fn is_without_effect(event: &Value) -> bool {
    let reads = ["Get", "BatchGet", "Describe", "List", "Validate"];
    let is_read = match event.pointer("/detail/readOnly") {
        Some(Value::Bool(read_only)) => *read_only,
        // Older records have it as text.
        Some(Value::String(read_only)) => read_only == "true",
        _ => text(event, "/detail/eventName")
            .is_some_and(|name| reads.iter().any(|read| name.starts_with(read))),
    };
    is_read || text(event, "/detail/errorCode").is_some()
}

/// The secret of an event by CloudTrail. An answer has the complete ARN; a request whatever the
/// caller wrote.
fn named_by_trail(event: &Value) -> Vec<SecretRef> {
    const ANSWERS: [&str; 5] = [
        "/detail/responseElements/arn",
        "/detail/responseElements/aRN",
        "/detail/responseElements/ARN",
        "/detail/additionalEventData/SecretId",
        "/detail/serviceEventDetails/secretId",
    ];
    const REQUESTS: [&str; 2] =
        ["/detail/requestParameters/secretId", "/detail/requestParameters/name"];
    let told = whole_arns(event, &ANSWERS);
    if !told.is_empty() {
        return told;
    }
    let mut references = Vec::new();
    for id in REQUESTS.iter().filter_map(|place| text(event, place)) {
        match Arn::parse(id).map(|arn| arn.secret()) {
            None => push(&mut references, listed(id)),
            Some(secret) => {
                let names = secret.into_iter().flat_map(|s| [Some(s.as_str()), s.without_suffix()]);
                names.flatten().for_each(|name| push(&mut references, listed(name)));
            }
        }
    }
    references
}

/// The secrets at these places, whose ARNs are complete where they are ARNs.
fn whole_arns(event: &Value, places: &[&str]) -> Vec<SecretRef> {
    let mut references = Vec::new();
    for id in places.iter().filter_map(|place| text(event, place)) {
        let name = match Arn::parse(id) {
            Some(arn) => arn.secret().map(|part| part.without_suffix().unwrap_or(part.as_str())),
            None => Some(id),
        };
        push(&mut references, name.and_then(listed));
    }
    references
}

fn push(references: &mut Vec<SecretRef>, reference: Option<SecretRef>) {
    references.extend(reference.filter(|reference| !references.contains(reference)));
}

/// Something changed: anything, if it is not said what.
fn hints(references: Vec<SecretRef>) -> Vec<ChangeHint> {
    match references.is_empty() {
        true => vec![ChangeHint::any()],
        false => references.into_iter().map(ChangeHint::secret).collect(),
    }
}

fn text<'a>(event: &'a Value, place: &str) -> Option<&'a str> {
    event.pointer(place).and_then(Value::as_str)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:billing/db-AbC123";

    fn heard(event: &Value) -> Result<Heard, NotAnEvent> {
        read(event.to_string().as_bytes())
    }

    fn changed(event: &Value) -> Vec<String> {
        let Ok(Heard::Changed(hints)) = heard(event) else { panic!("no change: {event}") };
        let shown = |hint: &ChangeHint| match (&hint.reference, &hint.version) {
            (None, _) => "any".to_owned(),
            (Some(reference), None) => reference.to_string(),
            (Some(reference), Some(version)) => format!("{reference} {version}"),
        };
        hints.iter().map(shown).collect()
    }

    fn by_trail(detail: Value) -> Value {
        json!({ "source": "aws.secretsmanager", "detail-type": "AWS API Call via CloudTrail", "detail": detail })
    }

    fn label(detail: Value) -> Value {
        json!({ "source": "aws.secretsmanager", "detail-type": "Secret Label Updated", "resources": [ARN], "detail": detail })
    }

    #[test]
    fn a_label_that_moved_names_secret_and_version() {
        let event = |label_updated: &str| {
            label(
                json!({ "name": "billing/db", "labelUpdated": label_updated, "versionId": "a1-b2" }),
            )
        };
        assert_eq!(changed(&event("AWSCURRENT")), ["billing/db a1-b2"]);
        assert_eq!(changed(&event("canary")), ["billing/db"]);
        assert_eq!(changed(&label(json!({ "labelUpdated": "AWSCURRENT" }))), ["billing/db"]);
        let unusable =
            json!({ "name": "billing/db", "labelUpdated": "AWSCURRENT", "versionId": "a b" });
        assert_eq!(changed(&label(unusable)), ["billing/db"]);
    }

    #[test]
    fn the_secret_is_found_wherever_the_trail_names_it() {
        let details = [
            json!({ "eventName": "PutSecretValue", "responseElements": { "arn": ARN }, "requestParameters": { "secretId": "other" } }),
            json!({ "eventName": "PutSecretValue", "responseElements": { "aRN": ARN } }),
            json!({ "eventName": "RotationSucceeded", "requestParameters": null, "additionalEventData": { "SecretId": ARN } }),
            json!({ "eventName": "RotationSucceeded", "serviceEventDetails": { "secretId": ARN } }),
            json!({ "eventName": "UpdateSecret", "readOnly": false, "requestParameters": { "secretId": "billing/db" } }),
            json!({ "eventName": "CreateSecret", "requestParameters": { "name": "billing/db" } }),
        ];
        for detail in details {
            assert_eq!(changed(&by_trail(detail.clone())), ["billing/db"], "{detail}");
        }
    }

    #[test]
    fn an_arn_in_a_request_may_be_partial() {
        let of = |id: &str| {
            let id = format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:{id}");
            changed(&by_trail(
                json!({ "eventName": "PutSecretValue", "requestParameters": { "secretId": id } }),
            ))
        };
        assert_eq!(of("billing/db"), ["billing/db"]);
        assert_eq!(of("db-master"), ["db-master", "db"]);
    }

    #[test]
    fn foreign_names_are_native() {
        let detail = json!({ "eventName": "PutSecretValue", "requestParameters": { "secretId": "Legacy_DB" } });
        assert_eq!(changed(&by_trail(detail)), ["native:Legacy_DB"]);
    }

    #[test]
    fn a_change_of_nothing_that_is_named_is_one_of_anything() {
        let hostile = json!({ "eventName": "PutSecretValue", "requestParameters": { "secretId": "\u{202e}db" } });
        for detail in [
            json!({}),
            json!({ "eventName": 7, "requestParameters": "x", "responseElements": [] }),
            hostile,
        ] {
            assert_eq!(changed(&by_trail(detail.clone())), ["any"], "{detail}");
        }
    }

    #[test]
    fn reads_refusals_and_other_services_change_nothing() {
        let secret = json!({ "secretId": "billing/db" });
        let details = [
            json!({ "eventName": "GetSecretValue", "requestParameters": secret }),
            json!({ "eventName": "SomethingNew", "readOnly": true, "requestParameters": secret }),
            json!({ "eventName": "SomethingNew", "readOnly": "true", "requestParameters": secret }),
            json!({ "eventName": "PutSecretValue", "errorCode": "AccessDenied", "requestParameters": secret }),
        ];
        for detail in details {
            assert_eq!(heard(&by_trail(detail.clone())), Ok(Heard::Nothing), "{detail}");
        }
        let other = json!({ "source": "aws.s3", "detail-type": "Object Created", "detail": {} });
        assert_eq!(heard(&other), Ok(Heard::Nothing));
    }

    #[test]
    fn a_notification_of_sns_is_opened_once() {
        let event =
            by_trail(json!({ "eventName": "PutSecretValue", "responseElements": { "arn": ARN } }));
        let notification = json!({ "Type": "Notification", "Message": event.to_string() });
        assert_eq!(changed(&notification), ["billing/db"]);
        let twice = json!({ "Type": "Notification", "Message": notification.to_string() });
        assert_eq!(heard(&twice), Err(NotAnEvent::OtherForm));
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for body in [&b""[..], b"hello", b"{", b"\xff\xfe", &b"[".repeat(100_000)] {
            assert_eq!(read(body), Err(NotAnEvent::NotJson));
        }
        for body in
            ["null", "[]", "{}", "7", r#"{"source":"aws.secretsmanager","detail-type":"x"}"#]
        {
            assert_eq!(read(body.as_bytes()), Err(NotAnEvent::OtherForm), "{body}");
        }
        assert_eq!(read(&vec![b' '; LARGEST + 1]), Err(NotAnEvent::TooLarge));
    }

    /// Any JSON, with the names that are looked for among its keys.
    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,40}".prop_map(Value::from),
            Just(Value::from("AWSCURRENT")),
            Just(Value::from(ARN)),
            "arn:aws:secretsmanager:[a-z:]{0,8}secret:[ -~]{0,16}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            Just("detail"),
            Just("eventName"),
            Just("requestParameters"),
            Just("responseElements"),
            Just("additionalEventData"),
            Just("secretId"),
            Just("SecretId"),
            Just("arn"),
            Just("name"),
            Just("labelUpdated"),
            Just("versionId"),
            Just("readOnly"),
            Just("errorCode"),
            Just("Message"),
        ];
        leaf.prop_recursive(5, 64, 8, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        /// Whoever forges events can have secrets read again, a few at a time.
        #[test]
        fn an_event_hints_at_something_or_nothing(
            event in anything(),
            kind in prop_oneof![Just("Secret Label Updated"), Just("AWS API Call via CloudTrail")],
            is_passed_on in any::<bool>(),
        ) {
            let mut event = event;
            if let Some(event) = event.as_object_mut() {
                event.insert("source".into(), "aws.secretsmanager".into());
                event.insert("detail-type".into(), kind.into());
            }
            if is_passed_on {
                event = json!({ "Type": "Notification", "Message": event.to_string() });
            }
            match heard(&event) {
                Ok(Heard::Changed(hints)) => prop_assert!((1..=5).contains(&hints.len())),
                Ok(Heard::Nothing) | Err(NotAnEvent::OtherForm) => {}
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }
}
