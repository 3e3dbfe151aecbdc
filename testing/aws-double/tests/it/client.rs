//! A client of our own: it signs by hand, so that tests can sign wrongly.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_double::{AwsDouble, Credentials};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A token, as SDKs make them.
pub(crate) fn token(n: u32) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) url: String,
    pub(crate) region: String,
    pub(crate) scope: String,
    pub(crate) prefix: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) session_token: Option<String>,
    /// How far the client's clock is off, in seconds.
    pub(crate) off: i64,
    pub(crate) http: reqwest::Client,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) headers: reqwest::header::HeaderMap,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn code(&self) -> String {
        assert_ne!(self.status, 200, "{}", self.text);
        self.json()["__type"].as_str().unwrap().to_owned()
    }

    pub(crate) fn message(&self) -> String {
        self.json()["Message"].as_str().unwrap().to_owned()
    }
}

impl Client {
    /// A client of Secrets Manager with the double's own credentials.
    pub(crate) fn new(double: &AwsDouble) -> Self {
        Self::with(double, double.credentials())
    }

    pub(crate) fn with(double: &AwsDouble, keys: &Credentials) -> Self {
        assert!(double.url().starts_with("http://127.0.0.1:"), "only loopback");
        Self {
            url: double.url().to_owned(),
            region: double.region().to_owned(),
            scope: "secretsmanager".to_owned(),
            prefix: "secretsmanager".to_owned(),
            access_key: keys.access_key().to_owned(),
            secret_key: keys.secret_key().to_owned(),
            session_token: keys.session_token().map(str::to_owned),
            off: 0,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(20))
                .build()
                .unwrap(),
        }
    }

    pub(crate) fn in_region(mut self, region: &str) -> Self {
        self.region = region.to_owned();
        self
    }

    /// The same client for KMS.
    pub(crate) fn of_kms(double: &AwsDouble) -> Self {
        let (scope, prefix) = ("kms".to_owned(), "TrentService".to_owned());
        Self { scope, prefix, ..Self::new(double) }
    }

    /// The output of an operation that must succeed.
    pub(crate) async fn ok(&self, operation: &str, input: Value) -> Value {
        let answer = self.send(operation, &input).await.unwrap();
        assert_eq!(answer.status, 200, "{operation}: {}", answer.text);
        answer.json()
    }

    /// The code of an operation that must be refused as AWS refuses: HTTP 400, with a request id.
    pub(crate) async fn refused(&self, operation: &str, input: Value) -> String {
        let answer = self.send(operation, &input).await.unwrap();
        assert_eq!(answer.status, 400, "{operation}: {}", answer.text);
        assert!(answer.headers.contains_key("x-amzn-requestid"));
        answer.code()
    }

    pub(crate) async fn send(&self, operation: &str, input: &Value) -> reqwest::Result<Answer> {
        self.send_signed(operation, input.to_string(), true).await
    }

    pub(crate) async fn send_signed(
        &self,
        operation: &str,
        body: String,
        signed: bool,
    ) -> reqwest::Result<Answer> {
        let target = format!("{}.{operation}", self.prefix);
        let mut headers = vec![
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("host", self.url.trim_start_matches("http://").split('/').next().unwrap().to_owned()),
            ("x-amz-date", self.date()),
            ("x-amz-target", target),
        ];
        if let Some(token) = &self.session_token {
            headers.insert(3, ("x-amz-security-token", token.clone()));
        }
        let path = match self.url.trim_start_matches("http://").split_once('/') {
            Some((_, rest)) => format!("/{rest}"),
            None => "/".to_owned(),
        };
        let authorization = self.authorization(&path, &headers, &body);
        let mut request = self.http.post(&self.url).body(body);
        for (name, value) in headers.iter().filter(|(n, _)| *n != "host") {
            request = request.header(*name, value);
        }
        if signed {
            request = request.header("authorization", authorization);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Answer { status, headers, text: answer.text().await? })
    }

    pub(crate) fn authorization(
        &self,
        path: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> String {
        let names: Vec<&str> = headers.iter().map(|(n, _)| *n).collect();
        let lines: String = headers.iter().map(|(n, v)| format!("{n}:{v}\n")).collect();
        let canonical =
            format!("POST\n{path}\n\n{lines}\n{}\n{}", names.join(";"), hex(&Sha256::digest(body)));
        // The date of the headers: the second may have changed since.
        let date = &headers.iter().find(|(n, _)| *n == "x-amz-date").unwrap().1;
        let day = date.get(..8).unwrap();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.scope);
        let to_sign =
            format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let mut key = format!("AWS4{}", self.secret_key).into_bytes();
        for part in [day, &self.region, &self.scope, "aws4_request"] {
            key = mac(&key, part);
        }
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={}, Signature={}",
            self.access_key,
            names.join(";"),
            hex(&mac(&key, &to_sign))
        )
    }

    pub(crate) fn date(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        compact(now.checked_add_signed(self.off).unwrap())
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Counts days one by one: slow, and unlike how the double does it.
fn compact(seconds: u64) -> String {
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let leap = |y: u64| (y.is_multiple_of(4) && !y.is_multiple_of(100)) || y.is_multiple_of(400);
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    format!(
        "{year:04}{:02}{:02}T{:02}{:02}{:02}Z",
        month + 1,
        days + 1,
        rest / 3_600,
        rest % 3_600 / 60,
        rest % 60
    )
}
