//! Records as lines: layouts and where they are written.

mod file;
mod json;
mod layout;
mod metrics;
mod output;
mod time;
mod writer;

pub use file::{FileTarget, FileTargetBuilder, Period};
pub use json::JsonFlat;
pub use layout::Layout;
pub use metrics::METRICS;
pub use output::{LogOutput, LogOutputBuilder};
pub use writer::{
    Dropped, Health, Standard, Status, Stream, Target, TargetError, Totals, Writer, WriterBuilder,
    WriterGuard,
};
