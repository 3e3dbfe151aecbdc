use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;

use crate::shared::{SharedContext, enter, within};

pin_project! {
    /// A future that runs in a [`Context`](crate::Context), by [`Context::scope`](crate::Context::scope), or anything else
    /// that is polled: the body of an answer. It is dropped in it, too.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Scoped<T> {
        context: Option<SharedContext>,
        // Until its end.
        #[pin]
        inner: Option<T>,
    }

    impl<T> PinnedDrop for Scoped<T> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.inner.is_some() {
                within(this.context, || this.inner.set(None));
            }
        }
    }
}

impl<T> Scoped<T> {
    /// What runs in this context.
    pub const fn new(context: SharedContext, inner: T) -> Self {
        Self { context: Some(context), inner: Some(inner) }
    }

    /// What `make` makes of `input` in this context, and which runs in it after that.
    #[inline]
    pub fn make<I>(context: SharedContext, input: I, make: impl FnOnce(I) -> T) -> Self {
        let mut context = Some(context);
        let back = enter(&mut context);
        // What it is made of is not moved into a closure before: requests are large.
        let inner = Some(make(input));
        drop(back);
        Self { context, inner }
    }

    /// What runs in the context, until its end.
    pub const fn get(&self) -> Option<&T> {
        self.inner.as_ref()
    }

    /// Runs `work` in the context. If it says that this was the end, what runs there is dropped there at once, and nothing
    /// runs any more: `None`.
    pub fn run<R>(
        self: Pin<&mut Self>,
        work: impl FnOnce(Pin<&mut T>) -> R,
        is_end: impl FnOnce(&R, Pin<&mut T>) -> bool,
    ) -> Option<R> {
        let mut this = self.project();
        if this.inner.is_none() {
            return None;
        }
        within(this.context, || {
            let mut inner = this.inner.as_mut().as_pin_mut()?;
            let result = work(inner.as_mut());
            if is_end(&result, inner) {
                this.inner.set(None);
            }
            Some(result)
        })
    }

    /// Gives the context away, after the end: before it, what runs there is dropped there.
    pub fn end(self: Pin<&mut Self>) -> Option<SharedContext> {
        let mut this = self.project();
        if this.inner.is_some() {
            within(this.context, || this.inner.set(None));
        }
        this.context.take()
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let polled = self.run(|inner| inner.poll(task), |polled, _| polled.is_ready());
        // Whoever polls it after its end waits for nothing.
        polled.unwrap_or(Poll::Pending)
    }
}

impl<T> fmt::Debug for Scoped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").finish_non_exhaustive()
    }
}
