//! What a server knows of its gRPC calls, whose outcome is in trailers.

mod body;
mod call;
mod future;
mod layer;
mod meter;
mod service;

pub use body::GrpcBody;
pub use future::GrpcFuture;
pub use layer::GrpcLayer;
pub use service::GrpcService;
