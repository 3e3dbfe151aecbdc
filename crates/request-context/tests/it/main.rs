//! What goes through the public interface of `request-context`.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

mod context;
mod ids;
mod traceparent;
mod tracestate;
