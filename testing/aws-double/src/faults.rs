//! Faults on demand.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::sync::watch;

use crate::{calls::names, policy::like, random::Sequence};

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// `ThrottlingException`, of STS `Throttling`, as AWS sends it: HTTP 400.
    Throttle,
    /// `LimitExceededException`: a quota that waiting does not mend.
    LimitExceeded,
    /// `InternalServiceError`, HTTP 500.
    Internal,
    /// `ServiceUnavailable`, HTTP 503.
    Unavailable,
    /// Any other refusal.
    Refuse {
        /// The HTTP status.
        status: u16,
        /// The code, such as `DecryptionFailure`.
        code: String,
        /// The text.
        message: String,
    },
    /// The connection is reset before the request is looked at.
    Reset,
    /// The request is carried out, then the connection is reset.
    LostReply,
    /// The answer comes this much later, in real time. With other faults, those come later too. The request waits before it is
    /// carried out, so that a client that gives up meanwhile has changed nothing; with [`FaultRule::after_commit`] it has.
    Slow(Duration),
    /// The answer comes later by a random time up to this.
    SlowUpTo(Duration),
    /// Nothing comes, until the client gives up or the double stops. The request is not carried out.
    Hang,
    /// The request is carried out; half of the answer's body comes, and is said to be all.
    TruncatedJson,
    /// A page of HTML with status 200, as a proxy in between sends. The request is not carried out.
    Html,
    /// Status 200 and nothing else. The request is not carried out.
    EmptyBody,
    /// Reads see the state from before this much time, by the double's clock.
    Stale(Duration),
}

/// When a [`Fault`] strikes. Without further words: every time, before the request is carried out.
///
/// ```
/// use aws_double::{Fault, FaultRule};
///
/// let _ = FaultRule::new(Fault::Throttle).on("GetSecretValue").about("db/*").skip(1).times(3);
/// ```
#[derive(Debug, Clone)]
pub struct FaultRule {
    fault: Fault,
    operation: Option<String>,
    subject: Option<String>,
    skip: usize,
    times: Option<usize>,
    probability: f64,
    after_commit: bool,
}

impl FaultRule {
    /// The fault, on every request.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            operation: None,
            subject: None,
            skip: 0,
            times: None,
            probability: 1.0,
            after_commit: false,
        }
    }

    /// On one operation alone, by its full or bare name.
    #[must_use]
    pub fn on(self, operation: &str) -> Self {
        Self { operation: Some(operation.to_owned()), ..self }
    }

    /// On requests about this alone, as the caller names it; `*` and `?` are wildcards.
    #[must_use]
    pub fn about(self, subject: &str) -> Self {
        Self { subject: Some(subject.to_owned()), ..self }
    }

    /// Only after so many requests that it would have struck.
    #[must_use]
    pub fn skip(self, requests: usize) -> Self {
        Self { skip: requests, ..self }
    }

    /// So many times, then never again.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times: Some(times), ..self }
    }

    /// With this probability, 0 to 1, by the double's seed.
    #[must_use]
    pub fn with_probability(self, probability: f64) -> Self {
        Self { probability, ..self }
    }

    /// After the request was carried out: the answer is replaced, or late.
    #[must_use]
    pub fn after_commit(self) -> Self {
        Self { after_commit: true, ..self }
    }

    fn strikes(&mut self, operation: &str, subject: Option<&str>, chance: &Sequence) -> bool {
        let meant = self.operation.as_deref().is_none_or(|wanted| names(operation, wanted))
            && self.subject.as_deref().is_none_or(|p| subject.is_some_and(|s| like(p, s)))
            && self.times != Some(0);
        if !meant || (self.probability < 1.0 && !chance.chance(self.probability)) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if let Some(left) = &mut self.times {
            *left -= 1;
        }
        true
    }
}

/// The faults of a double. Clones are the same set.
#[derive(Clone, Default)]
pub struct Faults {
    state: Arc<Mutex<State>>,
    struck: Arc<watch::Sender<usize>>,
}

#[derive(Default)]
struct State {
    rules: Vec<FaultRule>,
    rates: Vec<Rate>,
}

/// A token bucket for operations, one for each account.
struct Rate {
    operations: Vec<String>,
    per_second: f64,
    burst: f64,
    buckets: HashMap<String, (f64, SystemTime)>,
}

/// What a request suffers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Suffered {
    /// Before it is looked at.
    pub(crate) delay: Duration,
    /// Before it is answered.
    pub(crate) delay_after: Duration,
    pub(crate) stale: Duration,
    /// Before it is carried out.
    pub(crate) before: Option<Fault>,
    /// Afterwards.
    pub(crate) after: Option<Fault>,
}

impl Suffered {
    fn slow(&mut self, by: Duration, after_commit: bool) {
        let delay = if after_commit { &mut self.delay_after } else { &mut self.delay };
        *delay = delay.saturating_add(by);
    }
}

impl Faults {
    /// Adds a rule. Of several that strike the same request the first one counts; delays add up.
    pub fn add(&self, rule: FaultRule) {
        self.state().rules.push(rule);
    }

    /// A script for one operation: each request takes the next step, `None` for none, and after the last one all is well.
    pub fn script(&self, operation: &str, steps: impl IntoIterator<Item = Option<Fault>>) {
        let mut state = self.state();
        for (step, fault) in steps.into_iter().enumerate() {
            if let Some(fault) = fault {
                // Every rule sees every request of the operation, so that its step is how many it skips.
                state.rules.push(FaultRule::new(fault).on(operation).skip(step).times(1));
            }
        }
    }

    /// Lets operations be called so often a second by each account, together, and in bursts of so many; more is refused with
    /// `ThrottlingException`. By the double's clock. AWS has 10,000 a second for `GetSecretValue` and `DescribeSecret`, and 50
    /// for what writes values and labels (User Guide, quotas).
    pub fn limit_rate(&self, operations: &[&str], per_second: f64, burst: u32) {
        self.state().rates.push(Rate {
            operations: operations.iter().map(|&o| o.to_owned()).collect(),
            per_second,
            burst: f64::from(burst),
            buckets: HashMap::new(),
        });
    }

    /// How many requests a fault has struck, delays among them, since the double began.
    #[must_use]
    pub fn struck(&self) -> usize {
        *self.struck.borrow()
    }

    /// Waits until faults have struck so many requests: then the last of them has arrived, and suffers what it has to. Whoever
    /// gives a call up then needs no time to guess by.
    pub async fn have_struck(&self, requests: usize) {
        let mut struck = self.struck.subscribe();
        // The sender lives as long as these faults.
        let _ = struck.wait_for(|struck| *struck >= requests).await;
    }

    /// Ends all faults and rates.
    pub fn clear(&self) {
        *self.state() = State::default();
    }

    /// Which faults a request suffers.
    pub(crate) fn strike(
        &self,
        operation: &str,
        subject: Option<&str>,
        chance: &Sequence,
    ) -> Suffered {
        let mut suffered = Suffered::default();
        let mut is_struck = false;
        for rule in &mut self.state().rules {
            if !rule.strikes(operation, subject, chance) {
                continue;
            }
            is_struck = true;
            match &rule.fault {
                Fault::Slow(by) => suffered.slow(*by, rule.after_commit),
                Fault::SlowUpTo(most) => {
                    let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX).max(1);
                    suffered.slow(Duration::from_nanos(chance.next() % nanos), rule.after_commit);
                }
                Fault::Stale(by) => suffered.stale = suffered.stale.max(*by),
                Fault::LostReply | Fault::TruncatedJson => {
                    suffered.after.get_or_insert(rule.fault.clone());
                }
                other if rule.after_commit => {
                    suffered.after.get_or_insert(other.clone());
                }
                other => {
                    suffered.before.get_or_insert(other.clone());
                }
            }
        }
        if is_struck {
            self.struck.send_modify(|struck| *struck += 1);
        }
        suffered
    }

    /// Whether the rate of an operation allows one more.
    pub(crate) fn admits(&self, operation: &str, account: &str, now: SystemTime) -> bool {
        let mut state = self.state();
        let concerns = |rate: &&mut Rate| rate.operations.iter().any(|o| names(operation, o));
        state.rates.iter_mut().filter(concerns).all(|rate| {
            let full = (rate.burst, now);
            let (tokens, since) = rate.buckets.entry(account.to_owned()).or_insert(full);
            let passed = now.duration_since(*since).unwrap_or_default().as_secs_f64();
            *tokens = passed.mul_add(rate.per_second, *tokens).min(rate.burst);
            *since = now;
            let admitted = *tokens >= 1.0;
            if admitted {
                *tokens -= 1.0;
            }
            admitted
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("rules", &self.state().rules).finish_non_exhaustive()
    }
}
