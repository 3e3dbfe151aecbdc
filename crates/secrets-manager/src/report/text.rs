//! Reports as text for people.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::report::health::{
    HealthReason, HealthReport, HeldSecret, ManagerStatus, NearExpiry, ProviderHealth, RunState,
};

impl fmt::Display for ManagerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for HealthReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Seconds are enough.
fn whole(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

impl fmt::Display for ProviderHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error {
            Some(kind) => write!(f, "{} does not say how it is: {}", self.id, kind.as_str())?,
            None => write!(f, "{} is {}", self.id, format!("{:?}", self.status).to_lowercase())?,
        }
        for finding in &self.findings {
            write!(f, "; {finding}")?;
        }
        Ok(())
    }
}

impl fmt::Display for HeldSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reference, provider, version, state, .. } = self;
        write!(f, "{reference} of {provider}, version {version}, is {}", state.as_str())?;
        if !self.staleness.is_zero() {
            write!(f, ", {:?} past its time to live", whole(self.staleness))?;
        }
        if !self.is_usable {
            f.write_str(", not usable")?;
        }
        match self.error {
            Some(kind) => write!(f, ": {}", kind.as_str()),
            None => Ok(()),
        }
    }
}

impl NearExpiry {
    /// How long it has left at a time; `None` once it has expired.
    #[must_use]
    pub fn left(&self, at: SystemTime) -> Option<Duration> {
        self.expires.duration_since(at).ok().filter(|left| !left.is_zero())
    }
}

/// The status with its reasons, and a line for each of what needs attention.
impl fmt::Display for HealthReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        for (number, reason) in self.reasons.iter().enumerate() {
            write!(f, "{}{reason}", if number == 0 { ": " } else { ", " })?;
        }
        let (handles, usage) = (&self.handles, &self.usage);
        write!(f, "\n  {}, {} secrets in the cache", self.run, usage.entries)?;
        write!(f, "\n  handles: {} fresh, {} stale, ", handles.fresh, handles.stale)?;
        write!(f, "{} gone, {} invalid, ", handles.gone, handles.invalid)?;
        write!(f, "{} orphaned", handles.orphaned)?;
        for provider in &self.providers {
            write!(f, "\n  {provider}")?;
        }
        for held in &self.not_fresh {
            write!(f, "\n  {held}")?;
        }
        for near in &self.near_expiry {
            let NearExpiry { reference, provider, version, .. } = near;
            write!(f, "\n  {reference} of {provider}, version {version}, ")?;
            match near.left(self.at) {
                Some(left) => write!(f, "expires in {:?}", whole(left))?,
                None => f.write_str("has expired")?,
            }
        }
        match self.audit_events_lost {
            Some(lost @ 1..) => write!(f, "\n  {lost} audit events were lost"),
            _ => Ok(()),
        }
    }
}
