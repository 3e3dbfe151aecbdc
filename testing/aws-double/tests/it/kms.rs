//! KMS through requests of our own.

mod access;
mod cipher;
mod lifecycle;
mod rotation;
mod signing;

use aws_double::AwsDouble;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::wire::Wire;

fn b64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn unb64(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// A double, a client, and the ARN of a symmetric key.
async fn with_key() -> (AwsDouble, Wire, String) {
    let double = AwsDouble::start().await.unwrap();
    let wire = Wire::new(&double);
    let key = new_key(&wire, json!({})).await;
    (double, wire, key)
}

async fn new_key(wire: &Wire, input: Value) -> String {
    let made = wire.kms("CreateKey", input).await.unwrap();
    made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

async fn encrypt(wire: &Wire, key: &str, plaintext: &[u8], context: Value) -> String {
    let input = json!({ "KeyId": key, "Plaintext": b64(plaintext), "EncryptionContext": context });
    let sealed = wire.kms("Encrypt", input).await.unwrap();
    sealed["CiphertextBlob"].as_str().unwrap().to_owned()
}

/// The code that an operation is refused with.
async fn code(wire: &Wire, operation: &str, input: Value) -> String {
    wire.kms(operation, input).await.unwrap_err().code
}
