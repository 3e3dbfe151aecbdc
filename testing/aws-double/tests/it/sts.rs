//! STS through requests of our own.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_double::{AwsDouble, Fault, FaultRule, Issuer, IssuerState, Policy, Role};
use serde_json::{Value, json};

use crate::wire::{Keys, Refused, Wire, element};

const ROLE: &str = "arn:aws:iam::111122223333:role/deployer";
const HOUR: Duration = Duration::from_secs(3_600);
const URL: &str = "https://issuer.test/id/1";

fn fields<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![("RoleArn", ROLE), ("RoleSessionName", "run-1")];
    for (name, value) in more {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    fields
}

async fn assume(wire: &Wire, more: &[(&str, &str)]) -> Result<String, Refused> {
    wire.sts("AssumeRole", &fields(more)).await
}

/// A double with the role, trusted by its account.
async fn with_role(role: Role) -> (AwsDouble, Wire) {
    let double = AwsDouble::start().await.unwrap();
    double.roles().add(double.account(), role);
    let wire = Wire::new(&double);
    (double, wire)
}

fn trusting() -> Role {
    Role::new("deployer").trusting("arn:aws:iam::111122223333:root")
}

/// The credentials of the answer.
fn session(xml: &str) -> Keys {
    let [access, secret, token] =
        ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(|name| element(xml, name));
    Keys { access, secret, token: Some(token) }
}

async fn who(double: &AwsDouble, keys: &Keys) -> Result<String, Refused> {
    let answer = Wire::of(double, keys.clone()).sts("GetCallerIdentity", &[]).await?;
    Ok(element(&answer, "Arn"))
}

#[tokio::test]
async fn a_session_is_its_role_until_it_ends() {
    let (double, wire) = with_role(trusting()).await;
    let xml = assume(&wire, &[]).await.unwrap();
    let arn = "arn:aws:sts::111122223333:assumed-role/deployer/run-1";
    assert_eq!(element(&xml, "Arn"), arn);
    assert!(element(&xml, "AssumedRoleId").starts_with("AROA"));
    assert!(element(&xml, "AssumedRoleId").ends_with(":run-1"));
    assert!(element(&xml, "AccessKeyId").starts_with("ASIA"));
    let credentials = session(&xml);
    assert_eq!(who(&double, &credentials).await.unwrap(), arn);
    double.clock().advance(HOUR - Duration::from_secs(30));
    assert!(who(&double, &credentials).await.is_ok());
    double.clock().advance(Duration::from_secs(30));
    assert_eq!(who(&double, &credentials).await.unwrap_err().code, "ExpiredToken");
}

#[tokio::test]
async fn credentials_that_are_not_valid_yet_are_unknown() {
    let (double, wire) = with_role(trusting()).await;
    double.roles().set_valid_after(Duration::from_secs(10));
    let credentials = session(&assume(&wire, &[]).await.unwrap());
    let refused = who(&double, &credentials).await.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (403, "InvalidClientTokenId"));
    double.clock().advance(Duration::from_secs(10));
    assert!(who(&double, &credentials).await.is_ok());
}

#[tokio::test]
async fn only_who_is_trusted_assumes_a_role() {
    let (double, wire) =
        with_role(Role::new("deployer").trusting("arn:aws:iam::111122223333:user/ann")).await;
    let refused = assume(&wire, &[]).await.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (403, "AccessDenied"));
    let expected = format!(
        "User: arn:aws:iam::111122223333:user/tester is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
    );
    assert_eq!(refused.message, expected);
    let absent =
        assume(&wire, &[("RoleArn", "arn:aws:iam::111122223333:role/absent")]).await.unwrap_err();
    assert_eq!(absent.code, "AccessDenied", "a role that is not there looks the same");
    // Named by the trust policy, in the same account: no policy of her own is needed.
    let ann = double.identities().user(double.account(), "ann");
    double.grants().set("arn:aws:iam::111122223333:user/ann", Policy::new());
    assert!(assume(&Wire::of(&double, &ann), &[]).await.is_ok());
}

#[tokio::test]
async fn trust_in_an_account_leaves_it_to_the_account() {
    let (double, _) = with_role(trusting().trusting("arn:aws:iam::999988887777:root")).await;
    for account in ["111122223333", "999988887777"] {
        let user = Wire::of(&double, &double.identities().user(account, "sam"));
        assert!(assume(&user, &[]).await.is_ok(), "{account}");
        double.grants().set(&format!("arn:aws:iam::{account}:user/sam"), Policy::new());
        assert_eq!(assume(&user, &[]).await.unwrap_err().code, "AccessDenied", "{account}");
    }
}

#[tokio::test]
async fn an_external_id_must_be_the_one() {
    let (_double, wire) = with_role(trusting().external_id("from-the-contract")).await;
    for (more, code) in [
        (vec![], "AccessDenied"),
        (vec![("ExternalId", "another")], "AccessDenied"),
        (vec![("ExternalId", "x")], "ValidationError"),
        (vec![("ExternalId", "a b")], "ValidationError"),
    ] {
        assert_eq!(assume(&wire, &more).await.unwrap_err().code, code, "{more:?}");
    }
    assert!(assume(&wire, &[("ExternalId", "from-the-contract")]).await.is_ok());
}

#[tokio::test]
async fn an_external_id_comes_on_top_of_what_a_statement_asks_for() {
    let statement = json!({
        "Effect": "Allow",
        "Principal": { "AWS": "111122223333" },
        "Action": "sts:AssumeRole",
        "Condition": { "StringEquals": { "sts:RoleSessionName": "run-1" } },
    });
    let role = Role::new("deployer").statement(statement).external_id("agreed");
    let (_double, wire) = with_role(role).await;
    assert_eq!(assume(&wire, &[]).await.unwrap_err().code, "AccessDenied");
    assert!(assume(&wire, &[("ExternalId", "agreed")]).await.is_ok());
    let other = [("ExternalId", "agreed"), ("RoleSessionName", "run-2")];
    assert_eq!(assume(&wire, &other).await.unwrap_err().code, "AccessDenied");
}

#[tokio::test]
async fn names_and_durations_are_within_bounds() {
    let (_double, wire) = with_role(trusting().max_session(2 * HOUR)).await;
    for (name, value) in [
        ("RoleSessionName", "a"),
        ("RoleSessionName", "a b"),
        ("RoleSessionName", "a/b"),
        ("RoleArn", "arn:aws:iam::1:role"),
        ("RoleArn", "arn:aws:iam::111122223333:user/x"),
        ("DurationSeconds", "899"),
        ("DurationSeconds", "43201"),
        ("DurationSeconds", "7201"),
    ] {
        let refused = assume(&wire, &[(name, value)]).await.unwrap_err();
        assert_eq!(
            (refused.status, refused.code.as_str()),
            (400, "ValidationError"),
            "{name} {value}"
        );
    }
    let long = "x".repeat(65);
    assert_eq!(
        assume(&wire, &[("RoleSessionName", &long)]).await.unwrap_err().code,
        "ValidationError"
    );
    assert!(assume(&wire, &[("DurationSeconds", "900")]).await.is_ok());
    assert!(assume(&wire, &[("DurationSeconds", "7200")]).await.is_ok());
}

#[tokio::test]
async fn a_role_assumed_by_a_role_lasts_an_hour_at_most() {
    let (double, wire) = with_role(trusting().max_session(4 * HOUR)).await;
    let next = Role::new("next").trusting(ROLE).max_session(4 * HOUR);
    let next = double.roles().add(double.account(), next);
    let chained = session(&assume(&wire, &[("DurationSeconds", "14400")]).await.unwrap());
    let chained = Wire::of(&double, chained);
    let refused =
        assume(&chained, &[("RoleArn", &next), ("DurationSeconds", "3601")]).await.unwrap_err();
    assert_eq!(refused.code, "ValidationError");
    assert!(
        refused.message.contains("1 hour session limit for roles assumed by role chaining"),
        "{}",
        refused.message
    );
    let xml = assume(&chained, &[("RoleArn", &next), ("DurationSeconds", "3600")]).await.unwrap();
    assert_eq!(element(&xml, "Arn"), "arn:aws:sts::111122223333:assumed-role/next/run-1");
}

#[tokio::test]
async fn a_session_policy_narrows_what_the_role_may() {
    let (double, wire) = with_role(trusting()).await;
    let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*" }] });
    let xml = assume(&wire, &[("Policy", &policy.to_string())]).await.unwrap();
    assert_ne!(element(&xml, "PackedPolicySize"), "0");
    let narrowed = Wire::of(&double, session(&xml));
    assert!(narrowed.kms("ListKeys", json!({})).await.is_ok());
    assert_eq!(
        narrowed.kms("CreateKey", json!({})).await.unwrap_err().code,
        "AccessDeniedException"
    );
    let with_principal = json!({ "Statement": [{ "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*" }] });
    for (policy, code) in [
        ("{".to_owned(), "MalformedPolicyDocument"),
        (with_principal.to_string(), "MalformedPolicyDocument"),
        (" ".repeat(2_049), "ValidationError"),
    ] {
        assert_eq!(assume(&wire, &[("Policy", &policy)]).await.unwrap_err().code, code);
    }
}

#[tokio::test]
async fn tags_need_leave_of_their_own_and_room() {
    let statement = json!({ "Effect": "Allow", "Principal": { "AWS": "111122223333" }, "Action": "sts:AssumeRole" });
    let (double, wire) = with_role(Role::new("deployer").statement(statement)).await;
    let one = [("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "a")];
    let refused = assume(&wire, &one).await.unwrap_err();
    assert!(refused.message.contains("sts:TagSession"), "{}", refused.message);
    assert!(assume(&wire, &[]).await.is_ok());
    double.roles().add(double.account(), trusting());
    assert!(assume(&wire, &one).await.is_ok());
    let many: Vec<(String, String)> = (1..=50)
        .flat_map(|n| {
            [
                (format!("Tags.member.{n}.Key"), format!("k{n}")),
                (format!("Tags.member.{n}.Value"), "v".repeat(256)),
            ]
        })
        .collect();
    let many: Vec<(&str, &str)> =
        many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let refused = assume(&wire, &many).await.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (400, "PackedPolicyTooLarge"));
    let twice = [("Tags.member.1.Key", "a"), ("Tags.member.2.Key", "a")];
    assert_eq!(assume(&wire, &twice).await.unwrap_err().code, "InvalidParameterValue");
}

#[tokio::test]
async fn anyone_may_ask_who_they_are() {
    let double = AwsDouble::start().await.unwrap();
    let user = double.identities().user("999988887777", "poor");
    double.grants().set("arn:aws:iam::999988887777:user/poor", Policy::new());
    let xml = Wire::of(&double, &user).sts("GetCallerIdentity", &[]).await.unwrap();
    assert_eq!(element(&xml, "Arn"), "arn:aws:iam::999988887777:user/poor");
    assert_eq!(element(&xml, "Account"), "999988887777");
    assert!(element(&xml, "UserId").starts_with("AIDA"));
}

fn claims(more: Value) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut claims = json!({ "sub": "pod-1", "aud": "sts.amazonaws.com", "exp": now + 600 });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

struct Web {
    double: AwsDouble,
    wire: Wire,
    issuer: Issuer,
    provider: String,
}

async fn web() -> Web {
    let role = Role::new("deployer").trusting_tokens("111122223333", URL, "pod-1");
    let (double, wire) = with_role(role).await;
    let issuer = Issuer::generate(URL).unwrap();
    let provider = double.issuers().add(double.account(), &issuer, &["sts.amazonaws.com"]);
    Web { double, wire, issuer, provider }
}

impl Web {
    async fn assume(&self, token: &str) -> Result<String, Refused> {
        self.wire
            .sts_unsigned("AssumeRoleWithWebIdentity", &fields(&[("WebIdentityToken", token)]))
            .await
    }
}

#[tokio::test]
async fn a_token_of_a_known_issuer_is_a_session() {
    let web = web().await;
    let xml = web.assume(&web.issuer.token(&claims(json!({}))).unwrap()).await.unwrap();
    assert_eq!(element(&xml, "SubjectFromWebIdentityToken"), "pod-1");
    assert_eq!(element(&xml, "Audience"), "sts.amazonaws.com");
    assert_eq!(element(&xml, "Provider"), URL);
    let credentials = session(&xml);
    let arn = who(&web.double, &credentials).await.unwrap();
    assert_eq!(arn, "arn:aws:sts::111122223333:assumed-role/deployer/run-1");
}

#[tokio::test]
async fn a_token_that_is_not_good_is_refused_for_what_is_wrong() {
    let web = web().await;
    let forger = Issuer::generate(URL).unwrap();
    let stranger = Issuer::generate("https://stranger.test").unwrap();
    let good = web.issuer.token(&claims(json!({}))).unwrap();
    let parts: Vec<&str> = good.split('.').collect();
    let other = web.issuer.token(&claims(json!({ "sub": "pod-2" }))).unwrap();
    let swapped = format!("{}.{}.{}", parts[0], other.split('.').nth(1).unwrap(), parts[2]);
    let unsigned = format!("{}.{}.", "eyJhbGciOiJub25lIn0", parts[1]);
    let token = |more| web.issuer.token(&claims(more)).unwrap();
    for (what, token, status, code) in [
        ("garbage", "garbage".to_owned(), 400, "InvalidIdentityToken"),
        ("no JSON", "a.b.c".to_owned(), 400, "InvalidIdentityToken"),
        ("another key", forger.token(&claims(json!({}))).unwrap(), 400, "InvalidIdentityToken"),
        (
            "unknown issuer",
            stranger.token(&claims(json!({}))).unwrap(),
            400,
            "InvalidIdentityToken",
        ),
        ("changed claims", swapped, 400, "InvalidIdentityToken"),
        ("alg none", unsigned, 400, "InvalidIdentityToken"),
        ("expired", token(json!({ "exp": 1 })), 400, "ExpiredTokenException"),
        ("no expiry", token(json!({ "exp": null })), 400, "InvalidIdentityToken"),
        ("audience", token(json!({ "aud": "other" })), 400, "InvalidIdentityToken"),
        ("subject", other, 403, "AccessDenied"),
    ] {
        let refused = web.assume(&token).await.unwrap_err();
        assert_eq!(
            (refused.status, refused.code.as_str()),
            (status, code),
            "{what}: {}",
            refused.message
        );
        assert!(!refused.message.contains(&token), "{what}");
    }
    web.double.issuers().set_state(&web.provider, IssuerState::RejectsClaims);
    let refused = web.assume(&good).await.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (403, "IDPRejectedClaim"));
    web.double.issuers().set_state(&web.provider, IssuerState::Unreachable);
    assert_eq!(web.assume(&good).await.unwrap_err().code, "IDPCommunicationError");
    web.double.issuers().set_state(&web.provider, IssuerState::Well);
    web.double.clock().advance(Duration::from_secs(601));
    assert_eq!(web.assume(&good).await.unwrap_err().code, "ExpiredTokenException");
}

/// By a fault and by a rate alike.
#[tokio::test]
async fn throttling_is_told_as_the_query_protocol_does() {
    let (double, wire) = with_role(trusting()).await;
    double.faults().add(FaultRule::new(Fault::Throttle).on("AssumeRole").times(1));
    let by_fault = assume(&wire, &[]).await.unwrap_err();
    double.faults().limit_rate(&["AssumeRole"], 0.01, 1);
    assume(&wire, &[]).await.unwrap();
    let by_rate = assume(&wire, &[]).await.unwrap_err();
    for refused in [by_fault, by_rate] {
        assert_eq!((refused.status, refused.code.as_str()), (400, "Throttling"));
    }
}
