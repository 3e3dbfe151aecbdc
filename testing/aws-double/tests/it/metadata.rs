//! The addresses that hand out credentials, through plain requests.

use std::time::Duration;

use aws_double::{AwsDouble, Fault, FaultRule};
use serde_json::Value;

use crate::wire::{Keys, Wire, element};

const ROLE: &str = "arn:aws:iam::111122223333:role/ops/web";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const HOUR: Duration = Duration::from_secs(3_600);

struct Visitor {
    http: reqwest::Client,
    url: String,
}

impl Visitor {
    fn new(double: &AwsDouble) -> Self {
        assert!(double.url().starts_with("http://127.0.0.1:"));
        Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            url: double.url().to_owned(),
        }
    }

    async fn put(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        self.send(self.http.put(format!("{}{path}", self.url)), headers).await
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        self.send(self.http.get(format!("{}{path}", self.url)), headers).await
    }

    async fn send(
        &self,
        mut request: reqwest::RequestBuilder,
        headers: &[(&str, &str)],
    ) -> (u16, String) {
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn token(&self, seconds: &str) -> String {
        let (status, token) = self.put("/latest/api/token", &[(TTL, seconds)]).await;
        assert_eq!(status, 200);
        token
    }

    async fn imds(&self, path: &str, token: &str) -> (u16, String) {
        self.get(path, &[("x-aws-ec2-metadata-token", token)]).await
    }
}

async fn who(double: &AwsDouble, document: &str) -> Result<String, String> {
    let document: Value = serde_json::from_str(document).unwrap();
    let text = |name: &str| document[name].as_str().unwrap().to_owned();
    let keys = Keys {
        access: text("AccessKeyId"),
        secret: text("SecretAccessKey"),
        token: Some(text("Token")),
    };
    let answer = Wire::of(double, keys).sts("GetCallerIdentity", &[]).await;
    answer.map(|xml| element(&xml, "Arn")).map_err(|refused| refused.code)
}

#[tokio::test]
async fn an_instance_finds_its_role_with_a_token_alone() {
    let double = AwsDouble::start().await.unwrap();
    let visitor = Visitor::new(&double);
    assert_eq!(visitor.get(ROLES, &[]).await.0, 401, "version 1 has no token");
    for headers in [vec![], vec![(TTL, "0")], vec![(TTL, "21601")], vec![(TTL, "soon")]] {
        assert_eq!(visitor.put("/latest/api/token", &headers).await.0, 400, "{headers:?}");
    }
    let proxied = [(TTL, "60"), ("x-forwarded-for", "203.0.113.9")];
    assert_eq!(visitor.put("/latest/api/token", &proxied).await.0, 403);
    let token = visitor.token("60").await;
    assert_eq!(visitor.imds(ROLES, &token).await.0, 404, "no role yet");
    double.instance().set_role(ROLE, HOUR);
    assert_eq!(visitor.imds(ROLES, &token).await, (200, "web".to_owned()));
    assert_eq!(visitor.imds(&format!("{ROLES}other"), &token).await.0, 404);
    assert_eq!(visitor.imds("/latest/meta-data/placement/region", &token).await.1, "us-east-1");
    let (status, document) = visitor.imds(&format!("{ROLES}web"), &token).await;
    assert_eq!(status, 200);
    assert!(document.contains(r#""Code":"Success""#), "{document}");
    let arn = "arn:aws:sts::111122223333:assumed-role/web/i-0123456789abcdef0";
    assert_eq!(who(&double, &document).await.unwrap(), arn);
    double.clock().advance(Duration::from_secs(61));
    assert_eq!(visitor.imds(ROLES, &token).await.0, 401, "the token has expired");
    double.instance().forget_tokens();
    let token = visitor.token("21600").await;
    assert_eq!(visitor.imds(ROLES, &token).await.0, 200);
    double.instance().turn_off();
    assert_eq!(visitor.imds(ROLES, &token).await.0, 403);
}

#[tokio::test]
async fn the_credentials_of_an_instance_are_renewed_before_they_end() {
    let double = AwsDouble::start().await.unwrap();
    let visitor = Visitor::new(&double);
    double.instance().set_role(ROLE, HOUR);
    let path = format!("{ROLES}web");
    let token = visitor.token("21600").await;
    let first = visitor.imds(&path, &token).await.1;
    assert_eq!(visitor.imds(&path, &token).await.1, first);
    double.clock().advance(HOUR - Duration::from_secs(290));
    let second = visitor.imds(&path, &token).await.1;
    assert_ne!(second, first);
    assert!(who(&double, &first).await.is_ok() && who(&double, &second).await.is_ok());
    double.instance().stick();
    double.clock().advance(HOUR);
    assert_eq!(visitor.imds(&path, &token).await.1, second, "expired, and still handed out");
    assert_eq!(who(&double, &second).await.unwrap_err(), "ExpiredToken");
    double.instance().set_code("AssumeRoleUnauthorizedAccess");
    assert!(visitor.imds(&path, &token).await.1.contains("AssumeRoleUnauthorizedAccess"));
}

#[tokio::test]
async fn a_container_shows_its_token() {
    let double = AwsDouble::start().await.unwrap();
    let visitor = Visitor::new(&double);
    let path = double.container().path().to_owned();
    assert_eq!(double.container_url(), format!("{}{path}", double.url()));
    assert_eq!(visitor.get(&path, &[]).await.0, 404);
    double.container().set_role(ROLE, HOUR);
    let (status, document) = visitor.get(&path, &[]).await;
    assert_eq!(status, 200);
    assert_eq!(
        who(&double, &document).await.unwrap(),
        "arn:aws:sts::111122223333:assumed-role/web/task-1"
    );
    double.container().set_token("canary-token");
    assert_eq!(visitor.get(&path, &[]).await.0, 401);
    assert_eq!(visitor.get(&path, &[("authorization", "canary-tokem")]).await.0, 401);
    assert_eq!(visitor.get(&path, &[("authorization", "canary-token")]).await.0, 200);
    let token = visitor.token("60").await;
    let shown = format!("{:?} {:?} {:?}", double.container(), double.instance(), double.calls());
    assert!(!shown.contains("canary") && !shown.contains(&token), "{shown}");
}

#[tokio::test]
async fn the_addresses_suffer_faults_like_services() {
    let double = AwsDouble::start().await.unwrap();
    let visitor = Visitor::new(&double);
    double.container().set_role(ROLE, HOUR);
    let path = double.container().path().to_owned();
    let rule = FaultRule::new(Fault::Unavailable).on(&format!("GET {path}")).times(1);
    double.faults().add(rule);
    assert_eq!(visitor.get(&path, &[]).await.0, 503);
    assert_eq!(visitor.get(&path, &[]).await.0, 200);
}
