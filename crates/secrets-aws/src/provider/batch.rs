use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::batch_get_secret_value::BatchGetSecretValueOutput;
use aws_sdk_secretsmanager::types::SecretValueEntry;
use aws_types::request_id::RequestId;
use futures_util::StreamExt;
use futures_util::stream;
use secrets_core::{
    Error, ErrorKind, GetOptions, Operation, Result, Secret, SecretRef, Stage, VersionSelector,
};
use tokio::time::Instant;

use crate::error::{self, Call, Failure, send};
use crate::provider::SecretsManagerProvider;
use crate::provider::capabilities::MAX_BATCH;
use crate::provider::content::Content;
use crate::provider::labels;
use crate::provider::names::Target;
use crate::provider::session::time;
use crate::wire::Route;

/// So many requests are under way at once for one call of `get_secrets`: 500 secrets are 25
/// batches. AWS takes 100 batches and 10,000 single reads a second of an account.
const BATCHES_AT_ONCE: usize = 16;
const READS_AT_ONCE: usize = 20;
/// For so long a refused batch is not asked for again.
const DENIED_FOR: Duration = Duration::from_secs(5 * 60);

/// Where batches are not permitted, as far as it is known, and until when that is believed: another
/// account or region may permit them.
#[derive(Debug, Default)]
pub(super) struct Batching(Mutex<HashMap<Place, Instant>>);

/// The account and the region of a route.
type Place = (Option<Box<str>>, Option<Box<str>>);

fn place(route: Route<'_>) -> Place {
    (route.account.map(Box::from), route.region.map(Box::from))
}

impl Batching {
    pub(super) fn is_denied(&self) -> bool {
        let now = Instant::now();
        self.places().values().any(|until| now < *until)
    }

    fn is_denied_at(&self, route: Route<'_>) -> bool {
        self.places().get(&place(route)).is_some_and(|until| Instant::now() < *until)
    }

    fn deny(&self, route: Route<'_>) {
        let now = Instant::now();
        let mut places = self.places();
        places.retain(|_, until| now < *until);
        places.insert(place(route), now + DENIED_FOR);
    }

    fn places(&self) -> MutexGuard<'_, HashMap<Place, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Questions for the same secret, by their places in the list of questions.
struct Question {
    target: Target,
    places: Vec<usize>,
}

type Answers = Vec<Option<Result<Secret>>>;

impl SecretsManagerProvider {
    /// Current values by `BatchGetSecretValue`, which knows no other; all others, and what a batch
    /// does not answer as a single read would, one by one.
    pub(super) async fn get_all(&self, wanted: &[(SecretRef, GetOptions)]) -> Vec<Result<Secret>> {
        let mut answers: Answers = Vec::new();
        answers.resize_with(wanted.len(), || None);
        self.ask_batches(wanted, &mut answers).await;
        let open = answers.iter().enumerate().filter(|(_, answer)| answer.is_none());
        let open: Vec<usize> = open.map(|(at, _)| at).collect();
        let single = |at: usize| async move {
            let read = match wanted.get(at) {
                Some((reference, options)) => {
                    self.get(reference, options, Operation::GetSecrets).await
                }
                None => Err(unanswered()),
            };
            (at, read)
        };
        let mut reads = stream::iter(open).map(single).buffer_unordered(READS_AT_ONCE);
        while let Some((at, read)) = reads.next().await {
            if let Some(answer) = answers.get_mut(at) {
                *answer = Some(read);
            }
        }
        answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(unanswered()))).collect()
    }

    async fn ask_batches(&self, wanted: &[(SecretRef, GetOptions)], answers: &mut Answers) {
        let mut batches = Vec::new();
        for questions in self.questions(wanted) {
            let mut questions = questions.into_iter().peekable();
            while questions.peek().is_some() {
                let batch: Vec<_> = questions.by_ref().take(MAX_BATCH).collect();
                // One secret is a read of its own, which needs no right to batches.
                if batch.len() > 1 {
                    batches.push(batch);
                }
            }
        }
        let asked = batches.into_iter().map(|batch| self.ask(batch));
        let mut asked = stream::iter(asked).buffer_unordered(BATCHES_AT_ONCE);
        while let Some(batch) = asked.next().await {
            for (places, answer) in batch {
                for at in places {
                    if let Some(place) = answers.get_mut(at) {
                        *place = Some(answer.clone());
                    }
                }
            }
        }
    }

    /// The questions for current values, each secret once, by the client that is to be asked.
    fn questions(&self, wanted: &[(SecretRef, GetOptions)]) -> Vec<Vec<Question>> {
        let mut known: HashMap<&SecretRef, (usize, usize)> = HashMap::new();
        let mut groups: Vec<Vec<Question>> = Vec::new();
        for (at, (reference, options)) in wanted.iter().enumerate() {
            if options.version != VersionSelector::Current {
                continue;
            }
            if let Some((group, place)) = known.get(reference) {
                let question = groups.get_mut(*group).and_then(|group| group.get_mut(*place));
                question.into_iter().for_each(|question| question.places.push(at));
                continue;
            }
            // What is no secret's name gets its error from the single read.
            let Ok(target) = self.target(reference) else { continue };
            if self.batching().is_denied_at(target.route()) {
                continue;
            }
            let same = |group: &Vec<Question>| {
                group.first().is_some_and(|first| first.target.route() == target.route())
            };
            let group = groups.iter().position(same).unwrap_or_else(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            if let Some(questions) = groups.get_mut(group) {
                known.insert(reference, (group, questions.len()));
                questions.push(Question { target, places: vec![at] });
            }
        }
        groups
    }

    /// The answers to a batch; what it leaves open is asked again singly. Pages that came before one
    /// that failed have been paid for: their answers stand.
    async fn ask(&self, batch: Vec<Question>) -> Vec<(Vec<usize>, Result<Secret>)> {
        let route = batch.first().map(|first| first.target.route()).unwrap_or_default();
        let (told, failure) = match self.clients().secrets_manager(route) {
            Ok(client) => pages(&client, &batch).await,
            Err(error) => {
                (Told::default(), Some(error.with_operation(Operation::GetSecrets).into()))
            }
        };
        let of_all = failure.and_then(|failure| self.of_all(failure, route));
        let answer = |question: Question| {
            let answer = told.answer(&question).or_else(|| of_all.clone().map(Err));
            answer.map(|answer| (question.places, answer))
        };
        batch.into_iter().filter_map(answer).collect()
    }

    /// The error of each question that a refused batch left open, where it is one of the service or the
    /// caller. One id may spoil a batch, and a part of AWS have none: then each is asked for by itself.
    fn of_all(&self, failure: Failure, route: Route<'_>) -> Option<Error> {
        if failure.code().starts_with("AccessDenied") {
            self.batching().deny(route);
        }
        let error = Error::from(failure);
        let is_of_all = error.is_transient()
            || matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::QuotaExceeded);
        is_of_all.then_some(error)
    }
}

/// What a batch told, over all of its pages.
#[derive(Default)]
struct Told {
    values: Vec<Entry>,
    errors: HashMap<String, Error>,
}

struct Entry {
    name: Option<String>,
    arn: Option<String>,
    secret: Secret,
}

/// `BatchGetSecretValue`, page after page, as far as they come: AWS cuts answers that get large.
async fn pages(client: &Client, batch: &[Question]) -> (Told, Option<Failure>) {
    let ids: Vec<String> = batch.iter().map(|one| one.target.id().to_owned()).collect();
    let mut told = Told::default();
    let mut next = None;
    // Each page has one secret at least.
    for _ in 0..=batch.len() {
        let call = Call::read(Operation::GetSecrets, "BatchGetSecretValue");
        let request = client.batch_get_secret_value().set_secret_id_list(Some(ids.clone()));
        let output = match send!(call, request.set_next_token(next)) {
            Ok(output) => output,
            Err(failure) => return (told, Some(failure)),
        };
        next = told.take(output);
        if next.is_none() {
            break;
        }
    }
    (told, None)
}

impl Told {
    /// Takes a page in; the token of the next one.
    fn take(&mut self, page: BatchGetSecretValueOutput) -> Option<String> {
        let id = page.request_id().map(str::to_owned);
        self.values.extend(page.secret_values.unwrap_or_default().into_iter().filter_map(entry));
        for item in page.errors.unwrap_or_default() {
            let (code, text) =
                (item.error_code.unwrap_or_default(), item.message.unwrap_or_default());
            let error = error::of_item(Operation::GetSecrets, &code, &text, id.as_deref());
            self.errors.insert(item.secret_id.unwrap_or_default(), error);
        }
        page.next_token.filter(|token| !token.is_empty())
    }

    /// The answer to a question; `None` where it is not the one that a single read would give.
    fn answer(&self, question: &Question) -> Option<Result<Secret>> {
        let target = &question.target;
        if let Some(error) = self.errors.get(target.id()) {
            // Some of AWS's codes need a look at the secret to be told apart.
            let is_plain = matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::PendingDeletion
            );
            return is_plain.then(|| Err(error.clone()));
        }
        let is_it = |one: &&Entry| target.is(one.name.as_deref(), one.arn.as_deref());
        let secret = &self.values.iter().find(is_it)?.secret;
        // A batch names no stage: what is not AWSCURRENT is not what was asked for.
        let is_current = secret.version.stages.contains(Stage::Current);
        is_current.then(|| Ok(secret.clone()))
    }
}

/// An entry that makes sense; the single read says what is wrong with another.
fn entry(entry: SecretValueEntry) -> Option<Entry> {
    let created = time(entry.created_date());
    let version = labels::version(entry.version_id(), entry.version_stages(), created).ok()?;
    let content = Content { text: entry.secret_string, bytes: entry.secret_binary };
    let secret = Secret::new(content.into_value().ok()?, version);
    Some(Entry { name: entry.name, arn: entry.arn, secret })
}

fn unanswered() -> Error {
    Error::new(ErrorKind::Internal, "a question was left without an answer")
        .with_operation(Operation::GetSecrets)
}
