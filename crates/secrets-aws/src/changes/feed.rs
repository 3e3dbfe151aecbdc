use std::fmt;

use futures_util::stream;
use secrets_core::{ChangeHint, ChangeStream};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::changes::event::{self, Heard, NotAnEvent};

/// A listener that falls behind by more than this is told that anything may have changed.
const KEPT: usize = 256;

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
pub struct ChangeFeed(broadcast::Sender<ChangeHint>);

impl Default for ChangeFeed {
    fn default() -> Self {
        Self::new()
    }
}

impl ChangeFeed {
    /// A feed that nobody listens to yet.
    #[must_use]
    pub fn new() -> Self {
        Self(broadcast::Sender::new(KEPT))
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
        let _ = self.0.send(hint);
    }

    /// What is told from now on.
    pub(crate) fn listen(&self) -> ChangeStream {
        let listener = self.0.subscribe();
        Box::pin(stream::unfold(listener, |mut listener| async {
            let hint = match listener.recv().await {
                Ok(hint) => hint,
                Err(RecvError::Lagged(_)) => ChangeHint::any(),
                Err(RecvError::Closed) => return None,
            };
            Some((hint, listener))
        }))
    }
}

/// Shows how many listen.
impl fmt::Debug for ChangeFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeFeed")
            .field("listeners", &self.0.receiver_count())
            .finish_non_exhaustive()
    }
}
