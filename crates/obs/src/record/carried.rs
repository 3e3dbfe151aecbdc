use std::future::Future;

use request_context::Context;
use tracing::{Instrument, Span};

/// The span and the context of the request that something happens in, to go on in them elsewhere: in
/// another task, on another thread. Neither is inherited by itself.
///
/// ```
/// use obs::record::Carried;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let task = tokio::spawn(Carried::here().scope(async { tracing::info!("in a task") }));
/// let blocking = tokio::task::spawn_blocking(Carried::here().wrap(|| tracing::info!("blocking")));
/// let thread = std::thread::spawn(Carried::here().wrap(|| tracing::info!("on a thread")));
/// # task.await?; blocking.await?; thread.join().unwrap(); Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Carried {
    span: Span,
    context: Option<Context>,
    /// In a test, what captures it goes along.
    #[cfg(feature = "testing")]
    capture: Option<crate::testing::Scope>,
}

impl Carried {
    /// Those that this is called in.
    pub fn here() -> Self {
        Self {
            span: Span::current(),
            context: Context::current(),
            #[cfg(feature = "testing")]
            capture: crate::testing::Scope::current(),
        }
    }

    /// A future that runs in them, wherever it is polled.
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let Self { span, context, .. } = self;
        let within = async move {
            match context {
                Some(context) => context.scope(future).await,
                None => future.await,
            }
        };
        let within = within.instrument(span);
        #[cfg(feature = "testing")]
        let within = crate::testing::Scope::around(self.capture, within);
        within
    }

    /// What runs in them, wherever it is called.
    pub fn wrap<R>(self, work: impl FnOnce() -> R) -> impl FnOnce() -> R {
        let Self { span, context, .. } = self;
        let within = move || {
            let _entered = span.entered();
            match context {
                Some(context) => context.sync_scope(work),
                None => work(),
            }
        };
        #[cfg(feature = "testing")]
        let within = crate::testing::Scope::within(self.capture, within);
        within
    }
}
