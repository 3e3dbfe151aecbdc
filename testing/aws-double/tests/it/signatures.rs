//! Who may ask at all.

use std::time::Duration;

use aws_double::{AwsDouble, Skew};
use serde_json::json;

use crate::client::Client;

async fn refusal(client: &Client) -> (String, String) {
    let answer = client.send("ListSecrets", &json!({})).await.unwrap();
    assert_eq!(answer.status, 400, "{}", answer.text);
    (answer.code(), answer.message())
}

#[tokio::test]
async fn a_good_signature_is_taken_and_a_wrong_key_is_not() {
    let double = AwsDouble::start().await.unwrap();
    let mut client = Client::new(&double);
    client.ok("ListSecrets", json!({})).await;
    client.secret_key = "wrong".to_owned();
    let (code, message) = refusal(&client).await;
    assert_eq!(code, "InvalidSignatureException");
    assert!(message.starts_with("The request signature we calculated does not match"), "{message}");
}

#[tokio::test]
async fn an_unknown_or_revoked_key_is_unrecognized() {
    let double = AwsDouble::start().await.unwrap();
    let mut client = Client::new(&double);
    client.access_key = "AKIAUNKNOWN".to_owned();
    assert_eq!(refusal(&client).await.0, "UnrecognizedClientException");
    let keys = double.identities().user("111122223333", "leaver");
    let client = Client::with(&double, &keys);
    client.ok("ListSecrets", json!({})).await;
    double.identities().revoke(keys.access_key());
    assert_eq!(refusal(&client).await.0, "UnrecognizedClientException");
}

#[tokio::test]
async fn a_session_token_that_is_not_the_keys_own_is_unrecognized() {
    let double = AwsDouble::start().await.unwrap();
    let mut client = Client::new(&double);
    client.session_token = Some("made-up".to_owned());
    assert_eq!(refusal(&client).await.0, "UnrecognizedClientException");
}

#[tokio::test]
async fn no_signature_is_missing_and_half_of_one_incomplete() {
    let double = AwsDouble::start().await.unwrap();
    let client = Client::new(&double);
    let answer = client.send_signed("ListSecrets", "{}".to_owned(), false).await.unwrap();
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "MissingAuthenticationTokenException")
    );
    let half = client
        .http
        .clone()
        .post(double.url())
        .header("x-amz-target", "secretsmanager.ListSecrets")
        .header("authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert!(half.text().await.unwrap().contains("IncompleteSignatureException"));
}

#[tokio::test]
async fn another_services_scope_is_refused() {
    let double = AwsDouble::start().await.unwrap();
    let mut client = Client::new(&double);
    client.scope = "kms".to_owned();
    let (code, message) = refusal(&client).await;
    assert_eq!(code, "InvalidSignatureException");
    assert_eq!(message, "Credential should be scoped to correct service: 'secretsmanager'.");
}

#[tokio::test]
async fn a_clock_that_is_off_by_more_than_five_minutes() {
    let double = AwsDouble::start().await.unwrap();
    for (off, says) in [(-310, "Signature expired: "), (310, "Signature not yet current: ")] {
        let mut client = Client::new(&double);
        client.off = off;
        let (code, message) = refusal(&client).await;
        assert_eq!(code, "InvalidSignatureException");
        assert!(message.starts_with(says) && message.ends_with(" 5 min.)"), "{message}");
    }
    let mut client = Client::new(&double);
    client.off = -290;
    client.ok("ListSecrets", json!({})).await;
    client.off = 0;
    double.clock().set_skew(Skew::Ahead(Duration::from_secs(900)));
    let answer = client.send("ListSecrets", &json!({})).await.unwrap();
    assert!(answer.message().starts_with("Signature expired"), "{}", answer.text);
    assert!(answer.headers.contains_key("date"), "clients correct their clocks by it");
    double.clock().set_skew(Skew::None);
    // Time that passes for the state passes for no signature.
    double.clock().advance(Duration::from_secs(86_400));
    client.ok("ListSecrets", json!({})).await;
}

#[tokio::test]
async fn the_address_of_a_region_takes_no_other() {
    let double = AwsDouble::start().await.unwrap();
    let mut client = Client::new(&double).in_region("eu-west-1");
    client.ok("ListSecrets", json!({})).await;
    client.url = double.regional_url("eu-west-1");
    client.ok("ListSecrets", json!({})).await;
    client.url = double.regional_url("eu-central-1");
    let (code, message) = refusal(&client).await;
    assert_eq!(code, "InvalidSignatureException");
    assert!(message.contains("valid region, not 'eu-west-1'"), "{message}");
}

#[tokio::test]
async fn what_the_service_does_not_know() {
    let double = AwsDouble::start().await.unwrap();
    let mut client = Client::new(&double);
    assert_eq!(client.refused("Nonsense", json!({})).await, "UnknownOperationException");
    assert_eq!(client.refused("ListSecrets", json!([])).await, "SerializationException");
    client.prefix = "nonsense".to_owned();
    assert_eq!(client.refused("ListSecrets", json!({})).await, "UnknownOperationException");
}
