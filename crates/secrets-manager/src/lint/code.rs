use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a service runs: the same value may be fine in one place and a fault in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Environment {
    /// A developer's machine, or a test.
    Development,
    /// What is like production but serves nobody.
    Staging,
    /// What people rely on.
    Production,
}

impl Environment {
    /// The environment of a profile by its usual names: `development`, `dev`, `local`, `test`;
    /// `staging`, `stage`, `preview`, `qa`; `production`, `prod`, `live`.
    #[must_use]
    pub fn of_profile(profile: &str) -> Option<Self> {
        match profile.to_ascii_lowercase().as_str() {
            "development" | "dev" | "local" | "test" => Some(Self::Development),
            "staging" | "stage" | "preview" | "qa" => Some(Self::Staging),
            "production" | "prod" | "live" => Some(Self::Production),
            _ => None,
        }
    }
}

/// How bad a finding is. The greater, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// Good to know.
    Note,
    /// To be looked at.
    Warning,
    /// Not to be left so.
    Error,
}

impl Severity {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! codes {
    ($($(#[$meta:meta])* $variant:ident = $text:literal, $development:ident $staging:ident $production:ident, $says:literal;)+) => {
        /// What a finding is about. The names are stable, and new ones may come.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum LintCode { $($(#[$meta])* $variant,)+ }

        impl LintCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable name, as it stands in settings and output.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// How bad it is in an environment.
            #[must_use]
            pub const fn severity(self, environment: Environment) -> Severity {
                match self {
                    $(Self::$variant => match environment {
                        Environment::Development => Severity::$development,
                        Environment::Staging => Severity::$staging,
                        Environment::Production => Severity::$production,
                    },)+
                }
            }

            pub(super) const fn says(self) -> &'static str {
                match self { $(Self::$variant => $says,)+ }
            }
        }
    };
}

codes! {
    /// A secret or file cannot be read.
    Unreadable = "unreadable", Error Error Error, "cannot be read";
    /// There is more in a value, or under a path, than is looked at.
    Incomplete = "incomplete", Warning Warning Error, "is too large or too deep to be looked at as a whole";
    /// A secret has no bytes.
    Empty = "empty", Error Error Error, "is empty";
    /// It says that a secret should stand in its place.
    Placeholder = "placeholder", Warning Error Error, "is a placeholder";
    /// A product has it unless it is changed, or it is among the first that are tried.
    Default = "default", Warning Error Error, "is a default that many know";
    /// It stands in a manual, or was published.
    Published = "published", Warning Error Error, "is an example or key that was published";
    /// By estimate it has fewer than 33 bits.
    Weak = "weak", Note Warning Warning, "is short, or easy to guess";
    /// Another secret has the same value.
    Duplicate = "duplicate", Note Warning Warning, "has the same value as another";
    /// Its validity has ended.
    Expired = "expired", Error Error Error, "has expired";
    /// Its validity ends soon.
    ExpiresSoon = "expires-soon", Warning Warning Error, "expires soon";
    /// It looks as if it belonged to production, and this is not production.
    ProductionValue = "production-value", Error Error Note, "looks like a value of production";
    /// It looks like one for tests or of a developer's machine, and this is production.
    TestValue = "test-value", Note Note Error, "looks like a value for tests";
    /// A blank or a line end stands before or behind it.
    Whitespace = "whitespace", Warning Warning Warning, "begins or ends with a blank or line end";
    /// Everybody on the machine may read the file.
    WorldReadable = "world-readable", Warning Error Error, "may be read by everybody on the machine";
    /// The file's group may read it.
    GroupReadable = "group-readable", Note Note Warning, "may be read by its group";
    /// Others may write the file or its folder.
    OthersMayWrite = "others-may-write", Error Error Error, "may be changed by others than its owner";
    /// The file belongs to somebody else.
    ForeignOwner = "foreign-owner", Warning Error Error, "belongs neither to this user nor to root";
    /// Settings hold a secret where a reference could stand.
    InlineSecret = "inline-secret", Warning Error Error, "seems to hold a secret itself, not a reference to one";
    /// A suppression suppressed nothing.
    IdleSuppression = "idle-suppression", Note Note Note, "is suppressed, but there is nothing to suppress";
}

impl fmt::Display for LintCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
