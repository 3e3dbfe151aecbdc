//! One standard queue.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::message::Message;
use super::refuse;
use crate::random;
use crate::service::Refusal;
use crate::stamp;

/// What a queue is set to (SDK: `CreateQueue`, with its bounds and defaults).
const SETTINGS: [(&str, u64, u64, u64); 5] = [
    ("DelaySeconds", 0, 900, 0),
    ("MaximumMessageSize", 1_024, 1_048_576, 1_048_576),
    ("MessageRetentionPeriod", 60, 1_209_600, 345_600),
    ("ReceiveMessageWaitTimeSeconds", 0, 20, 0),
    ("VisibilityTimeout", 0, 43_200, 30),
];

/// Twelve hours: the longest that a message stays with its receiver (SDK: `ChangeMessageVisibility`).
const LONGEST: Duration = Duration::from_secs(43_200);

/// Where a queue is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) name: String,
}

/// Where messages go that were received too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redrive {
    pub(super) target: String,
    pub(super) after: u32,
}

/// One standard queue.
pub(super) struct Queue {
    pub(super) arn: String,
    pub(super) created: SystemTime,
    changed: SystemTime,
    settings: BTreeMap<&'static str, u64>,
    pub(super) redrive: Option<Redrive>,
    redrive_text: Option<String>,
    pub(super) messages: Vec<Message>,
    receipts: HashSet<String>,
    purged: Option<SystemTime>,
}

impl Queue {
    pub(super) fn new(
        arn: String,
        attributes: &BTreeMap<String, String>,
        now: SystemTime,
    ) -> Result<Self, Refusal> {
        let mut queue = Self {
            arn,
            created: now,
            changed: now,
            settings: SETTINGS.iter().map(|(name, _, _, usual)| (*name, *usual)).collect(),
            redrive: None,
            redrive_text: None,
            messages: Vec::new(),
            receipts: HashSet::new(),
            purged: None,
        };
        queue.set(attributes, now)?;
        Ok(queue)
    }

    /// Sets attributes, all of them or none.
    pub(super) fn set(
        &mut self,
        attributes: &BTreeMap<String, String>,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        let mut settings = self.settings.clone();
        let (mut redrive, mut redrive_text) = (self.redrive.clone(), self.redrive_text.clone());
        for (name, value) in attributes {
            if name == "RedrivePolicy" {
                redrive = Some(read_redrive(value)?);
                redrive_text = Some(value.clone());
                continue;
            }
            let known = SETTINGS.iter().find(|(known, ..)| known == name);
            let Some((known, least, most, _)) = known else {
                let text = format!("Unknown Attribute {name}.");
                return Err(Refusal::new("InvalidAttributeName", text));
            };
            let number =
                value.parse::<u64>().ok().filter(|number| (least..=most).contains(&number));
            let number = number.ok_or_else(|| {
                Refusal::new(
                    "InvalidAttributeValue",
                    format!("Invalid value for the parameter {name}."),
                )
            })?;
            settings.insert(known, number);
        }
        (self.settings, self.redrive, self.redrive_text) = (settings, redrive, redrive_text);
        self.changed = now;
        Ok(())
    }

    /// Whether these attributes say nothing else than what the queue is set to.
    pub(super) fn agrees(&self, attributes: &BTreeMap<String, String>) -> bool {
        attributes.iter().all(|(name, value)| match name.as_str() {
            "RedrivePolicy" => self.redrive_text.as_ref() == Some(value),
            name => self.settings.get(name).map(u64::to_string).as_ref() == Some(value),
        })
    }

    pub(super) fn setting(&self, name: &str) -> u64 {
        self.settings.get(name).copied().unwrap_or_default()
    }

    pub(super) fn attributes(&self, wanted: &[&str], now: SystemTime) -> BTreeMap<String, String> {
        let seconds = |at: SystemTime| {
            at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs().to_string()
        };
        let flying = self.messages.iter().filter(|message| message.is_in_flight(now)).count();
        let waiting = self.messages.iter().filter(|message| message.visible_at <= now).count();
        let delayed = self.messages.len() - flying - waiting;
        let mut all: BTreeMap<String, String> = self
            .settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.to_string()))
            .collect();
        all.extend([
            ("QueueArn".to_owned(), self.arn.clone()),
            ("CreatedTimestamp".to_owned(), seconds(self.created)),
            ("LastModifiedTimestamp".to_owned(), seconds(self.changed)),
            ("ApproximateNumberOfMessages".to_owned(), waiting.to_string()),
            ("ApproximateNumberOfMessagesNotVisible".to_owned(), flying.to_string()),
            ("ApproximateNumberOfMessagesDelayed".to_owned(), delayed.to_string()),
        ]);
        all.extend(self.redrive_text.iter().map(|text| ("RedrivePolicy".to_owned(), text.clone())));
        let everything = wanted.contains(&"All");
        all.into_iter().filter(|(name, _)| everything || wanted.contains(&name.as_str())).collect()
    }

    /// Forgets what has been kept for as long as the queue keeps messages.
    pub(super) fn settle(&mut self, now: SystemTime) {
        let kept = Duration::from_secs(self.setting("MessageRetentionPeriod"));
        self.messages.retain(|message| now < stamp::later(message.sent, kept));
    }

    /// Hands out up to so many messages, hidden from others for a while; and those that were received too often.
    pub(super) fn receive(
        &mut self,
        most: usize,
        hidden: Duration,
        now: SystemTime,
    ) -> (Vec<Message>, Vec<Message>) {
        self.settle(now);
        let mut spent = Vec::new();
        if let Some(redrive) = &self.redrive {
            let is_spent =
                |message: &Message| message.visible_at <= now && message.receives >= redrive.after;
            spent = self.messages.iter().filter(|message| is_spent(message)).cloned().collect();
            self.messages.retain(|message| !is_spent(message));
        }
        let mut handed = Vec::new();
        for message in
            self.messages.iter_mut().filter(|message| message.visible_at <= now).take(most)
        {
            let receipt = random::text(
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                96,
            );
            self.receipts.insert(receipt.clone());
            message.receipt = Some(receipt);
            message.receives += 1;
            message.first_received.get_or_insert(now);
            message.visible_at = stamp::later(now, hidden);
            handed.push(message.clone());
        }
        (handed, spent)
    }

    /// Deletes the message of a receipt. An older receipt of a message that was handed out again deletes nothing, and says
    /// nothing of it (SDK: `DeleteMessage`).
    pub(super) fn delete(&mut self, handle: &str) -> Result<(), Refusal> {
        if !self.receipts.contains(handle) {
            return Err(refuse::bad_handle(handle));
        }
        self.messages.retain(|message| message.receipt.as_deref() != Some(handle));
        Ok(())
    }

    /// Changes until when the message of a receipt is hidden.
    pub(super) fn hide(
        &mut self,
        handle: &str,
        hidden: Duration,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        if !self.receipts.contains(handle) {
            return Err(refuse::bad_handle(handle));
        }
        let own = |message: &&mut Message| {
            message.receipt.as_deref() == Some(handle) && message.is_in_flight(now)
        };
        let message = self.messages.iter_mut().find(own).ok_or_else(|| {
            Refusal::new("MessageNotInflight", "The message referred to isn't in flight.")
        })?;
        if message
            .first_received
            .is_some_and(|first| stamp::later(now, hidden) > stamp::later(first, LONGEST))
        {
            return Err(refuse::value(
                "Value for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is \
                 beyond the limit [43200 seconds].",
            ));
        }
        message.visible_at = stamp::later(now, hidden);
        Ok(())
    }

    /// Empties the queue: once in 60 seconds (SDK: `PurgeQueue`).
    pub(super) fn purge(&mut self, now: SystemTime) -> Result<(), Refusal> {
        if self.purged.is_some_and(|at| now < at + Duration::from_secs(60)) {
            let text = "Only one PurgeQueue operation on the queue is allowed every 60 seconds.";
            return Err(Refusal::new("PurgeQueueInProgress", text).with_status(403));
        }
        self.purged = Some(now);
        self.messages.clear();
        Ok(())
    }
}

fn read_redrive(text: &str) -> Result<Redrive, Refusal> {
    let wrong =
        || Refusal::new("InvalidAttributeValue", "Invalid value for the parameter RedrivePolicy.");
    let policy: Value = serde_json::from_str(text).map_err(|_| wrong())?;
    let target = policy.get("deadLetterTargetArn").and_then(Value::as_str).ok_or_else(wrong)?;
    let after = policy.get("maxReceiveCount").unwrap_or(&json!(10)).clone();
    let after = after.as_u64().or_else(|| after.as_str()?.parse().ok()).ok_or_else(wrong)?;
    let after =
        u32::try_from(after).ok().filter(|after| (1..=1_000).contains(after)).ok_or_else(wrong)?;
    Ok(Redrive { target: target.to_owned(), after })
}
