//! Values from before this process, for when a provider cannot be reached.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::future::OptionFuture;
use secrets_core::{Error, ProviderId, Secret};

use crate::audit::NotRecorded;
use crate::cache::held::{Held, is_absence};
use crate::cache::inner::Inner;
use crate::cache::line::{Content, Key, LineId};
use crate::cache::store::Desk;

/// A copy of values outside of the process.
#[async_trait]
pub(crate) trait LastKnown: fmt::Debug + Send + Sync {
    /// The value that was last known, if it may still be served at this time, and can be read within
    /// this time once the copy is open; how long opening it may take is its own matter.
    async fn recall(
        &self,
        id: &ProviderId,
        key: &Key,
        by: (SystemTime, Duration),
    ) -> Option<Recalled>;

    /// Copies what the manager holds, for as long as the run future lives.
    async fn keep(&self, inner: Arc<Inner>);

    /// How it is.
    #[cfg(feature = "snapshot")]
    fn status(&self) -> crate::snapshot::SnapshotStatus;
}

/// A value that was last known.
#[derive(Debug)]
pub(crate) struct Recalled {
    pub(crate) secret: Secret,
    /// When its provider last gave it.
    pub(crate) confirmed: SystemTime,
    /// For how long it may be served from now on.
    pub(crate) left: Duration,
}

impl Inner {
    /// The last known value where the provider cannot be reached and there is none in the cache;
    /// from then on it is, as stale.
    pub(crate) async fn restore(&self, key: &Key, error: &Error) -> Option<Secret> {
        let last_known = self.setting.last_known.as_ref().filter(|_| is_outage(error))?;
        let source = self.setting.sources.get(key.source)?;
        if self.with(|desk| desk.store.lost.may_have(key)) {
            return None;
        }
        let wall = self.setting.rule.clock.now();
        let limit = self.setting.terms.policy.call_timeout;
        let recalled = last_known.recall(source.provider.id(), key, (wall, limit)).await?;
        self.with(|desk| desk.restore(key, recalled, error))
    }

    /// The answer, or the last known value in its place.
    pub(crate) async fn or_last_known(
        &self,
        key: &Key,
        answer: Result<Secret, Error>,
    ) -> Result<Secret, Error> {
        let restored = answer.as_ref().err().map(|error| self.restore(key, error));
        OptionFuture::from(restored).await.flatten().map_or(answer, Ok)
    }
}

/// Whether an error says that the provider cannot be reached or does not come to answer, rather than
/// that it has an answer.
fn is_outage(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    // What must be recorded and cannot be is not to be had another way.
    error.is_transient() && !source.is_some_and(|source| source.is::<NotRecorded>())
}

impl Desk<'_> {
    fn restore(&mut self, key: &Key, recalled: Recalled, error: &Error) -> Option<Secret> {
        if self.store.lost.may_have(key) {
            return None;
        }
        let id = self.line_of(key);
        let moment = self.moment;
        let absent = match &self.line(id)?.content {
            // Somebody was faster.
            Content::Held(held) => return held.is_usable(&moment).then(|| (*held.secret).clone()),
            Content::Absent(absent) if is_absence(absent.error.kind()) => return None,
            Content::Absent(absent) => Some((absent.until, absent.failures)),
            Content::Nothing => None,
        };
        let secret = recalled.secret.clone();
        let (gate, failures) = absent.unwrap_or((moment.now, 1));
        let held =
            Held::restored(recalled, error.clone(), (gate, failures), &moment, &self.setting.terms);
        self.settle_in(id, held);
        self.evict();
        self.reconcile(id);
        Some(secret)
    }

    /// A value changed, came or went.
    pub(crate) fn note_change(&mut self) {
        self.store.changes += 1;
    }

    /// The provider has no value any more.
    pub(crate) fn note_loss(&mut self, id: LineId) {
        if let Some(line) = self.line(id) {
            let key = line.key.clone();
            self.note_loss_of(key);
        }
    }

    /// What there was is not to be had from a copy either, whether it is in the cache or not.
    pub(crate) fn note_loss_of(&mut self, key: Key) {
        self.note_change();
        if self.setting.last_known.is_some() {
            self.store.lost.note(key, self.setting.terms.policy.max_absent.get());
        }
    }
}
