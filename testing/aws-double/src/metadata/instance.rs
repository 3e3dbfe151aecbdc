//! The metadata service of an instance, version 2: a session token first, then the role and its credentials.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::Holding;
use crate::service::{Page, PageRequest, Pages};
use crate::{random, stamp};

const TOKEN: &str = "/latest/api/token";
const ROLES: &str = "/latest/meta-data/iam/security-credentials";
const REGION: &str = "/latest/meta-data/placement/region";
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// Six hours (EC2 User Guide, "Use IMDSv2").
const LONGEST: u64 = 21_600;

/// The metadata service that an instance finds: IMDSv2 alone, so that a request without a session token is refused.
///
/// Clones are the same service.
#[derive(Clone, Default)]
pub struct Instance {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    holding: Option<Holding>,
    tokens: HashMap<String, SystemTime>,
    off: bool,
    failing: Option<String>,
}

impl Instance {
    /// Gives the instance a role, by ARN, with credentials that last so long: new ones are handed out five minutes before the
    /// old ones end, or half their life before if that is less.
    pub fn set_role(&self, role: &str, lasting: Duration) {
        self.state().holding = Some(Holding::new(role, "i-0123456789abcdef0", lasting));
    }

    /// Takes the role away: the service knows none then (404).
    pub fn clear_role(&self) {
        self.state().holding = None;
    }

    /// Lets the service hand out the same credentials even after they have expired, as it does when it cannot get new ones.
    pub fn stick(&self) {
        if let Some(holding) = &mut self.state().holding {
            holding.stuck = true;
        }
    }

    /// Lets it answer a code in place of credentials, such as `AssumeRoleUnauthorizedAccess`; `Success` ends that.
    pub fn set_code(&self, code: &str) {
        self.state().failing = (code != "Success").then(|| code.to_owned());
    }

    /// Turns the service off: everything is refused (403).
    pub fn turn_off(&self) {
        self.state().off = true;
    }

    /// Forgets all session tokens: clients have to ask for new ones (401).
    pub fn forget_tokens(&self) {
        self.state().tokens.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows no session token.
impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Instance")
            .field("tokens", &state.tokens.len())
            .field("off", &state.off)
            .finish_non_exhaustive()
    }
}

impl Pages for Instance {
    fn answer<'a>(
        &'a self,
        request: &'a PageRequest<'a>,
    ) -> Pin<Box<dyn Future<Output = Option<Page>> + Send + 'a>> {
        let ours = request.path.starts_with("/latest/");
        Box::pin(ready(ours.then(|| self.state().answer(request))))
    }
}

impl State {
    fn answer(&mut self, request: &PageRequest<'_>) -> Page {
        if self.off {
            return plain(403, "");
        }
        match (request.method, request.path) {
            ("PUT", TOKEN) => self.token(request),
            ("GET", path) => match request.header("x-aws-ec2-metadata-token") {
                Some(token) if self.tokens.get(token).is_some_and(|end| request.now < *end) => {
                    self.read(request, path.trim_end_matches('/'))
                }
                // No token at all would be version 1.
                _ => plain(401, ""),
            },
            _ => plain(405, ""),
        }
    }

    /// A session token of 1 to 21,600 seconds. What comes through a proxy gets none.
    fn token(&mut self, request: &PageRequest<'_>) -> Page {
        if request.header("x-forwarded-for").is_some() {
            return plain(403, "");
        }
        let seconds = request.header(TTL).and_then(|text| text.parse::<u64>().ok());
        let Some(seconds) = seconds.filter(|seconds| (1..=LONGEST).contains(seconds)) else {
            return plain(400, "");
        };
        let token =
            random::text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 56);
        self.tokens.insert(token.clone(), request.now + Duration::from_secs(seconds));
        let mut page = plain(200, &token);
        page.headers.push((TTL.to_owned(), seconds.to_string()));
        page
    }

    fn read(&mut self, request: &PageRequest<'_>, path: &str) -> Page {
        if path == REGION {
            return plain(200, &request.world.home.region);
        }
        let Some(holding) = &mut self.holding else {
            return plain(404, "");
        };
        let role = holding.role.rsplit('/').next().unwrap_or_default().to_owned();
        if path == ROLES {
            return plain(200, &role);
        }
        if path.strip_prefix(ROLES).and_then(|rest| rest.strip_prefix('/')) != Some(&role) {
            return plain(404, "");
        }
        if let Some(code) = &self.failing {
            let now = stamp::iso(request.now);
            let body = json!({ "Code": code, "Message": "EC2 cannot assume the role.", "LastUpdated": now });
            return plain(200, &body.to_string());
        }
        let current = holding.current(request.world, request.now);
        let body = json!({
            "Code": "Success",
            "LastUpdated": stamp::iso(current.issued),
            "Type": "AWS-HMAC",
            "AccessKeyId": current.credentials.access_key(),
            "SecretAccessKey": current.credentials.secret_key(),
            "Token": current.credentials.session_token(),
            "Expiration": stamp::iso(current.expires),
        });
        plain(200, &body.to_string())
    }
}

fn plain(status: u16, body: &str) -> Page {
    let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
    Page { status, headers, body: body.to_owned() }
}
