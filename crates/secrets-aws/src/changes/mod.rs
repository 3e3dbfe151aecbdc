//! Word of changes that were made elsewhere: events of EventBridge, from a queue or from whoever
//! hears them.

mod event;
mod feed;
#[cfg(feature = "sqs")]
mod foreign;
#[cfg(feature = "sqs")]
mod queue;

use std::borrow::Cow;

use secrets_core::ChangeStream;

pub use event::{Heard, NotAnEvent};
pub use feed::ChangeFeed;
#[cfg(feature = "sqs")]
pub use queue::ChangeQueue;

/// Where a provider hears of changes.
#[derive(Debug, Clone)]
pub(crate) enum Hearing {
    /// From whoever hands events in.
    Feed(ChangeFeed),
    /// From a queue.
    #[cfg(feature = "sqs")]
    Queue(ChangeQueue),
}

impl Hearing {
    /// What is told from now on.
    pub(crate) fn listen(&self) -> ChangeStream {
        match self {
            Self::Feed(feed) => feed.listen(),
            #[cfg(feature = "sqs")]
            Self::Queue(queue) => queue.listen(),
        }
    }

    /// What deserves attention about it.
    pub(crate) fn findings(&self) -> Vec<Cow<'static, str>> {
        match self {
            Self::Feed(_) => Vec::new(),
            #[cfg(feature = "sqs")]
            Self::Queue(queue) => queue.findings(),
        }
    }
}
