use std::fmt;
use std::time::Duration;

use request_context::Context;
use tracing_core::Level;

use crate::admin::json;
use crate::admin::message::{AdminMethod, AdminRequest, AdminResponse};
use crate::admin::route::{Access, AdminRoute};
use crate::log::Health;
use crate::metric::{ContentCoding, Exposition, MetricPage};
use crate::record::{Filter, Note, Value};
use crate::setup::{Expiry, Observability, OutputStatus};

/// `GET /metrics`: everything that is measured.
#[derive(Debug)]
pub(super) struct MetricsRoute(pub(super) Observability);

impl AdminRoute for MetricsRoute {
    fn path(&self) -> &str {
        "/metrics"
    }

    fn methods(&self) -> &[(AdminMethod, Access)] {
        &[(AdminMethod::Get, Access::Open)]
    }

    fn answer(&self, request: &AdminRequest<'_>) -> AdminResponse {
        let format = Exposition::accepted(&request.list("accept"));
        let coding = ContentCoding::accepted(&request.list("accept-encoding"));
        match MetricPage::render(self.0.metrics(), format, coding) {
            Ok(page) => AdminResponse::page(page),
            Err(_) => AdminResponse::problem(500, "metrics cannot be written"),
        }
    }
}

/// `GET /info`: what the service is, and how its logs are.
#[derive(Debug)]
pub(super) struct InfoRoute {
    pub(super) observability: Observability,
    pub(super) facts: Vec<(String, String)>,
}

impl AdminRoute for InfoRoute {
    fn path(&self) -> &str {
        "/info"
    }

    fn methods(&self) -> &[(AdminMethod, Access)] {
        &[(AdminMethod::Get, Access::Open)]
    }

    fn answer(&self, _: &AdminRequest<'_>) -> AdminResponse {
        let resource = self.observability.resource().iter();
        let resource = json::object(resource.map(|(name, value)| (name, json::text(value))));
        let records = self.observability.records();
        let shown = |(name, value): &(String, String)| json::text(&records.shown(name, value));
        let facts = self.facts.iter().map(|fact| (fact.0.as_str(), shown(fact)));
        let outputs: Vec<_> = self.observability.outputs().iter().map(output).collect();
        AdminResponse::json(json::object([
            ("resource", resource),
            ("profile", json::text(self.observability.profile().name())),
            ("build", json::object(facts)),
            ("log_outputs", format!("[{}]", outputs.join(","))),
        ]))
    }
}

fn output(output: &OutputStatus) -> String {
    let totals = &output.status.totals;
    let health = match output.status.health {
        Health::Working => "working",
        Health::Blocked(_) => "blocked",
        Health::Failing(_) => "failing",
        Health::Closed => "closed",
    };
    json::object([
        ("name", json::text(&output.name)),
        ("health", json::text(health)),
        ("written", totals.written.to_string()),
        ("dropped", totals.dropped.sum().to_string()),
        ("waiting", totals.waiting.to_string()),
    ])
}

/// `GET /loggers` and `PUT /loggers?target=app::store&for=600`: the filter of logs.
#[derive(Debug)]
pub(super) struct LoggersRoute(pub(super) Observability);

impl AdminRoute for LoggersRoute {
    fn path(&self) -> &str {
        "/loggers"
    }

    fn methods(&self) -> &[(AdminMethod, Access)] {
        &[(AdminMethod::Get, Access::Authorized), (AdminMethod::Put, Access::Authorized)]
    }

    fn answer(&self, request: &AdminRequest<'_>) -> AdminResponse {
        if request.method() == AdminMethod::Put {
            match asked(request, &self.0.filter()) {
                Ok((filter, expiry)) => self.set(request, filter, expiry),
                Err(detail) => {
                    let detail = self.0.records().redacted(detail);
                    return AdminResponse::problem_with_detail(400, "no such filter", &detail);
                }
            }
        }
        let expires = self.0.filter_expires_in();
        let expires = expires.map_or("null".to_owned(), |left| left.as_secs().to_string());
        AdminResponse::json(json::object([
            ("filter", json::text(&self.0.filter().to_string())),
            ("expires_in_seconds", expires),
        ]))
    }
}

impl LoggersRoute {
    fn set(&self, request: &AdminRequest<'_>, filter: Filter, expiry: Expiry) {
        let (new, peer) = (filter.to_string(), request.peer().ip().to_string());
        self.0.set_filter(filter, expiry);
        let actor = Context::current().and_then(|context| context.actor);
        let user = actor.as_ref().map_or("", |actor| actor.id.as_str());
        // By the names of OpenTelemetry's conventions, 1.44.0.
        let fields = [
            ("filter", Value::Text(&new)),
            ("user.id", Value::Text(user)),
            ("network.peer.address", Value::Text(&peer)),
        ];
        let note = Note::new(Level::WARN, "obs::admin").with_fields(&fields);
        // Who takes everything out of the log is to be found there, too.
        self.0.records().record_anyway(&note, &"the filter of logs was changed");
    }
}

/// The filter is the body, or a level for the one target that the query names; and the query says for how many
/// seconds it holds.
fn asked(request: &AdminRequest<'_>, now: &Filter) -> Result<(Filter, Expiry), String> {
    let text = std::str::from_utf8(request.body()).map_err(|_| "it is not UTF-8".to_owned())?;
    if text.trim().is_empty() {
        return Err("the body is a filter, as `info,app::store=debug`".to_owned());
    }
    let filter = match request.query("target") {
        Some(target) if target.contains([',', '=']) || text.contains([',', '=']) => {
            return Err("`target` is one target, and the body its level".to_owned());
        }
        Some(target) => format!("{now},{target}={}", text.trim()),
        None => text.trim().to_owned(),
    };
    let filter = filter.parse::<Filter>().map_err(|error| error.to_string())?;
    let expiry = match request.query("for").map(str::parse::<u32>) {
        None => Expiry::Never,
        Some(Ok(seconds)) if seconds > 0 => Expiry::After(Duration::from_secs(seconds.into())),
        Some(_) => return Err("`for` is a number of seconds, 1 at least".to_owned()),
    };
    Ok((filter, expiry))
}

/// `GET /config`: what the settings are, as the application explains them.
pub(super) struct ConfigRoute {
    pub(super) explain: Box<dyn Fn() -> String + Send + Sync>,
    pub(super) observability: Observability,
}

impl AdminRoute for ConfigRoute {
    fn path(&self) -> &str {
        "/config"
    }

    fn methods(&self) -> &[(AdminMethod, Access)] {
        &[(AdminMethod::Get, Access::Authorized)]
    }

    fn answer(&self, _: &AdminRequest<'_>) -> AdminResponse {
        let shown = self.observability.records().redacted((self.explain)());
        AdminResponse::ok("text/plain; charset=utf-8", shown.into_bytes())
    }
}

impl fmt::Debug for ConfigRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigRoute").finish_non_exhaustive()
    }
}
