use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hyper::http::request::Parts;
use request_context::{Context, Id, Origin};

use crate::admin::message::{AdminMethod, AdminRequest, AdminResponse};
use crate::admin::route::{Access, AdminAuthorizer, AdminRoute};
use crate::record::random_trace_id;

/// Finds who answers, and whether the one who asks may have it.
pub(super) struct Router {
    pub(super) routes: Vec<Arc<dyn AdminRoute>>,
    pub(super) authorizer: Option<Arc<dyn AdminAuthorizer>>,
    /// The names that requests may call the listener by, beside addresses and `localhost`.
    pub(super) hosts: Vec<String>,
}

impl Router {
    /// What can be said before the body is read: an answer, or that it is to be read.
    pub(super) fn refused(&self, head: &Parts) -> Option<AdminResponse> {
        if !self.is_called(head) {
            return Some(AdminResponse::problem(421, "not the host that is asked for"));
        }
        if is_from_another_site(head) || is_from_another_origin(head) {
            return Some(forbidden());
        }
        None
    }

    pub(super) fn answer(&self, head: &Parts, body: &[u8], peer: SocketAddr) -> AdminResponse {
        let route = self.routes.iter().find(|route| route.path() == head.uri.path());
        let Some(route) = route else { return AdminResponse::problem(404, "no such page") };
        let asked = AdminMethod::of(&head.method);
        let found = route.methods().iter().find(|(method, _)| Some(*method) == asked);
        let Some((method, access)) = found.copied() else {
            let names: Vec<_> = route.methods().iter().map(|(method, _)| method.name()).collect();
            let mut answer = AdminResponse::problem(405, "not to be done with this");
            answer.allow = Some(names.join(", "));
            return answer;
        };
        let request = AdminRequest {
            method,
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
            body,
            peer,
        };
        // What panics here is not ours, and what it leaves behind neither.
        let answered = catch_unwind(AssertUnwindSafe(|| {
            let context = self.admitted(access, &request)?;
            Some(context.sync_scope(|| route.answer(&request)))
        }));
        match answered {
            Ok(answer) => answer.unwrap_or_else(forbidden),
            Err(_) => AdminResponse::problem(500, "it failed"),
        }
    }

    /// What is known of a request that may go on.
    fn admitted(&self, access: Access, request: &AdminRequest<'_>) -> Option<Context> {
        let mut context = Context::new().with_origin(Origin::of_peer(request.peer));
        context.request_id = Id::new(&random_trace_id().to_string()).ok();
        match access {
            Access::Open => Some(context),
            Access::Authorized => {
                Some(context.with_actor(self.authorizer.as_ref()?.authorize(request)?))
            }
        }
    }

    /// The path of the route that answers a request; what is asked for otherwise can be anything.
    pub(super) fn route_of(&self, head: &Parts) -> Option<&str> {
        let mut paths = self.routes.iter().map(|route| route.path());
        paths.find(|path| *path == head.uri.path())
    }

    /// A page of others whose name was made to stand for this machine asks by its own name: DNS
    /// rebinding. An address cannot be made to stand for another one.
    fn is_called(&self, head: &Parts) -> bool {
        let mut hosts = head.headers.get_all("host").iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let Ok(host) = host.to_str() else { return false };
        let name = without_port(host);
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        address.unwrap_or(name).parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Browsers say from where a page asks (Fetch Metadata, W3C). Nothing else sends this.
fn is_from_another_site(head: &Parts) -> bool {
    let site = head.headers.get("sec-fetch-site");
    site.is_some_and(|site| !matches!(site.as_bytes(), b"none" | b"same-origin"))
}

/// To an address that is neither `https` nor of loopback browsers say no more than this (Fetch, "`Origin` header"), and
/// for some requests not even this: none that changes anything.
fn is_from_another_origin(head: &Parts) -> bool {
    let (Some(origin), Some(host)) = (head.headers.get("origin"), head.headers.get("host")) else {
        return false;
    };
    let name = |origin: &[u8]| {
        let at = origin.windows(3).position(|part| part == b"://")?;
        origin.get(at + 3..).map(<[u8]>::to_ascii_lowercase)
    };
    name(origin.as_bytes()) != Some(host.as_bytes().to_ascii_lowercase())
}

/// The same for every reason.
fn forbidden() -> AdminResponse {
    AdminResponse::problem(403, "not allowed")
}
