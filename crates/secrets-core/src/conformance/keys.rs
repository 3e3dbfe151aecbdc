//! The suite for key providers.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::error::{Error, ErrorKind, Operation, Result};
use crate::key::{DataKey, KeyLen, KeyProvider, KeyRef, WrapContext, WrappedKey, WrappingVersion};
use crate::value::SecretValue;

use super::canary::Canary;
use super::check::{Check, Item, Running, Stop, Verdict};
use super::harness::Hook;
use super::outcome::{done, refused};
use super::report::{Outcome, Report};

/// What the author of a key provider writes to run its suite.
pub trait KeyHarness: Send + Sync {
    /// The provider under test.
    fn provider(&self) -> Arc<dyn KeyProvider>;

    /// What the report calls it.
    fn title(&self) -> String;

    /// A key that exists.
    fn key(&self) -> KeyRef;

    /// Another key that exists.
    fn other_key(&self) -> KeyRef;

    /// The well-formed name of a key that does not exist.
    fn unknown_key(&self) -> KeyRef;

    /// Makes new versions of keys. Without it, what rotation must not lose stays unproved.
    fn rotator(&self) -> Option<&dyn KeyRotator> {
        None
    }

    /// Credentials of the provider itself: they must not show.
    fn credentials(&self) -> Vec<SecretValue> {
        Vec::new()
    }

    /// Why a hook is missing, where that is known and accepted.
    fn waives(&self, hook: Hook) -> Option<&'static str> {
        let _ = hook;
        None
    }
}

/// What gives a key another version: the service's own call, or its schedule in fast motion.
#[async_trait]
pub trait KeyRotator: Send + Sync {
    /// Makes a new version of the key, which wraps from when this returns.
    ///
    /// # Errors
    /// When there is no new version.
    async fn rotate(&self, key: &KeyRef) -> Result<()>;
}

/// What a check works with: the provider, with an eye on what it answers.
pub(super) struct KeyCx<'h> {
    pub(super) harness: &'h dyn KeyHarness,
    pub(super) provider: Arc<dyn KeyProvider>,
    canary: Mutex<Canary>,
    notes: Mutex<Notes>,
}

#[derive(Default)]
pub(super) struct Notes {
    pub(super) leaks: Vec<String>,
    pub(super) misnamed: Vec<String>,
}

/// A check of a key provider.
pub(super) type KeyItem = Item<for<'a> fn(&'a KeyCx<'a>) -> Running<'a>>;

/// Every check of the suite for key providers.
pub fn key_checks() -> impl Iterator<Item = &'static Check> {
    super::key_checks::CHECKS.iter().map(|item| &item.check)
}

/// Runs the suite for key providers. No runtime is needed beyond the provider's own.
pub async fn run_keys(harness: &dyn KeyHarness) -> Report {
    let mut canary = Canary::new("of-a-data-key");
    for credential in harness.credentials() {
        canary.watch(credential.expose_secret());
    }
    let cx = KeyCx {
        harness,
        provider: harness.provider(),
        canary: Mutex::new(canary),
        notes: Mutex::default(),
    };
    let mut report = Report::new(harness.title());
    for item in super::key_checks::CHECKS {
        let outcome = match (item.run)(&cx).await {
            Ok(()) => Outcome::Passed,
            Err(Stop::Failed(failure)) => {
                Outcome::Failed(failure.without_secrets(|text| cx.shows(text)))
            }
            Err(Stop::NotApplicable(because)) => Outcome::NotApplicable { because },
            Err(Stop::NotRun(hook)) => Outcome::NotRun { hook, waived: harness.waives(hook) },
        };
        report.add(item.check, outcome);
    }
    report
}

impl KeyCx<'_> {
    fn shows(&self, text: &str) -> bool {
        self.canary.lock().unwrap_or_else(PoisonError::into_inner).is_in(text)
    }

    pub(super) fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when a debug form holds one of the data keys of this run.
    pub(super) fn is_leaking(&self, shown: &impl Debug) -> bool {
        self.shows(&format!("{shown:?}"))
    }

    fn watch(&self, key: &DataKey) {
        self.canary.lock().unwrap_or_else(PoisonError::into_inner).watch(key.expose_secret());
    }

    fn note<T: Debug>(&self, operation: Operation, result: &Result<T>) {
        if let Ok(shown) = result
            && self.is_leaking(shown)
        {
            self.notes().leaks.push(format!("the result of `{}`", operation.as_str()));
        }
        if let Err(error) = result {
            self.note_error(operation, error);
        }
    }

    fn note_error(&self, operation: Operation, error: &Error) {
        let which = format!("`{}` error of `{}`", error.kind().as_str(), operation.as_str());
        let place = {
            let canary = self.canary.lock().unwrap_or_else(PoisonError::into_inner);
            canary.place_in_error(error)
        };
        if let Some(place) = place {
            self.notes().leaks.push(format!("{which}: {place}"));
        }
        // Rewrapping may be unwrapping and wrapping.
        let parts = [Operation::UnwrapKey, Operation::WrapKey];
        let is_named = error.operation().is_some_and(|named| {
            named == operation || operation == Operation::RewrapKey && parts.contains(&named)
        });
        if !is_named {
            self.notes().misnamed.push(which);
        }
    }

    /// A data key of this length that is searched for in all that is printed.
    pub(super) fn data_key(&self, len: usize) -> DataKey {
        const PATTERN: &[u8] = b"k9Zq-data-key-of-the-suite+";
        let bytes: Vec<u8> = PATTERN.iter().copied().cycle().take(len).collect();
        let key = DataKey::from_boxed(bytes.into());
        self.watch(&key);
        key
    }

    pub(super) async fn generate(
        &self,
        key: &KeyRef,
        len: KeyLen,
        context: &WrapContext,
    ) -> Result<(DataKey, WrappedKey)> {
        let made = self.provider.generate_data_key(key, len, context).await;
        if let Ok((data_key, _)) = &made {
            self.watch(data_key);
        }
        self.note(Operation::GenerateDataKey, &made);
        made
    }

    pub(super) async fn wrap(
        &self,
        key: &KeyRef,
        data_key: &DataKey,
        context: &WrapContext,
    ) -> Result<WrappedKey> {
        let wrapped = self.provider.wrap_key(key, data_key, context).await;
        self.note(Operation::WrapKey, &wrapped);
        wrapped
    }

    pub(super) async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: &WrapContext,
    ) -> Result<DataKey> {
        let data_key = self.provider.unwrap_key(wrapped, context).await;
        self.note(Operation::UnwrapKey, &data_key);
        data_key
    }

    pub(super) async fn rewrap(
        &self,
        wrapped: &WrappedKey,
        to: &KeyRef,
        context: &WrapContext,
    ) -> Result<WrappedKey> {
        let rewrapped = self.provider.rewrap_key(wrapped, to, context).await;
        self.note(Operation::RewrapKey, &rewrapped);
        rewrapped
    }

    pub(super) async fn version_of(&self, wrapped: &WrappedKey) -> Result<WrappingVersion> {
        let version = self.provider.wrapping_version(wrapped).await;
        self.note(Operation::WrappingVersion, &version);
        version
    }

    /// Fails unless the provider says this of a wrapped key's version.
    pub(super) async fn is_under(
        &self,
        step: &'static str,
        wrapped: &WrappedKey,
        want: WrappingVersion,
    ) -> Verdict {
        let seen = done(step, self.version_of(wrapped).await)?;
        if seen == want {
            return Ok(());
        }
        Err(Stop::failed(step, format!("{want:?}"), format!("{seen:?}")))
    }

    /// Gives the key of these checks another version.
    pub(super) async fn rotate(&self) -> Verdict {
        let Some(rotator) = self.harness.rotator() else {
            return Err(Stop::NotRun(Hook::KeyRotator));
        };
        done("rotate the key", rotator.rotate(&self.harness.key()).await)
    }

    /// Opens a wrapped key and fails unless it is this one.
    pub(super) async fn opens(
        &self,
        step: &'static str,
        wrapped: &WrappedKey,
        context: &WrapContext,
        want: &DataKey,
    ) -> Verdict {
        let opened = done(step, self.unwrap(wrapped, context).await)?;
        if opened.to_value().ct_eq(&want.to_value()) {
            return Ok(());
        }
        Err(Stop::failed(step, "the data key that was wrapped", "other bytes"))
    }

    /// Fails unless opening is refused for one of these reasons.
    pub(super) async fn stays_shut(
        &self,
        step: &'static str,
        wrapped: &WrappedKey,
        context: &WrapContext,
        kinds: &[ErrorKind],
    ) -> Verdict {
        refused(step, self.unwrap(wrapped, context).await, kinds).map(drop)
    }
}
