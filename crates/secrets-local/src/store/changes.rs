use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;
use secrets_core::{ChangeHint, SecretName, SecretRef};

use super::file_store::FileStore;
use super::index::Entry;
use super::snapshot::Snapshot;
use super::timer::Alarm;

/// Above this many changed secrets one hint for all of them is given.
const MOST_HINTS: usize = 256;
/// The file is looked at no more often than this, whatever was asked for.
const SHORTEST_POLL: Duration = Duration::from_millis(1);
/// And no more rarely, so that there is a next time at all.
const LONGEST_POLL: Duration = Duration::from_secs(24 * 60 * 60);

type Look = Pin<Box<dyn Future<Output = Option<Arc<Snapshot>>> + Send>>;

/// Hints at changes: looks at the file at intervals, while it is polled and no longer.
pub(crate) struct Changes {
    store: FileStore,
    seen: Arc<Snapshot>,
    /// Until the next look; nothing before the first.
    pause: Option<Alarm>,
    look: Option<Look>,
    /// The last look failed, and readers were told.
    failing: bool,
    hints: VecDeque<ChangeHint>,
}

impl Changes {
    pub(crate) fn new(store: FileStore) -> Self {
        let seen = store.engine().current();
        Self { store, seen, pause: None, look: None, failing: false, hints: VecDeque::new() }
    }

    /// Compares what is there now with what was there before.
    fn take_in(&mut self, now: Option<Arc<Snapshot>>) {
        let Some(now) = now else {
            // Readers will find out themselves what is wrong; once is enough.
            if !std::mem::replace(&mut self.failing, true) {
                self.hints.push_back(ChangeHint::any());
            }
            return;
        };
        let recovered = std::mem::take(&mut self.failing);
        if recovered {
            self.hints.push_back(ChangeHint::any());
        } else if self.seen.index.generation != now.index.generation {
            self.hints.extend(hints(&self.seen, &now));
        }
        self.seen = now;
    }
}

impl Stream for Changes {
    type Item = ChangeHint;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<ChangeHint>> {
        let this = &mut *self;
        loop {
            if let Some(hint) = this.hints.pop_front() {
                return Poll::Ready(Some(hint));
            }
            if let Some(look) = &mut this.look {
                let found = ready!(look.as_mut().poll(context));
                this.look = None;
                this.take_in(found);
                let every = this.store.settings().poll.clamp(SHORTEST_POLL, LONGEST_POLL);
                let next = Instant::now().checked_add(every);
                this.pause = next.map(|next| this.store.timer().at(next));
                continue;
            }
            if let Some(pause) = &mut this.pause
                && ready!(Pin::new(pause).poll(context)).is_err()
            {
                // Without a thread nobody would wake us.
                return Poll::Ready(None);
            }
            this.pause = None;
            let store = this.store.clone();
            this.look =
                Some(Box::pin(async move { store.run(|engine| engine.snapshot()).await.ok() }));
        }
    }
}

/// One hint for each secret that is new, gone or another, or one for all when there are many.
fn hints(old: &Snapshot, new: &Snapshot) -> Vec<ChangeHint> {
    let (old, new) = (&old.index.secrets, &new.index.secrets);
    let differs = |name: &SecretName, entry: &Entry| {
        new.get(name).is_none_or(|other| other.revision != entry.revision)
    };
    let changed = old.iter().filter(|(name, entry)| differs(name, entry)).map(|(name, _)| name);
    let added = new.keys().filter(|name| !old.contains_key(*name));
    let names: Vec<_> = changed.chain(added).take(MOST_HINTS + 1).collect();
    if names.len() > MOST_HINTS {
        return vec![ChangeHint::any()];
    }
    names.into_iter().map(|name| ChangeHint::secret(SecretRef::from(name))).collect()
}
