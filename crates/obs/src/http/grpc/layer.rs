use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use tower_layer::Layer;

use super::meter::CallMeter;
use super::service::GrpcService;

/// Measures gRPC calls (`rpc.server.call.duration`) by method and by the code in their trailers; other
/// requests pass.
///
/// A method has a label of its own once a call of it succeeded: what else callers ask for is `_OTHER`.
/// Calls that nobody waited for are `CANCELLED`, those that panicked or ended without a code `UNKNOWN`. It
/// stands within [`ServerLayer`](super::super::ServerLayer), if that is there, and within whatever turns calls of
/// gRPC-Web into those of gRPC: those keep their code in the body, where it is not looked for.
///
/// ```
/// use obs::http::{GrpcLayer, RequestIdLayer, ServerLayer};
/// use tower::ServiceBuilder;
///
/// let stack = ServiceBuilder::new()
///     .layer(RequestIdLayer::new())
///     .layer(ServerLayer::new())
///     .layer(GrpcLayer::new());
/// # drop(stack);
/// ```
#[derive(Clone)]
#[must_use]
pub struct GrpcLayer {
    meter: Arc<CallMeter>,
    now: fn() -> Instant,
}

impl GrpcLayer {
    /// For all calls.
    pub fn new() -> Self {
        Self { meter: Arc::default(), now: Instant::now }
    }

    /// What says how much time went by: instead of [`Instant::now`].
    pub const fn clock(mut self, now: fn() -> Instant) -> Self {
        self.now = now;
        self
    }
}

impl Default for GrpcLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for GrpcLayer {
    type Service = GrpcService<S>;

    fn layer(&self, inner: S) -> GrpcService<S> {
        GrpcService { inner, meter: Arc::clone(&self.meter), now: self.now }
    }
}

impl fmt::Debug for GrpcLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcLayer").finish_non_exhaustive()
    }
}
