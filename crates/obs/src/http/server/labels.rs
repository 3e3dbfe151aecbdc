use http::{Request, StatusCode};
use request_context::{Context, Scheme};

/// Stands for what a client may choose without end.
pub(crate) const OTHER: &str = "_OTHER";

/// The methods of RFC 9110 and RFC 5789, as the conventions 1.44.0 list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Connect,
    Delete,
    Get,
    Head,
    Options,
    Patch,
    Post,
    Put,
    Trace,
    Other,
}

impl Method {
    pub(super) const COUNT: usize = Self::Other as usize + 1;

    pub(super) fn of(method: &http::Method) -> Self {
        match *method {
            http::Method::CONNECT => Self::Connect,
            http::Method::DELETE => Self::Delete,
            http::Method::GET => Self::Get,
            http::Method::HEAD => Self::Head,
            http::Method::OPTIONS => Self::Options,
            http::Method::PATCH => Self::Patch,
            http::Method::POST => Self::Post,
            http::Method::PUT => Self::Put,
            http::Method::TRACE => Self::Trace,
            _ => Self::Other,
        }
    }

    /// `http.request.method`.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Trace => "TRACE",
            Self::Other => OTHER,
        }
    }
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Http09,
    Http10,
    Http11,
    Http2,
    Http3,
    Other,
}

impl Version {
    pub(super) const fn of(version: http::Version) -> Self {
        match version {
            http::Version::HTTP_09 => Self::Http09,
            http::Version::HTTP_10 => Self::Http10,
            http::Version::HTTP_11 => Self::Http11,
            http::Version::HTTP_2 => Self::Http2,
            http::Version::HTTP_3 => Self::Http3,
            _ => Self::Other,
        }
    }

    /// `network.protocol.version`.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Http09 => "0.9",
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
            Self::Http2 => "2",
            Self::Http3 => "3",
            Self::Other => OTHER,
        }
    }
}

/// As a layer outside learnt it, else as the request says, else what is usual here.
pub(super) fn scheme<B>(request: &Request<B>, context: Option<&Context>, usual: Scheme) -> Scheme {
    let learnt = context.and_then(|context| context.origin.as_ref()?.scheme);
    match (learnt, request.uri().scheme_str()) {
        (Some(scheme), _) => scheme.value,
        (None, Some("http")) => Scheme::Http,
        (None, Some("https")) => Scheme::Https,
        (None, _) => usual,
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

/// What tells the series of one route apart: a few bytes, since they are compared at each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Labels {
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) scheme: Scheme,
    pub(super) status: Option<StatusCode>,
    pub(super) failure: Option<Failure>,
}

impl Labels {
    /// Without what a client chooses.
    pub(super) const fn merged(self) -> Self {
        Self { method: Method::Other, version: Version::Other, ..self }
    }
}
