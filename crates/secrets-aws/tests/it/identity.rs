//! Whom the service is: every source of credentials, chains of roles, other accounts, and what
//! happens when a link fails or its credentials end.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_double::{AwsDouble, Fault, FaultRule, Issuer, Role as Known};
use secrets_aws::{
    AccountId, AwsClients, AwsConfig, Container, Identity, Instance, KeySource, Network, Profile,
    Role, RotatedKeys, StaticKeys, WebIdentity,
};
use secrets_core::{Clock, Error, ErrorKind, SecretValue, async_trait};
use serde_json::json;
use service_test_kit::{Canary, LogCapture};

use crate::retry;
use crate::server::{Answer, Server, on_loopback};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const OWN: &str = "111122223333";
const OTHER: &str = "444455556666";

/// The double's time: what it issues ends by it.
#[derive(Debug)]
struct DoubleClock(aws_double::Clock);

impl Clock for DoubleClock {
    fn now(&self) -> SystemTime {
        self.0.now()
    }
}

pub(crate) fn keys(double: &AwsDouble) -> Identity {
    let given = double.credentials();
    let secret = SecretValue::from_string(given.secret_key().to_owned());
    Identity::StaticKeys(StaticKeys::new(given.access_key(), secret))
}

fn config(double: &AwsDouble, identity: Identity) -> AwsConfig {
    AwsConfig::in_region("us-east-1")
        .with_identity(identity)
        .with_endpoint(on_loopback(double.url()))
        .with_clock(DoubleClock(double.clock().clone()))
        .with_network(Network::default().with_attempts(1))
}

async fn connect(config: AwsConfig) -> AwsClients {
    AwsClients::connect(config).await.unwrap()
}

async fn start() -> AwsDouble {
    AwsDouble::start().await.unwrap()
}

/// A role whom the other account's root trusts.
fn role(name: &str, trusted: &str) -> Known {
    Known::new(name).trusting(trusted)
}

fn root(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

async fn soon(what: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(10), what).await.expect("it happens soon");
}

#[tokio::test]
async fn keys_that_the_application_holds() {
    let double = start().await;
    let clients = connect(config(&double, keys(&double))).await;
    let caller = clients.caller().await.unwrap();
    assert_eq!(caller.account.as_str(), OWN);
    assert_eq!(caller.arn, "arn:aws:iam::111122223333:user/tester");
    assert_eq!(clients.region(), "us-east-1");
    assert!(!format!("{clients:?}").contains(double.credentials().secret_key()));
}

#[tokio::test]
async fn keys_that_nobody_knows_are_not_accepted() {
    let double = start().await;
    let secret = SecretValue::from_string("wrong/secret/canary-31".to_owned());
    let wrong = StaticKeys::new(double.credentials().access_key(), secret);
    let clients = connect(config(&double, Identity::StaticKeys(wrong))).await;
    let error = clients.caller().await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary-31"));
    assert_eq!(double.calls().total(), 1);
}

#[tokio::test]
async fn keys_that_have_ended_are_refused_before_any_call() {
    let double = start().await;
    let text = |text: &str| SecretValue::from_string(text.to_owned());
    let ended = StaticKeys::new("ASIAIOSFODNN7EXAMPLE", text("k"))
        .with_session(text("t"), double.clock().now());
    let clients = connect(config(&double, Identity::StaticKeys(ended))).await;
    let error = clients.caller().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.to_string().contains("the static keys: the source gave credentials that have"));
    assert_eq!(double.calls().total(), 0);
}

#[tokio::test]
async fn a_profile_of_given_files() {
    let double = start().await;
    let folder = tempfile::tempdir().unwrap();
    let (settings, secrets) = (folder.path().join("config"), folder.path().join("credentials"));
    std::fs::write(&settings, "[profile billing]\nregion = us-east-1\n").unwrap();
    let given = double.credentials();
    let text = format!(
        "[billing]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        given.access_key(),
        given.secret_key()
    );
    std::fs::write(&secrets, text).unwrap();
    let profile = Profile::new("billing").with_files(&settings, &secrets);
    let mut config = config(&double, Identity::Profile(profile));
    config.region = None;
    let clients = connect(config.clone()).await;
    assert_eq!(clients.region(), "us-east-1");
    assert_eq!(clients.caller().await.unwrap().account.as_str(), OWN);

    let other = Profile::new("nobody").with_files(&settings, &secrets);
    let error = AwsClients::connect(config.clone().with_identity(Identity::Profile(other.clone())));
    assert!(error.await.unwrap_err().to_string().contains("there is no `region`"));
    config.region = Some("us-east-1".to_owned());
    let clients = connect(config.with_identity(Identity::Profile(other))).await;
    let error = clients.caller().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.to_string().contains("the profile `nobody`"), "{error}");
}

fn write_token(path: &Path, issuer: &Issuer, ends: SystemTime) -> String {
    let ends = ends.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let token = issuer.token(&json!({"sub": "pod", "aud": "sts", "exp": ends})).unwrap();
    std::fs::write(path, format!("{token}\n")).unwrap();
    token
}

#[tokio::test]
async fn a_web_identity_is_read_anew_for_every_exchange() {
    let double = start().await;
    let issuer = Issuer::generate("https://issuer.test/id/1").unwrap();
    double.issuers().add(OWN, &issuer, &["sts"]);
    let arn = double.roles().add(OWN, Known::new("pod").trusting_tokens(OWN, issuer.url(), "pod"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    write_token(&path, &issuer, double.clock().now() + MINUTE * 10);
    let web = WebIdentity::new(&arn, &path);
    let clients = connect(config(&double, Identity::WebIdentity(web))).await;
    let session = "arn:aws:sts::111122223333:assumed-role/pod/mainstay";
    assert_eq!(clients.caller().await.unwrap().arn, session);

    // The token of the file has ended long ago when it is needed again; then a new one is there.
    double.clock().advance(MINUTE * 56);
    assert_eq!(clients.caller().await.unwrap().arn, session);
    soon(double.calls().wait_for("AssumeRoleWithWebIdentity", 2)).await;
    assert_eq!(double.calls().of("AssumeRoleWithWebIdentity")[1].status, 400);
    assert_eq!(clients.caller().await.unwrap().arn, session);
    write_token(&path, &issuer, double.clock().now() + HOUR);
    soon(async {
        while double
            .calls()
            .of("AssumeRoleWithWebIdentity")
            .iter()
            .all(|call| call.status != 200 || call.at < double.clock().now() - MINUTE * 30)
        {
            clients.caller().await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    double.clock().advance(MINUTE * 10);
    assert_eq!(clients.caller().await.unwrap().arn, session);
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_told_without_it() {
    let double = start().await;
    let issuer = Issuer::generate("https://issuer.test/id/1").unwrap();
    double.issuers().add(OWN, &issuer, &["sts"]);
    let arn = double.roles().add(OWN, Known::new("pod").trusting_tokens(OWN, issuer.url(), "pod"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let ended = write_token(&path, &issuer, double.clock().now() - MINUTE);
    let large = folder.path().join("large");
    std::fs::write(&large, "x".repeat(20_001)).unwrap();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "\n").unwrap();
    let cases = [
        (path.as_path(), "refused as `ExpiredToken"),
        (Path::new("/nowhere/token"), "cannot be read (entity not found)"),
        (folder.path(), "is no regular file"),
        (large.as_path(), "is longer than a token can be"),
        (empty.as_path(), "is none"),
    ];
    for (path, what) in cases {
        let web = WebIdentity::new(&arn, path);
        let clients = connect(config(&double, Identity::WebIdentity(web))).await;
        let error = clients.caller().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
        let text = error.to_string();
        let link = format!("the web identity for the role `{arn}`");
        assert!(text.contains(&link) && text.contains(what), "{what}: {text}");
        assert!(!format!("{error:?}").contains(&ended));
    }
}

#[tokio::test]
async fn the_agent_of_a_container() {
    let double = start().await;
    let arn = double.roles().add(OWN, role("task", &root(OWN)));
    double.container().set_role(&arn, HOUR);
    double.container().set_token("token-1");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "token-1\n").unwrap();
    let url = double.container_url();
    let with_token = Container::new(on_loopback(&url)).with_token_file(&path);
    let clients = connect(config(&double, Identity::Container(with_token))).await;
    assert!(clients.caller().await.unwrap().arn.contains(":assumed-role/task/"));

    // A refresh takes the token of then.
    double.container().set_token("token-2");
    std::fs::write(&path, "token-2").unwrap();
    double.clock().advance(MINUTE * 56);
    let before = double.calls().total();
    clients.caller().await.unwrap();
    soon(async {
        while double.calls().total() < before + 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    double.clock().advance(MINUTE * 10);
    assert!(clients.caller().await.unwrap().arn.contains(":assumed-role/task/"));

    let without = connect(config(&double, Identity::Container(Container::new(&url)))).await;
    let error = without.caller().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.to_string().contains("the container: the agent answered with status"), "{error}");
}

#[tokio::test]
async fn the_role_of_an_instance() {
    let double = start().await;
    let arn = double.roles().add(OWN, role("machine", &root(OWN)));
    double.instance().set_role(&arn, HOUR * 6);
    let instance = Instance::default().with_endpoint(on_loopback(double.url()));
    let clients = connect(config(&double, Identity::Instance(instance.clone()))).await;
    assert!(clients.caller().await.unwrap().arn.contains(":assumed-role/machine/"));
    double.instance().clear_role();
    let without = connect(config(&double, Identity::Instance(instance))).await;
    let error = without.caller().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.to_string().contains("the instance: it has none"), "{error}");
    // The first ones have theirs.
    clients.caller().await.unwrap();
}

/// Three roles, each trusting the one before: the last one wants an external id.
fn chain(double: &AwsDouble) -> [Role; 3] {
    let first = double.roles().add(OWN, role("first", &root(OWN)));
    let second = double.roles().add(OWN, role("second", &first));
    let third = role("third", &second).external_id("b7");
    let third = double.roles().add(OTHER, third);
    [
        Role::new(first).with_transitive_tag("team", "billing").with_session_name("one"),
        Role::new(second).with_session_name("two").with_duration(MINUTE * 15),
        Role::new(third).with_session_name("three").with_external_id("b7"),
    ]
}

fn with_roles(config: AwsConfig, roles: impl IntoIterator<Item = Role>) -> AwsConfig {
    roles.into_iter().fold(config, AwsConfig::with_role)
}

#[tokio::test]
async fn a_chain_of_three_roles() {
    let double = start().await;
    let clients = connect(with_roles(config(&double, keys(&double)), chain(&double))).await;
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let clients = clients.clone();
            tokio::spawn(async move { clients.caller().await.unwrap().arn })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), "arn:aws:sts::444455556666:assumed-role/third/three");
    }
    // Each link once, signed by the one before it.
    let assumed = double.calls().of("AssumeRole");
    assert_eq!(assumed.len(), 3);
    let signers: std::collections::BTreeSet<_> =
        assumed.iter().map(|call| call.access_key.clone()).collect();
    assert_eq!(signers.len(), 3);
    assert_eq!(assumed[0].access_key.as_deref(), Some(double.credentials().access_key()));
}

#[tokio::test]
async fn a_chain_is_refreshed_from_its_inner_end_while_nobody_waits() {
    let double = start().await;
    let clients = connect(with_roles(config(&double, keys(&double)), chain(&double))).await;
    clients.caller().await.unwrap();
    // All three are due or ended but the last, which is still good; STS takes its time.
    double.clock().advance(MINUTE * 56);
    let slow = FaultRule::new(Fault::Slow(Duration::from_secs(3))).on("AssumeRole").times(1);
    double.faults().add(slow);
    clients.caller().await.unwrap();
    // Nothing was assumed yet when the caller had its answer.
    assert_eq!(double.calls().count("AssumeRole"), 3);
    soon(double.calls().wait_for("AssumeRole", 6)).await;
    let names: Vec<_> = double.calls().of("AssumeRole")[3..]
        .iter()
        .map(|call| call.access_key.clone().unwrap())
        .collect();
    // The first by the user's key; the others each by a key that was new then.
    assert_eq!(names[0], double.credentials().access_key());
    let old: Vec<_> =
        double.calls().of("AssumeRole")[..3].iter().map(|call| call.access_key.clone()).collect();
    assert!(names[1..].iter().all(|name| !old.contains(&Some(name.clone()))), "{names:?} {old:?}");
    double.clock().advance(MINUTE * 10);
    clients.caller().await.unwrap();
}

#[tokio::test]
async fn the_link_that_fails_is_named() {
    let double = start().await;
    let mut roles = chain(&double);
    roles[2].external_id = Some("wrong".to_owned());
    let third = roles[2].role_arn.clone();
    let clients = connect(with_roles(config(&double, keys(&double)), roles.clone())).await;
    let error = clients.caller().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    let text = error.to_string();
    assert!(text.contains(&format!("the role `{third}`: refused as `AccessDenied`")), "{text}");
    assert!(error.request_id().is_some());

    double.roles().remove(&roles[1].role_arn);
    let clients = connect(with_roles(config(&double, keys(&double)), roles.clone())).await;
    let text = clients.caller().await.unwrap_err().to_string();
    assert!(text.contains(&format!("the role `{}`: refused", roles[1].role_arn)), "{text}");
    assert!(!text.contains("third"), "{text}");
}

#[tokio::test]
async fn an_outage_of_sts_is_none_of_the_callers_while_credentials_are_good() {
    let double = start().await;
    let arn = double.roles().add(OWN, role("reader", &root(OWN)));
    let config = config(&double, keys(&double)).with_role(Role::new(arn));
    let clients = connect(config).await;
    clients.caller().await.unwrap();
    double.faults().add(FaultRule::new(Fault::Unavailable).on("AssumeRole"));
    double.clock().advance(MINUTE * 56);
    for _ in 0..20 {
        clients.caller().await.unwrap();
    }
    soon(double.calls().wait_for("AssumeRole", 2)).await;
    double.clock().advance(MINUTE * 5);
    // The pause after the failure goes by the steady clock.
    let error = clients.caller().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    double.faults().clear();
    soon(async {
        while clients.caller().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn credentials_that_are_not_valid_yet_are_waited_for_not_replaced() {
    let double = start().await;
    let arn = double.roles().add(OWN, role("reader", &root(OWN)));
    double.roles().set_valid_after(Duration::from_secs(10));
    let clients = connect(config(&double, keys(&double)).with_role(Role::new(arn))).await;
    for _ in 0..5 {
        assert_eq!(clients.caller().await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    }
    assert_eq!(double.calls().count("AssumeRole"), 1);
    double.clock().advance(Duration::from_secs(10));
    clients.caller().await.unwrap();
    assert_eq!(double.calls().count("AssumeRole"), 1);
}

/// A session that ended before its time fails no call: all that meet it have others fetched, once, and
/// are made again with those.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_session_is_replaced_within_the_call() {
    let double = start().await;
    let arn = double.roles().add(OWN, role("reader", &root(OWN)));
    let config = config(&double, keys(&double)).with_role(Role::new(arn));
    let config = config.with_network(Network::default().with_attempts(2));
    let clients = connect(config).await;
    clients.caller().await.unwrap();
    let key = double.calls().of("GetCallerIdentity")[0].access_key.clone().unwrap();
    // Until then a service's word is not taken: see `Cached::doubt`.
    tokio::time::sleep(Duration::from_secs(5)).await;
    double.identities().revoke(&key);
    double.calls().clear();
    let slow = Duration::from_millis(200);
    double.faults().add(FaultRule::new(Fault::Slow(slow)).on("AssumeRole"));
    let calls = (0..10).map(|_| clients.caller());
    for answer in futures_util::future::join_all(calls).await {
        answer.unwrap();
    }
    assert_eq!(double.calls().count("AssumeRole"), 1);
    assert_eq!(double.calls().count("GetCallerIdentity"), 20);
    // What is not known after that either fails, without going in a circle.
    let key = double.calls().of("GetCallerIdentity").pop().unwrap().access_key.unwrap();
    double.identities().revoke(&key);
    double.calls().clear();
    assert_eq!(clients.caller().await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    assert_eq!(double.calls().total(), 1);
}

/// A store of an access key, as another provider would be one.
#[derive(Clone)]
struct Kept(Arc<Mutex<secrets_core::Result<StaticKeys>>>);

#[async_trait]
impl KeySource for Kept {
    async fn keys(&self) -> secrets_core::Result<StaticKeys> {
        self.0.lock().unwrap().clone()
    }
}

/// Keys are rotated by somebody else, and the old ones are taken away: no call fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_replaced_while_they_serve() {
    let double = start().await;
    let made = |name: &str| {
        let user = double.identities().user(OWN, name);
        StaticKeys::new(user.access_key(), SecretValue::from_string(user.secret_key().to_owned()))
    };
    let first = made("billing");
    let kept = Kept(Arc::new(Mutex::new(Ok(first.clone()))));
    let keys = Identity::RotatedKeys(RotatedKeys::new(first.clone(), kept.clone()));
    let config = config(&double, keys).with_network(Network::default().with_attempts(2));
    let clients = connect(config).await;
    assert_eq!(clients.caller().await.unwrap().arn, "arn:aws:iam::111122223333:user/billing");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let second = made("billing-2");
    *kept.0.lock().unwrap() = Ok(second.clone());
    double.identities().revoke(&first.access_key_id);
    for _ in 0..3 {
        let caller = clients.caller().await.unwrap();
        assert_eq!(caller.arn, "arn:aws:iam::111122223333:user/billing-2");
    }
    assert_eq!(double.calls().count("GetCallerIdentity"), 1 + 2 + 2);

    // Where the keys are no longer kept they serve on as long as AWS knows them, and then that is told:
    // not as if what was asked for were not there.
    *kept.0.lock().unwrap() = Err(Error::new(ErrorKind::NotFound, "no such secret"));
    tokio::time::sleep(Duration::from_secs(5)).await;
    clients.caller().await.unwrap();
    double.identities().revoke(&second.access_key_id);
    let error = clients.caller().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    let text = format!("{clients:?} {error} {error:?}");
    let shown = [first, second]
        .iter()
        .any(|keys| text.contains(keys.secret_access_key.expose_secret_text().unwrap()));
    assert!(!shown);
}

/// A store of keys that fails at the first call is named, and what it has is looked at.
#[tokio::test]
async fn what_keeps_the_keys_is_not_taken_for_what_is_asked_for() {
    let double = start().await;
    let first = StaticKeys::new(
        double.credentials().access_key(),
        SecretValue::from_string("x".to_owned()),
    );
    let odd = StaticKeys::new("no id!", SecretValue::from_string("x".to_owned()));
    let failed = |kind| Err(Error::new(kind, "no"));
    for (kept, kind, text) in [
        (failed(ErrorKind::NotFound), ErrorKind::Unauthenticated, "cannot be read (not found)"),
        (failed(ErrorKind::Unavailable), ErrorKind::Unavailable, "cannot be read (unavailable)"),
        (Ok(odd), ErrorKind::Unauthenticated, "the id of the access key is not"),
    ] {
        let kept = Kept(Arc::new(Mutex::new(kept)));
        let keys = Identity::RotatedKeys(RotatedKeys::new(first.clone(), kept));
        let error = connect(config(&double, keys)).await.caller().await.unwrap_err();
        assert_eq!(error.kind(), kind);
        let told = error.to_string();
        assert!(told.contains("the keys of the application") && told.contains(text), "{told}");
    }
    assert_eq!(double.calls().total(), 0);
}

/// Where a call may be made once only it fails, and the next one is made with others.
#[tokio::test]
async fn a_revoked_session_is_replaced_for_the_next_call() {
    let double = start().await;
    let arn = double.roles().add(OWN, role("reader", &root(OWN)));
    let clients = connect(config(&double, keys(&double)).with_role(Role::new(arn))).await;
    clients.caller().await.unwrap();
    let key = double.calls().of("GetCallerIdentity")[0].access_key.clone().unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    double.identities().revoke(&key);
    assert_eq!(clients.caller().await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    soon(async {
        while clients.caller().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(double.calls().count("AssumeRole"), 2);
}

#[tokio::test]
async fn other_accounts_have_roles_of_their_own() {
    let double = start().await;
    let own = double.roles().add(OWN, role("service", &root(OWN)));
    let theirs = double.roles().add(OTHER, role("reader", &own).external_id("b7"));
    let other = AccountId::new(OTHER).unwrap();
    let config = config(&double, keys(&double))
        .with_role(Role::new(own))
        .with_account(other.clone(), [Role::new(theirs).with_external_id("b7")]);
    let clients = connect(config).await;
    let here = clients.caller().await.unwrap();
    assert_eq!(here.arn, "arn:aws:sts::111122223333:assumed-role/service/mainstay");
    // The other account's role is assumed when it is first needed.
    assert_eq!(double.calls().count("AssumeRole"), 1);
    let there = clients.caller_in(&other).await.unwrap();
    assert_eq!(there.account, other);
    assert_eq!(double.calls().count("AssumeRole"), 2);
    let third = AccountId::new("777788889999").unwrap();
    assert_eq!(clients.caller_in(&third).await.unwrap(), here);
    assert_eq!(double.calls().count("AssumeRole"), 2);
}

#[tokio::test]
async fn a_role_is_asked_for_with_all_that_was_said() {
    let server = Server::start(|asked| match asked.body.contains("Action=AssumeRole") {
        true => Answer::role(HOUR),
        false => Answer::caller(),
    })
    .await;
    let role = Role::new("arn:aws:iam::111122223333:role/x")
        .with_external_id("a:b")
        .with_session_name("me@host")
        .with_session_tag("cost", "7")
        .with_transitive_tag("team", "billing")
        .with_source_identity("alice")
        .with_duration(MINUTE * 20)
        .with_policy("{}")
        .with_policy_arn("arn:aws:iam::aws:policy/ReadOnlyAccess")
        .with_sts_region("eu-central-1");
    let config = AwsConfig::in_region("eu-west-1")
        .with_identity(retry::keys())
        .with_endpoint(on_loopback(&server.url))
        .with_role(role);
    connect(config).await.caller().await.unwrap();
    let asked = server.asked();
    assert_eq!((asked[0].region(), asked[1].region()), ("eu-central-1", "eu-west-1"));
    assert_eq!(asked[1].access_key(), "ASIAROLEROLEROLEROLE");
    let mut sent: Vec<_> = asked[0].body.split('&').collect();
    sent.sort_unstable();
    let expected = [
        "Action=AssumeRole",
        "DurationSeconds=1200",
        "ExternalId=a%3Ab",
        "Policy=%7B%7D",
        "PolicyArns.member.1.arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FReadOnlyAccess",
        "RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fx",
        "RoleSessionName=me%40host",
        "SourceIdentity=alice",
        "Tags.member.1.Key=cost",
        "Tags.member.1.Value=7",
        "Tags.member.2.Key=team",
        "Tags.member.2.Value=billing",
        "TransitiveTagKeys.member.1=team",
        "Version=2011-06-15",
    ];
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn what_sts_gives_is_looked_at() {
    let short = Answer::role(Duration::ZERO);
    let mut without = Answer::role(HOUR);
    without.body = without.body.replace("ASIAROLEROLEROLEROLE", "");
    let mut cut = Answer::role(HOUR);
    cut.body.truncate(200);
    let page = Answer::new(200, "<html>sign in</html>");
    let cases = [
        (short, ErrorKind::Unauthenticated, "have expired"),
        (without, ErrorKind::Unavailable, "STS"),
        (cut, ErrorKind::Unavailable, "STS"),
        (page, ErrorKind::Unavailable, "STS"),
        (Answer::xml_error(400, "Throttling"), ErrorKind::Throttled, "`Throttling`"),
        (Answer::xml_error(400, "MalformedPolicyDocument"), ErrorKind::InvalidValue, "Malformed"),
        (Answer::xml_error(500, "InternalFailure"), ErrorKind::Unavailable, "InternalFailure"),
        (Answer::new(200, "").after(MINUTE), ErrorKind::Timeout, "no answer yet"),
    ];
    for (answer, kind, what) in cases {
        let server = Server::start(move |_| answer.clone()).await;
        // Only who says nothing is given up soon.
        let patience = if kind == ErrorKind::Timeout { Duration::from_millis(300) } else { MINUTE };
        let network = Network::default().with_attempts(1).with_timeout(patience);
        let config = AwsConfig::in_region("eu-west-1")
            .with_identity(retry::keys())
            .with_endpoint(on_loopback(&server.url))
            .with_role(Role::new("arn:aws:iam::111122223333:role/x"))
            .with_network(network);
        let error = connect(config).await.caller().await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{text}");
        let names = text.contains("the role `arn:aws:iam::111122223333:role/x`");
        assert!(names && text.contains(what), "{what}: {text}");
        assert_eq!(server.count(), 1, "{text}");
    }
}

#[tokio::test]
async fn no_key_and_no_token_is_logged() {
    let [web, session, secret, agent] =
        ["web token", "session token", "secret key", "agent token"].map(Canary::named);
    let (token, key) = (session.text().to_owned(), secret.text().to_owned());
    let server = Server::start(move |asked| {
        let role = Answer::role_with(HOUR, &key, &token);
        if asked.body.contains("Action=AssumeRoleWithWebIdentity") {
            return role.replace("AssumeRole", "AssumeRoleWithWebIdentity");
        }
        match asked.body.contains("Action=AssumeRole") {
            true => role,
            false if asked.header("authorization").starts_with("AWS4") => Answer::caller(),
            false => Answer::new(
                200,
                json!({"AccessKeyId": "ASIAAGENTAGENTAGENTA", "SecretAccessKey": key,
                    "Token": token, "Expiration": "2099-01-01T00:00:00Z"})
                .to_string(),
            ),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let (web_file, agent_file) = (folder.path().join("web"), folder.path().join("agent"));
    std::fs::write(&web_file, web.text()).unwrap();
    std::fs::write(&agent_file, agent.text()).unwrap();
    let arn = "arn:aws:iam::111122223333:role/x";
    let container = Container::new(format!("{}/creds", server.url)).with_token_file(&agent_file);
    let identities = [
        Identity::WebIdentity(WebIdentity::new(arn, &web_file)),
        Identity::Container(container),
        Identity::StaticKeys(
            StaticKeys::new("AKIAIOSFODNN7EXAMPLE", secret.value())
                .with_session(session.value(), SystemTime::now() + HOUR),
        ),
    ];
    let (logs, _guard) = LogCapture::start();
    for identity in identities {
        let config = AwsConfig::in_region("eu-west-1")
            .with_identity(identity)
            .with_endpoint(on_loopback(&server.url))
            .with_role(Role::new(arn));
        connect(config).await.caller().await.unwrap();
    }
    // What is logged: every answer.
    assert!(logs.contains("request-1"), "{:?}", logs.lines());
    for canary in [&web, &session, &secret, &agent] {
        canary.assert_absent_from(&[&logs]);
    }
}
