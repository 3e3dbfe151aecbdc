use std::fmt;

use request_context::TraceId;
use tracing_core::Level;

use crate::record::{Record, random_number};

/// A share between none and all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio(f64);

/// A number that is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RatioError;

impl Ratio {
    /// All.
    pub const ALL: Self = Self(1.0);
    /// None.
    pub const NONE: Self = Self(0.0);

    /// A share: 0.25 is one in four.
    ///
    /// # Errors
    /// It is not between 0 and 1.
    pub fn new(ratio: f64) -> Result<Self, RatioError> {
        if (0.0..=1.0).contains(&ratio) { Ok(Self(ratio)) } else { Err(RatioError) }
    }

    /// What the random part of a trace id has to reach.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "between 0 and 2^56"
    )]
    const fn threshold(self) -> u64 {
        ((1.0 - self.0) * RANDOM as f64) as u64
    }
}

impl fmt::Display for RatioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a ratio is a number from 0 to 1")
    }
}

impl std::error::Error for RatioError {}

/// How many values the random part of a trace id has: its last 56 bits (W3C Trace Context, level 2).
const RANDOM: u64 = 1 << 56;

/// Which records an output takes when it does not take all: a share, by level and target.
///
/// The trace decides: of a trace an output takes all records of a rule or none, and with a larger
/// share all that it would with a smaller one. So it does with traces that are sampled as OpenTelemetry
/// has it (`TraceState: Probability Sampling`, consistent thresholds). Records outside any trace are taken by chance.
///
/// ```
/// use obs::log::{Ratio, Sampling};
/// use tracing::Level;
///
/// let sampling = Sampling::new()
///     .level(Level::DEBUG, Ratio::new(0.01)?)
///     .level(Level::INFO, Ratio::new(0.25)?)
///     .target("app::payments", Level::INFO, Ratio::ALL);
/// # let _ = sampling; Ok::<(), obs::log::RatioError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Sampling {
    /// The longest targets first; the empty one is that of every record.
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    target: Box<str>,
    level: Level,
    threshold: u64,
}

impl Sampling {
    /// Takes everything.
    #[must_use]
    pub const fn new() -> Self {
        Self { rules: Vec::new() }
    }

    /// Takes this share of the records of a level.
    #[must_use]
    pub fn level(self, level: Level, ratio: Ratio) -> Self {
        self.target("", level, ratio)
    }

    /// Takes this share of the records of a level that are of a target, or of what is below it.
    #[must_use]
    pub fn target(mut self, target: &str, level: Level, ratio: Ratio) -> Self {
        self.rules.retain(|rule| *rule.target != *target || rule.level != level);
        self.rules.push(Rule { target: target.into(), level, threshold: ratio.threshold() });
        self.rules.sort_by_key(|rule| std::cmp::Reverse(rule.target.len()));
        self
    }

    pub(crate) fn takes(&self, record: &Record<'_>) -> bool {
        let rule = self.rules.iter().find(|rule| rule.is_of(record.level, record.target));
        rule.is_none_or(|rule| {
            rule.threshold == 0 || random_of(record.ids.trace_id) >= rule.threshold
        })
    }
}

impl Rule {
    fn is_of(&self, level: Level, target: &str) -> bool {
        self.level == level && (self.target.is_empty() || self.is_above(target))
    }

    fn is_above(&self, target: &str) -> bool {
        let rest = target.strip_prefix(&*self.target);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

fn random_of(trace: Option<TraceId>) -> u64 {
    let low = trace.map(|trace| trace.to_u128() & u128::from(u64::MAX));
    let number = low.and_then(|low| u64::try_from(low).ok()).unwrap_or_else(random_number);
    number % RANDOM
}
