//! Hints at changes, by looking at stamps again and again.

use std::collections::{HashMap, HashSet, VecDeque};
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
/// look would be lost otherwise. A file that was written in place, not replaced, gives another hint
/// at the next look: the first may have come when half of it was written, and two writes within the
/// resolution of the file system's clock can look like one. Without a tokio runtime the stream ends.
pub(crate) fn poll(
    pause: Duration,
    look: impl Fn() -> Snapshot + Send + Sync + 'static,
) -> ChangeStream {
    let look: Look = Arc::new(look);
    let next = Box::pin(next(Arc::clone(&look), Duration::ZERO));
    Box::pin(Polling {
        pause,
        look,
        next,
        seen: None,
        again: HashSet::new(),
        hints: VecDeque::new(),
    })
}

struct Polling {
    pause: Duration,
    look: Look,
    next: Pin<Box<dyn Future<Output = Snapshot> + Send>>,
    seen: Option<Snapshot>,
    /// What was written in place between the last two looks.
    again: HashSet<Option<SecretRef>>,
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
        let differs = |key: &Option<SecretRef>| now.get(key) != before.get(key);
        let all = now.keys().chain(before.keys().filter(|key| !now.contains_key(*key)));
        let wanted = |key: &&Option<SecretRef>| differs(key) || self.again.contains(*key);
        let wanted: Vec<_> = all.filter(wanted).cloned().collect();
        if wanted.contains(&None) {
            // Says it of each.
            self.hints.push_back(ChangeHint::any());
        } else {
            self.hints.extend(wanted.into_iter().flatten().map(ChangeHint::secret));
        }
        let in_place = |(key, stamp): &(&Option<SecretRef>, &Stamp)| {
            before.get(*key).is_some_and(|old| old != *stamp && old.is_same_file(stamp))
        };
        self.again = now.iter().filter(in_place).map(|(key, _)| key.clone()).collect();
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
