//! A server on loopback that answers as a test says, and keeps what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tokio::net::TcpListener;

/// What it was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The id of the access key that signed.
    pub(crate) fn access_key(&self) -> &str {
        let signed = self.header("authorization").split("Credential=").nth(1).unwrap_or_default();
        signed.split('/').next().unwrap_or_default()
    }

    /// The region of the signature.
    pub(crate) fn region(&self) -> &str {
        let signed = self.header("authorization").split("Credential=").nth(1).unwrap_or_default();
        signed.split('/').nth(2).unwrap_or_default()
    }
}

/// What it answers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    pub(crate) after: Duration,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), after: Duration::ZERO }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn after(mut self, time: Duration) -> Self {
        self.after = time;
        self
    }

    /// Whom STS takes a caller for.
    pub(crate) fn caller() -> Self {
        Self::new(
            200,
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/u</Arn>\
             <UserId>U</UserId><Account>111122223333</Account></GetCallerIdentityResult>\
             </GetCallerIdentityResponse>",
        )
        .with_header("x-amzn-requestid", "request-1")
    }

    /// The credentials of a role, which last so long.
    pub(crate) fn role(lasting: Duration) -> Self {
        Self::role_with(lasting, "k", "t")
    }

    /// The same, these ones.
    pub(crate) fn role_with(lasting: Duration, secret: &str, token: &str) -> Self {
        let ends = stamp(std::time::SystemTime::now() + lasting);
        Self::new(
            200,
            format!(
                "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                 <AssumeRoleResult><Credentials><AccessKeyId>ASIAROLEROLEROLEROLE</AccessKeyId>\
                 <SecretAccessKey>{secret}</SecretAccessKey>\
                 <SessionToken>{token}</SessionToken>\
                 <Expiration>{ends}</Expiration></Credentials></AssumeRoleResult>\
                 </AssumeRoleResponse>"
            ),
        )
    }

    /// The same with another word in its body.
    pub(crate) fn replace(mut self, word: &str, by: &str) -> Self {
        self.body = self.body.replace(word, by);
        self
    }

    /// An error of a service that speaks XML.
    pub(crate) fn xml_error(status: u16, code: &str) -> Self {
        Self::new(
            status,
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
                 <Message>no</Message></Error><RequestId>request-2</RequestId></ErrorResponse>"
            ),
        )
    }
}

fn stamp(time: std::time::SystemTime) -> String {
    use aws_smithy_types::date_time::{DateTime, Format};
    DateTime::from(time).fmt(Format::DateTime).unwrap()
}

/// The server. It stops when it is dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(answer);
        let kept = Arc::clone(&asked);
        let router = Router::new().fallback(move |request: Request| {
            let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
            async move {
                let (parts, body) = request.into_parts();
                let body = to_bytes(body, 1 << 20).await.unwrap();
                let asked = Asked {
                    headers: parts.headers,
                    body: String::from_utf8_lossy(&body).into_owned(),
                };
                let given = answer(&asked);
                kept.lock().unwrap().push(asked);
                tokio::time::sleep(given.after).await;
                let mut response =
                    Response::builder().status(StatusCode::from_u16(given.status).unwrap());
                for (name, value) in given.headers {
                    response = response.header(name, value);
                }
                response.body(Body::from(given.body)).unwrap()
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked, task }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Fails at once if a configuration could leave this machine.
pub(crate) fn on_loopback(url: &str) -> &str {
    let host = url.split("://").nth(1).unwrap_or_default();
    let is_loopback = host.starts_with("127.0.0.1:") || host.starts_with("localhost:");
    assert!(is_loopback, "`{url}` is not on loopback");
    url
}
