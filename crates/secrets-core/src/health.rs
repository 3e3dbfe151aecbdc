use std::borrow::Cow;

/// How a provider is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// In one word.
    pub status: HealthStatus,
    /// Why, where it is not healthy; never a secret.
    pub findings: Vec<Cow<'static, str>>,
}

impl Health {
    /// All is well.
    pub fn healthy() -> Self {
        Self { status: HealthStatus::Healthy, findings: Vec::new() }
    }

    /// It serves, but something needs attention.
    pub fn degraded(finding: impl Into<Cow<'static, str>>) -> Self {
        Self { status: HealthStatus::Degraded, findings: vec![finding.into()] }
    }

    /// It does not serve.
    pub fn unhealthy(finding: impl Into<Cow<'static, str>>) -> Self {
        Self { status: HealthStatus::Unhealthy, findings: vec![finding.into()] }
    }
}

/// A provider's health in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HealthStatus {
    /// It serves.
    Healthy,
    /// It serves, but something needs attention.
    Degraded,
    /// It does not serve.
    Unhealthy,
    /// The provider cannot tell without a call that costs something.
    Unknown,
}
