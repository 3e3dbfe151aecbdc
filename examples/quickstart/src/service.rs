//! The two services. Each logs in to the resource for every request; they differ in where the password
//! comes from: a handle that follows rotations, or a value that was read at start.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use secrets_core::SecretValue;
use secrets_manager::SecretHandle;
use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::process::{Ready, listen, loopback, parent_gone, print_line, unix_ms};
use crate::settings::Secrets;
use crate::{Failure, names, settings};

/// The names by which the resource counts the services.
pub(crate) const HANDLE: &str = "handle";
/// See [`HANDLE`].
pub(crate) const READ_ONCE: &str = "read-once";

/// A version came into use.
#[derive(Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) version: String,
    pub(crate) at_ms: u64,
}

enum Password {
    Handle(SecretHandle),
    ReadOnce(SecretValue),
}

struct Service {
    password: Password,
    login: String,
    http: reqwest::Client,
}

/// Serves until standard input ends.
pub(crate) async fn run(read_once: bool, resource: &str) -> Result<(), Failure> {
    let settings = settings::load()?;
    let mode = if read_once { READ_ONCE } else { HANDLE };
    let observed = Observed::start(mode, &settings.observability)?;
    let secrets = Secrets::start(&settings).await?;
    let resource = loopback(resource)?;
    let (client, password) = if read_once {
        (READ_ONCE, Password::ReadOnce(secrets.manager().get(names::PASSWORD).await?.value))
    } else {
        let handle = secrets.manager().handle(names::PASSWORD).await?;
        (HANDLE, Password::Handle(handle))
    };
    let followed = match &password {
        Password::Handle(handle) => Some(handle.clone()),
        Password::ReadOnce(_) => None,
    };
    let service = Service {
        password,
        login: format!("http://{resource}/login/{client}"),
        http: reqwest::Client::builder().no_proxy().build()?,
    };
    let routes = Router::new().route("/work", get(work)).with_state(Arc::new(service));
    let routes = Observed::around(routes);
    let (listener, address) = listen().await?;
    Ready { listening: address, admin: Some(observed.address()) }.print()?;
    // Only now: its lines come after that of being ready.
    if let Some(handle) = followed {
        tokio::spawn(tell_changes(handle));
    }
    tokio::select! {
        ended = axum::serve(listener, routes) => ended?,
        () = parent_gone() => {}
    }
    secrets.end().await?;
    observed.end()
}

async fn work(State(service): State<Arc<Service>>) -> StatusCode {
    // The copy that goes into the request is outside our care, like any client's buffers.
    let password = match &service.password {
        Password::Handle(handle) => match handle.load().secret() {
            Some(secret) => secret.value.expose_secret().to_vec(),
            None => return StatusCode::SERVICE_UNAVAILABLE,
        },
        Password::ReadOnce(value) => value.expose_secret().to_vec(),
    };
    match service.http.post(&service.login).body(password).send().await {
        Ok(answer) if answer.status().is_success() => StatusCode::OK,
        Ok(_) => StatusCode::BAD_GATEWAY,
        Err(_) => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// Tells the main process when a version came into use.
async fn tell_changes(handle: SecretHandle) -> Result<(), Failure> {
    let mut watch = handle.live().watch();
    while let Ok(state) = watch.changed().await {
        if let Some(secret) = state.secret() {
            let version = secret.version.id.to_string();
            tracing::info!(version, "a version came into use");
            print_line(&Seen { version, at_ms: unix_ms() })?;
        }
    }
    Ok(())
}
