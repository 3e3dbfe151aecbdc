//! How a manager is: its providers, what its handles show, what expires soon.

mod gather;
mod health;
mod policy;
mod probe;
mod text;

pub use health::{
    HandleState, HealthReason, HealthReport, HeldSecret, ManagerStatus, NearExpiry, ProviderHealth,
    RunState, StateCounts,
};
pub use policy::HealthPolicy;
pub(crate) use probe::Probes;
