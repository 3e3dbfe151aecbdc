//! The ids of a request: found or made, kept, answered and passed on.

mod body;
mod future;
mod header;
mod layer;
mod outgoing;
mod service;

pub use body::ScopedBody;
pub use future::RequestIdFuture;
pub use layer::RequestIdLayer;
pub use outgoing::write_outgoing_headers;
pub use service::RequestIdService;
