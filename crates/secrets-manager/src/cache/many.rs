//! Many reads in one call of the provider.

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use secrets_core::{Error, GetOptions, Operation, Result, Secret};
use tokio::time::Instant;

use crate::cache::asker::Asker;
use crate::cache::cached::CachedProvider;
use crate::cache::flight::Place;
use crate::cache::held::{Offer, is_absence};
use crate::cache::inner::{fallback, kept_or, lost_line};
use crate::cache::line::{Content, Key, Line};
use crate::cache::store::Desk;

impl CachedProvider {
    /// Answers from the cache what it can and asks for the rest in one call. Such a call does not
    /// join those of other readers, nor do they join it. Bounds of validity are the caller's business.
    pub(crate) async fn read_many(&self, keys: &[&Key]) -> Result<Vec<Result<Secret>>> {
        let (begun, limit) = (Instant::now(), self.inner().setting.terms.policy.call_timeout);
        let mut answers: Vec<Option<Result<Secret>>> = vec![None; keys.len()];
        let mut failure = None;
        loop {
            let question = self.inner().with(|desk| {
                for (key, answer) in keys.iter().zip(&mut answers).filter(|(_, a)| a.is_none()) {
                    *answer = known(desk, key);
                }
                desk.store.next_number()
            });
            let asked = keys.iter().zip(&mut answers).filter(|(_, a)| a.is_none());
            let (asked, places): (Vec<&Key>, Vec<_>) = asked.map(|(key, a)| (*key, a)).unzip();
            // As in a single read: what was overtaken is asked for again, for as long as a call may
            // take.
            let is_last = begun.elapsed() >= limit;
            let given = match asked.as_slice() {
                [] => break,
                [key] => vec![Some(self.inner().read(key).await)],
                _ => {
                    let (given, trouble) = self.ask_many(&asked, question, is_last).await;
                    failure = trouble;
                    given
                }
            };
            places.into_iter().zip(given).for_each(|(place, given)| *place = given);
        }
        let answers = answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(lost_line())));
        let answers = keys.iter().zip(answers);
        let answers = answers.map(|(key, answer)| self.inner().or_last_known(key, answer));
        let answers = join_all(answers).await;
        match failure {
            // It fails as a whole only when nothing can be served for any of them.
            Some(error) if answers.iter().all(Result::is_err) => Err(error),
            _ => Ok(answers),
        }
    }

    /// The answers but for those that were overtaken, unless this is the last time; and why the call
    /// failed if it did as a whole.
    async fn ask_many(
        &self,
        keys: &[&Key],
        question: u64,
        is_last: bool,
    ) -> (Vec<Option<Result<Secret>>>, Option<Error>) {
        let ask = |key: &Key| {
            let options = GetOptions::version(key.selector.clone()).ignore_validity();
            (key.reference.clone(), options)
        };
        let questions: Vec<_> = keys.iter().map(|key| ask(key)).collect();
        let deadline = Instant::now() + self.inner().setting.terms.policy.call_timeout;
        let asker = Asker::caller(&self.source);
        let asked = self.source.read_many(&questions, (deadline, &asker)).await;
        let (answers, failure) = match asked {
            Ok(answers) => (self.catch_up(keys, answers, (deadline, &asker)).await, None),
            Err(error) => {
                let each = error.clone().with_operation(Operation::GetSecret);
                (vec![Err(each); keys.len()], Some(error))
            }
        };
        let answers = self.inner().with(|desk| {
            let answered = keys.iter().zip(answers);
            let mut take = |(key, answer): (&&Key, _)| {
                let (answer, stands) = take(desk, key, answer, question);
                match stands {
                    true => Some(answer),
                    false => is_last.then(|| kept_or(desk, key, answer)),
                }
            };
            answered.map(&mut take).collect()
        });
        (answers, failure)
    }

    /// Those that are from before a write of our own are asked for once more, by the version's id.
    async fn catch_up(
        &self,
        keys: &[&Key],
        answers: Vec<Result<Secret>>,
        by: (Instant, &Asker),
    ) -> Vec<Result<Secret>> {
        let (inner, source) = (self.inner(), &*self.source);
        let at_a_time = inner.setting.terms.policy.concurrent_refreshes.get();
        let answered = keys.iter().zip(answers);
        let caught = answered.map(|(key, answer)| inner.catch_up(source, key, answer, by));
        let caught: Vec<_> = caught.collect();
        stream::iter(caught).buffered(at_a_time).collect().await
    }
}

/// What the cache answers without asking.
fn known(desk: &Desk<'_>, key: &Key) -> Option<Result<Secret>> {
    let line = desk.line(desk.store.find(key)?)?;
    let held = match &line.content {
        Content::Held(held) => held,
        Content::Absent(absent) if desk.moment.now < absent.until => {
            return Some(Err(absent.error.clone()));
        }
        Content::Absent(_) | Content::Nothing => return None,
    };
    match held.offer(&desk.moment, desk.is_kept_up(line)) {
        Offer::Serve => Some(Ok(Secret::clone(&held.secret))),
        Offer::Refuse(error) => Some(Err(error)),
        Offer::ServeStale if held.is_gated(&desk.moment) => Some(Ok(Secret::clone(&held.secret))),
        // Asking along with the others costs no call of its own.
        Offer::ServeStale | Offer::Ask => None,
    }
}

/// Keeps one answer of many, if no other reader is being answered, and nobody was by a later question;
/// and if nothing has happened to the secret since the question of this number was put. False for a value
/// that is not kept.
fn take(
    desk: &mut Desk<'_>,
    key: &Key,
    answer: Result<Secret>,
    question: u64,
) -> (Result<Secret>, bool) {
    let id = desk.line_of(key);
    // A call for this secret alone that began before counts less, unless this one failed.
    let is_word = answer.as_ref().err().is_none_or(|error| is_absence(error.kind()));
    let is_newest = |line: &Line| {
        let under_way = line.flight.as_ref().map(|flight| flight.bound_for.number);
        // The same number: another answer to this question.
        line.answered <= question && under_way.is_none_or(|n| n < question && is_word)
    };
    let is_overtaken = desk.store.upsets.have_overtaken(question, key);
    let is_kept = !is_overtaken && desk.line(id).is_some_and(is_newest);
    if is_kept {
        desk.take(Place { line: id, number: question }, &answer);
    }
    desk.reconcile(id);
    let stands = is_kept || answer.is_err();
    (answer.or_else(|error| fallback(desk, key).ok_or(error)), stands)
}
