use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use secrets_core::memory::{MemoryBuilder, MemoryProvider, Personality};
use secrets_core::{
    Error, ErrorKind, GetOptions, IdempotencyKey, ManualClock, PageStream, Result, Secret,
    SecretName, SecretProvider, SecretRef, SecretValue, SetOptions, VersionId, VersionSelector,
};

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A store on a clock that stands at a fixed time and sleeps by moving on.
pub(crate) fn manual(personality: Personality) -> (MemoryBuilder, ManualClock) {
    let clock = ManualClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    let builder = MemoryProvider::builder(personality)
        .clock(Arc::new(clock.clone()))
        .sleeper(Arc::new(clock.clone()));
    (builder, clock)
}

pub(crate) fn name(text: &str) -> SecretRef {
    SecretName::new(text).unwrap().into()
}

pub(crate) fn value(text: &str) -> SecretValue {
    SecretValue::copy_from_slice(text.as_bytes())
}

pub(crate) fn text(secret: &Secret) -> &str {
    secret.value.expose_secret_text().unwrap()
}

pub(crate) fn token(number: u8) -> IdempotencyKey {
    IdempotencyKey::from_random([number; 16])
}

pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

pub(crate) fn error<T: std::fmt::Debug>(result: Result<T>) -> Error {
    result.unwrap_err()
}

pub(crate) async fn get(
    provider: &MemoryProvider,
    secret: &SecretRef,
    version: VersionSelector,
) -> Result<Secret> {
    provider.get_secret(secret, GetOptions::version(version)).await
}

pub(crate) async fn set(provider: &MemoryProvider, secret: &SecretRef, text: &str) -> VersionId {
    provider.set_secret(secret, value(text), SetOptions::new()).await.unwrap().id
}

pub(crate) async fn set_pending(
    provider: &MemoryProvider,
    secret: &SecretRef,
    text: &str,
) -> VersionId {
    provider.set_secret(secret, value(text), SetOptions::pending()).await.unwrap().id
}

/// All items of a list.
pub(crate) async fn drain<T: Unpin>(mut list: PageStream<'_, T>) -> Result<Vec<T>> {
    let mut items = Vec::new();
    while let Some(item) = list.next().await {
        items.push(item?);
    }
    Ok(items)
}

/// How many requests to the backend were made.
pub(crate) fn requests(provider: &MemoryProvider) -> usize {
    provider.log().iter().filter(|entry| entry.step.is_some()).count()
}
