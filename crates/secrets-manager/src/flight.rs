//! One call for many readers: whoever is polled drives it, and it ends when all have left.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};
use secrets_core::{Error, ErrorKind, Operation, Result, Secret};

use crate::inner::Inner;
use crate::line::{Key, LineId};

type Flying = Pin<Box<dyn Future<Output = Result<Secret>> + Send>>;

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
    /// A call about `key`; it starts when it is polled.
    pub(crate) fn new(inner: Arc<Inner>, key: Key, bound_for: Place) -> Self {
        // A panic in here would reach all who wait, and the run future with them: tokio's timers
        // panic when their runtime, that of a reader, is shut down.
        let flight = AssertUnwindSafe(fly(inner, key, bound_for)).catch_unwind();
        let contained = flight.map(|answer| answer.unwrap_or_else(|_| Err(panicked())));
        Self { call: contained.boxed().shared(), bound_for }
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
    type Output = Result<Secret>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.call.poll_unpin(context)
    }
}

fn panicked() -> Error {
    Error::new(ErrorKind::Internal, "the call panicked").with_operation(Operation::GetSecret)
}

async fn fly(inner: Arc<Inner>, key: Key, bound_for: Place) -> Result<Secret> {
    let mut ticket = Ticket { inner: &inner, bound_for, is_landed: false };
    let answer = inner.ask(&key).await;
    ticket.is_landed = true;
    inner.land(bound_for, answer)
}

/// Gives the line free when all who waited have left.
struct Ticket<'a> {
    inner: &'a Inner,
    bound_for: Place,
    is_landed: bool,
}

impl Drop for Ticket<'_> {
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
