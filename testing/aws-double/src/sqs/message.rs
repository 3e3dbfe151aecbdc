//! One message of a queue.

use std::collections::BTreeMap;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};

use super::refuse;
use crate::kms::input::{Input, base64};
use crate::service::Refusal;

/// A message attribute: its type, and its value as text or bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute {
    kind: String,
    value: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Bytes {
    Text(String),
    Binary(Vec<u8>),
}

/// One message of a queue.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) body: String,
    pub(super) attributes: BTreeMap<String, Attribute>,
    pub(super) sender: String,
    pub(super) sent: SystemTime,
    pub(super) visible_at: SystemTime,
    pub(super) first_received: Option<SystemTime>,
    pub(super) receives: u32,
    /// The handle of the latest receipt.
    pub(super) receipt: Option<String>,
}

impl Message {
    /// Whether someone has received it and its time-out still runs.
    pub(super) fn is_in_flight(&self, now: SystemTime) -> bool {
        self.receipt.is_some() && now < self.visible_at
    }

    /// The message as `ReceiveMessage` answers it, with the attributes asked for.
    pub(super) fn to_json(&self, input: Input<'_>) -> Result<Value, Refusal> {
        let mut message = Map::new();
        message.insert("MessageId".to_owned(), json!(self.id));
        message.insert("ReceiptHandle".to_owned(), json!(self.receipt));
        message.insert("MD5OfBody".to_owned(), json!(md5(self.body.as_bytes())));
        message.insert("Body".to_owned(), json!(self.body));
        let mut system = input.list("MessageSystemAttributeNames")?;
        system.extend(input.list("AttributeNames")?);
        let told = self.system(&system);
        if !told.is_empty() {
            message.insert("Attributes".to_owned(), Value::Object(told));
        }
        let wanted = input.list("MessageAttributeNames")?;
        let named: BTreeMap<&String, &Attribute> = self
            .attributes
            .iter()
            .filter(|(name, _)| wanted.iter().any(|wanted| is_wanted(wanted, name)))
            .collect();
        if !named.is_empty() {
            message.insert("MD5OfMessageAttributes".to_owned(), json!(attributes_md5(&named)));
            let named =
                named.into_iter().map(|(name, own)| (name.clone(), own.to_json())).collect();
            message.insert("MessageAttributes".to_owned(), Value::Object(named));
        }
        Ok(Value::Object(message))
    }

    fn system(&self, wanted: &[&str]) -> Map<String, Value> {
        let millis = |at: SystemTime| {
            at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis().to_string()
        };
        let all = [
            ("SenderId", self.sender.clone()),
            ("SentTimestamp", millis(self.sent)),
            ("ApproximateReceiveCount", self.receives.to_string()),
            (
                "ApproximateFirstReceiveTimestamp",
                self.first_received.map(millis).unwrap_or_default(),
            ),
        ];
        all.into_iter()
            .filter(|(name, _)| wanted.iter().any(|wanted| wanted == name || *wanted == "All"))
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect()
    }
}

/// `All`, `.*`, a name, or the beginning of one as `begin.*` (SDK: `ReceiveMessage`).
fn is_wanted(wanted: &str, name: &str) -> bool {
    match wanted.strip_suffix(".*") {
        Some(prefix) => prefix.is_empty() || name.starts_with(prefix),
        None => wanted == "All" || wanted == name,
    }
}

impl Attribute {
    fn read(name: &str, input: Input<'_>) -> Result<Self, Refusal> {
        let kind = input.text("DataType")?.unwrap_or_default();
        let base = kind.split('.').next().unwrap_or_default();
        let wrong = || {
            refuse::value(&format!(
                "The message attribute '{name}' must contain a non-empty value of its data type."
            ))
        };
        let value = match base {
            "String" | "Number" => {
                Bytes::Text(input.text("StringValue")?.ok_or_else(wrong)?.to_owned())
            }
            "Binary" => {
                let text = input.text("BinaryValue")?.ok_or_else(wrong)?;
                Bytes::Binary(STANDARD.decode(text).map_err(|_| wrong())?)
            }
            _ => return Err(wrong()),
        };
        let empty = match &value {
            Bytes::Text(text) => text.is_empty(),
            Bytes::Binary(bytes) => bytes.is_empty(),
        };
        if empty { Err(wrong()) } else { Ok(Self { kind: kind.to_owned(), value }) }
    }

    /// The attributes of a message to be sent: ten at most.
    pub(super) fn read_all(input: Input<'_>) -> Result<BTreeMap<String, Self>, Refusal> {
        let Some(Value::Object(fields)) = input.0.get("MessageAttributes") else {
            return Ok(BTreeMap::new());
        };
        if fields.len() > 10 {
            return Err(refuse::value(
                "Number of message attributes [over 10] exceeds the allowed maximum [10].",
            ));
        }
        fields.iter().map(|(name, own)| Ok((name.clone(), Self::read(name, Input(own))?))).collect()
    }

    /// What it counts against the size of its message.
    pub(super) fn size(&self) -> usize {
        let value = match &self.value {
            Bytes::Text(text) => text.len(),
            Bytes::Binary(bytes) => bytes.len(),
        };
        self.kind.len() + value
    }

    fn to_json(&self) -> Value {
        match &self.value {
            Bytes::Text(text) => json!({ "DataType": self.kind, "StringValue": text }),
            Bytes::Binary(bytes) => json!({ "DataType": self.kind, "BinaryValue": base64(bytes) }),
        }
    }
}

/// MD5 in hexadecimal, by which clients check what they got.
pub(super) fn md5(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

/// The digest over attributes (SQS Developer Guide, "Calculating the MD5 message digest for message attributes"): in the order of
/// their names, each part with its length in four bytes before it, and 1 for a text or 2 for bytes before the value.
pub(super) fn attributes_md5(attributes: &BTreeMap<&String, &Attribute>) -> String {
    let mut all = Vec::new();
    for (name, attribute) in attributes {
        let (mark, value) = match &attribute.value {
            Bytes::Text(text) => (1, text.as_bytes()),
            Bytes::Binary(bytes) => (2, bytes.as_slice()),
        };
        add(&mut all, name.as_bytes());
        add(&mut all, attribute.kind.as_bytes());
        all.push(mark);
        add(&mut all, value);
    }
    md5(&all)
}

fn add(all: &mut Vec<u8>, part: &[u8]) {
    all.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    all.extend_from_slice(part);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
