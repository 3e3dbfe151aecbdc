//! One call for many readers: whoever is polled drives it, and it ends when all have left.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};
use secrets_core::{Result, Secret};

use crate::cache::asker::Asker;
use crate::cache::inner::Inner;
use crate::cache::line::{Key, LineId};

/// Comes to nothing when the call broke off: the timers that it uses panic when their runtime, that of
/// the reader who began it, is shut down.
type Flying = Pin<Box<dyn Future<Output = Option<Landed>> + Send>>;

/// An answer, and whether it is what the cache has now.
#[derive(Clone)]
pub(crate) struct Landed {
    pub(crate) answer: Result<Secret>,
    /// False when it was overtaken: something was written or invalidated since the question.
    pub(crate) is_kept: bool,
}

/// A place on a call that is under way. Clones wait for the same answer.
///
/// Each waiter that is polled drives the call; a wake-up reaches all of them, so it goes on when
/// the one that started it, or drove it last, is dropped. When the last one is dropped so is the
/// call.
#[derive(Clone)]
pub(crate) struct Flight {
    call: Shared<Flying>,
    pub(crate) bound_for: Place,
}

/// Which line a flight answers for, and which flight of that line it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) line: LineId,
    pub(crate) number: u64,
}

/// Finds a flight as long as somebody is on it.
#[derive(Clone)]
pub(crate) struct WeakFlight {
    call: Option<WeakShared<Flying>>,
    pub(crate) bound_for: Place,
}

impl Flight {
    /// A call about `key`, begun by `asker`; it starts when it is polled.
    pub(crate) fn new(inner: Arc<Inner>, key: Key, bound_for: Place, asker: Asker) -> Self {
        let ticket = Ticket { inner, bound_for, is_landed: false };
        // A panic in here would reach all who wait, and the run future with them.
        let flight = AssertUnwindSafe(fly(ticket, key, asker)).catch_unwind();
        Self { call: flight.map(std::result::Result::ok).boxed().shared(), bound_for }
    }

    pub(crate) fn downgrade(&self) -> WeakFlight {
        WeakFlight { call: self.call.downgrade(), bound_for: self.bound_for }
    }
}

impl WeakFlight {
    /// The caller must keep the flight out of the store's lock when it drops it.
    pub(crate) fn upgrade(&self) -> Option<Flight> {
        let call = self.call.as_ref()?.upgrade()?;
        Some(Flight { call, bound_for: self.bound_for })
    }
}

impl Future for Flight {
    type Output = Option<Landed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.call.poll_unpin(context)
    }
}

async fn fly(mut ticket: Ticket, key: Key, asker: Asker) -> Landed {
    let answer = ticket.inner.ask(&key, &asker).await;
    ticket.is_landed = true;
    ticket.inner.land(ticket.bound_for, answer)
}

/// Gives the line free when all who waited have left, though none of them was ever polled.
struct Ticket {
    inner: Arc<Inner>,
    bound_for: Place,
    is_landed: bool,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_landed {
            self.inner.abandon(self.bound_for);
        }
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").finish_non_exhaustive()
    }
}

impl fmt::Debug for WeakFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakFlight").finish_non_exhaustive()
    }
}
