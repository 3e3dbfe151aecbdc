//! All secrets that a service needs, read and checked at once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use secrets_core::{
    Error, ErrorKind, GetOptions, Operation, Result as SecretResult, Secret, SecretName,
    SecretProvider, SecretRef, SecretValue, Support,
};
use tokio::time::Instant;

use crate::cache::cached::CachedProvider;
use crate::manager::SecretManager;
use crate::rules::{SecretRules, Violation};

impl SecretManager {
    /// Reads all these secrets and holds each to its rules: what a service does when it starts, so
    /// that it tells everything that is wrong at once instead of one thing a start.
    ///
    /// What is in the cache is not asked for again, and what is read stays there. The rest is one
    /// call where the provider has calls for many of its own; otherwise
    /// [`concurrent_refreshes`](crate::CachePolicy::with_concurrent_refreshes) single calls run at a
    /// time, and a provider that has answered nothing for the length of a
    /// [`call_timeout`](crate::CachePolicy::with_call_timeout) is not asked further. A name may stand
    /// there several times; it is read once and held to all its rules.
    ///
    /// ```
    /// use secrets_core::{SecretName, SecretProviderExt, memory::{MemoryProvider, Personality}};
    /// use secrets_manager::{SecretManager, SecretRules};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let provider = MemoryProvider::new(Personality::Aws);
    /// provider.put_text("billing/db-password", "changeme").await?;
    /// let manager = SecretManager::builder(provider).build()?;
    ///
    /// let needed = [
    ///     (SecretName::new("billing/db-password")?, SecretRules::new().with_min_length(16)),
    ///     (SecretName::new("billing/signing-key")?, SecretRules::new()),
    /// ];
    /// let report = manager.check_required(&needed).await.unwrap_err();
    /// assert_eq!(report.to_string(), "2 of 2 required secrets are not usable:\n  \
    ///     `billing/db-password`: is shorter than 16 bytes; \
    ///     is a placeholder, default or example that many know\n  \
    ///     `billing/signing-key`: get_secret: not found: no such secret, version or stage");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`RequiredReport`] names every secret that cannot be read or breaks its rules.
    pub async fn check_required(
        &self,
        required: &[(SecretName, SecretRules)],
    ) -> Result<(), RequiredReport> {
        let mut wanted: BTreeMap<&SecretName, Vec<&SecretRules>> = BTreeMap::new();
        for (name, rules) in required {
            wanted.entry(name).or_default().push(rules);
        }
        let names: Vec<&SecretName> = wanted.keys().copied().collect();
        let answers = read_all(self.cached(), &names).await;
        let failures = wanted.iter().zip(answers).filter_map(|((name, rules), answer)| {
            let reason = match answer {
                Ok(secret) => RequiredReason::Violations(violations(rules, &secret.value)?),
                Err(error) => RequiredReason::Unreadable(error),
            };
            Some(RequiredFailure { name: SecretName::clone(name), reason })
        });
        let failures: Vec<_> = failures.collect();
        match failures.is_empty() {
            true => Ok(()),
            false => Err(RequiredReport { failures, checked: names.len() }),
        }
    }
}

/// Each once; `None` when there is none.
fn violations(rules: &[&SecretRules], value: &SecretValue) -> Option<Vec<Violation>> {
    let mut found: Vec<Violation> = Vec::new();
    for violation in rules.iter().flat_map(|rules| rules.violations(value)) {
        if !found.contains(&violation) {
            found.push(violation);
        }
    }
    (!found.is_empty()).then_some(found)
}

/// In the order of the names.
async fn read_all(cached: &CachedProvider, names: &[&SecretName]) -> Vec<SecretResult<Secret>> {
    let references = names.iter().map(|name| SecretRef::from(SecretName::clone(name)));
    // Emulated means one call after the other: those may as well run beside each other.
    if cached.capabilities().batch == Support::Native {
        let wanted: Vec<_> = references.map(|r| (r, GetOptions::default())).collect();
        return match cached.get_secrets(&wanted).await {
            Ok(answers) => answers,
            Err(error) => {
                let each = error.with_operation(Operation::GetSecret);
                vec![Err(each); names.len()]
            }
        };
    }
    let policy = &cached.inner().setting.terms.policy;
    let patience = Patience::new(policy.call_timeout);
    let reads = references.enumerate().map(|(at, reference)| {
        let read = patience.read(cached, reference);
        async move { (at, read.await) }
    });
    let reads: Vec<_> = reads.collect();
    // As they come: one that hangs holds up its own place and none of those behind it.
    let at_a_time = policy.concurrent_refreshes.get();
    let mut answers: Vec<_> = stream::iter(reads).buffer_unordered(at_a_time).collect().await;
    answers.sort_unstable_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Ends it with a provider that hangs, after the time of one call and not after that of many.
struct Patience {
    limit: Duration,
    answered: Mutex<Instant>,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self { limit, answered: Mutex::new(Instant::now()) }
    }

    async fn read(&self, cached: &CachedProvider, reference: SecretRef) -> SecretResult<Secret> {
        if self.is_over() {
            let message = "not asked for: the provider had answered nothing in time";
            let error = Error::new(ErrorKind::Timeout, message);
            return Err(error.with_operation(Operation::GetSecret));
        }
        let answer = cached.get_secret(&reference, GetOptions::default()).await;
        if answer.as_ref().err().is_none_or(|error| error.kind() != ErrorKind::Timeout) {
            *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        answer
    }

    fn is_over(&self) -> bool {
        let answered = *self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.elapsed() >= self.limit
    }
}

/// Every required secret that is not usable, by name.
#[derive(Debug, Clone)]
pub struct RequiredReport {
    failures: Vec<RequiredFailure>,
    checked: usize,
}

/// A required secret that is not usable.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RequiredFailure {
    /// Its name.
    pub name: SecretName,
    /// What is wrong.
    pub reason: RequiredReason,
}

/// What is wrong with a required secret.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RequiredReason {
    /// It cannot be read.
    Unreadable(Error),
    /// Its value breaks its rules, in one or more ways.
    Violations(Vec<Violation>),
}

impl RequiredReport {
    /// The secrets that are not usable, sorted by name; at least one.
    #[must_use]
    pub fn failures(&self) -> &[RequiredFailure] {
        &self.failures
    }

    /// How many secrets were looked at.
    #[must_use]
    pub const fn checked(&self) -> usize {
        self.checked
    }
}

/// One secret on a line.
impl fmt::Display for RequiredReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (failed, checked) = (self.failures.len(), self.checked);
        write!(f, "{failed} of {checked} required secrets are not usable:")?;
        self.failures.iter().try_for_each(|failure| write!(f, "\n  {failure}"))
    }
}

impl fmt::Display for RequiredFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.name, self.reason)
    }
}

impl fmt::Display for RequiredReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::Violations(violations) => {
                for (at, violation) in violations.iter().enumerate() {
                    write!(f, "{}{violation}", if at == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for RequiredReport {}
