//! Requests as they come in, and what they ask for.

use axum::{body::Bytes, http::request::Parts};
use serde_json::{Map, Value};

use super::form;
use crate::{
    service::{Mount, Protocol, Refusal},
    sigv4,
};

/// A request, read.
pub(super) struct Inbound {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

/// What a request asks for.
pub(super) enum Asked<'a> {
    /// An operation of a service.
    Operation { mount: &'a Mount, operation: String, input: Value },
    /// An operation that is not understood, in the protocol of the request.
    Refused(Protocol, Refusal),
    /// A plain page.
    Page,
}

impl Inbound {
    pub(super) fn new(parts: &Parts, body: Bytes) -> Self {
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers,
            body,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The region whose own address was asked: `/region/NAME`.
    pub(super) fn pinned_region(&self) -> Option<&str> {
        self.path.strip_prefix("/region/")?.split('/').next()
    }

    /// The request as the signature covers it.
    pub(super) fn signed(&self) -> sigv4::Request<'_> {
        sigv4::Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: &self.body,
        }
    }

    pub(super) fn asked<'a>(&self, mounts: &'a [Mount]) -> Asked<'a> {
        if let Some(target) = self.header("x-amz-target") {
            return self.asked_by_target(target, mounts);
        }
        let is_form = self
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if self.method == "POST" && is_form {
            return self.asked_by_form(mounts);
        }
        Asked::Page
    }

    fn asked_by_target<'a>(&self, target: &str, mounts: &'a [Mount]) -> Asked<'a> {
        let (service, operation) = target.split_once('.').unwrap_or((target, ""));
        let found =
            mounts.iter().find(|m| m.target == service && matches!(m.protocol, Protocol::Json(_)));
        let Some(mount) = found else {
            let refusal = Refusal::new("UnknownOperationException", "");
            return Asked::Refused(Protocol::Json("1.1"), refusal);
        };
        let input = if self.body.is_empty() {
            Ok(Value::Object(Map::new()))
        } else {
            serde_json::from_slice(&self.body)
        };
        match input {
            Ok(input @ Value::Object(_)) => {
                Asked::Operation { mount, operation: operation.to_owned(), input }
            }
            _ => Asked::Refused(mount.protocol, Refusal::new("SerializationException", "")),
        }
    }

    fn asked_by_form<'a>(&self, mounts: &'a [Mount]) -> Asked<'a> {
        let input = form::parse(&String::from_utf8_lossy(&self.body));
        let field = |name: &str| input.get(name).and_then(Value::as_str).unwrap_or_default();
        let (operation, version) = (field("Action").to_owned(), field("Version"));
        let found =
            mounts.iter().find(|m| m.target == version && matches!(m.protocol, Protocol::Query(_)));
        match found {
            Some(mount) => Asked::Operation { mount, operation, input },
            None => Asked::Refused(
                Protocol::Query("http://webservices.amazon.com/AWSFault/2005-15-09"),
                Refusal::new(
                    "InvalidAction",
                    format!("Could not find operation {operation} for version {version}"),
                ),
            ),
        }
    }
}

/// What an operation is about, as its input names it.
pub(super) fn subject(input: &Value) -> Option<String> {
    ["SecretId", "Name", "KeyId", "AliasName", "QueueUrl", "QueueName", "RoleArn"]
        .iter()
        .find_map(|name| input.get(name)?.as_str().map(str::to_owned))
}
