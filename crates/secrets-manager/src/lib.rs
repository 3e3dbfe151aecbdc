#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod access;
mod alias;
mod anchors;
mod audit;
mod builder;
mod cache;
mod credential;
pub mod expiring;
mod fallback;
mod known;
pub mod lint;
mod manager;
mod report;
mod required;
mod rules;
mod settings;
#[cfg(feature = "snapshot")]
pub mod snapshot;
mod subscription;
mod telemetry;
mod time_limit;
mod validity;
pub mod view;

pub use audit_log;
pub use live_value::{Closed, Guard, Live, Version};
pub use secrets_core;

pub use access::{AccessRow, Reader};
pub use alias::Alias;
pub use anchors::ProviderAnchors;
pub use audit::NotRecorded;
pub use builder::{BuildError, SecretManagerBuilder};
pub use cache::cached::CachedProvider;
pub use cache::handle::SecretHandle;
pub use cache::hit::Hit;
pub use cache::jitter::Jitter;
pub use cache::policy::{Backoff, CachePolicy, Upkeep};
pub use cache::runner::AlreadyRunning;
pub use cache::unusable::{Unusable, UnusableKind};
pub use cache::usage::Usage;
pub use credential::{
    Attempt, FailureClass, Repeatable, UseError, UseErrorKind, UsePolicy, classify, repeatable,
    with_secret,
};
pub use fallback::{Fallback, OnUnavailable};
pub use manager::SecretManager;
pub use report::{
    HandleState, HealthPolicy, HealthReason, HealthReport, HeldSecret, ManagerStatus, NearExpiry,
    ProviderHealth, RunState, StateCounts,
};
pub use required::{RequiredFailure, RequiredReason, RequiredReport};
pub use rules::{
    Format, InvalidPattern, JsonFault, Pattern, PemFault, RulesProblem, SecretRules, UrlFault,
    UrlPart, Violation, WellKnown,
};
pub use service_settings;
pub use settings::{
    AuditFailureSetting, AuditSettings, Connected, InvalidProxy, NetworkOptions, ProviderFactory,
    ProviderFailure, ProviderPlan, ProxyUrl, Registry, SecretConfig, SecretManagerSettings,
    StartError, StartErrorKind, StartWarning, Started,
};
pub use subscription::{ChangeNotice, SecretChange, SecretChanges};
pub use telemetry::{METRICS, Metric, MetricKind};
pub use time_limit::TimeLimit;
pub use validity::{EnforceValidity, ValidityObserver, ValidityPolicy};
