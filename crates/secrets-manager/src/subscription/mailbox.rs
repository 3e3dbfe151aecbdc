use std::collections::VecDeque;
use std::fmt;
use std::num::{NonZeroU64, NonZeroUsize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::{Stream, stream};
use tokio::sync::Notify;

use crate::subscription::change::{ChangeNotice, SecretChange};

/// Changes of all secrets that handles hold, for one subscriber; from
/// [`SecretManager::subscribe`](crate::SecretManager::subscribe).
pub struct SecretChanges(Arc<Mailbox>);

struct Mailbox {
    content: Mutex<Content>,
    news: Notify,
    room: NonZeroUsize,
}

#[derive(Default)]
struct Content {
    /// Oldest first.
    changes: VecDeque<SecretChange>,
    missed: u64,
    is_closed: bool,
}

impl Mailbox {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SecretChanges {
    /// The next change, or how many were missed before it; `None` when the manager is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<ChangeNotice> {
        loop {
            {
                let mut content = self.0.content();
                if let Some(missed) = NonZeroU64::new(std::mem::take(&mut content.missed)) {
                    return Some(ChangeNotice::Missed(missed));
                }
                if let Some(change) = content.changes.pop_front() {
                    return Some(ChangeNotice::Change(change));
                }
                if content.is_closed {
                    return None;
                }
            }
            self.0.news.notified().await;
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = ChangeNotice> + Send {
        stream::unfold(self, |mut changes| async {
            let notice = changes.next().await?;
            Some((notice, changes))
        })
    }
}

/// Shows how much waits.
impl fmt::Debug for SecretChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = self.0.content();
        f.debug_struct("SecretChanges")
            .field("waiting", &content.changes.len())
            .field("missed", &content.missed)
            .finish_non_exhaustive()
    }
}

/// All who want to know. When this is dropped they are told that no more comes.
#[derive(Default)]
pub(crate) struct Subscribers(Vec<Weak<Mailbox>>);

/// Those who are to be woken once the store's lock is given back.
#[derive(Default)]
pub(crate) struct Woken(Vec<Arc<Mailbox>>);

impl Subscribers {
    pub(crate) fn add(&mut self, room: NonZeroUsize) -> SecretChanges {
        let (content, news) = (Mutex::default(), Notify::new());
        let mailbox = Arc::new(Mailbox { content, news, room });
        self.0.retain(|subscriber| subscriber.strong_count() > 0);
        self.0.push(Arc::downgrade(&mailbox));
        SecretChanges(mailbox)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a change into every mailbox; the oldest one goes where there is no room.
    pub(crate) fn post(&mut self, change: &SecretChange, woken: &mut Woken) {
        self.0.retain(|subscriber| {
            let Some(mailbox) = subscriber.upgrade() else { return false };
            {
                let mut content = mailbox.content();
                if content.changes.len() >= mailbox.room.get() {
                    content.changes.pop_front();
                    content.missed += 1;
                }
                content.changes.push_back(change.clone());
            }
            woken.0.push(mailbox);
            true
        });
    }
}

impl Woken {
    /// Runs the waker of one of them, which may panic; false when none is left.
    pub(crate) fn wake_one(&mut self) -> bool {
        let Some(mailbox) = self.0.pop() else { return false };
        mailbox.news.notify_one();
        true
    }
}

impl Drop for Subscribers {
    fn drop(&mut self) {
        for mailbox in self.0.iter().filter_map(Weak::upgrade) {
            mailbox.content().is_closed = true;
            // Who panics must keep nobody else waiting, nor end the process in an unwinding.
            drop(catch_unwind(AssertUnwindSafe(|| mailbox.news.notify_one())));
        }
    }
}

impl fmt::Debug for Subscribers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribers").field("count", &self.0.len()).finish()
    }
}

impl fmt::Debug for Woken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Woken").field("count", &self.0.len()).finish()
    }
}
