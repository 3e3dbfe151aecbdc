//! Records as lines: layouts and where they are written.

mod console;
mod datadog;
mod ecs;
mod file;
mod google;
mod json;
mod layout;
mod left_out;
mod limit;
mod logfmt;
mod members;
mod metrics;
mod names;
mod nested;
mod new_relic;
mod output;
mod panics;
mod sample;
mod text;
mod time;
mod volume;
mod writer;

pub use console::Console;
pub use datadog::Datadog;
pub use ecs::Ecs;
pub use file::{FileTarget, FileTargetBuilder, Period};
pub use google::GoogleCloud;
pub use json::JsonFlat;
pub use layout::Layout;
pub use left_out::LeftOut;
pub use limit::{Quota, RateLimit};
pub use logfmt::Logfmt;
pub use metrics::METRICS;
pub use new_relic::NewRelic;
#[cfg(feature = "settings")]
pub(crate) use output::Takes;
pub use output::{LogOutput, LogOutputBuilder};
pub use panics::{AlreadyInstalled, PanicHook};
pub use sample::{Ratio, RatioError, Sampling};
pub use volume::LogVolume;
pub use writer::{
    Dropped, Health, Standard, Status, Stream, Target, TargetError, Totals, Writer, WriterBuilder,
    WriterGuard,
};
