#![cfg_attr(
    all(feature = "env", feature = "dotenv", feature = "directory", feature = "store"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(feature = "env", feature = "dotenv", feature = "directory", feature = "store")),
    doc = "Local secret providers; the manual is built with all of them."
)]
#![forbid(unsafe_code)]

#[cfg(feature = "directory")]
pub mod directory;
#[cfg(feature = "dotenv")]
pub mod dotenv;
#[cfg(feature = "env")]
pub mod env;
#[cfg(feature = "store")]
pub mod store;

#[cfg(any(feature = "env", feature = "dotenv", feature = "directory"))]
mod blocking;
#[cfg(any(feature = "env", feature = "dotenv", feature = "directory"))]
mod config;
#[cfg(feature = "serde")]
mod deserialize;
#[cfg(any(feature = "env", feature = "dotenv", feature = "directory"))]
#[cfg_attr(
    not(all(feature = "env", feature = "dotenv", feature = "directory")),
    allow(dead_code, reason = "some of it is for providers that are left out")
)]
mod file;
#[cfg(any(feature = "env", feature = "dotenv", feature = "directory"))]
mod identity;
#[cfg(any(feature = "env", feature = "dotenv", feature = "directory"))]
mod listing;
#[cfg(any(feature = "env", feature = "dotenv", feature = "directory"))]
mod mount;
#[cfg(any(feature = "env", feature = "directory"))]
mod newline;
#[cfg(any(feature = "env", feature = "dotenv", feature = "directory"))]
mod options;
#[cfg(any(feature = "dotenv", feature = "directory"))]
mod permissions;
#[cfg(any(feature = "env", feature = "dotenv"))]
#[cfg_attr(
    not(all(feature = "env", feature = "dotenv")),
    allow(dead_code, reason = "some of it is for a provider that is left out")
)]
mod variable;
#[cfg(any(feature = "env", feature = "dotenv", feature = "directory"))]
mod version;
#[cfg(any(feature = "dotenv", feature = "directory"))]
mod watch;

pub use secrets_core;

#[cfg(any(feature = "env", feature = "dotenv", feature = "directory"))]
pub use config::ConfigError;
#[cfg(any(feature = "env", feature = "directory"))]
pub use newline::TrailingNewline;
