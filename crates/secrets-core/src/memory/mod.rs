//! A provider in memory with the personalities of three clouds, and faults on demand.

mod adapter;
mod aws;
mod azure;
mod builder;
mod fault;
mod gate;
mod google;
mod guard;
mod hint;
mod log;
mod outside;
mod paging;
mod personality;
mod provider;
mod random;
mod session;
mod settings;
mod shelf;
mod sleep;

pub use builder::MemoryBuilder;
pub use fault::{Chance, Fault, FaultRule, Faults};
pub use gate::Gate;
pub use log::{LogEntry, Outcome};
pub use outside::Outside;
pub use personality::Personality;
pub use provider::MemoryProvider;
pub use settings::MemoryConfigError;
pub use shelf::Lag;
pub use sleep::{Sleep, SleepFuture};
