//! A resource that counts logins, and a provider whose versions a test moves: the oracle of all
//! tests about the use of secrets is what the resource saw.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrets_core::{Error, ErrorKind, Operation, Result, Secret, VersionSelector};
use secrets_manager::{Attempt, FailureClass};

use crate::support::{Scripted, absent, millis, version};

/// How logins went, by credential.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Logins {
    pub(crate) accepted: usize,
    pub(crate) refused: usize,
    /// The most at a time.
    pub(crate) peak: usize,
    under_way: usize,
}

#[derive(Debug, Default)]
struct State {
    accepts: BTreeSet<String>,
    logins: BTreeMap<String, Logins>,
    delay: Duration,
    is_down: bool,
}

/// A server with one account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resource(Arc<Mutex<State>>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    WrongPassword,
    Down,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Refusal {}

pub(crate) fn classify(refusal: &Refusal) -> FailureClass {
    match refusal {
        Refusal::WrongPassword => FailureClass::Authentication,
        Refusal::Down => FailureClass::Other,
    }
}

impl Resource {
    pub(crate) fn accepting(passwords: &[&str]) -> Self {
        let resource = Self::default();
        resource.accept_only(passwords);
        resource
    }

    pub(crate) fn accept_only(&self, passwords: &[&str]) {
        let passwords = passwords.iter().map(|&password| password.to_owned());
        self.0.lock().unwrap().accepts = passwords.collect();
    }

    /// A login takes so long.
    pub(crate) fn slow_down(&self, delay: Duration) {
        self.0.lock().unwrap().delay = delay;
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.0.lock().unwrap().is_down = is_down;
    }

    pub(crate) fn logins(&self, password: &str) -> Logins {
        self.0.lock().unwrap().logins.get(password).copied().unwrap_or_default()
    }

    pub(crate) fn refused(&self) -> usize {
        self.0.lock().unwrap().logins.values().map(|logins| logins.refused).sum()
    }

    /// Logs in and gives the password that was accepted.
    pub(crate) async fn login(self, attempt: Attempt) -> Result<String, Refusal> {
        let password = attempt.value().expose_secret_text().unwrap().to_owned();
        let delay = {
            let mut state = self.0.lock().unwrap();
            let logins = state.logins.entry(password.clone()).or_default();
            logins.under_way += 1;
            logins.peak = logins.peak.max(logins.under_way);
            state.delay
        };
        let _under_way = UnderWay(&self, &password);
        // At least once around the executor: logins overlap.
        tokio::task::yield_now().await;
        tokio::time::sleep(delay).await;
        let mut state = self.0.lock().unwrap();
        if state.is_down {
            return Err(Refusal::Down);
        }
        let is_accepted = state.accepts.contains(&password);
        let logins = state.logins.get_mut(&password).unwrap();
        if is_accepted {
            logins.accepted += 1;
            Ok(password.clone())
        } else {
            logins.refused += 1;
            Err(Refusal::WrongPassword)
        }
    }
}

struct UnderWay<'a>(&'a Resource, &'a str);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Ok(mut state) = self.0.0.lock() {
            state.logins.get_mut(self.1).unwrap().under_way -= 1;
        }
    }
}

#[derive(Debug, Default)]
struct Versions {
    current: String,
    previous: Option<String>,
    pending: Option<String>,
    calls: BTreeMap<&'static str, usize>,
    delay: Duration,
    is_down: bool,
}

/// What a provider has; a version's value is its id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vault(Arc<Mutex<Versions>>);

impl Vault {
    pub(crate) fn holding(current: &str) -> Self {
        let vault = Self::default();
        vault.0.lock().unwrap().current = current.to_owned();
        vault.slow_down(millis(20));
        vault
    }

    /// What was current is previous.
    pub(crate) fn rotate(&self, current: &str) {
        let mut versions = self.0.lock().unwrap();
        versions.previous = Some(std::mem::replace(&mut versions.current, current.to_owned()));
        versions.pending = None;
    }

    pub(crate) fn stage(&self, pending: &str) {
        self.0.lock().unwrap().pending = Some(pending.to_owned());
    }

    pub(crate) fn slow_down(&self, delay: Duration) {
        self.0.lock().unwrap().delay = delay;
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.0.lock().unwrap().is_down = is_down;
    }

    /// How often a version was asked for: `current`, `previous`, `pending`.
    pub(crate) fn calls(&self, selector: &str) -> usize {
        self.0.lock().unwrap().calls.get(selector).copied().unwrap_or_default()
    }

    pub(crate) fn provider(&self) -> Scripted {
        let vault = self.clone();
        Scripted::new(move |_, selector| vault.clone().answer(selector))
    }

    async fn answer(self, selector: VersionSelector) -> Result<Secret> {
        let delay = {
            let mut versions = self.0.lock().unwrap();
            let name = match selector {
                VersionSelector::Previous => "previous",
                VersionSelector::Pending => "pending",
                _ => "current",
            };
            *versions.calls.entry(name).or_default() += 1;
            versions.delay
        };
        tokio::time::sleep(delay).await;
        let versions = self.0.lock().unwrap();
        if versions.is_down {
            return Err(crate::support::unavailable());
        }
        let id = match selector {
            VersionSelector::Previous => versions.previous.clone().ok_or_else(absent),
            VersionSelector::Pending => versions.pending.clone().ok_or_else(denied),
            _ => Ok(versions.current.clone()),
        };
        id.map(|id| version(&id))
    }
}

/// What most applications are told who ask for a pending version.
fn denied() -> Error {
    let error = Error::new(ErrorKind::PermissionDenied, "no");
    error.with_operation(Operation::GetSecret)
}
