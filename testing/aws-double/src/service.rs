//! What every service of the double is to the server in front of it.

use std::{
    borrow::Cow,
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::Value;

use crate::{identity::Identity, world::World};

/// One request, its signature checked.
pub(crate) struct Call<'a> {
    /// The operation, such as `GetSecretValue`.
    pub(crate) operation: &'a str,
    /// What it was given.
    pub(crate) input: &'a Value,
    /// The account of the caller, 12 digits; empty for an unsigned request.
    pub(crate) account: &'a str,
    /// The principal's ARN; empty for an unsigned request.
    pub(crate) principal: &'a str,
    /// Who signed; `None` for an operation that takes no signature.
    pub(crate) identity: Option<&'a Identity>,
    /// The region of the signature's scope, or the double's own for an unsigned request.
    pub(crate) region: &'a str,
    /// The double's time.
    pub(crate) now: SystemTime,
    /// How much older than usual a state reads are to see: a fault.
    pub(crate) stale: Duration,
    /// The id that the answer carries.
    pub(crate) request_id: &'a str,
    /// What the services share.
    pub(crate) world: &'a World,
}

/// An error as AWS tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The code: `__type` in JSON, `Code` in XML.
    pub(crate) code: Cow<'static, str>,
    /// The text. It never holds a value of a secret.
    pub(crate) message: String,
}

impl Refusal {
    /// A refusal with HTTP status 400, which is what JSON services send for all but their own failures.
    pub(crate) fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { status: 400, code: code.into(), message: message.into() }
    }

    /// The same with another HTTP status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }
}

/// What a service answers, now or (a long poll) later.
pub(crate) type Reply<'a> = Pin<Box<dyn Future<Output = Result<Value, Refusal>> + Send + 'a>>;

/// A service: it answers operations and knows nothing of HTTP.
///
/// JSON services answer the output as JSON. Query services answer it as JSON too (lists as arrays, texts, numbers): the server
/// makes the XML.
pub(crate) trait Service: Send + Sync {
    /// Carries an operation out.
    fn call<'a>(&'a self, call: &'a Call<'a>) -> Reply<'a>;

    /// Whether the operation takes no signature, as `AssumeRoleWithWebIdentity` does.
    fn is_unsigned(&self, _operation: &str) -> bool {
        false
    }
}

/// How a service is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// JSON with the operation in `X-Amz-Target`, by the version of the content type.
    Json(&'static str),
    /// A form with `Action`, answered in XML of this name space.
    Query(&'static str),
}

impl Protocol {
    /// The code of a throttled call: services that speak the query protocol have the older word for it.
    pub(crate) fn throttling(self) -> &'static str {
        match self {
            Self::Json(_) => "ThrottlingException",
            Self::Query(_) => "Throttling",
        }
    }
}

/// A service and how it is reached.
#[derive(Clone)]
pub(crate) struct Mount {
    /// The name in the scope of signatures, such as `secretsmanager`.
    pub(crate) scope: &'static str,
    /// What stands before the dot in `X-Amz-Target`; the API version (`2011-06-15`) for a query service.
    pub(crate) target: &'static str,
    /// How it is spoken to.
    pub(crate) protocol: Protocol,
    /// The service.
    pub(crate) service: Arc<dyn Service>,
}

/// A plain request, to an address that hands out credentials.
pub(crate) struct PageRequest<'a> {
    /// `GET`, `PUT`, …
    pub(crate) method: &'a str,
    /// The path, without the query.
    pub(crate) path: &'a str,
    /// The headers, names in lower case.
    pub(crate) headers: &'a [(String, String)],
    /// The double's time.
    pub(crate) now: SystemTime,
    /// What the services share.
    pub(crate) world: &'a World,
}

impl PageRequest<'_> {
    /// The header of this name, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// The answer to a plain request.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Headers beside those that every answer has.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: String,
}

/// What answers plain requests under some paths.
pub(crate) trait Pages: Send + Sync {
    /// The answer, or `None` if the path is not one of these.
    fn answer<'a>(
        &'a self,
        request: &'a PageRequest<'a>,
    ) -> Pin<Box<dyn Future<Output = Option<Page>> + Send + 'a>>;
}
