use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::change::{ChangeHint, ChangeStream};

/// A reader that is this far behind is told once that anything may have changed.
const KEPT_HINTS: usize = 1024;

/// Tells every listener of every change.
#[derive(Debug, Default)]
pub(crate) struct Announcer {
    listeners: Mutex<Vec<Weak<Mutex<Queue>>>>,
}

#[derive(Debug, Default)]
struct Queue {
    hints: VecDeque<ChangeHint>,
    waker: Option<Waker>,
    closed: bool,
}

impl Announcer {
    pub(crate) fn announce(&self, hint: &ChangeHint) {
        let mut wakers = Vec::new();
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| {
            let Some(queue) = listener.upgrade() else { return false };
            let mut queue = locked(&queue);
            if queue.hints.len() == KEPT_HINTS {
                queue.hints.clear();
                queue.hints.push_back(ChangeHint::any());
            }
            queue.hints.push_back(hint.clone());
            wakers.extend(queue.waker.take());
            true
        });
        // Whoever is woken may listen or write at once.
        drop(listeners);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn listen(&self) -> ChangeStream {
        let queue = Arc::new(Mutex::default());
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.push(Arc::downgrade(&queue));
        Box::pin(Listener(queue))
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        let listeners = self.listeners.get_mut().unwrap_or_else(PoisonError::into_inner);
        for queue in listeners.iter().filter_map(Weak::upgrade) {
            let waker = {
                let mut queue = locked(&queue);
                queue.closed = true;
                queue.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

struct Listener(Arc<Mutex<Queue>>);

impl Stream for Listener {
    type Item = ChangeHint;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ChangeHint>> {
        let mut queue = locked(&self.0);
        match queue.hints.pop_front() {
            Some(hint) => Poll::Ready(Some(hint)),
            None if queue.closed => Poll::Ready(None),
            None => {
                queue.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

fn locked(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
