//! What agents of generative AI do: executions, tools, calls of models, tokens, costs.
//!
//! The names are those of OpenTelemetry's conventions for generative AI, all of which are in development and move: they
//! stand in one table of one version ([`CONVENTIONS_VERSION`]), and a new version of them is a new version of this crate.

mod agent;
mod bounded;
mod call;
mod cost;
mod ending;
mod kinds;
mod name;
mod table;
mod tool;
mod usage;

pub use agent::{Agent, GenAi, Invocation};
pub use call::ModelCall;
pub use cost::{Cost, Currency, Price};
pub use kinds::{Operation, Provider, ToolType};
pub use name::CONVENTIONS_VERSION;
pub use table::METRICS;
pub use tool::ToolExecution;
pub use usage::Usage;
