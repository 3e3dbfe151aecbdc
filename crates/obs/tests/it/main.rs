//! What goes through the public interface of `obs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    missing_docs,
    reason = "tests fail by panicking"
)]

#[cfg(feature = "admin")]
mod admin;
#[cfg(all(feature = "admin", feature = "stock-prometheus"))]
mod backend;
#[cfg(feature = "log-bridge")]
mod bridge;
#[cfg(all(feature = "testing", feature = "log-bridge", feature = "admin", feature = "axum"))]
mod canary;
#[cfg(feature = "testing")]
mod capture;
mod carried;
mod child;
mod collectors;
#[cfg(feature = "log-bridge")]
mod complaints;
mod file;
mod foreign;
#[cfg(feature = "genai")]
mod genai;
#[cfg(feature = "axum")]
mod http;
mod kits;
mod layers;
mod layouts;
mod leaks;
mod limit;
mod metrics;
mod oracle;
#[cfg(all(feature = "admin", feature = "gzip"))]
mod page;
mod panics;
#[cfg(feature = "process")]
mod process;
mod records;
mod redaction;
#[cfg(feature = "settings")]
mod reload;
mod rules;
#[cfg(feature = "tokio-metrics")]
mod runtime;
#[cfg(feature = "settings")]
mod settings;
mod setup;
#[cfg(feature = "redact-patterns")]
mod shapes;
mod sources;
mod support;
mod texts;
mod volume;
mod writer;

#[global_allocator]
static PROBE: probe::Probe = probe::Probe::new();
