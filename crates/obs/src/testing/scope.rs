use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;
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

    /// The future in a scope, wherever it is polled and wherever it is dropped.
    pub(crate) const fn around<F: Future>(scope: Option<Self>, future: F) -> Scoped<F> {
        Scoped { scope, future: Some(future) }
    }

    /// What works in a scope, wherever it is called.
    pub(crate) fn within<R>(scope: Option<Self>, work: impl FnOnce() -> R) -> impl FnOnce() -> R {
        move || match scope {
            Some(scope) => scope.enter(work),
            None => work(),
        }
    }
}

pin_project! {
    /// A future in a scope. What is cancelled is seen, too: what it logs and measures when it is dropped.
    pub(crate) struct Scoped<F> {
        scope: Option<Scope>,
        // There until it is dropped.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Scoped<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(scope) = this.scope {
                scope.enter(|| this.future.set(None));
            }
        }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Some(future) = this.future.as_pin_mut() else { return Poll::Pending };
        match this.scope {
            Some(scope) => scope.enter(|| future.poll(task)),
            None => future.poll(task),
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}
