use metric_table::Metric;

pub(crate) mod name {
    pub(crate) const REQUEST_DURATION: &str = "http.server.request.duration";
    pub(crate) const ACTIVE_REQUESTS: &str = "http.server.active_requests";
    pub(crate) const REQUEST_SIZE: &str = "http.server.request.body.size";
    pub(crate) const RESPONSE_SIZE: &str = "http.server.response.body.size";
    pub(crate) const CALL_DURATION: &str = "rpc.server.call.duration";
    pub(crate) const REFUSED_IDS: &str = "obs.http.refused_ids";
}

pub(crate) mod label {
    pub(crate) const METHOD: &str = "http.request.method";
    pub(crate) const ROUTE: &str = "http.route";
    pub(crate) const STATUS: &str = "http.response.status_code";
    pub(crate) const ERROR: &str = "error.type";
    pub(crate) const VERSION: &str = "network.protocol.version";
    pub(crate) const SCHEME: &str = "url.scheme";
    pub(crate) const RPC_SYSTEM: &str = "rpc.system.name";
    pub(crate) const RPC_METHOD: &str = "rpc.method";
    pub(crate) const RPC_STATUS: &str = "rpc.response.status_code";
}

/// Those that the semantic conventions advise for the duration of HTTP requests and of calls.
const SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// None are advised for sizes: powers of 8 from 64 bytes to 128 MiB.
const BYTES: &[f64] =
    &[0.0, 64.0, 512.0, 4096.0, 32_768.0, 262_144.0, 2_097_152.0, 16_777_216.0, 134_217_728.0];

const OF_REQUEST: &[&str] =
    &[label::METHOD, label::ROUTE, label::STATUS, label::ERROR, label::VERSION, label::SCHEME];

/// The metrics of the layers, by the names of OpenTelemetry's semantic conventions 1.44.0.
pub const METRICS: &[Metric] = &[
    Metric::histogram(
        name::REQUEST_DURATION,
        "s",
        "how long requests took, from their head to the end of their answer",
    )
    .with_labels(OF_REQUEST)
    .with_buckets(SECONDS),
    Metric::gauge(name::ACTIVE_REQUESTS, "{request}", "requests whose answers have not ended")
        .with_labels(&[label::METHOD, label::SCHEME]),
    Metric::histogram(
        name::REQUEST_SIZE,
        "By",
        "bytes of the bodies of requests, as far as they were read",
    )
    .with_labels(OF_REQUEST)
    .with_buckets(BYTES),
    Metric::histogram(
        name::RESPONSE_SIZE,
        "By",
        "bytes of the bodies of answers, as far as they were taken",
    )
    .with_labels(OF_REQUEST)
    .with_buckets(BYTES),
    Metric::histogram(
        name::CALL_DURATION,
        "s",
        "how long calls took, from their head to their trailers",
    )
    .with_labels(&[label::RPC_SYSTEM, label::RPC_METHOD, label::RPC_STATUS, label::ERROR])
    .with_buckets(SECONDS),
    Metric::counter(
        name::REFUSED_IDS,
        "{header}",
        "ids of requests that were replaced: twice there, too long, or no ids",
    )
    .with_labels(&["header", "reason"]),
];
