use metric_table::Metric;

const REQUESTS: &str = "obs.admin.requests";
/// By the names of OpenTelemetry's semantic conventions 1.44.0.
const ROUTE: &str = "http.route";
const STATUS: &str = "http.response.status_code";

/// The metrics that the listener has of itself. Paths that no route has are counted without one.
pub const METRICS: &[Metric] =
    &[Metric::counter(REQUESTS, "{request}", "requests that the admin listener answered")
        .with_labels(&[ROUTE, STATUS])];

pub(super) fn count(route: Option<&str>, status: u16) {
    let status = status.to_string();
    match route {
        Some(route) => {
            metrics::counter!(REQUESTS, ROUTE => route.to_owned(), STATUS => status).increment(1);
        }
        None => metrics::counter!(REQUESTS, STATUS => status).increment(1),
    }
}
