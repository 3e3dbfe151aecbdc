//! Sending messages, and operations on several at once.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::message::{Attribute, Message, attributes_md5, md5};
use super::{Queues, allow, arn, place, refuse, required, seconds};
use crate::kms::input::Input;
use crate::random;
use crate::service::{Call, Refusal};
use crate::stamp;

impl Queues {
    /// `SendMessage`.
    pub(super) fn send(&self, call: &Call<'_>) -> Result<Value, Refusal> {
        self.put(call, Input(call.input))
    }

    fn put(&self, call: &Call<'_>, input: Input<'_>) -> Result<Value, Refusal> {
        let body = required(input, "MessageBody")?;
        if !body.chars().all(is_allowed) {
            let text = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | \
                        #xE000 to #xFFFD | #x10000 to #x10FFFF";
            return Err(Refusal::new("InvalidMessageContents", text));
        }
        if input.text("MessageGroupId")?.is_some()
            || input.text("MessageDeduplicationId")?.is_some()
        {
            let text = "The request includes a parameter that is not valid for this queue type.";
            return Err(refuse::value(text));
        }
        let delay = seconds(input, "DelaySeconds", 900)?;
        let attributes = Attribute::read_all(input)?;
        let place = place(call, Input(call.input))?;
        allow(call, &arn(&place))?;
        let mut state = self.state();
        let copies = state.copies;
        let queue = state.queues.get_mut(&place).ok_or_else(refuse::no_queue)?;
        let size = body.len()
            + attributes.iter().map(|(name, own)| name.len() + own.size()).sum::<usize>();
        let most = queue.setting("MaximumMessageSize");
        if u64::try_from(size).is_ok_and(|size| size > most) {
            return Err(refuse::value(&format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {most} bytes."
            )));
        }
        let delay = delay.unwrap_or_else(|| Duration::from_secs(queue.setting("DelaySeconds")));
        let message = Message {
            id: random::uuid(),
            body: body.to_owned(),
            attributes,
            sender: call.principal.to_owned(),
            sent: call.now,
            visible_at: stamp::later(call.now, delay),
            first_received: None,
            receives: 0,
            receipt: None,
        };
        for _ in 0..=copies {
            queue.messages.push(message.clone());
        }
        let mut answer = Map::new();
        answer.insert("MessageId".to_owned(), json!(message.id));
        answer.insert("MD5OfMessageBody".to_owned(), json!(md5(body.as_bytes())));
        if !message.attributes.is_empty() {
            let all: BTreeMap<&String, &Attribute> = message.attributes.iter().collect();
            answer.insert("MD5OfMessageAttributes".to_owned(), json!(attributes_md5(&all)));
        }
        Ok(Value::Object(answer))
    }

    /// `SendMessageBatch`: what fails is told for itself.
    pub(super) fn send_batch(&self, call: &Call<'_>) -> Result<Value, Refusal> {
        each(call, |entry| self.put(call, entry))
    }

    /// `DeleteMessageBatch`.
    pub(super) fn delete_batch(&self, call: &Call<'_>) -> Result<Value, Refusal> {
        self.with(call, |queue| {
            each(call, |entry| {
                queue.delete(required(entry, "ReceiptHandle")?)?;
                Ok(json!({}))
            })
        })
    }
}

/// Carries out the entries of a batch: one to ten, each with an id of its own.
fn each(
    call: &Call<'_>,
    mut carry_out: impl FnMut(Input<'_>) -> Result<Value, Refusal>,
) -> Result<Value, Refusal> {
    let entries = Input(call.input).items("Entries")?;
    if entries.is_empty() {
        let text = "There should be at least one entry in the request.";
        return Err(Refusal::new("EmptyBatchRequest", text));
    }
    if entries.len() > 10 {
        let text = "Maximum number of entries per request are 10.";
        return Err(Refusal::new("TooManyEntriesInBatchRequest", text));
    }
    let mut ids: Vec<&str> = Vec::new();
    for entry in &entries {
        let id = required(*entry, "Id")?;
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if id.len() > 80 || !id.chars().all(fits) {
            let text = "A batch entry id can only contain alphanumeric characters, hyphens and underscores.";
            return Err(Refusal::new("InvalidBatchEntryId", text));
        }
        if ids.contains(&id) {
            return Err(Refusal::new("BatchEntryIdsNotDistinct", format!("Id {id} repeated.")));
        }
        ids.push(id);
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, entry) in ids.into_iter().zip(entries) {
        match carry_out(entry) {
            Ok(mut answer) => {
                if let Some(fields) = answer.as_object_mut() {
                    fields.insert("Id".to_owned(), json!(id));
                }
                successful.push(answer);
            }
            Err(refusal) => failed.push(json!({
                "Id": id,
                "SenderFault": refusal.status < 500,
                "Code": super::query_code(&refusal.code),
                "Message": refusal.message,
            })),
        }
    }
    Ok(json!({ "Successful": successful, "Failed": failed }))
}

/// Characters that XML 1.0 has (SDK: `SendMessage`).
fn is_allowed(c: char) -> bool {
    matches!(c, '\u{9}' | '\u{a}' | '\u{d}' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
