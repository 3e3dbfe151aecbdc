use std::time::Duration;

/// The longest of these times; longer ones count as this.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// What a health report looks at, and for how long it waits.
///
/// ```
/// use secrets_manager::HealthPolicy;
/// use std::time::Duration;
///
/// let month = Duration::from_secs(30 * 24 * 60 * 60);
/// let policy = HealthPolicy::new().with_expiry_horizon(month);
/// # let _ = policy;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthPolicy {
    pub(crate) horizon: Duration,
    pub(crate) timeout: Duration,
    pub(crate) probe_ttl: Duration,
    pub(crate) most_listed: usize,
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl HealthPolicy {
    /// The defaults, which stand at each setting.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            horizon: Duration::from_secs(7 * 24 * 60 * 60),
            timeout: Duration::from_secs(2),
            probe_ttl: Duration::from_secs(5),
            most_listed: 100,
        }
    }

    /// How long before a version expires the report names it. 7 days.
    #[must_use]
    pub fn with_expiry_horizon(mut self, horizon: Duration) -> Self {
        self.horizon = horizon.min(LONGEST);
        self
    }

    /// How long a provider may take to say how it is. 2 seconds.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(LONGEST);
        self
    }

    /// For how long what a provider said of itself stands, so that many who ask for a report are not
    /// many calls. 5 seconds.
    #[must_use]
    pub fn with_probe_ttl(mut self, ttl: Duration) -> Self {
        self.probe_ttl = ttl.min(LONGEST);
        self
    }

    /// How many secrets each list names at most; counts are of all. 100.
    #[must_use]
    pub const fn with_most_listed(mut self, most: usize) -> Self {
        self.most_listed = most;
        self
    }
}
