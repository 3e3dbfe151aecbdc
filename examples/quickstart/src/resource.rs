//! The resource: what the password opens. It holds two password hashes, the newer and the older, and
//! counts whom it refused. That count is the oracle: no retry of a client can hide a refusal.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::process::{Ready, listen, parent_gone, read_line};
use crate::verifier::Verifier;

/// What the resource is told when it starts: verifiers, no secret.
#[derive(Serialize, Deserialize)]
pub(crate) struct Setup {
    /// Of the first password.
    pub(crate) password: String,
    /// Of the administrator's token.
    pub(crate) admin: String,
}

/// Logins of one client.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Logins {
    /// Accepted.
    pub(crate) accepted: u64,
    /// Refused for a wrong password.
    pub(crate) refused: u64,
}

/// What the resource counted, by client.
pub(crate) type Counts = BTreeMap<String, Logins>;

struct Resource {
    admin: Verifier,
    passwords: Mutex<Passwords>,
    counts: Mutex<Counts>,
}

struct Passwords {
    newer: Verifier,
    older: Option<Verifier>,
}

/// Serves until standard input ends.
pub(crate) async fn run() -> Result<(), Failure> {
    let setup: Setup = serde_json::from_str(&read_line().await?)?;
    let verifier = |hex: &str| Verifier::from_hex(hex).ok_or("not a verifier");
    let resource = Arc::new(Resource {
        admin: verifier(&setup.admin)?,
        passwords: Mutex::new(Passwords { newer: verifier(&setup.password)?, older: None }),
        counts: Mutex::default(),
    });
    let routes = Router::new()
        .route("/login/{client}", post(login))
        .route("/passwords", post(add_password))
        .route("/passwords/older", axum::routing::delete(revoke_older))
        .route("/counts", get(counts))
        .with_state(resource);
    let (listener, address) = listen().await?;
    Ready { listening: address, admin: None }.print()?;
    tokio::select! {
        ended = axum::serve(listener, routes) => Ok(ended?),
        () = parent_gone() => Ok(()),
    }
}

async fn login(
    State(resource): State<Arc<Resource>>,
    Path(client): Path<String>,
    password: axum::body::Bytes,
) -> StatusCode {
    let accepted = {
        let passwords = lock(&resource.passwords);
        let older = passwords.older.as_ref().is_some_and(|older| older.accepts(&password));
        passwords.newer.accepts(&password) || older
    };
    let mut counts = lock(&resource.counts);
    let logins = counts.entry(client).or_default();
    if accepted {
        logins.accepted += 1;
        StatusCode::NO_CONTENT
    } else {
        logins.refused += 1;
        StatusCode::UNAUTHORIZED
    }
}

/// Accepts one more password; the body is its verifier, so that the password itself is not sent.
async fn add_password(
    State(resource): State<Arc<Resource>>,
    headers: HeaderMap,
    verifier: String,
) -> StatusCode {
    if !is_admin(&resource, &headers) {
        return StatusCode::FORBIDDEN;
    }
    let Some(verifier) = Verifier::from_hex(&verifier) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut passwords = lock(&resource.passwords);
    if passwords.older.is_some() {
        // Both slots are taken: somebody would lose a password that still serves.
        return StatusCode::CONFLICT;
    }
    let older = std::mem::replace(&mut passwords.newer, verifier);
    passwords.older = Some(older);
    StatusCode::NO_CONTENT
}

async fn revoke_older(State(resource): State<Arc<Resource>>, headers: HeaderMap) -> StatusCode {
    if !is_admin(&resource, &headers) {
        return StatusCode::FORBIDDEN;
    }
    match lock(&resource.passwords).older.take() {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}

async fn counts(State(resource): State<Arc<Resource>>) -> Json<Counts> {
    Json(lock(&resource.counts).clone())
}

fn is_admin(resource: &Resource, headers: &HeaderMap) -> bool {
    let token = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
    token.and_then(|t| t.strip_prefix(b"Bearer ")).is_some_and(|t| resource.admin.accepts(t))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
