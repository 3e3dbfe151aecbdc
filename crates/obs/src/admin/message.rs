use std::fmt;
use std::net::SocketAddr;

use hyper::HeaderMap;

use crate::admin::json;
use crate::metric::MetricPage;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AdminMethod {
    /// To see something. `HEAD` comes as this, too.
    Get,
    /// To set something.
    Put,
    /// To do something.
    Post,
    /// To take something away.
    Delete,
}

impl AdminMethod {
    /// As it is written in a request.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }

    pub(super) fn of(method: &hyper::Method) -> Option<Self> {
        let all = [Self::Get, Self::Put, Self::Post, Self::Delete];
        let name = if method == hyper::Method::HEAD { "GET" } else { method.as_str() };
        all.into_iter().find(|method| method.name() == name)
    }
}

/// A request to the listener. Its `Debug` shows no headers and no body.
pub struct AdminRequest<'a> {
    pub(super) method: AdminMethod,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    pub(super) peer: SocketAddr,
}

impl<'a> AdminRequest<'a> {
    /// What it asks for.
    #[must_use]
    pub const fn method(&self) -> AdminMethod {
        self.method
    }

    /// The path, as `/loggers`.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// What a name stands for in the query; as it is written there, nothing is decoded.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&'a str> {
        let pairs = self.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.into_iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// The only header of this name; nothing if there are several, or it is not of visible ASCII.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut all = self.headers.get_all(name).iter();
        let first = all.next()?;
        if all.next().is_some() { None } else { first.to_str().ok() }
    }

    /// All headers of this name as one list (RFC 9110, section 5.3); those that are not of visible ASCII are left out.
    pub(super) fn list(&self, name: &str) -> String {
        let all = self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        all.collect::<Vec<_>>().join(",")
    }

    /// The body; 4 KiB at most.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// From where it comes.
    #[must_use]
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }
}

impl fmt::Debug for AdminRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// An answer of the listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminResponse {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
    pub(super) allow: Option<String>,
    pub(super) coding: Option<&'static str>,
    pub(super) vary: Option<&'static str>,
}

impl AdminResponse {
    /// 200, with a body of this type.
    #[must_use]
    pub const fn ok(content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status: 200, content_type, body, allow: None, coding: None, vary: None }
    }

    /// 200, with a page of metrics.
    pub(super) fn page(page: MetricPage) -> Self {
        let (coding, vary) = (page.coding().name(), Some(MetricPage::VARY));
        Self { coding, vary, ..Self::ok(page.format().content_type(), page.into_body()) }
    }

    /// 200, with a document of JSON.
    #[must_use]
    pub fn json(body: String) -> Self {
        Self::ok("application/json", body.into_bytes())
    }

    /// 204, without a body.
    #[must_use]
    pub const fn done() -> Self {
        let mut done = Self::ok("", Vec::new());
        done.status = 204;
        done
    }

    /// A problem document (RFC 9457). `title` is the same for every request that fails in this way.
    #[must_use]
    pub fn problem(status: u16, title: &str) -> Self {
        Self::problem_with_detail(status, title, "")
    }

    /// The same, with what is wrong with this request.
    #[must_use]
    pub fn problem_with_detail(status: u16, title: &str, detail: &str) -> Self {
        let mut body = String::from("{\"type\":\"about:blank\",\"title\":");
        json::push_text(&mut body, title);
        body.push_str(",\"status\":");
        body.push_str(&status.to_string());
        if !detail.is_empty() {
            body.push_str(",\"detail\":");
            json::push_text(&mut body, detail);
        }
        body.push('}');
        let content_type = "application/problem+json";
        Self { status, ..Self::ok(content_type, body.into_bytes()) }
    }

    /// Its status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }
}
