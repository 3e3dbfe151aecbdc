//! What a secret is made of, as values that follow it.

use std::error::Error as _;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use live_value::Live;
use secrets_core::{Secret, SecretProviderExt, SecretValue};
use secrets_manager::view::{Fields, ViewError, ViewFault};
use secrets_manager::{PemFault, SecretHandle, SecretManager, UrlFault};

use crate::support::{NAME, Running, Scripted, build, pass, secs, unavailable, value, version};

const JSON: &str = r#"{"username":"app","password":"c\u0061nary-1","port":5432}"#;

async fn hold(text: &str) -> (SecretManager, SecretHandle) {
    let text = text.to_owned();
    let provider = crate::support::memory(secrets_core::memory::Personality::Aws).await;
    provider.put_text(NAME, &text).await.unwrap();
    let manager = build(provider);
    let handle = manager.handle(NAME).await.unwrap();
    (manager, handle)
}

async fn put(manager: &SecretManager, text: &str) {
    manager.cached().put_text(NAME, text).await.unwrap();
}

fn text(value: &SecretValue) -> &str {
    value.expose_secret_text().unwrap()
}

/// Why a view is behind; nothing of the secret may show in it.
fn behind<T>(live: &Live<T>) -> ViewFault {
    let error = live.derive_error().expect("it is behind");
    assert!(!format!("{error:?} {error}").contains("canary"), "{error:?}");
    let source = error.source().unwrap();
    assert!(!format!("{source:?} {source}").contains("canary"), "{source:?}");
    source.downcast_ref::<ViewError>().unwrap().fault().clone()
}

#[tokio::test]
async fn fields_are_of_one_version_and_change_together() {
    let (manager, handle) = hold(JSON).await;
    let fields = handle.fields(["username", "password", "port"]).unwrap();
    let seen = |fields: &Fields| {
        ["username", "password", "port"].map(|name| text(fields.get(name).unwrap()).to_owned())
    };
    let before = fields.load();
    assert_eq!(seen(&before), ["app", "canary-1", "5432"]);
    assert!(before.get("other").is_none());
    put(&manager, r#"{"password":"canary-2","username":"app2","port":1}"#).await;
    assert_eq!(seen(&fields.load()), ["app2", "canary-2", "1"]);
    assert_eq!(seen(&before), ["app", "canary-1", "5432"], "a guard keeps what it loaded");
    assert!(!format!("{:?}", *fields.load()).contains("canary"));
}

#[tokio::test]
async fn what_does_not_parse_keeps_the_last_good_and_says_why() {
    let (manager, handle) = hold(JSON).await;
    let fields = handle.fields(["password"]).unwrap();
    let is_kept = || text(fields.load().get("password").unwrap()) == "canary-1";
    for (bad, fault) in [
        (r#"{"username":"canary"}"#, ViewFault::Field { name: "password".into() }),
        (r#"{"password":null}"#, ViewFault::Field { name: "password".into() }),
        (r#"{"password":"canary","password":"b"}"#, ViewFault::Field { name: "password".into() }),
        ("canary", ViewFault::Json { line: 1, column: 1 }),
        (r#"{"password":"canary""#, ViewFault::Json { line: 1, column: 20 }),
        (r#"["canary"]"#, ViewFault::Json { line: 1, column: 1 }),
    ] {
        put(&manager, bad).await;
        assert_eq!(behind(&fields), fault, "{bad}");
        assert!(is_kept());
        assert!(handle.fields(["password"]).is_err(), "a new view has nothing to keep");
    }
    put(&manager, r#"{"password":"canary-3"}"#).await;
    assert!(fields.derive_error().is_none());
    assert_eq!(text(fields.load().get("password").unwrap()), "canary-3");
}

#[derive(serde::Deserialize)]
struct Login {
    username: String,
    #[serde(deserialize_with = "secrets_manager::view::secret_value")]
    password: SecretValue,
    port: u16,
}

#[tokio::test]
async fn json_is_read_into_a_type_and_quoted_nowhere() {
    let (manager, handle) = hold(JSON).await;
    let login = handle.json::<Login>().unwrap();
    let now = login.load();
    assert_eq!((&*now.username, text(&now.password), now.port), ("app", "canary-1", 5432));
    // What serde_json says of these holds the value.
    for bad in [
        r#"{"username":"app","password":"x","port":"canary"}"#,
        r#"{"username":"app","password":"canary","port":70000}"#,
        r#"{"username":7,"password":"canary","port":1}"#,
        r#"{"username":"app","password":null,"port":1}"#,
        "canary",
    ] {
        put(&manager, bad).await;
        assert!(matches!(behind(&login), ViewFault::Json { line: 1, .. }), "{bad}");
        assert_eq!(text(&login.load().password), "canary-1");
    }
    put(&manager, r#"{"username":"b","password":"\"\\\ud83d\ude00","port":1}"#).await;
    assert_eq!(text(&login.load().password), "\"\\😀");
}

#[tokio::test]
async fn a_url_is_taken_apart_and_masked() {
    let whole = "postgres://app:c%61nary%40%2F%3A@db.one:5432,[2001:db8::1]/bill%20ing?sslmode=require&password=canary2";
    let (manager, handle) = hold(whole).await;
    let url = handle.url().unwrap();
    let now = url.load();
    assert_eq!((now.scheme(), now.user()), ("postgres", Some("app")));
    assert_eq!(text(now.password().unwrap()), "canary@/:");
    assert_eq!((now.host(), now.port()), (Some("db.one"), Some(5432)));
    let hosts: Vec<_> = now.hosts().iter().map(|host| (&*host.name, host.port)).collect();
    assert_eq!(hosts, [("db.one", Some(5432)), ("2001:db8::1", None)]);
    assert_eq!(now.path(), "bill ing");
    assert_eq!(now.parameter("sslmode").map(text), Some("require"));
    assert_eq!(now.parameter("password").map(text), Some("canary2"));
    assert_eq!(text(now.whole()), whole);
    let debug = format!("{:?}", *now);
    assert!(debug.contains("db.one") && !debug.contains("canary"), "{debug}");

    for (bad, fault) in [
        ("canary", UrlFault::NotUrl),
        ("postgres://app:canary<@db", UrlFault::Encoding),
        ("postgres://app:canary@db:99999/x", UrlFault::Host),
        ("postgres://app:canary/1@db/x", UrlFault::Host),
        ("postgres://%ff:canary@db/x", UrlFault::Encoding),
    ] {
        put(&manager, bad).await;
        assert_eq!(behind(&url), ViewFault::Url(fault), "{bad}");
        assert_eq!(url.load().host(), Some("db.one"));
    }
    for (plain, user, password, host) in [
        ("redis://:canary@cache", None, Some("canary"), Some("cache")),
        ("redis://cache", None, None, Some("cache")),
        ("amqp://u:@h", Some("u"), None, Some("h")),
        ("sqlite:///var/db", None, None, None),
    ] {
        put(&manager, plain).await;
        assert!(url.derive_error().is_none(), "{plain}");
        let now = url.load();
        assert_eq!((now.user(), now.password().map(text), now.host()), (user, password, host));
    }
}

const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMAMCAQA=\n-----END PRIVATE KEY-----";
const FIRST: &str = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----";
const SECOND: &str = "-----BEGIN CERTIFICATE-----\r\nMAMCAQI=\r\n-----END CERTIFICATE-----\r\n";

#[tokio::test]
async fn a_key_pair_is_one_key_and_its_chain() {
    let (manager, handle) = hold(&format!("# ours\n{FIRST}\n{KEY}\nbetween\n{SECOND}")).await;
    let pair = handle.key_pair().unwrap();
    let now = pair.load();
    assert_eq!((text(now.private_key()), now.key_label()), (KEY, "PRIVATE KEY"));
    assert_eq!(now.certificates(), 2);
    let chain = text(now.certificate_chain());
    assert_eq!(chain, format!("{FIRST}\n{}\n", SECOND.trim_end()));
    assert!(!format!("{:?}", *now).contains("MAMC"));
    for (bad, fault) in [
        (FIRST.to_owned(), ViewFault::NoKey),
        (KEY.to_owned(), ViewFault::NoCertificate),
        (format!("{KEY}\n{FIRST}\n{KEY}"), ViewFault::SeveralKeys),
        ("canary".to_owned(), ViewFault::Pem(PemFault::NoBlock)),
        (
            format!("{KEY}\n{}", FIRST.replace("END CERTIFICATE", "END KEY")),
            ViewFault::Pem(PemFault::NoEnd),
        ),
        (
            format!("{FIRST}\n{}", KEY.replace("MAMCAQA=", "MAMCAQ!=")),
            ViewFault::Pem(PemFault::Base64),
        ),
    ] {
        put(&manager, &bad).await;
        assert_eq!(behind(&pair), fault, "{bad}");
        assert_eq!(pair.load().certificates(), 2);
    }
}

#[tokio::test]
async fn text_is_text() {
    let (manager, handle) = hold("one").await;
    let live = handle.text().unwrap();
    manager.cached().put(NAME, SecretValue::copy_from_slice(b"\xff\xfe")).await.unwrap();
    assert_eq!(behind(&live), ViewFault::NotText);
    assert_eq!(text(&live.load()), "one");
}

/// Each view of a value that was replaced is wiped with its last reader.
#[tokio::test]
async fn views_are_wiped() {
    const DOCUMENTS: [&str; 2] = [
        r#"{"username":"u","password":"canary-view-0c7b","port":1}"#,
        "postgres://u:canary-view-0c7b@h/d?password=canary-view-0c7b",
    ];
    let scan = crate::PROBE.scan_for(b"canary-view-0c7b");
    for document in DOCUMENTS {
        let provider = Scripted::new(move |call, _| {
            let mut secret = version(&format!("v{call}"));
            secret.value = value(document);
            async { Ok(secret) }
        });
        let manager = build(provider);
        let handle = manager.handle(NAME).await.unwrap();
        let views = (
            handle.json::<Login>().ok(),
            handle.fields(["password"]).ok(),
            handle.url().ok(),
            handle.text().ok(),
        );
        assert_eq!(views.0.is_some(), views.2.is_none());
        for _ in 0..3 {
            manager.invalidate_all();
            manager.get(NAME).await.unwrap();
        }
        drop((views, handle, manager));
    }
    assert!(scan.finish().is_clean());
}

/// The place is where the parser saw it, not always the beginning.
#[tokio::test]
async fn what_is_no_json_is_said_where() {
    let (_manager, handle) = hold("{\n  \"user\": \"a\",\n  \"password\" \"b\"\n}").await;
    let fault = handle.fields(["user"]).unwrap_err().fault().clone();
    assert_eq!(fault, ViewFault::Json { line: 3, column: 14 });
    let (_manager, handle) = hold("{\"user\":\"a\"}\n x").await;
    let fault = handle.fields(["user"]).unwrap_err().fault().clone();
    assert_eq!(fault, ViewFault::Json { line: 2, column: 2 });
    let (_manager, handle) = hold("[1]").await;
    let none: [&str; 0] = [];
    assert!(handle.fields(none).is_err(), "a list has no fields, not even none");
}

/// What is read is parsed already, and a change of state alone parses nothing.
#[tokio::test(start_paused = true)]
async fn it_is_parsed_when_its_value_changes_and_not_when_it_is_read() {
    thread_local! {
        static PARSED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
    }
    struct Counted;
    impl<'de> serde::Deserialize<'de> for Counted {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            PARSED.set(PARSED.get() + 1);
            serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
        }
    }
    let (manager, handle) = hold(JSON).await;
    let view = handle.json::<Counted>().unwrap();
    (0..100).for_each(|_| drop(view.load()));
    assert_eq!(PARSED.get(), 1);
    put(&manager, r#"{"username":"app"}"#).await;
    assert_eq!(PARSED.get(), 2);
    let version = handle.version();
    let _running = Running::start(&manager).await;
    assert!(handle.version() > version, "it is looked after now");
    (0..100).for_each(|_| drop(view.load()));
    assert_eq!((PARSED.get(), view.version()), (2, version));
}

/// A pool that is built anew whenever a view changes must not be in each outage.
#[tokio::test(start_paused = true)]
async fn a_state_that_changes_is_no_news_to_a_view() {
    let answer = Arc::new(Mutex::new(Ok(("v1", "one"))));
    let provider = Scripted::new({
        let answer = Arc::clone(&answer);
        move |_, _| {
            let (id, content) = match &*answer.lock().unwrap() {
                Ok(answer) => *answer,
                Err(()) => return std::future::ready(Err(unavailable())),
            };
            std::future::ready(Ok(Secret { value: value(content), ..version(id) }))
        }
    });
    let manager = build(provider);
    let running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let mut watches = [handle.value().unwrap().watch(), handle.text().unwrap().watch()];
    let mut states = vec![handle.load().as_str()];
    let mut follower = handle.clone();
    *answer.lock().unwrap() = Err(());
    pass(secs(101)).await;
    states.push(handle.load().as_str());
    // Another version with the same value.
    *answer.lock().unwrap() = Ok(("v2", "one"));
    pass(secs(60)).await;
    states.push(handle.load().as_str());
    assert_eq!(handle.load().secret().unwrap().version.id.as_str(), "v2");
    running.stop().await;
    states.push(handle.load().as_str());
    assert_eq!(states, ["fresh", "stale", "fresh", "orphaned"]);
    assert!(follower.changed().now_or_never().is_some(), "the handle tells");
    for watch in &mut watches {
        assert!(watch.changed().now_or_never().is_none());
    }
    *answer.lock().unwrap() = Ok(("v3", "two"));
    let _running = Running::start(&manager).await;
    for watch in &mut watches {
        assert_eq!(text(&watch.changed().now_or_never().unwrap().unwrap()), "two");
    }
}
