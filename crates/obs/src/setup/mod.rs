//! Logs and metrics of a process, set up by one call and ended by one guard.

mod builder;
mod complaint;
mod environment;
mod error;
mod guard;
mod handle;
mod install;
mod keeper;
mod layout;
mod output;
mod panics;
mod probe;
mod profile;

pub use builder::ObservabilityBuilder;
pub use error::{SetupError, SetupErrorKind};
pub use guard::{Guard, ShutdownReport};
pub use handle::{Observability, OutputStatus};
pub use keeper::Expiry;
pub use layout::Format;
#[cfg(feature = "settings")]
pub(crate) use layout::LayoutOptions;
pub use output::Output;
pub use panics::Panics;
pub use probe::{METRICS, SelfTest, SelfTestFailure};
pub use profile::{Profile, UnknownProfile};
