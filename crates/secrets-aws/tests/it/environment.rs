//! What is read from the environment, and what is not. Variables belong to a process, so each of
//! these runs in one of its own: this very program, started anew.

use std::process::{Command, Stdio};

use aws_double::AwsDouble;
use secrets_aws::{AwsClients, AwsConfig, Identity, Profile, StaticKeys};
use secrets_core::SecretValue;

use crate::server::{Answer, Server, on_loopback};

/// The variable that tells a process that it is the child below.
const CHILD: &str = "MAINSTAY_TEST_CHILD";
/// What that prints before its result.
const MARK: &str = "child-says: ";

/// Runs the child in an environment of these variables alone: what it says.
async fn child(variables: &[(&str, &str)]) -> String {
    for (name, value) in variables {
        if value.starts_with("http") && !name.starts_with("AWS_ENDPOINT_URL") {
            on_loopback(value);
        }
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["environment::child_process", "--exact", "--nocapture"])
        .env_clear()
        .env(CHILD, "1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(variables.iter().copied())
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = text.lines().find_map(|line| line.split_once(MARK)).map(|(_, said)| said.to_owned());
    said.unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// The other half of the tests here, which start it as a process of its own. By itself it has nothing to
/// do.
#[tokio::test]
async fn child_process() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let told = |name: &str| std::env::var(name).ok();
    let mut config = match told("CHILD_ENDPOINT") {
        // An identity that is named: nothing of the environment counts.
        Some(url) => {
            let secret = SecretValue::from_string("secret".to_owned());
            AwsConfig::in_region("eu-west-1")
                .with_identity(Identity::StaticKeys(StaticKeys::new(
                    "AKIANAMEDNAMEDNAMED0",
                    secret,
                )))
                .with_endpoint(on_loopback(&url))
        }
        None => AwsConfig::default(),
    };
    if let Some(name) = told("CHILD_PROFILE") {
        config.identity = Identity::Profile(Profile::new(name));
    }
    config.network.attempts = told("CHILD_ATTEMPTS").map_or(1, |count| count.parse().unwrap());
    let said = match AwsClients::connect(config).await {
        Err(error) => format!("no clients: {error}"),
        Ok(clients) => match clients.caller().await {
            Ok(caller) => format!("{} in {}", caller.arn, clients.region()),
            Err(error) => format!("error: {error}"),
        },
    };
    #[allow(clippy::print_stdout, reason = "how it answers whoever started it")]
    {
        println!("{MARK}{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_chain_reads_it() {
    let double = AwsDouble::start().await.unwrap();
    let given = double.credentials();
    let said = child(&[
        ("AWS_ACCESS_KEY_ID", given.access_key()),
        ("AWS_SECRET_ACCESS_KEY", given.secret_key()),
        ("AWS_REGION", "us-west-2"),
        ("AWS_ENDPOINT_URL", on_loopback(double.url())),
    ])
    .await;
    assert_eq!(said, "arn:aws:iam::111122223333:user/tester in us-west-2");
    assert_eq!(double.calls().all()[0].region.as_deref(), Some("us-west-2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_there_is_told() {
    let said = child(&[("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")]).await;
    assert!(said.contains("no clients") && said.contains("there is no `region`"), "{said}");
    let server = Server::start(|_| Answer::caller()).await;
    let said = child(&[("AWS_REGION", "eu-west-1"), ("AWS_ENDPOINT_URL", &server.url)]).await;
    assert!(said.contains("there are no credentials: the default chain: it has none"), "{said}");
    assert_eq!(server.count(), 0);
    let said = child(&[("AWS_REGION", "us-isoz-east-1")]).await;
    assert!(said.contains("`us-isoz-east-1` is no region of a partition that is known"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_identity_reads_it() {
    let server = Server::start(|_| Answer::caller()).await;
    let said = child(&[
        ("CHILD_ENDPOINT", &server.url),
        ("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENTENVIR"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_REGION", "us-east-1"),
        // Nobody listens at the ports of these.
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1"),
        ("HTTP_PROXY", "http://127.0.0.1:1"),
        ("ALL_PROXY", "http://127.0.0.1:1"),
        ("AWS_MAX_ATTEMPTS", "7"),
    ])
    .await;
    assert_eq!(said, "arn:aws:iam::111122223333:user/u in eu-west-1");
    let asked = server.asked();
    assert_eq!((asked[0].access_key(), asked[0].region()), ("AKIANAMEDNAMEDNAMED0", "eu-west-1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_of_the_environment_is_held_to_the_same_rule() {
    let server = Server::start(|_| Answer::caller()).await;
    // This machine by a name that is not loopback's: it would be reached.
    let other = server.url.replace("127.0.0.1", "0.0.0.0");
    let said = child(&[
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", &other),
    ])
    .await;
    assert!(said.contains("the endpoint is plain HTTP and not on this machine"), "{said}");
    assert_eq!(server.count(), 0);
}

/// What the default chain asks by itself is held to it as well: it would send a token, and be sent keys.
#[tokio::test(flavor = "multi_thread")]
async fn so_are_the_sources_of_the_default_chain() {
    let server = Server::start(|_| Answer::caller()).await;
    let port = server.url.rsplit_once(':').unwrap().1;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "a.token.of-somebody").unwrap();
    let exchange = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/reader"),
        ("AWS_REGION", "eu-west-1"),
    ];
    // This machine by names that are not loopback's; the last is one where a port would stand.
    for authority in ["0.0.0.0", "[::ffff:127.0.0.1]", "127.0.0.1:80@0.0.0.0"] {
        let other = format!("http://{authority}:{port}");
        let said = child(&[&exchange[..], &[("AWS_ENDPOINT_URL_STS", &other)]].concat()).await;
        assert_eq!(server.count(), 0, "{said}");
        assert!(said.contains("plain HTTP and not on this machine"), "{authority}: {said}");
    }
    let said = child(&[&exchange[..], &[("AWS_ENDPOINT_URL_STS", &server.url)]].concat()).await;
    assert!(server.count() > 0, "{said}");
}

/// What the default chain and a profile ask STS by themselves they ask as often as is said of all calls.
#[tokio::test(flavor = "multi_thread")]
async fn the_sources_of_the_sdk_ask_as_often_as_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "a.token.of-somebody").unwrap();
    let settings = folder.path().join("config");
    let profile = "[profile billing]\nrole_arn = arn:aws:iam::111122223333:role/reader\n\
                   source_profile = keys\nregion = eu-west-1\n[profile keys]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n\
                   aws_secret_access_key = x\n";
    std::fs::write(&settings, profile).unwrap();
    let chain = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/reader"),
    ];
    let profile = [("AWS_CONFIG_FILE", settings.to_str().unwrap()), ("CHILD_PROFILE", "billing")];
    for identity in [chain, profile] {
        for attempts in [1, 2] {
            let server = Server::start(|_| Answer::xml_error(503, "ServiceUnavailable")).await;
            let count = attempts.to_string();
            let rest = [
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ENDPOINT_URL_STS", on_loopback(&server.url)),
                ("AWS_MAX_ATTEMPTS", "7"),
                ("CHILD_ATTEMPTS", &count),
            ];
            let said = child(&[&identity[..], &rest].concat()).await;
            assert!(said.starts_with("error: "), "{said}");
            assert_eq!(server.count(), attempts, "{said}");
        }
    }
}
