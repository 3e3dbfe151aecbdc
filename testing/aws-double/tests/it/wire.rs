//! A client of our own: requests signed by the published steps of Signature Version 4, over plain HTTP.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_double::{AwsDouble, Credentials};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// What was answered with an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// What a client signs with.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) access: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

impl From<&Credentials> for Keys {
    fn from(credentials: &Credentials) -> Self {
        Self {
            access: credentials.access_key().to_owned(),
            secret: credentials.secret_key().to_owned(),
            token: credentials.session_token().map(str::to_owned),
        }
    }
}

/// A client with one access key, in one region.
pub(crate) struct Wire {
    http: reqwest::Client,
    url: String,
    keys: Keys,
    region: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// `20261123T140000Z`, by the civil-from-days of the C++ draft, apart from the double's own.
fn stamp(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (days, rest) = (i64::try_from(seconds / 86_400).unwrap(), seconds % 86_400);
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z - era * 146_097;
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest % 3_600 / 60, rest % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

impl Wire {
    /// As the double's own user.
    pub(crate) fn new(double: &AwsDouble) -> Self {
        Self::of(double, double.credentials())
    }

    /// As whoever has these credentials, in the double's region.
    pub(crate) fn of(double: &AwsDouble, keys: impl Into<Keys>) -> Self {
        assert!(double.url().starts_with("http://127.0.0.1:"), "not loopback: {}", double.url());
        Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            url: double.url().to_owned(),
            keys: keys.into(),
            region: double.region().to_owned(),
        }
    }

    /// The same in another region.
    pub(crate) fn region(mut self, region: &str) -> Self {
        self.region = region.to_owned();
        self
    }

    async fn send(
        &self,
        service: &str,
        kind: &str,
        target: Option<&str>,
        body: String,
    ) -> (u16, String) {
        let date = stamp(SystemTime::now());
        let host = self.url.strip_prefix("http://").unwrap();
        let mut headers = vec![
            ("content-type", kind.to_owned()),
            ("host", host.to_owned()),
            ("x-amz-date", date.clone()),
        ];
        if let Some(token) = &self.keys.token {
            headers.push(("x-amz-security-token", token.clone()));
        }
        if let Some(target) = target {
            headers.push(("x-amz-target", target.to_owned()));
        }
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String =
            headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("POST\n/\n\n{lines}\n{names}\n{}", sha256(body.as_bytes()));
        let (day, _) = date.split_at(8);
        let scope = format!("{day}/{}/{service}/aws4_request", self.region);
        let to_sign =
            format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let mut key = format!("AWS4{}", self.keys.secret).into_bytes();
        for part in [day, self.region.as_str(), service, "aws4_request"] {
            key = mac(&key, part);
        }
        let signature = hex(&mac(&key, &to_sign));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.keys.access
        );
        let mut request = self.http.post(&self.url).header("authorization", authorization);
        for (name, value) in headers.into_iter().filter(|(name, _)| *name != "host") {
            request = request.header(name, value);
        }
        let answer = request.body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// An operation of a JSON service.
    pub(crate) async fn json(
        &self,
        service: &str,
        target: &str,
        version: &str,
        input: Value,
    ) -> Result<Value, Refused> {
        let kind = format!("application/x-amz-json-{version}");
        let (status, body) = self.send(service, &kind, Some(target), input.to_string()).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        if status == 200 {
            return Ok(body);
        }
        let text =
            |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Err(Refused { status, code: text("__type"), message: text("message") })
    }

    /// An operation of KMS.
    pub(crate) async fn kms(&self, operation: &str, input: Value) -> Result<Value, Refused> {
        self.json("kms", &format!("TrentService.{operation}"), "1.1", input).await
    }

    /// An operation of SQS: codes without their name space.
    pub(crate) async fn sqs(&self, operation: &str, input: Value) -> Result<Value, Refused> {
        let answer = self.json("sqs", &format!("AmazonSQS.{operation}"), "1.0", input).await;
        answer.map_err(|refused| {
            let code = refused.code.strip_prefix("com.amazonaws.sqs#").unwrap().to_owned();
            Refused { code, ..refused }
        })
    }

    /// An operation of STS: the XML, or the error taken from it.
    pub(crate) async fn sts(
        &self,
        operation: &str,
        fields: &[(&str, &str)],
    ) -> Result<String, Refused> {
        let form = form(operation, fields);
        let kind = "application/x-www-form-urlencoded";
        let (status, body) = self.send("sts", kind, None, form).await;
        xml(status, body)
    }

    /// An operation of STS without a signature.
    pub(crate) async fn sts_unsigned(
        &self,
        operation: &str,
        fields: &[(&str, &str)],
    ) -> Result<String, Refused> {
        let request =
            self.http.post(&self.url).header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(form(operation, fields)).send().await.unwrap();
        xml(answer.status().as_u16(), answer.text().await.unwrap())
    }
}

fn form(operation: &str, fields: &[(&str, &str)]) -> String {
    let mut form = format!("Action={operation}&Version=2011-06-15");
    for (name, value) in fields {
        let value: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        form.push_str(&format!("&{name}={value}"));
    }
    form
}

fn xml(status: u16, body: String) -> Result<String, Refused> {
    if status == 200 {
        return Ok(body);
    }
    Err(Refused { status, code: element(&body, "Code"), message: element(&body, "Message") })
}

/// The text of the first element of this name.
pub(crate) fn element(xml: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let (_, rest) = xml.split_once(&open).unwrap_or_else(|| panic!("no <{name}> in {xml}"));
    let (text, _) = rest.split_once(&close).unwrap();
    text.replace("&quot;", "\"").replace("&amp;", "&")
}
