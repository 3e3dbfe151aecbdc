use std::fmt;
#[cfg(feature = "sqs")]
use std::{sync::Arc, time::Duration};

use futures_util::stream;
use secrets_core::{ChangeHint, ChangeStream};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::changes::event::{self, Heard, NotAnEvent};

/// A listener that falls behind by more than this is told that anything may have changed.
const KEPT: usize = 256;
/// Between looks at whether all have heard.
#[cfg(feature = "sqs")]
const LOOKS_AGAIN: Duration = Duration::from_millis(100);

/// Word of changes for a provider: what the application hears of AWS and hands in.
///
/// ```
/// use secrets_aws::{ChangeFeed, Heard};
///
/// let feed = ChangeFeed::new();
/// let body = br#"{
///     "source": "aws.secretsmanager",
///     "detail-type": "Secret Label Updated",
///     "detail": { "name": "billing/db", "labelUpdated": "AWSCURRENT", "versionId": "a1b2c3d4" }
/// }"#;
/// let Heard::Changed(hints) = feed.message(body)? else { panic!("a change") };
/// assert_eq!(hints[0].reference.as_ref().unwrap().to_string(), "billing/db");
/// # Ok::<(), secrets_aws::NotAnEvent>(())
/// ```
#[derive(Clone)]
pub struct ChangeFeed {
    sender: broadcast::Sender<ChangeHint>,
    /// A listener has taken a hint.
    #[cfg(feature = "sqs")]
    taken: Arc<tokio::sync::Notify>,
}

impl Default for ChangeFeed {
    fn default() -> Self {
        Self::new()
    }
}

impl ChangeFeed {
    /// A feed that nobody listens to yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            sender: broadcast::Sender::new(KEPT),
            #[cfg(feature = "sqs")]
            taken: Arc::default(),
        }
    }

    /// Takes in the body of a message: an event of EventBridge as a queue, a topic of SNS or a web
    /// hook delivers it. A forged one costs a read and no more.
    ///
    /// # Errors
    /// [`NotAnEvent`]: the message is something else, and nobody was told.
    pub fn message(&self, body: &[u8]) -> Result<Heard, NotAnEvent> {
        let heard = event::read(body)?;
        if let Heard::Changed(hints) = &heard {
            hints.iter().cloned().for_each(|hint| self.send(hint));
        }
        Ok(heard)
    }

    /// Passes a hint on.
    pub fn send(&self, hint: ChangeHint) {
        // Nobody may be listening.
        let _ = self.sender.send(hint);
    }

    /// What is told from now on.
    pub(crate) fn listen(&self) -> ChangeStream {
        let listener = self.sender.subscribe();
        #[cfg(feature = "sqs")]
        let taken = Arc::clone(&self.taken);
        Box::pin(stream::unfold(listener, move |mut listener| {
            #[cfg(feature = "sqs")]
            let taken = Arc::clone(&taken);
            async move {
                let hint = match listener.recv().await {
                    Ok(hint) => hint,
                    Err(RecvError::Lagged(_)) => ChangeHint::any(),
                    Err(RecvError::Closed) => return None,
                };
                #[cfg(feature = "sqs")]
                taken.notify_one();
                Some((hint, listener))
            }
        }))
    }

    /// Whether all who listen have taken all that they were told.
    #[cfg(feature = "sqs")]
    pub(super) fn is_heard(&self) -> bool {
        self.sender.is_empty()
    }

    /// Waits until they have, for this long at most. False where they have not.
    #[cfg(feature = "sqs")]
    pub(super) async fn heard(&self, within: Duration) -> bool {
        let all = async {
            while !self.is_heard() {
                // One that goes away tells nothing.
                let _ = tokio::time::timeout(LOOKS_AGAIN, self.taken.notified()).await;
            }
        };
        tokio::time::timeout(within, all).await.is_ok()
    }
}

/// Shows how many listen.
impl fmt::Debug for ChangeFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeFeed")
            .field("listeners", &self.sender.receiver_count())
            .finish_non_exhaustive()
    }
}
