//! The client: bytes and errors both ways, where it goes, its end.

use std::io::Read as _;
use std::net::TcpListener;

use peers::{Boto3, Credentials, Moto};
use serde_json::json;

fn credentials() -> Credentials {
    Credentials::new("AKIATEST", "secret")
}

#[tokio::test]
async fn bytes_times_and_errors_pass_both_ways() {
    let moto = Moto::start().unwrap();
    let boto3 = Boto3::start(moto.url(), "eu-west-1", &credentials()).unwrap();
    let made = boto3.call("kms", "CreateKey", json!({})).await.unwrap();
    let key = &made["KeyMetadata"]["KeyId"];
    assert!(made["KeyMetadata"]["CreationDate"]["$time"].as_f64().unwrap() > 1.7e9, "{made}");
    let plain: Vec<u8> = (0..=255).collect();
    let parameters = json!({ "KeyId": key, "Plaintext": Boto3::bytes(&plain) });
    let wrapped = boto3.call("kms", "Encrypt", parameters).await.unwrap();
    let ciphertext = Boto3::to_bytes(&wrapped["CiphertextBlob"]).unwrap();
    assert_ne!(ciphertext, plain);
    let parameters = json!({ "CiphertextBlob": Boto3::bytes(&ciphertext) });
    let opened = boto3.call("kms", "Decrypt", parameters).await.unwrap();
    assert_eq!(Boto3::to_bytes(&opened["Plaintext"]), Some(plain));
    assert_eq!(Boto3::to_bytes(&opened["KeyId"]), None);

    let asked = json!({ "SecretId": "none" });
    let refused = boto3.call("secretsmanager", "GetSecretValue", asked).await.unwrap_err();
    assert_eq!(refused.code, "ResourceNotFoundException");
    assert!(refused.status.is_some() && refused.request_id.is_some(), "{refused:?}");
    let refused = boto3.call("kms", "Encrypt", json!({})).await.unwrap_err();
    assert_eq!((&*refused.code, refused.status), ("ParamValidationError", None));
    let refused = boto3.call("kms", "Divine", json!({})).await.unwrap_err();
    assert_eq!((&*refused.code, &*refused.message), ("UnknownOperation", "Divine"));
}

#[tokio::test]
async fn a_call_is_signed_as_told_and_made_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let accepted = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = vec![0; 4096];
        let len = stream.read(&mut request).unwrap();
        drop(stream); // without an answer: whoever retries comes again
        (String::from_utf8_lossy(&request[..len]).into_owned(), listener)
    });
    let temporary = credentials().with_session_token("a-token");
    let boto3 = Boto3::start(&url, "ap-south-1", &temporary).unwrap();
    let refused = boto3.call("sts", "GetCallerIdentity", json!({})).await.unwrap_err();
    assert_eq!((&*refused.code, refused.status), ("ConnectionClosedError", None), "{refused}");
    let (request, listener) = accepted.join().unwrap();
    assert!(request.contains("Credential=AKIATEST/") && request.contains("/ap-south-1/sts/"));
    assert!(request.contains("X-Amz-Security-Token: a-token"), "{request}");
    // The call has ended: whatever else it tried waits here by now.
    listener.set_nonblocking(true).unwrap();
    let more = listener.accept().map(|_| "a second attempt").unwrap_err();
    assert_eq!(more.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn nothing_but_loopback_is_called() {
    for url in ["https://kms.eu-west-1.amazonaws.com", "http://localhost:5000"] {
        let error = Boto3::start(url, "eu-west-1", &credentials()).unwrap_err();
        assert!(error.to_string().contains("is not on loopback"), "{error}");
    }
}

#[tokio::test]
async fn a_client_that_ended_says_so() {
    let boto3 = Boto3::start("http://127.0.0.1:9", "eu-west-1", &credentials()).unwrap();
    let pid = crate::pid(&boto3);
    let killed = std::process::Command::new("kill").args(["-9", &pid]).status().unwrap();
    assert!(killed.success());
    for _ in 0..2 {
        let refused = boto3.call("sts", "GetCallerIdentity", json!({})).await.unwrap_err();
        assert_eq!(refused.code, "PeerGone");
    }
}

/// A test that gave up on a call does not leave the client waiting for its answer.
#[tokio::test]
async fn a_client_that_waits_for_an_answer_ends_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let boto3 = Boto3::start(&url, "eu-west-1", &credentials()).unwrap();
    let pid = crate::pid(&boto3);
    let call = tokio::spawn(async move {
        let never = boto3.call("sts", "GetCallerIdentity", json!({})).await;
        panic!("{never:?} is no answer of anybody's");
    });
    let asked = tokio::task::spawn_blocking(move || listener.accept().unwrap());
    let (held_open, _) = asked.await.unwrap();
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    crate::ends(&pid);
    drop(held_open);
}

/// What they import is imported once.
#[test]
fn the_peers_of_a_process_are_forks_of_one_python() {
    let (one, other) = ("http://127.0.0.1:9", "http://127.0.0.1:10");
    let clients = [one, other].map(|url| Boto3::start(url, "eu-west-1", &credentials()).unwrap());
    let parents = clients.each_ref().map(|client| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", crate::pid(client))).unwrap();
        // `PID (NAME) STATE PARENT …`
        stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap().to_owned()
    });
    assert_eq!(parents[0], parents[1]);
    assert_ne!(parents[0], std::process::id().to_string());
}
