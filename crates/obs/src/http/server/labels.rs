use http::{Method, Request, StatusCode, Version};
use request_context::{Context, Scheme};

/// Stands for what a client may choose without end.
pub(crate) const OTHER: &str = "_OTHER";

/// The methods of RFC 9110 and RFC 5789, as the conventions 1.44.0 list them.
pub(super) fn method(method: &Method) -> &'static str {
    match *method {
        Method::CONNECT => "CONNECT",
        Method::DELETE => "DELETE",
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::TRACE => "TRACE",
        _ => OTHER,
    }
}

pub(super) fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => OTHER,
    }
}

/// As a layer outside learnt it, else as the request says, else what is usual here.
pub(super) fn scheme<B>(
    request: &Request<B>,
    context: Option<&Context>,
    usual: Scheme,
) -> &'static str {
    let learnt = context.and_then(|context| context.origin.as_ref()?.scheme);
    match (learnt, request.uri().scheme_str()) {
        (Some(scheme), _) => scheme.value.as_str(),
        (None, Some("http")) => "http",
        (None, Some("https")) => "https",
        (None, _) => usual.as_str(),
    }
}

/// Why a request ended in an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The service answered with a status of 500 or more.
    Status(StatusCode),
    /// The service failed and gave no answer.
    Service,
    /// The service or the body of its answer panicked.
    Panic,
    /// The body of the answer failed.
    Body,
    /// Nobody waited for the end.
    Cancelled,
}

impl Failure {
    /// `error.type`.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Status(status) => status.as_str(),
            Self::Service => "service",
            Self::Panic => "panic",
            Self::Body => "body",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Whether two names are one. Mostly they stand at one place in memory, too, and are not read.
pub(super) fn is_same(one: &'static str, other: &'static str) -> bool {
    std::ptr::eq(one, other) || one == other
}

/// What tells the series of one route apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Labels {
    pub(super) method: &'static str,
    pub(super) version: &'static str,
    pub(super) scheme: &'static str,
    pub(super) status: Option<StatusCode>,
    pub(super) failure: Option<Failure>,
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        let Self { method, version, scheme, status, failure } = *self;
        (status, failure) == (other.status, other.failure)
            && is_same(method, other.method)
            && is_same(version, other.version)
            && is_same(scheme, other.scheme)
    }
}

impl Labels {
    /// Without what a client chooses.
    pub(super) const fn merged(self) -> Self {
        Self { method: OTHER, version: OTHER, ..self }
    }
}
