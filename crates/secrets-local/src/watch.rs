//! Hints at changes, by looking at stamps again and again.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use secrets_core::{ChangeHint, ChangeStream, SecretRef};
use tokio::runtime::Handle;

use crate::blocking;
use crate::file::Stamp;

/// What is there: the stamp of each secret, and one of them all under `None`.
pub(crate) type Snapshot = HashMap<Option<SecretRef>, Stamp>;

type Look = Arc<dyn Fn() -> Snapshot + Send + Sync>;

/// A stream that looks every `pause` while it is polled, the first time when it is first polled.
///
/// The first look gives a hint at everything: what changed between the caller's last read and that
/// look would be lost otherwise. Without a tokio runtime the stream ends.
pub(crate) fn poll(
    pause: Duration,
    look: impl Fn() -> Snapshot + Send + Sync + 'static,
) -> ChangeStream {
    let look: Look = Arc::new(look);
    let next = Box::pin(next(Arc::clone(&look), Duration::ZERO));
    Box::pin(Polling { pause, look, next, seen: None, hints: VecDeque::new() })
}

struct Polling {
    pause: Duration,
    look: Look,
    next: Pin<Box<dyn Future<Output = Snapshot> + Send>>,
    seen: Option<Snapshot>,
    hints: VecDeque<ChangeHint>,
}

impl Stream for Polling {
    type Item = ChangeHint;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ChangeHint>> {
        loop {
            if let Some(hint) = self.hints.pop_front() {
                return Poll::Ready(Some(hint));
            }
            if Handle::try_current().is_err() {
                return Poll::Ready(None);
            }
            let Poll::Ready(now) = self.next.as_mut().poll(cx) else { return Poll::Pending };
            self.next = Box::pin(next(Arc::clone(&self.look), self.pause));
            match self.seen.replace(now) {
                None => self.hints.push_back(ChangeHint::any()),
                Some(before) => self.hint_at_differences(&before),
            }
        }
    }
}

impl Polling {
    fn hint_at_differences(&mut self, before: &Snapshot) {
        let Some(now) = &self.seen else { return };
        if now.get(&None) != before.get(&None) {
            // Says it of each.
            return self.hints.push_back(ChangeHint::any());
        }
        let changed = now.iter().filter(|(key, stamp)| before.get(*key) != Some(*stamp));
        let gone = before.iter().filter(|(key, _)| !now.contains_key(*key));
        let secrets = changed.chain(gone).filter_map(|(key, _)| key.clone());
        self.hints.extend(secrets.map(ChangeHint::secret));
    }
}

async fn next(look: Look, pause: Duration) -> Snapshot {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    blocking::run(move || Ok(look())).await.unwrap_or_default()
}

/// How long `changes` rests between two looks, unless it is told otherwise.
pub(crate) fn default_pause() -> Duration {
    Duration::from_millis(500)
}
