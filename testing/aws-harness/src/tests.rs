//! The harness over the in-memory provider that behaves like AWS, whose hooks play the other client.

use std::sync::Mutex;

use secrets_core::conformance::{self, MemoryHarness};
use secrets_core::memory::{MemoryProvider, Personality};

use super::*;

/// Writes and reads in memory, refuses as AWS does, and keeps what it was asked.
struct Plain {
    memory: MemoryHarness,
    asked: Mutex<Vec<&'static str>>,
    refusal: Option<&'static str>,
}

impl Plain {
    fn new() -> Self {
        let memory = MemoryHarness::new(MemoryProvider::builder(Personality::Aws)).unwrap();
        Self { memory, asked: Mutex::default(), refusal: None }
    }

    fn asked(&self, operation: &'static str) -> Result<(), Refused> {
        self.asked.lock().unwrap().push(operation);
        self.refusal.map_or(Ok(()), |code| Err(Refused::new(code)))
    }

    async fn is_there(&self, id: &str) -> Result<SecretValue, Refused> {
        let read = self.memory.plain_reader().unwrap().read(id).await;
        read.unwrap().ok_or_else(|| Refused::new("ResourceNotFoundException"))
    }

    async fn write(&self, id: &str, value: &SecretValue) -> Result<(), Refused> {
        let written = self.memory.plain_writer().unwrap().write(id, value.clone()).await;
        written.map_err(|error| Refused::new(error.to_string()))
    }
}

#[async_trait]
impl PlainClient for Plain {
    async fn get(&self, id: &str) -> Result<Option<SecretValue>, Refused> {
        self.asked("get")?;
        self.is_there(id).await.map(Some)
    }

    async fn put(&self, id: &str, value: &SecretValue) -> Result<(), Refused> {
        self.asked("put")?;
        self.is_there(id).await?;
        self.write(id, value).await
    }

    async fn create(&self, name: &str, value: &SecretValue) -> Result<(), Refused> {
        self.asked("create")?;
        self.write(name, value).await
    }

    async fn delete(&self, id: &str) -> Result<(), Refused> {
        self.asked("delete")?;
        self.is_there(id).await?;
        self.memory.plain_writer().unwrap().remove(id).await.unwrap();
        Ok(())
    }
}

fn harness(client: Plain) -> AwsHarness<Plain> {
    let (provider, hand) = (client.memory.provider(), client.memory.manual_clock().clone());
    let clock = Arc::new(move |by| hand.advance(by));
    AwsHarness::new(provider, client, Passing::Clock(clock)).under("a/prefix")
}

fn value() -> SecretValue {
    SecretValue::from_string("opens".to_owned())
}

#[tokio::test]
async fn the_suite_runs_on_it() {
    let harness = harness(Plain::new());
    // The provider in memory takes values without a byte, which AWS does not.
    let report = conformance::run_only(&harness, |check| check.id != "values.empty").await;
    assert!(report.is_conformant(), "{report}");
    assert!(report.count("passed") > 80 && report.not_run().next().is_none(), "{report}");
    assert_eq!(report.leftovers, [], "{report}");
}

#[tokio::test]
async fn what_is_not_there_is_made_and_what_is_gone_is_no_failure() {
    let harness = harness(Plain::new());
    assert!(harness.read("db").await.unwrap().is_none());
    harness.write("db", value()).await.unwrap();
    harness.write("db", value()).await.unwrap();
    assert!(harness.read("db").await.unwrap().unwrap().ct_eq(&value()));
    harness.remove("db").await.unwrap();
    harness.remove("db").await.unwrap();
    let asked = harness.client().asked.lock().unwrap().clone();
    assert_eq!(asked, ["get", "put", "create", "put", "get", "delete", "delete"]);
}

#[tokio::test]
async fn refusals_are_told_by_their_code() {
    let refusing = |code| harness(Plain { refusal: Some(code), ..Plain::new() });
    let denied = refusing("AccessDeniedException");
    for told in [
        denied.read("db").await.err(),
        denied.write("db", value()).await.err(),
        denied.remove("db").await.err(),
    ] {
        assert!(told.unwrap().to_string().contains("AccessDeniedException"));
    }
    // It is to be deleted: nothing to read, and no other client may write there.
    let scheduled = refusing("InvalidRequestException");
    assert!(scheduled.read("db").await.unwrap().is_none());
    assert!(scheduled.write("db", value()).await.is_err());
    assert!(scheduled.remove("db").await.is_err());
}

#[test]
fn names_are_the_runs_own_and_no_key_is_shown() {
    let one = harness(Plain::new()).with_credential(value());
    let other = harness(Plain::new());
    assert_ne!(one.root(), other.root());
    assert_eq!(one.name("c001.n1").unwrap().to_string(), format!("{}/c001.n1", one.root()));
    assert!(one.root().starts_with("a/prefix/"));
    assert!(one.credentials()[0].ct_eq(&value()));
    assert!(!format!("{one:?}").contains("opens"));
}

#[test]
fn only_a_clock_that_can_be_moved_is_offered() {
    let account = harness(Plain::new());
    assert!(account.clock().is_some());
    let provider = account.provider();
    for passing in [Passing::Account, Passing::AtOnce] {
        let harness = AwsHarness::new(Arc::clone(&provider), Plain::new(), passing);
        assert!(harness.clock().is_none() && harness.waives(Hook::Clock).is_some());
    }
}

/// A clock that is moved an hour in no time would leave a hint that comes by the network no time to come.
#[tokio::test]
async fn a_hint_has_real_time_to_come_on_a_clock_that_is_moved() {
    let harness = harness(Plain::new());
    let begun = std::time::Instant::now();
    for _ in 0..20 {
        harness.sleep(Duration::from_millis(100)).await;
    }
    // The suite waits in such steps.
    let steps = harness.hints_within().as_millis() / 100;
    let twenty = begun.elapsed().as_millis();
    assert!(twenty * steps / 20 >= 10_000, "{twenty} ms for 20 of {steps} steps");
}
