use std::collections::HashMap;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::error::Operation;
use crate::memory::gate::Gate;
use crate::memory::random::{fingerprint, mix};
use crate::memory::shelf::Lag;
use crate::reference::SecretRef;

/// What goes wrong.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Fault {
    /// The call takes a time drawn evenly from these bounds. Needs a [`Sleep`](super::Sleep).
    Delay {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// The call waits until the gate is opened, for ever if nobody opens it.
    Hang(Gate),
    /// The call lets other tasks run first, once: interleaves calls that would not meet otherwise.
    Yield,
    /// `Throttled`; nothing was applied.
    Throttled {
        /// How long the backend asks to wait.
        retry_after: Duration,
    },
    /// `Unavailable`; nothing was applied, but the caller cannot know.
    Unavailable,
    /// `Timeout`; the request got lost, nothing was applied, but the caller cannot know.
    LostRequest,
    /// `Timeout`; the request was carried out and its answer got lost.
    LostReply,
    /// Reads see an earlier state, within the declared consistency.
    Stale(Lag),
    /// `get_secret` answers with another secret, value and version: what a caller that checks
    /// nothing takes for the one it asked for.
    WrongAnswer(SecretRef),
}

impl Fault {
    /// The stable name, as it stands in the log.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Delay { .. } => "delay",
            Self::Hang(_) => "hang",
            Self::Yield => "yield",
            Self::Throttled { .. } => "throttled",
            Self::Unavailable => "unavailable",
            Self::LostRequest => "lost request",
            Self::LostReply => "lost reply",
            Self::Stale(_) => "stale",
            Self::WrongAnswer(_) => "wrong answer",
        }
    }
}

/// How often a rule strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chance(u16);

impl Chance {
    /// Every time.
    pub const ALWAYS: Self = Self(1000);

    /// So many times in a thousand; more than a thousand is every time.
    pub const fn per_mille(times: u16) -> Self {
        Self(times)
    }

    fn strikes(self, draw: u64) -> bool {
        draw % 1000 < u64::from(self.0)
    }
}

/// When a fault strikes: by operation, by the number of the call, by the request within the call,
/// by chance. Without a restriction it strikes every call of every operation.
///
/// A call of a provider is one or more requests to the backend (a promotion on Google is six). A
/// rule without a [`step`](Self::step) strikes the call as a whole: before its first request, or,
/// for a lost reply, after its last.
///
/// ```
/// use std::time::Duration;
/// use secrets_core::Operation;
/// use secrets_core::memory::{Chance, Fault, FaultRule, Faults};
///
/// let faults = Faults::seeded(42)
///     // the third read is throttled
///     .with(FaultRule::new(Fault::Throttled { retry_after: Duration::from_secs(2) })
///         .on(Operation::GetSecret).call(3))
///     // one write in ten is carried out but never answered
///     .with(FaultRule::new(Fault::LostReply).on(Operation::SetSecret).chance(Chance::per_mille(100)));
/// # let _ = faults;
/// ```
#[derive(Debug, Clone)]
pub struct FaultRule {
    fault: Fault,
    operation: Option<Operation>,
    calls: RangeInclusive<u64>,
    step: Option<NonZeroU32>,
    chance: Chance,
}

impl FaultRule {
    /// Strikes every call.
    pub fn new(fault: Fault) -> Self {
        let calls = 1..=u64::MAX;
        Self { fault, operation: None, calls, step: None, chance: Chance::ALWAYS }
    }

    /// Only calls of this operation.
    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Only this call of an operation, counted from 1 since the faults were injected.
    #[must_use]
    pub fn call(self, number: u64) -> Self {
        self.calls(number..=number)
    }

    /// Only these calls of an operation, counted from 1 since the faults were injected.
    #[must_use]
    pub fn calls(mut self, numbers: RangeInclusive<u64>) -> Self {
        self.calls = numbers;
        self
    }

    /// Only this request within the call. The [log](super::MemoryProvider::log) shows which
    /// requests a call makes.
    #[must_use]
    pub fn step(mut self, step: NonZeroU32) -> Self {
        self.step = Some(step);
        self
    }

    /// Only sometimes.
    #[must_use]
    pub fn chance(mut self, chance: Chance) -> Self {
        self.chance = chance;
        self
    }
}

/// A schedule of faults, reproducible by its seed.
///
/// Whether a rule strikes is a pure function of five numbers: the seed, the rule's position (from
/// 0), FNV-1a (64 bit) of the operation's name, the number of the call, and the step (0 for the call
/// as a whole). Starting from 0, each is added by exclusive or and the result taken through
/// SplitMix64 once; the rule strikes when the remainder by 1,000 is below its chance. So the third
/// read meets the same fate in every run with this seed, in whatever order other calls come.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    seed: u64,
    rules: Vec<FaultRule>,
}

impl Faults {
    /// No faults.
    pub fn none() -> Self {
        Self::default()
    }

    /// No faults yet; chances and delays will be drawn from `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, rules: Vec::new() }
    }

    /// Adds a rule. All rules that match a call strike; the first that fails it ends it.
    #[must_use]
    pub fn with(mut self, rule: FaultRule) -> Self {
        self.rules.push(rule);
        self
    }

    pub(crate) fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.rules.iter().map(|rule| &rule.fault)
    }
}

/// Faults at work: they count the calls.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    faults: Faults,
    calls: Mutex<HashMap<Operation, u64>>,
    struck: AtomicU64,
}

/// A fault that strikes, and a number to draw its details from.
#[derive(Debug, Clone)]
pub(crate) struct Strike {
    pub(crate) fault: Fault,
    pub(crate) draw: u64,
}

impl Schedule {
    pub(crate) fn new(faults: Faults) -> Self {
        Self { faults, ..Self::default() }
    }

    /// The number of the call that begins now.
    pub(crate) fn count(&self, operation: Operation) -> u64 {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let number = calls.entry(operation).or_default();
        *number += 1;
        *number
    }

    /// What strikes a call as a whole (`step` is `None`) or one of its requests.
    pub(crate) fn strikes(
        &self,
        operation: Operation,
        call: u64,
        step: Option<NonZeroU32>,
    ) -> Vec<Strike> {
        let rules = self.faults.rules.iter().enumerate();
        rules
            .filter(|(_, rule)| rule.operation.is_none_or(|wanted| wanted == operation))
            .filter(|(_, rule)| rule.step == step && rule.calls.contains(&call))
            .filter_map(|(position, rule)| {
                let step = step.map_or(0, |step| u64::from(step.get()));
                let operation = fingerprint(operation.as_str());
                let draw = mix([self.faults.seed, position as u64, operation, call, step]);
                let strike = || Strike { fault: rule.fault.clone(), draw: mix([draw]) };
                rule.chance.strikes(draw).then(strike)
            })
            .collect()
    }

    pub(crate) fn note_struck(&self) {
        self.struck.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn struck(&self) -> u64 {
        self.struck.load(Ordering::Relaxed)
    }
}
