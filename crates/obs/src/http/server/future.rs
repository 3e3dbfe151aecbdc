use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll, ready};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::body::MeteredBody;
use super::exchange::Exchange;
use super::labels::Failure;

pin_project! {
    /// The answer of a [`ServerService`](super::ServerService). It is polled and dropped in the request's span.
    pub struct ServerFuture<F> {
        // Until this is dropped.
        #[pin]
        inner: Option<F>,
        // In one place until the end: futures and answers are moved again and again.
        exchange: Option<Box<Exchange>>,
    }

    impl<F> PinnedDrop for ServerFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(exchange) = this.exchange {
                // Before the exchange, which tells how it ended.
                exchange.leave(|| this.inner.set(None));
            }
        }
    }
}

impl<F> ServerFuture<F> {
    #[inline]
    pub(super) const fn new(inner: F, exchange: Box<Exchange>) -> Self {
        Self { inner: Some(inner), exchange: Some(exchange) }
    }
}

impl<F, R, E> Future for ServerFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<MeteredBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else { return Poll::Pending };
        let result = match this.exchange {
            Some(exchange) => exchange.run(|| inner.poll(task)),
            // Polled after its end: the inner future says what it thinks of that.
            None => inner.poll(task),
        };
        let result = ready!(result);
        let mut exchange = this.exchange.take();
        match result {
            Ok(response) => {
                if let Some(exchange) = &mut exchange {
                    let (status, headers) = (response.status(), response.headers());
                    exchange.answered(status, headers, response.body());
                }
                Poll::Ready(Ok(response.map(|body| MeteredBody::new(body, exchange))))
            }
            Err(error) => {
                if let Some(exchange) = &mut exchange {
                    exchange.fail(Failure::Service);
                }
                Poll::Ready(Err(error))
            }
        }
    }
}

impl<F> fmt::Debug for ServerFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerFuture").finish_non_exhaustive()
    }
}
