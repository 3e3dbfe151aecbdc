use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::capability::Capabilities;
use crate::error::{Error, ErrorKind, Result};
use crate::name::SecretName;
use crate::options::{GetOptions, IdempotencyKey, SetOptions};
use crate::reference::SecretRef;
use crate::value::{Secret, SecretValue};
use crate::version::{VersionInfo, VersionSelector};

use super::check::{Capability, Item, Running, Stop, Verdict};
use super::harness::Harness;
use super::observe::Observed;
use super::outcome::{done, told_error, told_kinds};

/// What a check works with: the provider, names and values of its own, and patience.
pub(super) struct Cx<'h> {
    pub(super) harness: &'h dyn Harness,
    pub(super) provider: &'h Observed<'h>,
    number: usize,
    counter: AtomicU32,
    planted: Mutex<Vec<(&'static str, SecretValue)>>,
    touched: Mutex<Vec<SecretRef>>,
}

/// A check of a secret provider.
pub(super) type SecretItem = Item<for<'a> fn(&'a Cx<'a>) -> Running<'a>>;

/// A future that asks the provider something.
pub(super) type Probe<'a, T> = Pin<Box<dyn Future<Output = Verdict<T>> + Send + 'a>>;

impl<'h> Cx<'h> {
    pub(super) fn new(harness: &'h dyn Harness, provider: &'h Observed<'h>, number: usize) -> Self {
        Self {
            harness,
            provider,
            number,
            counter: AtomicU32::new(0),
            planted: Mutex::default(),
            touched: Mutex::default(),
        }
    }

    pub(super) fn capabilities(&self) -> &Capabilities {
        self.provider.capabilities()
    }

    pub(super) fn has(&self, capability: Capability) -> bool {
        capability.is_declared(self.capabilities())
    }

    /// The entries that the check may have written.
    pub(super) fn touched(&self) -> Vec<SecretRef> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes an entry to clean up.
    pub(super) fn touch(&self, reference: &SecretRef) {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        touched.push(reference.clone());
    }

    fn next(&self) -> u32 {
        self.counter.fetch_add(1, Ordering::Relaxed)
    }

    /// What starts the labels of all names of this check.
    pub(super) fn label(&self) -> String {
        format!("c{:03}.", self.number)
    }

    /// The name for a label within this check.
    pub(super) fn name(&self, label: &str) -> Verdict<SecretName> {
        let label = format!("{}{label}", self.label());
        let name = self.harness.name(&label).map_err(|error| {
            let expected = "the harness makes a name of every label";
            Stop::failed("make a name", expected, format!("`{label}`: {error}"))
        })?;
        self.touch(&SecretRef::from(&name));
        Ok(name)
    }

    /// A name that was not used before.
    pub(super) fn fresh_name(&self) -> Verdict<SecretName> {
        self.name(&format!("n{}", self.next()))
    }

    /// A secret that does not exist yet.
    pub(super) fn secret(&self) -> Verdict<SecretRef> {
        Ok(self.fresh_name()?.into())
    }

    /// A token that was not used before.
    pub(super) fn token(&self) -> Verdict<IdempotencyKey> {
        let run = self.harness.run_id();
        let token = format!("{run:0>24}-{:03}-{:04}", self.number, self.next());
        done("make a token", IdempotencyKey::new(&token))
    }

    /// Bytes that no other value holds: label and number between two canaries.
    pub(super) fn bytes(&self, label: &str) -> Vec<u8> {
        let canary = self.provider.canary().text();
        format!("{canary}.{label}.{}.{}.{canary}", self.number, self.next()).into_bytes()
    }

    /// Makes a value known by this label in what the report says.
    pub(super) fn plant(&self, label: &'static str, bytes: Vec<u8>) -> SecretValue {
        let value = SecretValue::from_vec(bytes);
        let mut planted = self.planted.lock().unwrap_or_else(PoisonError::into_inner);
        planted.push((label, value.clone()));
        value
    }

    /// A text value of its own.
    pub(super) fn value(&self, label: &'static str) -> SecretValue {
        self.plant(label, self.bytes(label))
    }

    /// What the report calls a value.
    pub(super) fn told(&self, value: &SecretValue) -> String {
        let planted = self.planted.lock().unwrap_or_else(PoisonError::into_inner);
        match planted.iter().find(|(_, known)| known.ct_eq(value)) {
            Some((label, _)) => format!("the value `{label}` ({} bytes)", value.len()),
            None => format!("{} bytes that are no value of this check", value.len()),
        }
    }

    pub(super) fn told_read(&self, read: &Result<Secret>) -> String {
        match read {
            Ok(secret) => self.told(&secret.value),
            Err(error) => told_error(error),
        }
    }

    /// Reads a version once.
    pub(super) async fn get(&self, r: &SecretRef, version: VersionSelector) -> Result<Secret> {
        self.provider.get_secret(r, GetOptions::version(version).ignore_validity()).await
    }

    /// Writes a current value.
    pub(super) async fn set(&self, r: &SecretRef, value: &SecretValue) -> Verdict<VersionInfo> {
        let written = self.provider.set_secret(r, value.clone(), SetOptions::new()).await;
        done("write a value", written)
    }

    /// Writes a current value and waits until it is read.
    pub(super) async fn put(&self, r: &SecretRef, value: &SecretValue) -> Verdict<VersionInfo> {
        let info = self.set(r, value).await?;
        self.reads("read what was written", r, VersionSelector::Current, value).await?;
        Ok(info)
    }

    /// Puts a value there, by the provider or past it.
    pub(super) async fn seed(&self, name: &SecretName, value: &SecretValue) -> Verdict {
        let reference = SecretRef::from(name);
        if self.has(Capability::Write) {
            self.set(&reference, value).await?;
        } else {
            self.write_outside(&self.form(name)?, value).await?;
        }
        Ok(())
    }

    /// What the backend calls a secret.
    pub(super) fn form(&self, name: &SecretName) -> Verdict<String> {
        done("encode a name", self.provider.name_rules().encode(name).map_err(Error::from))
    }

    /// What the backend calls the secret of a reference by name.
    pub(super) fn native(&self, r: &SecretRef) -> Verdict<String> {
        match r {
            SecretRef::Name(name) => self.form(name),
            SecretRef::Native(id) => Ok(id.as_str().to_owned()),
        }
    }

    /// Writes as a foreign client.
    pub(super) async fn write_outside(&self, native: &str, value: &SecretValue) -> Verdict {
        let Some(writer) = self.harness.plain_writer() else {
            return Err(Stop::NotRun(super::Hook::PlainWriter));
        };
        done("write past the provider", writer.write(native, value.clone()).await)
    }

    /// Reads as a foreign client.
    pub(super) async fn read_outside(&self, native: &str) -> Verdict<Option<SecretValue>> {
        let Some(reader) = self.harness.plain_reader() else {
            return Err(Stop::NotRun(super::Hook::PlainReader));
        };
        done("read past the provider", reader.read(native).await)
    }

    /// Asks again until the answer is right or patience ends; the last answer counts.
    pub(super) async fn settle<'a, T>(
        &'a self,
        probe: impl Fn() -> Probe<'a, T> + Send,
    ) -> Verdict<T> {
        let mut patience = self.patience();
        loop {
            let verdict = probe().await;
            if verdict.is_ok() || !patience.wait().await {
                return verdict;
            }
        }
    }

    fn patience(&self) -> Patience<'_> {
        let left = self.harness.patience(self.capabilities());
        let longest = (left / 8).max(SHORTEST_PAUSE);
        let pause = (left / 64).clamp(SHORTEST_PAUSE, FIRST_PAUSE).min(longest);
        Patience { harness: self.harness, left, pause, longest }
    }

    /// Waits for as long as a late change may take to show; not at all on a strong backend.
    pub(super) async fn let_changes_show(&self) {
        let lateness = self.harness.lateness(self.capabilities());
        if !lateness.is_zero() {
            self.harness.sleep(lateness).await;
        }
    }

    /// Waits until a version reads as this value.
    pub(super) async fn reads<'a>(
        &'a self,
        step: &'static str,
        r: &'a SecretRef,
        version: VersionSelector,
        want: &'a SecretValue,
    ) -> Verdict<Secret> {
        let version = &version;
        self.settle(move || {
            Box::pin(async move {
                match self.get(r, version.clone()).await {
                    Ok(secret) if secret.value.ct_eq(want) => Ok(secret),
                    other => Err(Stop::failed(step, self.told(want), self.told_read(&other))),
                }
            })
        })
        .await
    }

    /// Waits until a version cannot be read, for one of these reasons.
    pub(super) async fn denies<'a>(
        &'a self,
        step: &'static str,
        r: &'a SecretRef,
        version: VersionSelector,
        kinds: &'a [ErrorKind],
    ) -> Verdict {
        let version = &version;
        self.settle(move || {
            Box::pin(async move {
                match self.get(r, version.clone()).await {
                    Err(error) if kinds.contains(&error.kind()) => Ok(()),
                    other => Err(Stop::failed(step, told_kinds(kinds), self.told_read(&other))),
                }
            })
        })
        .await
    }
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Time to ask again: in growing steps, about fifteen of them.
struct Patience<'h> {
    harness: &'h dyn Harness,
    left: Duration,
    pause: Duration,
    longest: Duration,
}

impl Patience<'_> {
    async fn wait(&mut self) -> bool {
        if self.left.is_zero() {
            return false;
        }
        let pause = self.pause.min(self.left);
        self.harness.sleep(pause).await;
        self.left = self.left.saturating_sub(pause);
        self.pause = self.pause.saturating_mul(2).min(self.longest);
        true
    }
}
