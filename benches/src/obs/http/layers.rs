use axum::Router;
use axum_prometheus::PrometheusMetricLayer;
use obs::http::{Arrival, RequestIdLayer, ServerLayer, axum_route};
use obs::log::JsonFlat;
use opentelemetry_instrumentation_tower::http::server::LayerBuilder;
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use request_context::TraceFlags;
use tower_http::trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer};
use tracing::Level;

use crate::obs::log::{MakeDispatch, flat, ours};

/// What is around the router, and who hears what it logs.
pub(super) struct Stack {
    pub(super) layer: fn(Router) -> Router,
    pub(super) subscriber: MakeDispatch,
}

impl Stack {
    /// Under our subscriber, which takes everything up to `info`.
    fn new(layer: fn(Router) -> Router) -> Self {
        Self { layer, subscriber: ours(JsonFlat::new) }
    }
}

pub(super) fn nothing() -> Stack {
    Stack::new(|router| router)
}

pub(super) fn server() -> Stack {
    Stack::new(|router| router.layer(unsampled()))
}

pub(super) fn ids() -> Stack {
    Stack::new(|router| router.layer(RequestIdLayer::new()))
}

pub(super) fn both() -> Stack {
    Stack::new(|router| router.layer(unsampled()).layer(RequestIdLayer::new()))
}

/// Both in one call, so that axum makes boxes around them once.
pub(super) fn at_once() -> Stack {
    Stack::new(|router| router.layer((RequestIdLayer::new(), unsampled())))
}

/// What axum takes for any layer.
pub(super) fn idle() -> Stack {
    Stack::new(|router| router.layer(tower_layer::layer_fn(|service| service)))
}

/// Spans only for traces that are recorded: none of these is.
fn unsampled() -> ServerLayer {
    ServerLayer::new().route_by(axum_route).decide_spans(|arrival: &Arrival<'_>| {
        arrival.parent.is_some_and(|parent| parent.flags.contains(TraceFlags::SAMPLED))
    })
}

pub(super) fn spoken() -> Stack {
    Stack::new(|router| {
        let server = ServerLayer::new().route_by(axum_route).log_access();
        router.layer(server).layer(RequestIdLayer::new())
    })
}

/// Requests, duration, active ones and sizes of answers, by route.
pub(super) fn prometheus() -> Stack {
    Stack::new(|router| {
        let mut layer = PrometheusMetricLayer::new();
        layer.enable_response_body_size();
        router.layer(layer)
    })
}

/// Duration, active requests and sizes, by route.
pub(super) fn opentelemetry() -> Stack {
    let provider = SdkMeterProvider::builder().with_reader(ManualReader::builder().build()).build();
    opentelemetry::global::set_meter_provider(provider);
    Stack::new(|router| {
        let layer = LayerBuilder::builder().with_tracing(false).build().expect("a layer");
        router.layer(layer)
    })
}

/// A span and a line, neither ids nor metrics.
pub(super) fn trace() -> Stack {
    let layer = |router: Router| {
        let layer = TraceLayer::new_for_http()
            .make_span_with(DefaultMakeSpan::new().level(Level::INFO))
            .on_response(DefaultOnResponse::new().level(Level::INFO));
        router.layer(layer)
    };
    Stack { layer, subscriber: flat() }
}
