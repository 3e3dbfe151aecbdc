//! What the services log and measure, and what the main process finds of it at the end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use axum::Router;
use obs::admin::AdminServer;
use obs::catalog::Catalog;
use obs::http::{RequestIdLayer, ServerLayer, axum_route};
use obs::record::Resource;
use obs::settings::ObservabilitySettings;
use obs::setup::{Guard, Observability};
use secret_canary::Canary;
use secrets_core::SecretValue;

use crate::Failure;

/// How long what waits is written for at the end.
const FLUSH_WITHIN: Duration = Duration::from_secs(5);
/// How long the numbers may take until they are as they should be: an answer is measured when it has left.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);

/// The logs, metrics and admin listener of a service.
pub(crate) struct Observed {
    guard: Guard,
    admin: AdminServer,
}

impl Observed {
    /// For the service of this mode, as the settings say.
    pub(crate) fn start(mode: &str, settings: &ObservabilitySettings) -> Result<Self, Failure> {
        let resource = Resource::default()
            .with_version(env!("CARGO_PKG_VERSION"))
            .with("service.instance.id", mode);
        let guard = Observability::builder()
            .resource(resource)
            .catalog(Catalog::new().with(secrets_manager::METRICS)?)
            .settings(settings)?
            .install()?;
        let admin = settings.admin(guard.observability()).ok_or("no admin listener is set")?;
        Ok(Self { admin: admin.start()?, guard })
    }

    /// Where its metrics are.
    pub(crate) fn address(&self) -> SocketAddr {
        self.admin.address()
    }

    /// Each request with ids, a span, a measurement and a line in the log.
    pub(crate) fn around(routes: Router) -> Router {
        let measured = ServerLayer::new().route_by(axum_route).log_access();
        routes.layer((RequestIdLayer::new().answer_ids(), measured))
    }

    pub(crate) fn end(self) -> Result<(), Failure> {
        self.admin.shutdown();
        match self.guard.shutdown(FLUSH_WITHIN) {
            report if report.is_complete() => Ok(()),
            report => Err(format!("the log is not complete: {report:?}").into()),
        }
    }
}

fn log(folder: &Path, mode: &str) -> PathBuf {
    folder.join(format!("service-{mode}.log"))
}

/// How many requests the metrics of a service tell of, and how many of those were answered with 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Measured {
    pub(crate) requests: u64,
    pub(crate) succeeded: u64,
}

/// Asks for the metrics of a service, as Prometheus would, until they tell of as many requests as were sent.
pub(crate) async fn measured(admin: SocketAddr, sent: u64) -> Result<Measured, Failure> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let start = Instant::now();
    loop {
        let answer = http.get(format!("http://{admin}/metrics")).send().await?;
        let found = read(&answer.error_for_status()?.text().await?);
        if found.requests == sent || start.elapsed() > SETTLED_WITHIN {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn read(page: &str) -> Measured {
    let mut found = Measured::default();
    for line in page.lines() {
        let Some(rest) = line.strip_prefix("http_server_request_duration_seconds_count{") else {
            continue;
        };
        let Some((labels, count)) = rest.rsplit_once("} ") else { continue };
        let count: u64 = count.parse().unwrap_or_default();
        if labels.contains("http_route=\"/work\"") {
            found.requests += count;
            if labels.contains("http_response_status_code=\"200\"") {
                found.succeeded += count;
            }
        }
    }
    found
}

/// What the log of a service tells.
#[derive(Debug, Default)]
pub(crate) struct Logged {
    /// Requests that ended.
    pub(crate) requests: u64,
    /// Whether a secret is in it, in any encoding.
    pub(crate) shows_secret: bool,
}

/// Reads the log of a service, once it has ended.
pub(crate) fn logged(
    folder: &Path,
    mode: &str,
    secrets: &[SecretValue],
) -> Result<Logged, Failure> {
    let text = std::fs::read(log(folder, mode))?;
    let shown = |secret: &SecretValue| Canary::of(secret.expose_secret()).find(&text).is_some();
    let mut found = Logged { requests: 0, shows_secret: secrets.iter().any(shown) };
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: serde_json::Value = serde_json::from_slice(line)?;
        let text = |name: &str| line.get(name).and_then(serde_json::Value::as_str);
        let has_ids = text("request_id").is_some() && text("trace_id").is_some();
        let is_request = text("message") == Some("request ended");
        found.requests += u64::from(is_request && has_ids && text("http.route") == Some("/work"));
    }
    Ok(found)
}
