//! What a server knows of its requests: a span, metrics, and a record of each.

mod arrival;
mod body;
mod chain;
mod exchange;
mod future;
mod labels;
mod layer;
mod meter;
mod query;
mod route;
mod service;
mod span;

pub use arrival::{Arrival, SpanDecision};
pub use body::{CountedBody, MeteredBody};
pub use future::ServerFuture;
pub(crate) use labels::OTHER;
pub use layer::ServerLayer;
pub use route::MatchedRoute;
#[cfg(feature = "axum")]
pub use route::axum_route;
pub use service::ServerService;
