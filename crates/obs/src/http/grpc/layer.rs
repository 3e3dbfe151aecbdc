use std::sync::Arc;

use tower_layer::Layer;

use super::meter::CallMeter;
use super::service::GrpcService;

/// Measures gRPC calls (`rpc.server.call.duration`) by method and by the code in their trailers; other
/// requests pass.
///
/// A method has a label of its own once a call of it succeeded: what else callers ask for is `_OTHER`.
/// Calls that nobody waited for are `CANCELLED`, those that panicked or ended without a code `UNKNOWN`. It
/// stands within [`ServerLayer`](super::super::ServerLayer), if that is there.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct GrpcLayer {
    meter: Arc<CallMeter>,
}

impl GrpcLayer {
    /// For all calls.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for GrpcLayer {
    type Service = GrpcService<S>;

    fn layer(&self, inner: S) -> GrpcService<S> {
        GrpcService { inner, meter: Arc::clone(&self.meter) }
    }
}
