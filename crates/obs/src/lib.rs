#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

#[cfg(feature = "admin")]
pub mod admin;
#[cfg(feature = "jemalloc")]
pub mod allocator;
pub mod catalog;
#[cfg(feature = "genai")]
pub mod genai;
#[cfg(feature = "http")]
pub mod http;
pub mod log;
pub mod metric;
#[cfg(feature = "process")]
pub mod process;
pub mod record;
#[cfg(feature = "tokio-metrics")]
pub mod runtime;
#[cfg(feature = "settings")]
pub mod settings;
pub mod setup;
#[cfg(feature = "testing")]
pub mod testing;
