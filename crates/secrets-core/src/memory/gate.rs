use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Holds calls until it is opened: a provider that hangs, under the test's control.
///
/// Clones are the same gate. Once open it stays open.
///
/// ```
/// use std::sync::Arc;
/// use secrets_core::memory::{Fault, FaultRule, Faults, Gate, MemoryProvider, Personality};
/// use secrets_core::{Operation, SecretProviderExt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let provider = MemoryProvider::new(Personality::Aws);
/// provider.put_text("db", "v1").await?;
///
/// let gate = Gate::new();
/// let hang = FaultRule::new(Fault::Hang(gate.clone())).on(Operation::GetSecret).call(1);
/// provider.inject(Faults::seeded(0).with(hang))?;
///
/// let reading = tokio::spawn({ let provider = provider.clone(); async move { provider.read("db").await } });
/// while gate.waiting() == 0 { tokio::task::yield_now().await; }
/// gate.open();
/// assert_eq!(reading.await??.value.expose_secret_text()?, "v1");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    open: bool,
    next: u64,
    waiting: Vec<(u64, Waker)>,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets through who waits, and all who come later.
    pub fn open(&self) {
        let waiting = {
            let mut state = self.lock();
            state.open = true;
            std::mem::take(&mut state.waiting)
        };
        for (_, waker) in waiting {
            waker.wake();
        }
    }

    /// How many calls wait here now; a call that was dropped waits no more.
    pub fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    pub(crate) fn pass(&self) -> Pass {
        let mut state = self.lock();
        state.next += 1;
        Pass { gate: self.clone(), ticket: state.next }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ready when the gate is open.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Gate,
    ticket: u64,
}

impl Future for Pass {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.gate.lock();
        if state.open {
            return Poll::Ready(());
        }
        let ticket = self.ticket;
        match state.waiting.iter_mut().find(|(waiting, _)| *waiting == ticket) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => state.waiting.push((ticket, cx.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let ticket = self.ticket;
        self.gate.lock().waiting.retain(|(waiting, _)| *waiting != ticket);
    }
}
