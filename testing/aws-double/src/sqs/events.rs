//! What Secrets Manager does, as EventBridge puts it into a queue.
//!
//! Three kinds of messages, as documented: calls of the API by way of CloudTrail (`AWS API Call via CloudTrail`), what the
//! service does by itself (`AWS Service Event via CloudTrail`), and its own `Secret Label Updated`.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::Queues;
use crate::world::{Change, Observer, World};
use crate::{random, stamp};

/// The rule that puts events of Secrets Manager into queues. It does nothing until a queue is named.
///
/// Clones are the same rule.
#[derive(Clone)]
pub struct Events {
    queues: Queues,
    rule: Arc<Mutex<Rule>>,
}

#[derive(Debug, Clone, Default)]
struct Rule {
    targets: Vec<String>,
    delay: Duration,
    more: u32,
}

impl Events {
    pub(crate) fn new(queues: &Queues) -> Self {
        Self { queues: queues.clone(), rule: Arc::default() }
    }

    /// Puts every event from now on into this queue of the double's own account, too. The queue must be there when an event
    /// comes: what cannot be delivered is lost, as it is without a dead-letter queue.
    pub fn deliver_to(&self, queue: &str) {
        self.rule().targets.push(queue.to_owned());
    }

    /// Lets events arrive so much later, by the double's clock: those by way of CloudTrail take minutes on AWS.
    pub fn set_delay(&self, delay: Duration) {
        self.rule().delay = delay;
    }

    /// Lets every event be delivered so many more times, each a message of its own with the same event id: EventBridge delivers
    /// at least once.
    pub fn set_duplicates(&self, more: u32) {
        self.rule().more = more;
    }

    fn rule(&self) -> MutexGuard<'_, Rule> {
        self.rule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Events").field(&*self.rule()).finish()
    }
}

impl Observer for Events {
    fn changed(&self, _world: &World, change: &Change) {
        let rule = self.rule().clone();
        let events = [Some(by_cloudtrail(change)), label_updated(change)];
        for event in events.into_iter().flatten() {
            let body = event.to_string();
            for queue in &rule.targets {
                for _ in 0..=rule.more {
                    self.queues.deliver(queue, &body, change.at, rule.delay);
                }
            }
        }
    }
}

/// What all events have (EventBridge Events Reference, "Event structure").
fn envelope(change: &Change, kind: &str, resources: &Value, detail: &Value) -> Value {
    json!({
        "version": "0",
        "id": random::uuid(),
        "detail-type": kind,
        "source": format!("aws.{}", change.source),
        "account": change.account,
        "time": stamp::iso(change.at),
        "region": change.region,
        "resources": resources,
        "detail": detail,
    })
}

/// A row of CloudTrail. Of a request it tells what names the secret and the version, never a value.
fn by_cloudtrail(change: &Change) -> Value {
    let service = format!("{}.amazonaws.com", change.source);
    let mut detail = json!({
        "eventVersion": "1.09",
        "eventTime": stamp::iso(change.at),
        "eventSource": service,
        "eventName": change.name,
        "awsRegion": change.region,
        "eventID": random::uuid(),
        "readOnly": false,
        "managementEvent": true,
        "recipientAccountId": change.account,
        "eventCategory": "Management",
    });
    let more = if change.by_service {
        json!({
            "eventType": "AwsServiceEvent",
            "userIdentity": { "accountId": change.account, "invokedBy": service },
            "sourceIPAddress": service,
            "userAgent": service,
            "requestParameters": null,
            "responseElements": null,
            "additionalEventData": { "SecretId": change.resource },
        })
    } else {
        json!({
            "eventType": "AwsApiCall",
            "userIdentity": user(change),
            "sourceIPAddress": "127.0.0.1",
            "userAgent": "aws-double",
            "requestParameters": change.request,
            "responseElements": { "arn": change.resource },
            "requestID": change.request_id,
        })
    };
    if let (Some(detail), Some(more)) = (detail.as_object_mut(), more.as_object()) {
        detail.extend(more.clone());
    }
    let kind = if change.by_service {
        "AWS Service Event via CloudTrail"
    } else {
        "AWS API Call via CloudTrail"
    };
    envelope(change, kind, &json!([]), &detail)
}

fn user(change: &Change) -> Value {
    let session = change.principal.contains(":assumed-role/");
    json!({
        "type": if session { "AssumedRole" } else { "IAMUser" },
        "arn": change.principal,
        "accountId": change.principal.split(':').nth(4),
    })
}

/// A label has moved to a version: told for all labels but `AWSPENDING` and `AWSPREVIOUS`, without CloudTrail (User Guide,
/// "Secret event notifications").
fn label_updated(change: &Change) -> Option<Value> {
    let request = |name: &str| change.request.get(name).and_then(Value::as_str);
    let (label, version) = match change.name.as_str() {
        _ if change.by_service => return None,
        "UpdateSecretVersionStage" => (request("versionStage")?, request("moveToVersionId")?),
        "PutSecretValue" => {
            let stages = change.request.get("versionStages").and_then(Value::as_array);
            let told = |stage: &&str| !["AWSPENDING", "AWSPREVIOUS"].contains(stage);
            let label = match stages {
                Some(stages) => stages.iter().filter_map(Value::as_str).find(told)?,
                None => "AWSCURRENT",
            };
            (label, change.details.get("versionId")?.as_str()?)
        }
        "UpdateSecret" => ("AWSCURRENT", change.details.get("versionId")?.as_str()?),
        _ => return None,
    };
    if ["AWSPENDING", "AWSPREVIOUS"].contains(&label) {
        return None;
    }
    let name = change.resource.rsplit(':').next().unwrap_or_default();
    let name = name.rsplit_once('-').map_or(name, |(name, _)| name);
    let detail = json!({ "name": name, "labelUpdated": label, "versionId": version });
    Some(envelope(change, "Secret Label Updated", &json!([change.resource]), &detail))
}
