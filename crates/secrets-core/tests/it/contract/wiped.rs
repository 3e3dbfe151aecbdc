//! Freed memory holds no secret: every block that any thread frees is searched before it goes.

use probe::{Findings, Probe};
use secrets_core::{DataKey, SecretValue};

#[global_allocator]
static PROBE: Probe = Probe::new();

/// Each test has a needle of its own: others run at the same time.
fn scan(needle: &'static [u8], work: impl FnOnce()) -> Findings {
    let scan = PROBE.scan_for(needle);
    work();
    scan.finish()
}

#[test]
fn the_scan_finds_what_is_not_wiped() {
    let needle = b"needle-left-behind";
    let findings = scan(needle, || drop(std::hint::black_box(needle.to_vec())));
    assert!(!findings.is_clean());
}

#[test]
fn a_value_is_wiped_with_its_last_clone() {
    let needle = b"needle-in-a-value-";
    let findings = scan(needle, || {
        let value = SecretValue::copy_from_slice(needle);
        let clone = value.clone();
        drop(value);
        assert_eq!(clone.expose_secret(), needle);
        drop(clone);
        // A buffer with room to spare is left behind when its bytes move.
        let mut roomy = Vec::with_capacity(4 * needle.len());
        roomy.extend_from_slice(needle);
        drop(SecretValue::from_vec(roomy));
        drop(SecretValue::from_boxed(Box::from(&needle[..])));
        drop(SecretValue::from_string(String::from_utf8(needle.to_vec()).unwrap()));
        let value = SecretValue::copy_from_slice(needle);
        let typed = value.clone().with_content_type("text/plain");
        drop((value, typed));
        drop(DataKey::from_boxed(Box::from(&needle[..])).to_value());
    });
    assert!(findings.is_clean(), "{findings:?}");
}

/// Short values lie in one block with their counts, up to 78 bytes of them.
const LENGTHS: [usize; 14] = [16, 17, 31, 32, 48, 64, 76, 77, 78, 79, 80, 1024, 5000, 70_000];

#[test]
fn values_of_every_size_are_wiped_to_their_last_byte() {
    let needle = b"needle-of-a-size";
    let mut left = Vec::new();
    for len in LENGTHS {
        let (text, bytes) = (|| text_with(needle, len), || text_with(needle, len).into_bytes());
        let makers: [&dyn Fn() -> SecretValue; 6] = [
            &|| {
                let mut bytes = bytes();
                let value = SecretValue::copy_from_slice(&bytes);
                bytes.fill(0);
                std::hint::black_box(&bytes);
                value
            },
            &|| SecretValue::from_vec(bytes()),
            &|| SecretValue::from_vec(roomy(bytes())),
            &|| SecretValue::from_boxed(bytes().into_boxed_slice()),
            &|| SecretValue::from_string(text()),
            &|| {
                let value = SecretValue::from_boxed(bytes().into_boxed_slice());
                value.clone().with_content_type("text/plain").with_content_type("text/html")
            },
        ];
        for (at, maker) in makers.iter().enumerate() {
            let findings = scan(needle, || {
                let value = maker();
                assert!(value.expose_secret().ends_with(needle));
                assert_eq!(value.len(), len);
                let clone = value.clone();
                std::thread::spawn(move || drop(clone)).join().unwrap();
                drop(value);
            });
            if !findings.is_clean() {
                left.push((len, at));
            }
        }
    }
    assert_eq!(left, [], "lengths, and how the value was made");
}

/// A text of this length with the needle at both ends, in a buffer of exactly that length.
fn text_with(needle: &[u8], len: usize) -> String {
    let mut bytes = vec![b'.'; len];
    bytes[..needle.len()].copy_from_slice(needle);
    bytes[len - needle.len()..].copy_from_slice(needle);
    String::from_utf8(bytes).unwrap()
}

/// The same bytes with room to spare, in which they stood before.
fn roomy(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut roomy = Vec::with_capacity(2 * bytes.len());
    roomy.extend_from_slice(&bytes);
    roomy.extend_from_slice(&bytes);
    roomy.truncate(bytes.len());
    bytes.fill(0);
    std::hint::black_box(&bytes);
    roomy
}

#[cfg(feature = "json")]
#[test]
fn a_field_leaves_no_copy_of_itself_or_of_the_others() {
    let needle = b"needle-in-a-field-";
    let document = |n: &str| {
        let escaped = n.replacen('n', r"\u006e", 1);
        let text =
            format!(r#"{{"plain":"{n}","escaped":"{escaped}","nested":{{"a":"{n}"}},"last":1}}"#);
        SecretValue::from_string(text)
    };
    let text = std::str::from_utf8(needle).unwrap();
    // Building the document is the test's own affair: `format!` leaves pieces behind.
    let secret = document(text);
    let findings = scan(needle, || {
        assert_eq!(secret.json_field("plain").unwrap().expose_secret(), needle);
        assert_eq!(secret.json_field("escaped").unwrap().expose_secret(), needle);
        assert!(secret.json_field("nested").unwrap().len() > needle.len());
        assert_eq!(secret.json_field("last").unwrap().expose_secret(), b"1");
        assert!(secret.json_field("missing").is_err());
    });
    assert!(findings.is_clean(), "{findings:?}");
}

#[cfg(feature = "json")]
#[test]
fn a_field_leaves_no_copy_of_the_names_of_others() {
    let needle = b"needle-in-a-name-";
    let text = std::str::from_utf8(needle).unwrap();
    // The escape makes a parser that gives out keys unescape it into a buffer of its own.
    let secret = SecretValue::from_string(format!(r#"{{"{text}\u0031":1,"a\u0062":"found"}}"#));
    let findings = scan(needle, || {
        assert_eq!(secret.json_field("ab").unwrap().expose_secret(), b"found");
        assert!(secret.json_field("missing").is_err());
    });
    assert!(findings.is_clean(), "{findings:?}");
}

#[cfg(feature = "json")]
#[test]
fn a_refused_document_leaves_no_copy_either() {
    let needle = b"needle-in-refused-";
    let text = std::str::from_utf8(needle).unwrap();
    let documents: Vec<SecretValue> = [
        format!(r#"{{"f":"{text}","f":"{text}"}}"#),
        format!(r#"{{"f":"{text}\ud800"}}"#),
        format!(r#"{{"f":"{text}"#),
        format!(r#"{{"f":"{text}"}} {text}"#),
        format!(r#""{text}""#),
    ]
    .into_iter()
    .map(SecretValue::from_string)
    .collect();
    let findings = scan(needle, || {
        for document in &documents {
            assert!(document.json_field("f").is_err());
        }
        drop(documents);
    });
    assert!(findings.is_clean(), "{findings:?}");
}

#[cfg(feature = "memory")]
#[test]
fn the_store_wipes_what_it_held() {
    use secrets_core::memory::{MemoryProvider, Personality};
    use secrets_core::{DeleteMode, SecretProvider, SecretRef, SetOptions};

    let needle = b"needle-in-the-store";
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let name: SecretRef = secrets_core::SecretName::new("db").unwrap().into();
    let findings = scan(needle, || {
        for personality in Personality::ALL {
            let provider = MemoryProvider::new(personality);
            runtime.block_on(async {
                let set = |options| {
                    // Not text: Azure's string has to be made of it.
                    let bytes = [&needle[..], &[0xff]].concat();
                    provider.set_secret(&name, SecretValue::from_vec(bytes), options)
                };
                let base = set(SetOptions::new()).await.unwrap().id;
                let pending = set(SetOptions::pending()).await.unwrap().id;
                let token = secrets_core::IdempotencyKey::from_random([1; 16]);
                provider.promote(&name, &pending, &base, &token).await.unwrap();
                let current = provider.get_secret(&name, Default::default()).await.unwrap();
                assert!(current.value.expose_secret().starts_with(needle));
                provider.delete_secret(&name, DeleteMode::Immediate).await.unwrap();
            });
        }
    });
    assert!(findings.is_clean(), "{findings:?}");
}
