//! Keeps the SDK from writing secrets into logs: at the level `TRACE` it writes requests and answers
//! down with their bodies.

use std::future::{Future, poll_fn};
use std::num::NonZeroU64;
use std::pin::pin;
use std::sync::LazyLock;

use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use tracing::dispatcher::{Dispatch, get_default, with_default};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

/// Nobody who listens. `Dispatch::none()` would not do: `tracing` does not count it among the
/// listeners of the process, and where there is one other it would remember of every event first
/// met here that nobody wants it, for the application's own clients of the SDK as well.
static SILENCE: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Silence));

/// Lets a call of the SDK run without anybody listening to its logs. What this library has to say
/// meanwhile it says by [`Listener`].
pub(crate) async fn quietly<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| with_default(&SILENCE, || future.as_mut().poll(cx))).await
}

struct Silence;

impl Subscriber for Silence {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::never()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::OFF)
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        // Never asked for: no span is enabled.
        Id::from_non_zero_u64(NonZeroU64::MIN)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Who listens to the logs of a caller, on its way through a call of the SDK.
#[derive(Debug, Clone)]
pub(crate) struct Listener(Dispatch);

impl Storable for Listener {
    type Storer = StoreReplace<Self>;
}

impl Default for Listener {
    /// Who listens here and now.
    fn default() -> Self {
        Self(get_default(Clone::clone))
    }
}

impl Listener {
    /// Says something to the listener of the call that this bag belongs to, where it has one of its
    /// own, and to everybody's otherwise.
    pub(crate) fn hear(bag: &ConfigBag, say: impl FnOnce()) {
        match bag.load::<Self>() {
            Some(listener) => with_default(&listener.0, say),
            None => say(),
        }
    }
}
