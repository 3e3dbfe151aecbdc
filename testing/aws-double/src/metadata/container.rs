//! The credentials address of a container, as ECS and EKS Pod Identity give it one.

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;

use super::Holding;
use crate::service::{Page, PageRequest, Pages};
use crate::{random, stamp};

/// The credentials address of a container. It knows no role, and answers 404, until it is given one.
///
/// Clones are the same address.
#[derive(Clone)]
pub struct Container {
    path: Arc<str>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    holding: Option<Holding>,
    token: Option<String>,
}

impl Default for Container {
    fn default() -> Self {
        let path = format!("/v2/credentials/{}", random::uuid());
        Self { path: path.into(), state: Arc::default() }
    }
}

impl Container {
    /// Gives the container a role, by ARN, with credentials that last so long: new ones are handed out five minutes before the
    /// old ones end, or half their life before if that is less.
    pub fn set_role(&self, role: &str, lasting: Duration) {
        self.state().holding = Some(Holding::new(role, "task-1", lasting));
    }

    /// Asks for this text in the header `Authorization` from now on: what clients have from
    /// `AWS_CONTAINER_AUTHORIZATION_TOKEN`, or from the file that `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` names.
    pub fn set_token(&self, token: &str) {
        self.state().token = Some(token.to_owned());
    }

    /// Lets it hand out the same credentials even after they have expired.
    pub fn stick(&self) {
        if let Some(holding) = &mut self.state().holding {
            holding.stuck = true;
        }
    }

    /// The path, as in `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows neither the token nor credentials.
impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Pages for Container {
    fn answer<'a>(
        &'a self,
        request: &'a PageRequest<'a>,
    ) -> Pin<Box<dyn Future<Output = Option<Page>> + Send + 'a>> {
        let ours = request.path == self.path();
        Box::pin(ready(ours.then(|| self.state().answer(request))))
    }
}

impl State {
    fn answer(&mut self, request: &PageRequest<'_>) -> Page {
        if request.method != "GET" {
            return refused(405, "MethodNotAllowed");
        }
        if self.token.is_some() && request.header("authorization") != self.token.as_deref() {
            return refused(401, "InvalidAuthorizationToken");
        }
        let Some(holding) = &mut self.holding else {
            return refused(404, "NoIdInRequest");
        };
        let current = holding.current(request.world, request.now);
        let body = json!({
            "RoleArn": holding.role,
            "AccessKeyId": current.credentials.access_key(),
            "SecretAccessKey": current.credentials.secret_key(),
            "Token": current.credentials.session_token(),
            "Expiration": stamp::iso(current.expires),
        });
        page(200, body.to_string())
    }
}

fn refused(status: u16, code: &str) -> Page {
    page(
        status,
        json!({ "code": code, "message": "The credentials are not handed out." }).to_string(),
    )
}

fn page(status: u16, body: String) -> Page {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Page { status, headers, body }
}
