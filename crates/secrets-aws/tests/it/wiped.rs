//! Freed memory holds no data key: every block that any thread frees is searched before it goes. The
//! service here answers the same text each time, so that no copy of the key is but the client's.

use probe::Probe;
use secrets_core::{KeyLen, KeyProvider as _, KeyRef, WrapContext, WrappedKey};

use crate::kms;
use crate::server::{Answer, Server};

#[global_allocator]
static PROBE: Probe = Probe::new();

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// Whose first half is looked for: a buffer that grows leaves a part behind.
const DATA_KEY: &[u8; 32] = b"data-key-for-wiping-unwrapped-01";
/// The same as AWS sends it.
const IN_BASE64: &str = "ZGF0YS1rZXktZm9yLXdpcGluZy11bndyYXBwZWQtMDE=";

#[tokio::test]
async fn a_data_key_is_wiped_with_its_last_buffer() {
    let server = Server::start(|asked| {
        let ciphertext = match asked.header("x-amz-target") {
            "TrentService.GenerateDataKey" => ",\"CiphertextBlob\":\"AAEC\"",
            _ => "",
        };
        Answer::new(
            200,
            format!("{{\"KeyId\":\"{KEY}\",\"Plaintext\":\"{IN_BASE64}\"{ciphertext}}}"),
        )
    })
    .await;
    let provider = kms::provider(&server.url, "AKIAIOSFODNN7TESTS00", "secret").await;
    let (key, none) = (KeyRef::new(KEY).unwrap(), WrapContext::new());
    let wrapped = WrappedKey::new(key.clone(), None, vec![0, 1, 2]);
    let scan = PROBE.scan_for(&DATA_KEY[..16]);
    let opened = provider.unwrap_key(&wrapped, &none).await.unwrap();
    assert_eq!(opened.expose_secret(), DATA_KEY);
    let (made, _) = provider.generate_data_key(&key, KeyLen::Bits256, &none).await.unwrap();
    assert_eq!(made.expose_secret(), DATA_KEY);
    drop((opened, made));
    let found = scan.finish();
    assert!(found.is_clean(), "{found:?}");
    assert_eq!(server.count(), 2);
}
