//! Lists, filters, pages, and many values at once.

use aws_double::{AwsDouble, Policy};
use serde_json::{Value, json};

use crate::{
    client::{Client, token},
    secrets_basics::{create, strong},
};

fn names(answer: &Value) -> Vec<String> {
    let list = answer["SecretList"].as_array().or_else(|| answer["SecretValues"].as_array());
    list.unwrap().iter().map(|s| s["Name"].as_str().unwrap().to_owned()).collect()
}

async fn pages(client: &Client, operation: &str, mut input: Value) -> (Vec<String>, usize) {
    let (mut all, mut calls) = (Vec::new(), 0);
    loop {
        let page = client.ok(operation, input.clone()).await;
        calls += 1;
        all.extend(names(&page));
        let Some(next) = page.get("NextToken") else { return (all, calls) };
        input["NextToken"] = next.clone();
    }
}

async fn shelf() -> (AwsDouble, Client) {
    let (double, client) = strong().await;
    for (name, description, tag) in
        [("app/a", "The First one", "red"), ("app/b", "second", "blue"), ("other", "third", "Red")]
    {
        let input = json!({
            "Name": name, "Description": description, "SecretString": name,
            "ClientRequestToken": token(1), "Tags": [{ "Key": "color", "Value": tag }],
        });
        client.ok("CreateSecret", input).await;
    }
    (double, client)
}

#[tokio::test]
async fn filters() {
    let (_double, client) = shelf().await;
    for (key, values, expected) in [
        ("name", vec!["app/"], vec!["app/a", "app/b"]),
        ("name", vec!["APP/"], vec![]),
        ("name", vec!["pp/"], vec![]),
        ("name", vec!["app/a", "oth"], vec!["app/a", "other"]),
        ("name", vec!["!app/"], vec!["other"]),
        ("description", vec!["the first"], vec!["app/a"]),
        ("description", vec!["first"], vec![]),
        ("tag-key", vec!["col"], vec!["app/a", "app/b", "other"]),
        ("tag-key", vec!["Col"], vec![]),
        ("tag-value", vec!["red"], vec!["app/a"]),
        ("tag-value", vec!["!red"], vec!["app/b", "other"]),
        ("primary-region", vec!["us"], vec![]),
        ("owning-service", vec!["rds"], vec![]),
        ("all", vec!["FIRST blue"], vec!["app/a", "app/b"]),
    ] {
        let input = json!({ "Filters": [{ "Key": key, "Values": values }] });
        assert_eq!(names(&client.ok("ListSecrets", input).await), expected, "{key} {values:?}");
    }
    let both = json!({ "Filters": [
        { "Key": "name", "Values": ["app"] }, { "Key": "tag-value", "Values": ["blue"] },
    ] });
    assert_eq!(names(&client.ok("ListSecrets", both).await), ["app/b"], "all filters must match");
    let unknown = json!({ "Filters": [{ "Key": "size", "Values": ["1"] }] });
    assert_eq!(client.refused("ListSecrets", unknown).await, "ValidationException");
}

#[tokio::test]
async fn pages_and_their_tokens() {
    let (_double, client) = strong().await;
    let all: Vec<String> = (0..25).map(|n| format!("s{n:02}")).collect();
    for name in &all {
        create(&client, name).await;
    }
    let (listed, calls) = pages(&client, "ListSecrets", json!({ "MaxResults": 10 })).await;
    assert_eq!((listed, calls), (all.clone(), 3));
    let input = json!({ "MaxResults": 7, "SortOrder": "desc", "SortBy": "name" });
    let (mut listed, calls) = pages(&client, "ListSecrets", input).await;
    listed.reverse();
    assert_eq!((listed, calls), (all, 4));
    let page = client.ok("ListSecrets", json!({ "MaxResults": 10 })).await;
    let next = page["NextToken"].clone();
    for wrong in [
        json!({ "NextToken": "made-up" }),
        json!({ "NextToken": next, "Filters": [{ "Key": "name", "Values": ["s"] }] }),
        json!({ "NextToken": next, "SortOrder": "desc" }),
    ] {
        assert_eq!(client.refused("ListSecrets", wrong).await, "InvalidNextTokenException");
    }
    for size in [0, 101] {
        let wrong = json!({ "MaxResults": size });
        assert_eq!(client.refused("ListSecrets", wrong).await, "ValidationException");
    }
}

#[tokio::test]
async fn what_is_to_be_deleted_is_listed_when_asked_for() {
    let (_double, client) = shelf().await;
    client.ok("DeleteSecret", json!({ "SecretId": "other" })).await;
    let listed = client.ok("ListSecrets", json!({})).await;
    assert_eq!(names(&listed), ["app/a", "app/b"]);
    let listed = client.ok("ListSecrets", json!({ "IncludePlannedDeletion": true })).await;
    assert_eq!(names(&listed).len(), 3);
    let entry = &listed["SecretList"][2];
    assert!(entry["DeletedDate"].is_f64());
    assert_eq!(entry["SecretVersionsToStages"], json!({ token(1): ["AWSCURRENT"] }));
}

#[tokio::test]
async fn a_batch_tells_of_each() {
    let (double, client) = shelf().await;
    client.ok("DeleteSecret", json!({ "SecretId": "other" })).await;
    let user = double.identities().user(double.account(), "reader");
    let policy = Policy::new()
        .allow(&["secretsmanager:*"], &["*"])
        .deny(&["secretsmanager:GetSecretValue"], &["*:secret:app/b-??????"]);
    double.grants().set("arn:aws:iam::111122223333:user/reader", policy);
    let reader = Client::with(&double, &user);
    let input = json!({ "SecretIdList": ["app/a", "app/b", "absent", "other"] });
    let answer = reader.ok("BatchGetSecretValue", input).await;
    assert_eq!(names(&answer), ["app/a"]);
    let errors: Vec<(&str, &str)> = answer["Errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["SecretId"].as_str().unwrap(), e["ErrorCode"].as_str().unwrap()))
        .collect();
    let expected = [
        ("app/b", "AccessDeniedException"),
        ("absent", "ResourceNotFoundException"),
        ("other", "InvalidRequestException"),
    ];
    assert_eq!(errors, expected);
    let alone = Policy::new().allow(&["secretsmanager:GetSecretValue"], &["*"]);
    double.grants().set("arn:aws:iam::111122223333:user/reader", alone);
    let input = json!({ "SecretIdList": ["app/a"] });
    assert_eq!(reader.refused("BatchGetSecretValue", input).await, "AccessDeniedException");
}

#[tokio::test]
async fn batches_have_bounds() {
    let (_double, client) = strong().await;
    let ids: Vec<String> = (0..21).map(|n| format!("s{n:02}")).collect();
    for id in &ids {
        create(&client, id).await;
    }
    let too_many = json!({ "SecretIdList": ids });
    assert_eq!(client.refused("BatchGetSecretValue", too_many).await, "ValidationException");
    let filter = json!([{ "Key": "name", "Values": ["s"] }]);
    for wrong in [
        json!({}),
        json!({ "SecretIdList": ["s00"], "Filters": filter }),
        json!({ "SecretIdList": ["s00"], "MaxResults": 5 }),
    ] {
        assert_eq!(client.refused("BatchGetSecretValue", wrong).await, "InvalidParameterException");
    }
    let (found, calls) = pages(&client, "BatchGetSecretValue", json!({ "Filters": filter })).await;
    assert_eq!((found, calls), (ids, 2));
    let input = json!({ "Filters": filter, "MaxResults": 8 });
    assert_eq!(pages(&client, "BatchGetSecretValue", input).await.1, 3);
}

/// What is made or goes away between two pages of a batch by filters leaves out none of the others, and
/// gives none twice.
#[tokio::test]
async fn changes_between_pages_of_a_batch_shift_nothing() {
    let double = AwsDouble::builder().strong().start().await.unwrap();
    let client = Client::new(&double);
    let create = async |id: &str| {
        let input = json!({ "Name": id, "SecretString": "v", "ClientRequestToken": token(1) });
        client.ok("CreateSecret", input).await;
        double.clock().advance(std::time::Duration::from_secs(1));
    };
    for id in ["app/b", "app/c", "app/d", "app/e"] {
        create(id).await;
    }
    let page = async |next: Option<&Value>| {
        let filters = json!([{ "Key": "name", "Values": ["app/"] }]);
        let mut input = json!({ "Filters": filters, "MaxResults": 2 });
        if let Some(next) = next {
            input["NextToken"] = next.clone();
        }
        let answer = client.ok("BatchGetSecretValue", input).await;
        let values = answer["SecretValues"].as_array().unwrap();
        let names = values.iter().map(|value| value["Name"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), answer["NextToken"].clone())
    };
    let (first, next) = page(None).await;
    assert_eq!(first, ["app/b", "app/c"]);
    create("app/a").await;
    let forced = json!({ "SecretId": "app/b", "ForceDeleteWithoutRecovery": true });
    client.ok("DeleteSecret", forced).await;
    let (second, next) = page(Some(&next)).await;
    assert_eq!(second, ["app/d", "app/e"]);
    let (third, next) = page(Some(&next)).await;
    assert_eq!((third, next), (vec!["app/a".to_owned()], Value::Null));
}

#[tokio::test]
async fn a_batch_may_end_early() {
    let double = AwsDouble::builder().strong().batch_bytes(3_000).start().await.unwrap();
    let client = Client::new(&double);
    let ids: Vec<String> = (0..6).map(|n| format!("s{n}")).collect();
    for id in &ids {
        let input = json!({ "Name": id, "SecretString": "v".repeat(1_000), "ClientRequestToken": token(1) });
        client.ok("CreateSecret", input).await;
    }
    let (found, calls) =
        pages(&client, "BatchGetSecretValue", json!({ "SecretIdList": ids })).await;
    assert_eq!((found, calls), (ids.clone(), 2));
    let first = client.ok("BatchGetSecretValue", json!({ "SecretIdList": ids })).await;
    let wrong = json!({ "SecretIdList": ["s1"], "NextToken": first["NextToken"] });
    assert_eq!(client.refused("BatchGetSecretValue", wrong).await, "InvalidNextTokenException");
}
