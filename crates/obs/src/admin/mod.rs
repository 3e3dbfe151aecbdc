//! A listener of its own for whoever operates the service: metrics, what it is, what it logs.

mod connection;
mod error;
mod json;
mod message;
mod metrics;
mod own;
mod route;
mod router;
mod server;

pub use error::{AdminError, AdminErrorKind};
pub use message::{AdminMethod, AdminRequest, AdminResponse};
pub use metrics::METRICS;
pub use route::{Access, AdminAuthorizer, AdminRoute};
pub use server::{AdminServer, AdminServerBuilder};
