#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod canary;
mod capture;
mod errors;
mod files;
mod logs;

pub use audit_log::{self, MemorySink};
pub use secrets_core::memory;
pub use secrets_core::{self, Clock, ManualClock};

pub use canary::{Canary, Leak};
pub use capture::{Capture, Piece, Shown};
pub use errors::ErrorChain;
pub use files::Files;
pub use logs::{LogCapture, LogLine};
