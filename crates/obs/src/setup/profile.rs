use std::str::FromStr;

use crate::setup::Panics;
use crate::setup::layout::Format;

/// What sort of place a service runs in: it chooses what nothing else is said of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "settings", derive(serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Profile {
    /// Somebody's own machine: logs for people.
    Development,
    /// Like production: JSON, one line a record.
    Staging,
    /// Where others depend on it: JSON, one line a record.
    #[default]
    Production,
}

impl Profile {
    /// Its name: the value of `deployment.environment.name` if nothing else is said.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }

    /// How logs are written there.
    #[must_use]
    pub const fn format(self) -> Format {
        match self {
            Self::Development => Format::Console,
            Self::Staging | Self::Production => Format::Json,
        }
    }

    /// What is done with panics there: somebody who develops, and a test, sees them as Rust shows them.
    #[must_use]
    pub const fn panics(self) -> Panics {
        match self {
            Self::Development => Panics::LogThenPrevious,
            Self::Staging | Self::Production => Panics::Log,
        }
    }
}

/// By its name.
impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        let all = [Self::Development, Self::Staging, Self::Production];
        all.into_iter().find(|profile| profile.name() == name).ok_or(UnknownProfile)
    }
}

/// There is no profile of this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownProfile;

impl std::fmt::Display for UnknownProfile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a profile is `development`, `staging` or `production`")
    }
}

impl std::error::Error for UnknownProfile {}
