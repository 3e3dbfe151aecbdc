//! SQS: standard queues, delivered at least once; and the events of other services put into them.

mod events;
mod message;
mod queue;
mod refuse;
mod send;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

pub use self::events::Events;
use self::message::Message;
use self::queue::{Place, Queue};
pub(crate) use self::refuse::query_code;
use crate::clock::Clock;
use crate::grants::Access;
use crate::kms::input::Input;
use crate::random;
use crate::service::{Call, Refusal, Reply, Service};
use crate::stamp;
use crate::world::{Home, World, partition};

/// How often a long poll looks: short against what a test notices.
const LOOK: Duration = Duration::from_millis(5);

/// The queues of a double: what tests do to them beside SQS itself.
///
/// Clones are the same queues.
#[derive(Clone)]
pub struct Queues {
    shared: Arc<Shared>,
}

struct Shared {
    home: Home,
    clock: Clock,
    url: OnceLock<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queues: BTreeMap<Place, Queue>,
    deleted: BTreeMap<Place, SystemTime>,
    copies: u32,
}

impl Queues {
    pub(crate) fn new(home: &Home, clock: &Clock) -> Self {
        Self {
            shared: Arc::new(Shared {
                home: home.clone(),
                clock: clock.clone(),
                url: OnceLock::new(),
                state: Mutex::default(),
            }),
        }
    }

    /// Where the double serves: queue URLs begin with it.
    pub(crate) fn serve_at(&self, url: &str) {
        let _ = self.shared.url.set(url.to_owned());
    }

    /// The URL of a queue of the double's own account.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        self.url_of(&self.own(name))
    }

    /// Makes a queue with the usual attributes in the double's own account and region, unless it is there: its URL.
    pub fn create(&self, name: &str) -> String {
        let place = self.own(name);
        let mut state = self.state();
        let arn = arn(&place);
        if let Ok(queue) = Queue::new(arn, &BTreeMap::new(), self.shared.clock.now()) {
            state.queues.entry(place.clone()).or_insert(queue);
        }
        drop(state);
        self.url_of(&place)
    }

    /// Lets each message sent from now on be delivered so many more times, under the same id: standard queues deliver at least
    /// once. Deleting the one does not delete the others.
    pub fn set_duplicates(&self, copies: u32) {
        self.state().copies = copies;
    }

    /// How many messages a queue of the double's own account holds, hidden and delayed ones too.
    #[must_use]
    pub fn len_of(&self, name: &str) -> usize {
        self.state().queues.get(&self.own(name)).map_or(0, |queue| queue.messages.len())
    }

    fn own(&self, name: &str) -> Place {
        Place {
            account: self.shared.home.account.clone(),
            region: self.shared.home.region.clone(),
            name: name.to_owned(),
        }
    }

    fn url_of(&self, place: &Place) -> String {
        let base = self.shared.url.get().map(String::as_str).unwrap_or_default();
        format!("{base}/{}/{}", place.account, place.name)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message into a queue of the double's own account, after a delay.
    fn deliver(&self, name: &str, body: &str, now: SystemTime, after: Duration) {
        let place = self.own(name);
        let mut state = self.state();
        let copies = state.copies;
        if let Some(queue) = state.queues.get_mut(&place) {
            let message = Message {
                id: random::uuid(),
                body: body.to_owned(),
                attributes: BTreeMap::new(),
                sender: "events.amazonaws.com".to_owned(),
                sent: now,
                visible_at: stamp::later(now, after),
                first_received: None,
                receives: 0,
                receipt: None,
            };
            for _ in 0..=copies {
                queue.messages.push(message.clone());
            }
        }
    }
}

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queues").field("queues", &self.state().queues.len()).finish_non_exhaustive()
    }
}

impl Service for Queues {
    fn call<'a>(&'a self, call: &'a Call<'a>) -> Reply<'a> {
        if call.operation == "ReceiveMessage" {
            return Box::pin(self.receive(call));
        }
        Box::pin(std::future::ready(self.answer(call)))
    }
}

impl Queues {
    fn answer(&self, call: &Call<'_>) -> Result<Value, Refusal> {
        let input = Input(call.input);
        match call.operation {
            "CreateQueue" => self.create_queue(call, input),
            "DeleteQueue" => self.delete_queue(call, input),
            "GetQueueUrl" => self.get_url(call, input),
            "ListQueues" => self.list(call, input),
            "GetQueueAttributes" => self.with(call, |queue| {
                let wanted = input.list("AttributeNames")?;
                let told = queue.attributes(&wanted, call.now);
                Ok(if told.is_empty() { json!({}) } else { json!({ "Attributes": told }) })
            }),
            "SetQueueAttributes" => {
                let attributes = input.map("Attributes")?;
                self.with(call, |queue| queue.set(&attributes, call.now).map(|()| json!({})))
            }
            "PurgeQueue" => self.with(call, |queue| queue.purge(call.now).map(|()| json!({}))),
            "SendMessage" => self.send(call),
            "SendMessageBatch" => self.send_batch(call),
            "DeleteMessage" => {
                let handle = required(input, "ReceiptHandle")?;
                self.with(call, |queue| queue.delete(handle).map(|()| json!({})))
            }
            "DeleteMessageBatch" => self.delete_batch(call),
            "ChangeMessageVisibility" => {
                let handle = required(input, "ReceiptHandle")?;
                let hidden = seconds(input, "VisibilityTimeout", 43_200)?;
                let hidden = hidden.ok_or_else(|| refuse::missing("VisibilityTimeout"))?;
                self.with(call, |queue| queue.hide(handle, hidden, call.now).map(|()| json!({})))
            }
            other => {
                Err(Refusal::new("InvalidAction", format!("The action {other} is not known.")))
            }
        }
    }

    /// A queue with the name and attributes that are asked for: a new one, or the one that is there and agrees.
    fn create_queue(&self, call: &Call<'_>, input: Input<'_>) -> Result<Value, Refusal> {
        let name = required(input, "QueueName")?;
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.len() > 80 || !name.chars().all(fits) {
            return Err(refuse::value(
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
            ));
        }
        let attributes = input.map("Attributes")?;
        let place = own_place(call, name);
        allow(call, &arn(&place))?;
        let mut state = self.state();
        let recently = |at: &SystemTime| call.now < *at + Duration::from_secs(60);
        if state.deleted.get(&place).is_some_and(recently) {
            let text = "You must wait 60 seconds after deleting a queue before you can create another with the same name.";
            return Err(Refusal::new("QueueDeletedRecently", text));
        }
        if let Some(queue) = state.queues.get(&place) {
            if !queue.agrees(&attributes) {
                let text = "A queue already exists with the same name and a different value for an attribute.";
                return Err(Refusal::new("QueueNameExists", text));
            }
        } else {
            let queue = Queue::new(arn(&place), &attributes, call.now)?;
            state.queues.insert(place.clone(), queue);
        }
        drop(state);
        Ok(json!({ "QueueUrl": self.url_of(&place) }))
    }

    fn delete_queue(&self, call: &Call<'_>, input: Input<'_>) -> Result<Value, Refusal> {
        let place = place(call, input)?;
        allow(call, &arn(&place))?;
        let mut state = self.state();
        state.queues.remove(&place).ok_or_else(refuse::no_queue)?;
        state.deleted.insert(place, call.now);
        Ok(json!({}))
    }

    fn get_url(&self, call: &Call<'_>, input: Input<'_>) -> Result<Value, Refusal> {
        let mut place = own_place(call, required(input, "QueueName")?);
        if let Some(account) = input.text("QueueOwnerAWSAccountId")? {
            account.clone_into(&mut place.account);
        }
        let known = self.state().queues.contains_key(&place);
        if !known {
            return Err(refuse::no_queue());
        }
        Ok(json!({ "QueueUrl": self.url_of(&place) }))
    }

    fn list(&self, call: &Call<'_>, input: Input<'_>) -> Result<Value, Refusal> {
        let prefix = input.text("QueueNamePrefix")?.unwrap_or_default();
        let state = self.state();
        let own = |place: &&Place| {
            place.account == call.account
                && place.region == call.region
                && place.name.starts_with(prefix)
        };
        let urls: Vec<String> =
            state.queues.keys().filter(own).map(|own| self.url_of(own)).collect();
        Ok(if urls.is_empty() { json!({}) } else { json!({ "QueueUrls": urls }) })
    }

    /// Does something to the queue that `QueueUrl` names.
    fn with<T>(
        &self,
        call: &Call<'_>,
        change: impl FnOnce(&mut Queue) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let place = place(call, Input(call.input))?;
        allow(call, &arn(&place))?;
        let mut state = self.state();
        let queue = state.queues.get_mut(&place).ok_or_else(refuse::no_queue)?;
        queue.settle(call.now);
        change(queue)
    }

    /// Receives now, or waits until there is something to receive, by the double's clock.
    async fn receive(&self, call: &Call<'_>) -> Result<Value, Refusal> {
        let input = Input(call.input);
        let most = bounded(input, "MaxNumberOfMessages", 1, 10)?.unwrap_or(1);
        let (usual_wait, usual_hidden) = self.with(call, |queue| {
            Ok((queue.setting("ReceiveMessageWaitTimeSeconds"), queue.setting("VisibilityTimeout")))
        })?;
        let wait =
            seconds(input, "WaitTimeSeconds", 20)?.unwrap_or(Duration::from_secs(usual_wait));
        let hidden = seconds(input, "VisibilityTimeout", 43_200)?
            .unwrap_or(Duration::from_secs(usual_hidden));
        let most = usize::try_from(most).unwrap_or(1);
        loop {
            let now = call.world.clock.now();
            let handed = self.take(call, most, hidden, now)?;
            if !handed.is_empty() {
                let messages: Result<Vec<Value>, Refusal> =
                    handed.iter().map(|message| message.to_json(input)).collect();
                return Ok(json!({ "Messages": messages? }));
            }
            if now >= stamp::later(call.now, wait) {
                return Ok(json!({}));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn take(
        &self,
        call: &Call<'_>,
        most: usize,
        hidden: Duration,
        now: SystemTime,
    ) -> Result<Vec<Message>, Refusal> {
        let place = place(call, Input(call.input))?;
        let mut state = self.state();
        let queue = state.queues.get_mut(&place).ok_or_else(refuse::no_queue)?;
        let (handed, spent) = queue.receive(most, hidden, now);
        let target = queue.redrive.as_ref().map(|redrive| redrive.target.clone());
        if let Some(dead) =
            state.queues.values_mut().find(|queue| Some(&queue.arn) == target.as_ref())
        {
            dead.messages.extend(spent);
        }
        Ok(handed)
    }
}

/// A parameter that must be there.
fn required<'a>(input: Input<'a>, at: &str) -> Result<&'a str, Refusal> {
    input.text(at)?.filter(|text| !text.is_empty()).ok_or_else(|| refuse::missing(at))
}

/// A number within bounds.
fn bounded(input: Input<'_>, at: &str, least: i64, most: i64) -> Result<Option<i64>, Refusal> {
    let number = input.number(at, i64::MIN, i64::MAX)?;
    if let Some(number) = number.filter(|number| !(least..=most).contains(number)) {
        return Err(refuse::value(&format!(
            "Value {number} for parameter {at} is invalid. Reason: Must be between {least} and {most}, if provided."
        )));
    }
    Ok(number)
}

fn seconds(input: Input<'_>, at: &str, most: i64) -> Result<Option<Duration>, Refusal> {
    Ok(bounded(input, at, 0, most)?.map(|number| Duration::from_secs(number.unsigned_abs())))
}

/// The queue that `QueueUrl` names: its last two parts are the account and the name.
fn place(call: &Call<'_>, input: Input<'_>) -> Result<Place, Refusal> {
    let url = required(input, "QueueUrl")?;
    let mut parts = url.rsplit('/');
    match (parts.next(), parts.next()) {
        (Some(name), Some(account)) if account.len() == 12 => {
            Ok(Place { account: account.to_owned(), ..own_place(call, name) })
        }
        _ => Err(refuse::no_queue()),
    }
}

fn own_place(call: &Call<'_>, name: &str) -> Place {
    Place {
        account: call.account.to_owned(),
        region: call.region.to_owned(),
        name: name.to_owned(),
    }
}

fn arn(place: &Place) -> String {
    let Place { account, region, name } = place;
    format!("arn:{}:sqs:{region}:{account}:{name}", partition(region))
}

/// Whether the caller may: its own policies decide, and within its account alone.
fn allow(call: &Call<'_>, resource: &str) -> Result<(), Refusal> {
    let operation = call.operation.strip_suffix("Batch").unwrap_or(call.operation);
    let action = format!("sqs:{operation}");
    let Some(identity) = call.identity else {
        return Err(
            Refusal::new("AccessDenied", "Access to the resource is denied.").with_status(403)
        );
    };
    let access = Access {
        action: &action,
        resource,
        owner: resource.split(':').nth(4).unwrap_or_default(),
        resource_policy: None,
        context: &BTreeMap::new(),
    };
    let denied = |refusal: Refusal| Refusal::new("AccessDenied", refusal.message).with_status(403);
    call.world.grants.check(identity, &access).map_err(denied)
}

impl Queues {
    /// Tells this of what other services do.
    pub(crate) fn observe(world: &World, events: Events) {
        world.observe(Arc::new(events));
    }
}
