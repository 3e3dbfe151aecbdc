#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod derive;
mod live;
#[cfg(all(loom, test))]
mod loom_tests;
mod panics;
mod publisher;
mod shared;
mod sync;
mod version;
mod watch;

pub use derive::{DeriveError, DeriveErrorKind};
pub use live::{Guard, Live};
pub use publisher::{Conflict, Publisher};
pub use version::Version;
pub use watch::{Changed, Closed, Watch};
