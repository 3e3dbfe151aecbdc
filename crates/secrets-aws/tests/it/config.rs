//! What a configuration may say, and that all that is wrong with it is said at once.

use std::time::Duration;

use secrets_aws::{
    AccountId, AwsClients, AwsConfig, Container, Endpoints, Identity, Instance, Network, Partition,
    Profile, Proxy, Role, StaticKeys, WebIdentity,
};
use secrets_core::SecretValue;

const ROLE: &str = "arn:aws:iam::111122223333:role/billing";

fn keys() -> Identity {
    let secret = SecretValue::from_string("wJalrXUtnFEMI/K7MDENG".to_owned());
    Identity::StaticKeys(StaticKeys::new("AKIAIOSFODNN7EXAMPLE", secret))
}

fn account(digits: &str) -> AccountId {
    AccountId::new(digits).unwrap()
}

/// The one problem, which names what it is about.
fn one(config: &AwsConfig, about: &str) {
    let problems = config.problems();
    assert!(problems.len() == 1 && problems[0].contains(about), "{about}: {problems:?}");
}

fn with_role(role: Role) -> AwsConfig {
    AwsConfig::in_region("eu-west-1").with_role(role)
}

#[test]
fn sound_configurations_have_no_problems() {
    let reader = Role::new("arn:aws:iam::444455556666:role/path/reader")
        .with_external_id("a:b/c-1")
        .with_session_name("billing@host")
        .with_transitive_tag("team", "billing")
        .with_source_identity("alice")
        .with_duration(Duration::from_secs(900))
        .with_policy("{}")
        .with_policy_arn("arn:aws:iam::aws:policy/ReadOnlyAccess")
        .with_sts_region("us-east-1");
    let config = AwsConfig::in_region("eu-west-1")
        .with_identity(keys())
        .with_role(Role::new(ROLE).with_duration(Duration::from_secs(12 * 3600)))
        .with_account(account("444455556666"), [reader])
        .with_endpoint("http://127.0.0.1:5000");
    assert_eq!(config.problems(), Vec::<String>::new());
    assert!(AwsConfig::default().problems().is_empty());
    let mut china = AwsConfig::in_region("cn-north-1");
    china.partition = Some(Partition::AwsCn);
    china = china.with_role(Role::new("arn:aws-cn:iam::111122223333:role/x"));
    assert!(china.problems().is_empty());
}

#[test]
fn everything_is_said_at_once() {
    let mut config = AwsConfig::in_region("eu-west-1")
        .with_identity(Identity::WebIdentity(WebIdentity::new("role/x", "")))
        .with_role(Role::new("arn:aws-cn:iam::111122223333:role/x").with_external_id("é"))
        .with_account(account("444455556666"), [])
        .with_network(Network::default().with_attempts(0));
    config.partition = Some(Partition::AwsUsGov);
    config.fips = true;
    config.endpoint = Some("ftp://x".to_owned());
    let problems = config.problems();
    let expected = [
        "not in `aws-us-gov`",
        "`endpoint` does not begin",
        "`fips` and `dual_stack`",
        "`role/x` is not the ARN",
        "token is not named",
        "another partition",
        "external id",
        "has no role",
        "`attempts`",
    ];
    for part in expected {
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part}: {problems:#?}");
    }
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
}

#[test]
fn a_region_is_needed_unless_the_environment_has_one() {
    let of = |identity| AwsConfig::default().with_identity(identity);
    for identity in [keys(), Identity::Instance(Instance::default())] {
        one(&of(identity), "no `region`");
    }
    assert!(of(Identity::Profile(Profile::new("x"))).problems().is_empty());
    for region in ["", "eu-west-1.evil.example", "us-isoz-east-1", "EU-WEST-1", "eu-west-1\n"] {
        one(&AwsConfig::in_region(region), "is no region");
    }
}

#[test]
fn endpoints_without_tls_stay_on_this_machine() {
    let with = |url: &str| AwsConfig::in_region("eu-west-1").with_endpoint(url);
    for url in [
        "http://127.0.0.1:1",
        "http://127.9.9.9",
        "http://localhost:80/x",
        "http://[::1]:9",
        "https://vpce-1.secretsmanager.eu-west-1.vpce.amazonaws.com",
    ] {
        assert!(with(url).problems().is_empty(), "{url}");
    }
    for url in [
        "http://10.0.0.1",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://[fd00:ec2::254]",
        "http://169.254.169.254",
    ] {
        one(&with(url), "which is not this machine");
        assert!(with(url).with_insecure_http_endpoint().problems().is_empty(), "{url}");
    }
    for url in [
        "",
        "127.0.0.1:80",
        "https://",
        "https://user:pw@host",
        "https://host:0",
        "https://host:99999",
        "https://ho st",
        "https://host?x",
        "https://host#x",
        "http://[::1",
        "http://[zz]",
        "https://a..b",
        "http://127.0.0.1\\@evil.example",
    ] {
        let problems = with(url).problems();
        assert_eq!(problems.len(), 1, "{url}: {problems:?}");
        assert!(!problems[0].contains("pw"), "{problems:?}");
    }
    let mut single = Endpoints::default();
    single.sts = Some("http://sts.example".to_owned());
    one(&AwsConfig::in_region("eu-west-1").with_endpoints(single), "`sts` is plain HTTP");
}

#[test]
fn roles_are_what_sts_takes() {
    let role = || Role::new(ROLE);
    for arn in [
        "",
        "billing",
        "arn:aws:iam::111122223333:user/x",
        "arn:aws:iam::1111:role/x",
        "arn:aws:iam::111122223333:role/",
        "arn:aws:sts::111122223333:assumed-role/x/y",
        "arn:aws:iam:eu-west-1:111122223333:role/x",
        "arn:aws:iam::111122223333:role/x y",
    ] {
        one(&with_role(Role::new(arn)), "is not the ARN of a role");
    }
    one(&with_role(Role::new("arn:aws-iso-z:iam::111122223333:role/x")), "is not known");
    one(&with_role(role().with_session_name("x")), "session name");
    one(&with_role(role().with_session_name("two words")), "session name");
    one(&with_role(role().with_session_name("x".repeat(65))), "session name");
    one(&with_role(role().with_external_id("x")), "external id");
    one(&with_role(role().with_source_identity("aws:x")), "source identity");
    one(&with_role(role().with_duration(Duration::from_secs(899))), "duration");
    one(&with_role(role().with_duration(Duration::from_secs(12 * 3600 + 1))), "duration");
    one(&with_role(role().with_policy("x".repeat(2049))), "policies");
    one(&with_role(role().with_policy("")), "policy is empty");
    one(&with_role((0..11).fold(role(), |role, _| role.with_policy_arn("arn:a"))), "10 managed");
    one(
        &with_role((0..51).fold(role(), |r, n| r.with_session_tag(format!("t{n}"), ""))),
        "50 tags",
    );
    one(&with_role(role().with_session_tag("", "x")), "50 tags");
    one(&with_role(role().with_session_tag("a", "x").with_session_tag("A", "y")), "case");
    let mut transitive = role();
    transitive.transitive_tags.insert("nowhere".to_owned());
    one(&with_role(transitive), "transitive");
    one(&with_role(role().with_sts_region("cn-north-1")), "sts_region");
}

#[test]
fn a_role_assumed_from_a_role_lasts_an_hour() {
    let long = || Role::new(ROLE).with_duration(Duration::from_secs(3601));
    assert!(with_role(long()).problems().is_empty());
    one(&with_role(Role::new(ROLE)).with_role(long()), "an hour at most");
    let web = Identity::WebIdentity(WebIdentity::new(ROLE, "/run/token"));
    one(&with_role(long()).with_identity(web), "an hour at most");
    let config = with_role(Role::new(ROLE)).with_account(account("111122223333"), [long()]);
    one(&config, "an hour at most");
    let nine =
        (0..9).fold(AwsConfig::in_region("eu-west-1"), |all, _| all.with_role(Role::new(ROLE)));
    one(&nine, "more than 8");
}

#[test]
fn the_last_role_of_an_account_is_its_own() {
    let config =
        AwsConfig::in_region("eu-west-1").with_account(account("444455556666"), [Role::new(ROLE)]);
    one(&config, "another account's");
    for digits in ["", "12345678901", "1234567890123", "12345678901x", "１２３４"] {
        assert!(AccountId::new(digits).is_err(), "{digits}");
    }
}

#[test]
fn agents_and_metadata_are_where_aws_has_them() {
    let of = |identity| AwsConfig::in_region("eu-west-1").with_identity(identity);
    for url in [
        "http://169.254.170.2/v2/credentials/1",
        "http://169.254.170.23/v1/credentials",
        "http://[fd00:ec2::23]/v1/credentials",
        "http://127.0.0.1:1/x",
        "https://agent.example/x",
    ] {
        assert!(of(Identity::Container(Container::new(url))).problems().is_empty(), "{url}");
    }
    for url in ["http://169.254.169.254/x", "http://10.0.0.1/x", "/v2/credentials/1"] {
        one(&of(Identity::Container(Container::new(url))), "container's credentials");
    }
    let at = |url| of(Identity::Instance(Instance::default().with_endpoint(url)));
    assert!(at("http://169.254.169.254").problems().is_empty());
    assert!(at("http://[fd00:ec2::254]").problems().is_empty());
    one(&at("http://10.0.0.1"), "instance's metadata");
    one(&of(Identity::Profile(Profile::new(""))), "name of the profile");
}

#[test]
fn networks_are_bounded() {
    let with = |network| AwsConfig::in_region("eu-west-1").with_network(network);
    let base = Network::default;
    one(&with(base().with_connect_timeout(Duration::from_millis(9))), "connect_timeout");
    one(&with(base().with_connect_timeout(Duration::from_secs(301))), "connect_timeout");
    one(&with(base().with_timeout(Duration::from_millis(99))), "`timeout`");
    one(&with(base().with_operation_timeout(Duration::from_secs(3601))), "operation_timeout");
    one(&with(base().with_attempts(11)), "attempts");
    one(&with(base().with_ca_pem("no certificate")), "no certificate in the PEM");
    let not_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    one(&with(base().with_ca_pem(not_der)), "cannot be read");
    let not_base64 = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    one(&with(base().with_ca_pem(not_base64)), "not PEM");
    let proxy = |url: &str| with(base().with_proxy(Proxy::new(url)));
    assert!(proxy("http://proxy.example:3128").problems().is_empty());
    one(&proxy("socks5://proxy.example"), "the URL of the proxy");
    one(&proxy("http://user:hunter2@proxy.example"), "a user or a password");
    one(&proxy("http://proxy.example/path"), "has a path");
    let of = |user: &str, password: &str| {
        let password = SecretValue::from_string(password.to_owned());
        with(base().with_proxy(Proxy::new("http://p").with_credentials(user, password)))
    };
    one(&of("a:b", "x"), "the user of the proxy");
    one(&of("ab", "line\nbreak"), "the password of the proxy");
}

#[test]
fn nothing_secret_is_shown() {
    let canary = "canary-9f8e7d";
    let secret = || SecretValue::from_string(canary.to_owned());
    let expires = std::time::SystemTime::now();
    let keys = StaticKeys::new("AKIAIOSFODNN7EXAMPLE", secret()).with_session(secret(), expires);
    let proxy = Proxy::new("http://proxy.example:3128").with_credentials("app", secret());
    let config = AwsConfig::in_region("eu-west-1")
        .with_identity(Identity::StaticKeys(keys))
        .with_network(Network::default().with_proxy(proxy));
    let shown = format!("{config:?} {config:#?}");
    assert!(!shown.contains(canary) && shown.contains("AKIAIOSFODNN7EXAMPLE"), "{shown}");
    let in_url = Proxy::new(format!("http://u:{canary}@p"));
    assert!(!format!("{in_url:?}").contains(canary));
}

#[tokio::test]
async fn a_configuration_with_problems_makes_no_clients() {
    let config = AwsConfig::in_region("nowhere").with_endpoint("http://10.1.2.3");
    let error = AwsClients::connect(config).await.unwrap_err();
    assert_eq!(error.kind(), secrets_core::ErrorKind::InvalidValue);
    let text = error.to_string();
    assert!(text.contains("is no region") && text.contains("10.1.2.3"), "{text}");
}

#[cfg(feature = "serde")]
mod by_serde {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn read(value: Value) -> Result<AwsConfig, String> {
        from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn all_of_it_can_be_said() {
        let config = read(json!({
            "region": "eu-west-1",
            "partition": "aws",
            "endpoints": {"sts": "http://localhost:1"},
            "identity": {"web_identity": {"role_arn": ROLE, "token_file": "/run/token"}},
            "assume_role": [{
                "role_arn": ROLE,
                "external_id": "b7",
                "session_tags": {"team": "billing"},
                "transitive_tags": ["team"],
                "duration": "15m",
                "policy_arns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
            }],
            "accounts": {"444455556666": [{"role_arn": "arn:aws:iam::444455556666:role/x"}]},
            "network": {"timeout": "2s", "connect_timeout": "500ms", "attempts": 2},
        }))
        .unwrap();
        assert_eq!(config.problems(), Vec::<String>::new());
        assert_eq!(config.assume_role[0].duration, Some(Duration::from_secs(900)));
        assert_eq!(config.assume_role[0].session_name, "mainstay");
        assert_eq!(config.network.timeout, Duration::from_secs(2));
        assert_eq!(config.network.operation_timeout, Duration::from_secs(30));
        assert!(config.accounts.contains_key(&account("444455556666")));
    }

    #[test]
    fn every_identity_has_a_name() {
        let identity =
            |value: Value| read(json!({"identity": value})).map(|config| config.identity);
        assert!(matches!(identity(json!("default_chain")), Ok(Identity::DefaultChain)));
        assert!(matches!(identity(json!({"instance": {}})), Ok(Identity::Instance(_))));
        let profile = identity(json!({"profile": {"name": "x"}}));
        assert!(matches!(profile, Ok(Identity::Profile(profile)) if profile.name == "x"));
        let container = json!({"container": {"url": "http://169.254.170.23/v1/credentials"}});
        assert!(matches!(identity(container), Ok(Identity::Container(_))));
    }

    #[test]
    fn what_is_unknown_is_refused_and_keys_do_not_stand_in_files() {
        let bad = [
            (json!({"regoin": "eu-west-1"}), "regoin"),
            (json!({"assume_role": [{"role_arn": ROLE, "sesion_name": "x"}]}), "sesion_name"),
            (json!({"network": {"proxy": "http://x"}}), "proxy"),
            (json!({"identity": {"static_keys": {"access_key_id": "A"}}}), "static_keys"),
            (json!({"identity": {"instance": {"endpont": "x"}}}), "endpont"),
            (json!({"partition": "aws-iso-z"}), "aws-iso-z"),
            (json!({"accounts": {"12": []}}), "12 digits"),
            (json!({"network": {"timeout": "1 day"}}), "not a time"),
            (json!({"network": {"timeout": 5}}), "string"),
        ];
        for (value, about) in bad {
            let error = read(value.clone()).unwrap_err();
            assert!(error.contains(about), "{value}: {error}");
        }
    }
}
