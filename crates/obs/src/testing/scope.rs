use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;

use tracing_core::{Dispatch, Subscriber, dispatcher};
use tracing_subscriber::Layer;

use crate::metric::MetricRecorder;

/// Where something is captured: a subscriber and a recorder that are those of a thread for a while.
#[derive(Clone)]
pub(crate) struct Scope {
    pub(super) dispatch: Dispatch,
    pub(super) recorder: MetricRecorder,
}

/// Tells a subscriber of a capture from others, and knows its recorder.
pub(super) struct Marker(pub(super) MetricRecorder);

impl<S: Subscriber> Layer<S> for Marker {}

impl Scope {
    /// That of this thread, if it is within a capture.
    pub(crate) fn current() -> Option<Self> {
        dispatcher::get_default(|dispatch| {
            let Marker(recorder) = dispatch.downcast_ref()?;
            Some(Self { dispatch: dispatch.clone(), recorder: recorder.clone() })
        })
    }

    pub(crate) fn enter<R>(&self, work: impl FnOnce() -> R) -> R {
        let recorded = || metrics::with_local_recorder(&self.recorder, work);
        dispatcher::with_default(&self.dispatch, recorded)
    }

    /// The future in a scope, wherever it is polled.
    pub(crate) async fn around<F: Future>(scope: Option<Self>, future: F) -> F::Output {
        let Some(scope) = scope else { return future.await };
        let mut future = pin!(future);
        poll_fn(|task| scope.enter(|| future.as_mut().poll(task))).await
    }

    /// What works in a scope, wherever it is called.
    pub(crate) fn within<R>(scope: Option<Self>, work: impl FnOnce() -> R) -> impl FnOnce() -> R {
        move || match scope {
            Some(scope) => scope.enter(work),
            None => work(),
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}
