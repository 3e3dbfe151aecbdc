//! Keeps the SDK from writing secrets into logs: at the level `TRACE` it writes requests and answers
//! down with their bodies.

use std::future::{Future, poll_fn};
use std::pin::pin;

use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use tracing::dispatcher::{Dispatch, get_default, with_default};

/// Lets a call of the SDK run without anybody listening to its logs. What this library has to say
/// meanwhile it says by [`Listener`].
pub(crate) async fn quietly<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| with_default(&Dispatch::none(), || future.as_mut().poll(cx))).await
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
