//! KMS, STS and SQS over plain HTTP, signed by the client of our own.

use aws_double::{AwsDouble, Credentials};
use serde_json::Value;

use crate::client::Client;

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

/// A client of them with one access key, in one region.
pub(crate) struct Wire {
    client: Client,
}

impl Wire {
    /// As the double's own user.
    pub(crate) fn new(double: &AwsDouble) -> Self {
        Self::of(double, double.credentials())
    }

    /// As whoever has these credentials, in the double's region.
    pub(crate) fn of(double: &AwsDouble, keys: impl Into<Keys>) -> Self {
        let Keys { access: access_key, secret: secret_key, token: session_token } = keys.into();
        let client = Client { access_key, secret_key, session_token, ..Client::new(double) };
        Self { client }
    }

    /// The same in another region.
    pub(crate) fn region(self, region: &str) -> Self {
        Self { client: self.client.in_region(region) }
    }

    async fn send(
        &self,
        service: &str,
        kind: &str,
        target: Option<&str>,
        body: String,
    ) -> (u16, String) {
        let client = Client { scope: service.to_owned(), ..self.client.clone() };
        let mut headers = vec![
            ("content-type", kind.to_owned()),
            ("host", client.url.trim_start_matches("http://").to_owned()),
            ("x-amz-date", client.date()),
        ];
        if let Some(token) = &client.session_token {
            headers.push(("x-amz-security-token", token.clone()));
        }
        if let Some(target) = target {
            headers.push(("x-amz-target", target.to_owned()));
        }
        let authorization = client.authorization("/", &headers, &body);
        let mut request = client.http.post(&client.url).header("authorization", authorization);
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
        let request = self
            .client
            .http
            .post(&self.client.url)
            .header("content-type", "application/x-www-form-urlencoded");
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
