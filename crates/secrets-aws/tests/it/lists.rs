//! Lists: AWS filters roughly, the provider exactly.

use std::time::Duration;

use secrets_core::{MetadataPatch, PageRequest, SecretFilter, SecretProvider, SetOptions};
use serde_json::json;

use super::server::{Answer, Server};
use super::support::{OnDouble, clients, name, text};
use secrets_aws::SecretsManagerProvider;

async fn listed(provider: &SecretsManagerProvider, filter: &SecretFilter) -> Vec<String> {
    let page = provider.list_secrets(filter, PageRequest::first()).await.unwrap();
    page.items.into_iter().map(|info| info.reference.to_string()).collect()
}

/// AWS's filters match the beginnings of tag names and of tag values, each by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_is_a_name_with_its_own_value() {
    let on = OnDouble::start().await;
    let secrets = [
        ("exact", MetadataPatch::new().tag("team", "blue")),
        ("longer", MetadataPatch::new().tag("team", "blueish")),
        ("other-name", MetadataPatch::new().tag("teams", "blue")),
        ("crossed", MetadataPatch::new().tag("team", "red").tag("colour", "blue")),
        ("mark", MetadataPatch::new().tag("team", "!blue")),
        ("none", MetadataPatch::new()),
    ];
    for (id, metadata) in secrets {
        let options = SetOptions::new().with_metadata(metadata);
        on.provider.set_secret(&name(id), text("1"), options).await.unwrap();
    }
    on.double.clock().advance(Duration::from_secs(600));
    let tagged = |value: &str| SecretFilter::all().with_tag("team", value);
    assert_eq!(listed(&on.provider, &tagged("blue")).await, ["exact"]);
    // A `!` at the beginning would turn a filter of AWS's round.
    assert_eq!(listed(&on.provider, &tagged("!blue")).await, ["mark"]);
    let both = tagged("red").with_tag("colour", "blue");
    assert_eq!(listed(&on.provider, &both).await, ["crossed"]);
    assert!(listed(&on.provider, &tagged("red").with_tag("colour", "red")).await.is_empty());
}

/// AWS leaves out what it can, or pages would be read for nothing; an endpoint that does not filter is
/// not believed.
#[tokio::test]
async fn a_prefix_is_asked_for_and_checked() {
    let entry = |name: &str| json!({ "Name": name, "ARN": format!("arn:aws:secretsmanager:eu-west-1:111122223333:secret:{name}-AbC123") });
    let told = json!({ "SecretList": [entry("app/a"), entry("application"), entry("other")] });
    let server = Server::start(move |_| Answer::new(200, told.to_string())).await;
    let provider = SecretsManagerProvider::new(&clients(&server.url).await);
    assert_eq!(listed(&provider, &SecretFilter::prefix("app/")).await, ["app/a"]);
    let filter = SecretFilter::prefix("oth").with_tag("team", "blue");
    assert!(listed(&provider, &filter).await.is_empty());
    let asked: Vec<serde_json::Value> =
        server.asked().iter().map(|asked| serde_json::from_str(&asked.body).unwrap()).collect();
    assert_eq!(asked[0]["Filters"], json!([{ "Key": "name", "Values": ["app/"] }]));
    let filters = json!([
        { "Key": "name", "Values": ["oth"] },
        { "Key": "tag-key", "Values": ["team"] },
        { "Key": "tag-value", "Values": ["blue"] },
    ]);
    assert_eq!(asked[1]["Filters"], filters);
}
