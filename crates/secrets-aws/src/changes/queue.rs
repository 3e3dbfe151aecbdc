use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message};
use futures_util::future::{BoxFuture, FutureExt, Shared, WeakShared};
use futures_util::{StreamExt, stream};
use secrets_core::{ChangeStream, Clock, Error, ErrorKind, Result, SystemClock};
use tokio::time::Instant;

use crate::changes::feed::ChangeFeed;
use crate::changes::foreign::Foreign;
use crate::config::Partition;
use crate::error::{Call, send};
use crate::wire::{AwsClients, Route};

/// The longest that SQS lets a request wait for messages, in seconds, and the most messages that it
/// gives at a time (API reference, `ReceiveMessage`).
const WAIT: i32 = 20;
const AT_A_TIME: i32 = 10;

/// Between requests of a queue that fails: doubled from the first to the last. The first, too, from
/// one request to the next where the answer has nothing of use: an endpoint that does not wait for
/// messages, or a queue full of somebody else's, is not asked in a circle.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// So long messages stay in the queue for a listener that does not take their hints: one that stops
/// listening meanwhile leaves them to the next. SQS delivers them again after 30 seconds unless the
/// queue says otherwise.
const HEARD_WITHIN: Duration = Duration::from_secs(2);

/// A queue of SQS that gets the events of Secrets Manager from a rule of EventBridge, itself or by way
/// of a topic of SNS. Each process needs a queue of its own: what one takes no other sees.
///
/// Events are taken off the queue once all who listen have heard of them, or did not for two seconds.
/// A message that is no event stays in it, since the queue may not be what it was taken for, and is
/// counted:
/// [`foreign`](Self::foreign) tells.
///
/// The identity needs `sqs:ReceiveMessage` and `sqs:DeleteMessage`.
#[derive(Clone)]
pub struct ChangeQueue(Arc<Queue>);

struct Queue {
    client: Client,
    url: Box<str>,
    feed: ChangeFeed,
    /// Asks the queue, for all who listen and driven by any of them: one that listens no more, or has
    /// other things to do, holds nobody up.
    asking: Mutex<Option<WeakShared<Asking>>>,
    clock: Arc<dyn Clock>,
    foreign: Mutex<Foreign>,
    failure: Mutex<Option<Error>>,
}

type Asking = BoxFuture<'static, ()>;

/// What an answer brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Received {
    Events,
    NothingOfUse,
}

impl ChangeQueue {
    /// The queue at this URL.
    ///
    /// # Errors
    /// `InvalidValue`: that is no URL of a queue, or one of another partition.
    pub fn new(clients: &AwsClients, url: &str) -> Result<Self> {
        Self::with_clock(clients, url, SystemClock)
    }

    /// The queue at this URL, by another clock: what `health` says of messages that are no events is
    /// about the last hour.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_clock(clients: &AwsClients, url: &str, clock: impl Clock) -> Result<Self> {
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
            asking: Mutex::default(),
            clock: Arc::new(clock),
            foreign: Mutex::default(),
            failure: Mutex::default(),
        })))
    }

    /// How many messages were left in the queue because they are no events, since the process began to
    /// ask it. The same message counts each time that it is delivered.
    #[must_use]
    pub fn foreign(&self) -> u64 {
        self.0.foreign().all()
    }

    /// Why the queue could not be asked when that was last tried.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn findings(&self) -> Vec<Cow<'static, str>> {
        let failure = self.failure().map(|failure| format!("the queue of changes: {failure}"));
        let recent = self.0.foreign().of_the_last_hour(self.0.clock.now());
        let foreign = (recent > 0).then(|| {
            format!(
                "the queue of changes had {recent} messages in the last hour that are no events"
            )
        });
        failure.into_iter().chain(foreign).map(Cow::Owned).collect()
    }

    /// What is told from now on. The queue is asked while one such stream at least is polled.
    pub(crate) fn listen(&self) -> ChangeStream {
        let told = self.0.feed.listen();
        let asking = self.asking().into_stream().filter_map(|()| async { None });
        Box::pin(stream::select(told, asking))
    }

    fn asking(&self) -> Shared<Asking> {
        let mut known = self.0.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asking) = known.as_ref().and_then(WeakShared::upgrade) {
            return asking;
        }
        let queue = Arc::clone(&self.0);
        let asking = async move { queue.ask().await }.boxed().shared();
        *known = asking.downgrade();
        asking
    }
}

impl Queue {
    /// Asks the queue for as long as it is polled.
    async fn ask(&self) {
        let (mut pause, mut all_listen) = (PAUSES.0, true);
        loop {
            let asked = Instant::now();
            match self.receive(&mut all_listen).await {
                Ok(Received::Events) => pause = PAUSES.0,
                Ok(Received::NothingOfUse) => {
                    pause = PAUSES.0;
                    tokio::time::sleep_until(asked + pause).await;
                }
                Err(error) => {
                    self.note(Some(error));
                    tokio::time::sleep(pause).await;
                    pause = PAUSES.1.min(pause * 2);
                }
            }
        }
    }

    async fn receive(&self, all_listen: &mut bool) -> Result<Received> {
        let request = self.client.receive_message().queue_url(&*self.url);
        let request = request.wait_time_seconds(WAIT).max_number_of_messages(AT_A_TIME);
        let call = Call::read(None, "ReceiveMessage");
        let answer = send!(call, request)?;
        self.note(None);
        // A listener that did not listen the last time is not waited for until it does again.
        *all_listen |= self.feed.is_heard();
        let messages = answer.messages.unwrap_or_default();
        let taken: Vec<_> = messages.iter().filter(|message| self.pass_on(message)).collect();
        if taken.is_empty() {
            return Ok(Received::NothingOfUse);
        }
        let within = if *all_listen { HEARD_WITHIN } else { Duration::ZERO };
        *all_listen = self.feed.heard(within).await;
        self.take_off(&taken).await?;
        Ok(Received::Events)
    }

    /// True when it was an event.
    fn pass_on(&self, message: &Message) -> bool {
        let is_event = self.feed.message(message.body().unwrap_or_default().as_bytes()).is_ok();
        if !is_event {
            self.foreign().count(self.clock.now());
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
        let answer = send!(call, request.set_entries(Some(entries)))?;
        match answer.failed.len() {
            0 => Ok(()),
            left => {
                let message = format!("{left} messages could not be taken off the queue");
                Err(Error::new(ErrorKind::Unavailable, message))
            }
        }
    }

    fn foreign(&self) -> MutexGuard<'_, Foreign> {
        self.foreign.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, failure: Option<Error>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}

/// Where a queue lies: `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`, with `sqs-fips`, `api.aws` and the
/// suffixes of other partitions as well (<https://docs.aws.amazon.com/general/latest/gr/sqs-service.html>).
/// Of an endpoint of another form the region is that of the clients.
fn place(url: &str) -> Option<Route<'_>> {
    let (_, rest) = url.split_once("://")?;
    let mut parts = rest.split('/');
    let (host, account, name) = (parts.next()?, parts.next()?, parts.next()?);
    let is_account = account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit());
    if !is_account || name.is_empty() || parts.next().is_some() {
        return None;
    }
    let mut labels = host.split('.');
    let is_of_aws = matches!(labels.next(), Some("sqs" | "sqs-fips"));
    let region = labels.next().filter(|label| is_of_aws && Partition::of_region(label).is_some());
    Some(Route { account: Some(account), region })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_of_a_queue_is_told_by_its_host() {
        for (host, region) in [
            ("sqs.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("sqs-fips.us-east-1.amazonaws.com", Some("us-east-1")),
            ("sqs.eu-west-1.api.aws", Some("eu-west-1")),
            ("sqs.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("sqs.eusc-de-east-1.amazonaws.eu", Some("eusc-de-east-1")),
            ("sqs.example", None),
            ("other.eu-west-1.example", None),
            ("127.0.0.1:8080", None),
        ] {
            let url = format!("https://{host}/123456789012/hints");
            let route = Route { account: Some("123456789012"), region };
            assert_eq!(place(&url), Some(route), "{host}");
        }
    }
}
