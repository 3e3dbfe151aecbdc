//! What the kernel knows of this process, its control group and its host: sources for a
//! [`MetricRecorder`](crate::metric::MetricRecorder).
//!
//! ```
//! use obs::metric::{Exposition, MetricRecorder};
//! use obs::process::{BuildInfo, CgroupMetrics, HostMetrics, ProcessMetrics, TcpMetrics};
//!
//! let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
//! let build = BuildInfo::new(env!("CARGO_PKG_VERSION"))
//!     .with_revision(option_env!("GIT_REVISION").unwrap_or("unknown"))
//!     .with_profile(profile);
//! let recorder = MetricRecorder::builder()
//!     .source(ProcessMetrics::new())
//!     .source(CgroupMetrics::new())
//!     .source(HostMetrics::new().file_system("/"))
//!     .source(TcpMetrics::new().port(8080))
//!     .source(build)
//!     .build();
//! let mut page = Vec::new();
//! recorder.render(Exposition::Text, &mut page)?;
//! # if cfg!(target_os = "linux") {
//! assert!(String::from_utf8(page)?.contains("\nprocess_resident_memory_bytes "));
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `ObservabilityBuilder::with_process_metrics` does it at set-up. All of it is read from `/proc` and `/sys` of
//! Linux; elsewhere there is nothing, which is no error. What is not there on this kernel (pressure, `memory.peak`, a control
//! group) is not shown. What cannot be read or makes no sense is not shown either, and counted by
//! `obs.metric.source.failures`. Counters are shown as the kernel has them: one that begins anew is a reset to whoever
//! reads it.
//!
//! A page with all of it opens some 25 files, 30 when the tables of TCP are read, too, and takes 0.35 ms without those. A file is
//! read up to 1 MiB, the tables of TCP up to 32 MiB and only every 15 seconds.
#![doc = include_str!("METRICS.md")]

mod build;
mod cgroup;
mod host;
mod list;
mod look;
mod own;
mod pressure;
mod system;
mod table;
mod tcp;

pub use build::BuildInfo;
pub use cgroup::CgroupMetrics;
pub use host::HostMetrics;
pub use own::ProcessMetrics;
pub use table::METRICS;
pub use tcp::TcpMetrics;
