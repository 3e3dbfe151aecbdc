//! Many reads in one call of the provider.

use secrets_core::{GetOptions, Result, Secret, SecretRef, VersionSelector};

use crate::cached::CachedProvider;
use crate::held::Offer;
use crate::inner::{fallback, lost_line};
use crate::line::{Content, Key};
use crate::store::Desk;

impl CachedProvider {
    /// Answers from the cache what it can and asks for the rest in one call. Such a call does not
    /// join those of other readers, nor do they join it. Bounds of validity are the caller's business.
    pub(crate) async fn read_many(
        &self,
        wanted: &[(SecretRef, GetOptions)],
    ) -> Result<Vec<Result<Secret>>> {
        let keys: Vec<_> =
            wanted.iter().map(|(r, options)| self.key(r, options.version.clone())).collect();
        let (generation, known) = self.inner().with(|desk| {
            let known: Vec<_> = keys.iter().map(|key| known(desk, key)).collect();
            (desk.store.generation, known)
        });
        let is_open = |known: &Option<Result<Secret>>| known.is_none();
        let open: Vec<_> =
            keys.iter().zip(&known).filter(|(_, k)| is_open(k)).map(|(k, _)| k).collect();
        let mut asked = match open.as_slice() {
            [] => Vec::new(),
            [key] => vec![self.inner().read(key).await],
            _ => self.ask_many(&open, generation).await?,
        }
        .into_iter();
        let answer =
            |known: Option<_>| known.or_else(|| asked.next()).unwrap_or_else(|| Err(lost_line()));
        Ok(known.into_iter().map(answer).collect())
    }

    /// Fails only when nothing can be served for any of them.
    async fn ask_many(&self, keys: &[&Key], generation: u64) -> Result<Vec<Result<Secret>>> {
        let question = |key: &Key| {
            let options = GetOptions::version(key.selector.clone()).ignore_validity();
            (key.reference.clone(), options)
        };
        let questions: Vec<_> = keys.iter().map(|key| question(key)).collect();
        let timeout = self.inner().setting.terms.policy.call_timeout;
        let answers = match self.source.read_many(&questions, timeout).await {
            Ok(answers) => answers,
            Err(error) => {
                let kept: Vec<_> =
                    self.inner().with(|desk| keys.iter().map(|key| fallback(desk, key)).collect());
                if kept.iter().all(Option::is_none) {
                    return Err(error);
                }
                return Ok(kept
                    .into_iter()
                    .map(|kept| kept.ok_or_else(|| error.clone()))
                    .collect());
            }
        };
        Ok(self.inner().with(|desk| {
            let answered = keys.iter().zip(answers);
            answered.map(|(key, answer)| take(desk, key, answer, generation)).collect()
        }))
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
        // Asking along with the others costs no call of its own.
        Offer::ServeStale | Offer::Ask => None,
    }
}

/// Keeps one answer of many, unless something was written or invalidated since the question, or
/// another reader is being answered.
fn take(desk: &mut Desk<'_>, key: &Key, answer: Result<Secret>, generation: u64) -> Result<Secret> {
    let guard = (key.source, key.reference.clone());
    let lag = match key.selector {
        VersionSelector::Current => desk.store.guards.lag(&guard, &answer, desk.moment.now),
        _ => None,
    };
    let answer = lag.map_or(answer, Err);
    let id = desk.line_of(key);
    let is_overtaken = desk.store.generation != generation;
    if !is_overtaken && desk.line(id).is_some_and(|line| line.flight.is_none()) {
        match &answer {
            Ok(secret) => desk.hold(id, secret.clone()),
            Err(error) => desk.refuse(id, error.clone()),
        }
    }
    desk.reconcile(id);
    answer.or_else(|error| fallback(desk, key).ok_or(error))
}
