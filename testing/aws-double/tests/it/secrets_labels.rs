//! Which version is current, pending, previous.

use std::{collections::BTreeMap, time::Duration};

use aws_double::AwsDouble;
use proptest::prelude::{Just, Strategy, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json};

use crate::{
    client::{Client, token},
    secrets_basics::{create, put, strong},
};

async fn labels(client: &Client, name: &str) -> Value {
    client.ok("DescribeSecret", json!({ "SecretId": name })).await["VersionIdsToStages"].clone()
}

fn moving(label: &str, from: Option<u32>, to: Option<u32>) -> Value {
    let mut input = json!({ "SecretId": "x", "VersionStage": label });
    for (name, n) in [("RemoveFromVersionId", from), ("MoveToVersionId", to)] {
        if let Some(n) = n {
            input[name] = json!(token(n));
        }
    }
    input
}

#[tokio::test]
async fn putting_moves_current_and_previous() {
    let (_double, client) = strong().await;
    create(&client, "x").await;
    put(&client, "x", 2, None).await;
    put(&client, "x", 3, None).await;
    let expected = json!({ token(2): ["AWSPREVIOUS"], token(3): ["AWSCURRENT"] });
    assert_eq!(labels(&client, "x").await, expected, "version 1 is deprecated and not told of");
    put(&client, "x", 4, Some(&["AWSPENDING"])).await;
    let read = client.ok("GetSecretValue", json!({ "SecretId": "x" })).await;
    assert_eq!(read["SecretString"], "value 3", "a pending version is not read");
    let pending = json!({ "SecretId": "x", "VersionStage": "AWSPENDING" });
    assert_eq!(client.ok("GetSecretValue", pending).await["SecretString"], "value 4");
    let old = json!({ "SecretId": "x", "VersionId": token(1) });
    let read = client.ok("GetSecretValue", old).await;
    assert!(read.get("VersionStages").is_none() && read["SecretString"] == "one");
}

#[tokio::test]
async fn promotion_and_its_way_back() {
    let (_double, client) = strong().await;
    create(&client, "x").await;
    put(&client, "x", 2, Some(&["AWSPENDING"])).await;
    client.ok("UpdateSecretVersionStage", moving("AWSCURRENT", Some(1), Some(2))).await;
    let read = client.ok("GetSecretValue", json!({ "SecretId": "x" })).await;
    assert_eq!(read["SecretString"], "value 2", "a plain read sees the promotion");
    let batch = client.ok("BatchGetSecretValue", json!({ "SecretIdList": ["x"] })).await;
    assert_eq!(batch["SecretValues"][0]["SecretString"], "value 2", "and so does a batch");
    let expected = json!({ token(1): ["AWSPREVIOUS"], token(2): ["AWSCURRENT", "AWSPENDING"] });
    assert_eq!(labels(&client, "x").await, expected, "labels are in the order of their letters");
    // A put after a promotion leaves one current version, and takes the pending label that was left there.
    put(&client, "x", 3, None).await;
    let expected = json!({ token(2): ["AWSPREVIOUS"], token(3): ["AWSCURRENT"] });
    assert_eq!(labels(&client, "x").await, expected);
    client.ok("UpdateSecretVersionStage", moving("AWSCURRENT", Some(3), Some(2))).await;
    let expected = json!({ token(2): ["AWSCURRENT"], token(3): ["AWSPREVIOUS"] });
    assert_eq!(labels(&client, "x").await, expected, "rolled back");
}

#[tokio::test]
async fn moves_that_are_refused() {
    let (_double, client) = strong().await;
    create(&client, "x").await;
    put(&client, "x", 2, Some(&["AWSPENDING"])).await;
    let wrong = "InvalidParameterException";
    for (input, code, says) in [
        (
            moving("AWSCURRENT", None, Some(2)),
            wrong,
            "The parameter RemoveFromVersionId can't be empty.",
        ),
        (
            moving("AWSCURRENT", Some(2), Some(2)),
            wrong,
            "it must be set to the version that currently has",
        ),
        (moving("AWSCURRENT", Some(1), None), wrong, "You can only move staging label AWSCURRENT"),
        (moving("AWSCURRENT", None, None), wrong, "at least one"),
        (moving("MINE", Some(1), None), wrong, "it must be set to the version that currently has"),
        (moving("AWSCURRENT", Some(1), Some(9)), "ResourceNotFoundException", "VersionId"),
    ] {
        let answer = client.send("UpdateSecretVersionStage", &input).await.unwrap();
        assert_eq!(answer.code(), code, "{input}");
        assert!(answer.message().contains(says), "{}", answer.message());
    }
    // Two promote at once: the second one's belief is out of date.
    client.ok("UpdateSecretVersionStage", moving("AWSCURRENT", Some(1), Some(2))).await;
    put(&client, "x", 3, Some(&["OTHER"])).await;
    let late = moving("AWSCURRENT", Some(1), Some(3));
    assert_eq!(client.refused("UpdateSecretVersionStage", late).await, wrong);
}

#[tokio::test]
async fn labels_of_ones_own() {
    let (_double, client) = strong().await;
    create(&client, "x").await;
    put(&client, "x", 2, Some(&["MINE", "YOURS"])).await;
    client.ok("UpdateSecretVersionStage", moving("MINE", Some(2), Some(1))).await;
    let expected = json!({ token(1): ["AWSCURRENT", "MINE"], token(2): ["YOURS"] });
    assert_eq!(labels(&client, "x").await, expected, "other labels stay where they are");
    let mismatch = json!({ "SecretId": "x", "VersionId": token(2), "VersionStage": "MINE" });
    assert_eq!(client.refused("GetSecretValue", mismatch).await, "InvalidRequestException");
    let many: Vec<String> = (0..19).map(|n| format!("L{n}")).collect();
    let input = json!({
        "SecretId": "x", "SecretString": "v", "ClientRequestToken": token(3), "VersionStages": many,
    });
    assert_eq!(client.refused("PutSecretValue", input).await, "LimitExceededException");
}

#[tokio::test]
async fn versions_are_listed_and_the_oldest_go() {
    let double = AwsDouble::builder().strong().version_quota(200).start().await.unwrap();
    let client = Client::new(&double);
    create(&client, "x").await;
    for n in 2..=5 {
        put(&client, "x", n, None).await;
    }
    let ids = |answer: &Value| -> Vec<String> {
        let versions = answer["Versions"].as_array().unwrap();
        versions.iter().map(|v| v["VersionId"].as_str().unwrap().to_owned()).collect()
    };
    let listed = client.ok("ListSecretVersionIds", json!({ "SecretId": "x" })).await;
    assert_eq!(ids(&listed).len(), 2, "deprecated versions are asked for");
    let mut input = json!({ "SecretId": "x", "IncludeDeprecated": true, "MaxResults": 2 });
    let mut seen = Vec::new();
    loop {
        let page = client.ok("ListSecretVersionIds", input.clone()).await;
        assert!(ids(&page).len() <= 2);
        seen.extend(ids(&page));
        let Some(next) = page.get("NextToken") else { break };
        input["NextToken"] = next.clone();
    }
    assert_eq!(seen, (1..=5).map(token).collect::<Vec<_>>());
    // More than a hundred: nothing of the last day goes, then the oldest unlabelled ones do.
    for n in 6..=110 {
        put(&client, "x", n, None).await;
    }
    let all = json!({ "SecretId": "x", "IncludeDeprecated": true });
    let listed = client.ok("ListSecretVersionIds", all.clone()).await;
    assert!(listed.get("NextToken").is_some(), "more than a page of 100");
    double.clock().advance(Duration::from_secs(24 * 3_600));
    put(&client, "x", 111, None).await;
    let listed = ids(&client.ok("ListSecretVersionIds", all).await);
    assert_eq!(listed.len(), 100);
    assert!(!listed.contains(&token(1)) && listed.contains(&token(110)));
}

#[tokio::test]
async fn too_many_versions_in_a_day() {
    let (double, client) = strong().await;
    create(&client, "x").await;
    for n in 2..=100 {
        put(&client, "x", n, None).await;
    }
    let one_more =
        json!({ "SecretId": "x", "SecretString": "value 101", "ClientRequestToken": token(101) });
    assert_eq!(client.refused("PutSecretValue", one_more).await, "LimitExceededException");
    double.clock().advance(Duration::from_secs(24 * 3_600));
    put(&client, "x", 101, None).await;
}

/// A step of the model.
#[derive(Debug, Clone)]
enum Step {
    Put(u32, Option<&'static str>),
    Move(&'static str, u32, u32),
    Remove(&'static str, u32),
}

const LABELS: [&str; 4] = ["AWSCURRENT", "AWSPENDING", "AWSPREVIOUS", "MINE"];

fn label() -> impl Strategy<Value = &'static str> {
    (0_usize..4).prop_map(|i| LABELS[i])
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (2_u32..6, prop_oneof![Just(None), label().prop_map(Some)])
            .prop_map(|(n, l)| Step::Put(n, l)),
        (label(), 1_u32..6, 1_u32..6).prop_map(|(l, from, to)| Step::Move(l, from, to)),
        (label(), 1_u32..6).prop_map(|(l, from)| Step::Remove(l, from)),
    ]
}

/// The rules over a map from labels to versions, told as simply as they can be.
#[derive(Debug, Default)]
struct Model {
    versions: Vec<u32>,
    at: BTreeMap<&'static str, u32>,
}

impl Model {
    fn attach(&mut self, label: &'static str, to: u32) {
        let before = self.at.insert(label, to);
        if let ("AWSCURRENT", Some(before)) = (label, before.filter(|b| *b != to)) {
            self.at.insert("AWSPREVIOUS", before);
            if self.at.get("AWSPENDING") == Some(&before) {
                self.at.remove("AWSPENDING");
            }
        }
    }

    /// Whether the step is taken.
    fn take(&mut self, step: &Step) -> bool {
        match *step {
            Step::Put(n, label) => {
                if !self.versions.contains(&n) {
                    self.versions.push(n);
                    self.attach(label.unwrap_or("AWSCURRENT"), n);
                }
                true
            }
            Step::Move(label, from, to) => {
                let known = self.versions.contains(&from) && self.versions.contains(&to);
                let taken = known && self.at.get(label) == Some(&from);
                if taken {
                    self.attach(label, to);
                }
                taken
            }
            Step::Remove(label, from) => {
                let taken = label != "AWSCURRENT" && self.at.get(label) == Some(&from);
                if taken {
                    self.at.remove(label);
                }
                taken
            }
        }
    }
}

async fn take(client: &Client, step: &Step) -> bool {
    let (operation, input) = match *step {
        Step::Put(n, label) => {
            let value = format!("value {n}");
            let mut input =
                json!({ "SecretId": "x", "SecretString": value, "ClientRequestToken": token(n) });
            if let Some(label) = label {
                input["VersionStages"] = json!([label]);
            }
            ("PutSecretValue", input)
        }
        Step::Move(label, from, to) => {
            ("UpdateSecretVersionStage", moving(label, Some(from), Some(to)))
        }
        Step::Remove(label, from) => ("UpdateSecretVersionStage", moving(label, Some(from), None)),
    };
    client.send(operation, &input).await.unwrap().status == 200
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 40, failure_persistence: None, ..Default::default() })]

    #[test]
    fn labels_move_as_the_model_says(steps in proptest::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_double, client) = strong().await;
            create(&client, "x").await;
            let mut model = Model::default();
            model.take(&Step::Put(1, None));
            for step in &steps {
                prop_assert_eq!(take(&client, step).await, model.take(step), "{:?}", step);
                let mut at = BTreeMap::new();
                for (id, labels) in labels(&client, "x").await.as_object().unwrap() {
                    for label in labels.as_array().unwrap() {
                        let before = at.insert(label.as_str().unwrap().to_owned(), id.clone());
                        prop_assert_eq!(before, None, "a label is at one version");
                    }
                }
                let expected: BTreeMap<String, String> =
                    model.at.iter().map(|(l, n)| ((*l).to_owned(), token(*n))).collect();
                prop_assert_eq!(at, expected, "{:?}", step);
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn of_many_who_promote_at_once_one_does() {
    let (_double, client) = strong().await;
    create(&client, "x").await;
    for n in 2..=9 {
        put(&client, "x", n, Some(&["MINE"])).await;
    }
    let promotions = (2..=9).map(|n| {
        let client = &client;
        async move {
            let input = moving("AWSCURRENT", Some(1), Some(n));
            let answer = client.send("UpdateSecretVersionStage", &input).await.unwrap();
            (answer.status == 200).then_some(n)
        }
    });
    let won: Vec<u32> =
        futures_util::future::join_all(promotions).await.into_iter().flatten().collect();
    assert_eq!(won.len(), 1, "{won:?}");
    let at = labels(&client, "x").await;
    assert!(at[token(won[0])].as_array().unwrap().contains(&json!("AWSCURRENT")), "{at}");
    assert_eq!(at[token(1)], json!(["AWSPREVIOUS"]));
}
