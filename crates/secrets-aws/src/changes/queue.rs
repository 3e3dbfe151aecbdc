use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message};
use futures_util::{StreamExt, stream};
use secrets_core::{ChangeHint, ChangeStream, Error, ErrorKind, Result};

use crate::changes::feed::ChangeFeed;
use crate::error::{Call, send};
use crate::wire::{AwsClients, Route};

/// The longest that SQS lets a request wait for messages, in seconds, and the most messages that it
/// gives at a time (API reference, `ReceiveMessage`).
const WAIT: i32 = 20;
const AT_A_TIME: i32 = 10;

/// Between requests of a queue that fails: doubled from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A queue of SQS that gets the events of Secrets Manager from a rule of EventBridge, itself or by way
/// of a topic of SNS. Each process needs a queue of its own: what one takes no other sees.
///
/// Events are taken off the queue once they were passed on. A message that is no event stays in it,
/// since the queue may not be what it was taken for, and is counted:
/// [`foreign`](Self::foreign) tells.
///
/// The identity needs `sqs:ReceiveMessage` and `sqs:DeleteMessage`.
#[derive(Clone)]
pub struct ChangeQueue(Arc<Queue>);

struct Queue {
    client: Client,
    url: Box<str>,
    feed: ChangeFeed,
    /// Whoever listens first asks the queue, for all.
    asking: tokio::sync::Mutex<()>,
    foreign: AtomicU64,
    failure: Mutex<Option<Error>>,
}

impl ChangeQueue {
    /// The queue at this URL.
    ///
    /// # Errors
    /// `InvalidValue`: that is no URL of a queue, or one of another partition.
    pub fn new(clients: &AwsClients, url: &str) -> Result<Self> {
        let place = place(url).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidValue,
                "the URL of the queue does not end in an account and a name",
            )
        })?;
        let client = clients.sqs(place, Duration::from_secs(WAIT.unsigned_abs().into()))?;
        Ok(Self(Arc::new(Queue {
            client,
            url: url.into(),
            feed: ChangeFeed::new(),
            asking: tokio::sync::Mutex::default(),
            foreign: AtomicU64::new(0),
            failure: Mutex::default(),
        })))
    }

    /// How many messages were left in the queue because they are no events. The same message counts
    /// each time that it is delivered.
    #[must_use]
    pub fn foreign(&self) -> u64 {
        self.0.foreign.load(Ordering::Relaxed)
    }

    /// Why the queue could not be asked when that was last tried.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn findings(&self) -> Vec<Cow<'static, str>> {
        let failure = self.failure().map(|failure| format!("the queue of changes: {failure}"));
        let foreign = (self.foreign() > 0).then(|| {
            format!("the queue of changes has had {} messages that are no events", self.foreign())
        });
        failure.into_iter().chain(foreign).map(Cow::Owned).collect()
    }

    /// What is told from now on. The queue is asked while one such stream at least is polled.
    pub(crate) fn listen(&self) -> ChangeStream {
        let told = self.0.feed.listen();
        let queue = Arc::clone(&self.0);
        let asking =
            stream::once(async move { queue.ask().await }).filter_map(|never| async { never });
        Box::pin(stream::select(told, asking))
    }
}

impl Queue {
    /// Asks the queue for as long as it is polled, unless another listener does.
    async fn ask(&self) -> Option<ChangeHint> {
        let _turn = self.asking.lock().await;
        let mut pause = PAUSES.0;
        loop {
            match self.receive().await {
                Ok(()) => pause = PAUSES.0,
                Err(error) => {
                    self.note(Some(error));
                    tokio::time::sleep(pause).await;
                    pause = PAUSES.1.min(pause * 2);
                }
            }
        }
    }

    async fn receive(&self) -> Result<()> {
        let request = self.client.receive_message().queue_url(&*self.url);
        let request = request.wait_time_seconds(WAIT).max_number_of_messages(AT_A_TIME);
        let call = Call::read(None, "ReceiveMessage");
        let answer = send!(call, request)?;
        self.note(None);
        let messages = answer.messages.unwrap_or_default();
        let taken: Vec<_> = messages.iter().filter(|message| self.pass_on(message)).collect();
        self.take_off(&taken).await
    }

    /// True when it was an event.
    fn pass_on(&self, message: &Message) -> bool {
        let is_event = self.feed.message(message.body().unwrap_or_default().as_bytes()).is_ok();
        if !is_event {
            self.foreign.fetch_add(1, Ordering::Relaxed);
        }
        is_event
    }

    /// What is not taken off is delivered again, which does no harm.
    async fn take_off(&self, messages: &[&Message]) -> Result<()> {
        let entry = |(at, message): (usize, &&Message)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(at.to_string());
            entry.receipt_handle(message.receipt_handle()?).build().ok()
        };
        let entries: Vec<_> = messages.iter().enumerate().filter_map(entry).collect();
        if entries.is_empty() {
            return Ok(());
        }
        let request = self.client.delete_message_batch().queue_url(&*self.url);
        let call = Call::read(None, "DeleteMessageBatch");
        send!(call, request.set_entries(Some(entries)))?;
        Ok(())
    }

    fn note(&self, failure: Option<Error>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}

/// Where a queue lies: `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`
/// (<https://docs.aws.amazon.com/general/latest/gr/sqs-service.html>). Of an endpoint of another form
/// the region is that of the clients.
fn place(url: &str) -> Option<Route<'_>> {
    let (_, rest) = url.split_once("://")?;
    let mut parts = rest.split('/');
    let (host, account, name) = (parts.next()?, parts.next()?, parts.next()?);
    let is_account = account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit());
    if !is_account || name.is_empty() || parts.next().is_some() {
        return None;
    }
    let region = host.strip_prefix("sqs.").and_then(|host| host.split_once(".amazonaws.com"));
    Some(Route { account: Some(account), region: region.map(|(region, _)| region) })
}

/// Shows the queue and how it does.
impl fmt::Debug for ChangeQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeQueue")
            .field("url", &self.0.url)
            .field("foreign", &self.foreign())
            .field("failure", &self.failure())
            .finish_non_exhaustive()
    }
}
