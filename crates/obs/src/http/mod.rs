//! Layers around HTTP and gRPC services: ids, spans, metrics, a record of each request.
//!
//! The order, the outermost first: [`RequestIdLayer`], then [`ServerLayer`], then
//! whatever refuses or answers, then handlers.
//!
//! ```
//! use obs::http::{RequestIdLayer, ServerLayer};
//! use tower::ServiceBuilder;
//!
//! // `ServiceBuilder` and what stands first in it is the outermost.
//! let stack = ServiceBuilder::new().layer(RequestIdLayer::new()).layer(ServerLayer::new());
//! # drop(stack);
//! ```
//!
//! The other way round the span would begin before anybody knows which trace it belongs to; the server layer says so
//! once, at level `warn`:
//!
//! ```
//! # use obs::http::{RequestIdLayer, ServerLayer};
//! # use tower::ServiceBuilder;
//! // Wrong: spans have traces of their own, and metrics no exemplars.
//! let wrong = ServiceBuilder::new().layer(ServerLayer::new()).layer(RequestIdLayer::new());
//! # drop(wrong);
//! ```
#![cfg_attr(
    feature = "axum",
    doc = r#"
With axum, both are given to the router, so that they run after it has found the route:

```
use axum::{Router, routing::get};
use obs::http::{RequestIdLayer, ServerLayer, axum_route};

let router: Router = Router::new()
    .route("/orders/{id}", get(|| async { "an order" }))
    // `Router::layer`: what is added last is the outermost.
    .layer(ServerLayer::new().route_by(axum_route))
    .layer(RequestIdLayer::new());
# drop(router);
```
"#
)]

mod grpc;
mod ids;
mod metrics;
mod server;
mod traced;

pub use grpc::{GrpcBody, GrpcFuture, GrpcLayer, GrpcService};
pub use ids::{
    RequestIdFuture, RequestIdLayer, RequestIdService, ScopedBody, write_outgoing_headers,
};
pub use metrics::METRICS;
#[cfg(feature = "axum")]
pub use server::axum_route;
pub use server::{
    Arrival, CountedBody, MatchedRoute, MeteredBody, ServerFuture, ServerLayer, ServerService,
    SpanDecision,
};
