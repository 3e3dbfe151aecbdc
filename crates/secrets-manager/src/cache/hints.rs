//! Word of changes: the provider's hints and the application's invalidations.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use secrets_core::{ChangeHint, ChangeStream, Error, ErrorKind, SecretRef};
use tokio::time::Instant;

use crate::cache::held::is_absence;
use crate::cache::inner::Inner;
use crate::cache::line::{Content, LineId};
use crate::cache::runner::take_turns;
use crate::cache::source::Source;
use crate::cache::store::Desk;

/// So many hints are taken in together; a stream that always has one more must let the rest of the run
/// future have its turn.
const HINTS_AT_A_TIME: usize = 256;

/// Follows the hints of a provider for as long as it gives any. A stream that ends or panics is
/// asked for again after a pause; what was missed meanwhile may be anything.
pub(crate) async fn follow(inner: Arc<Inner>, source: Arc<Source>) {
    let lasting = inner.setting.terms.policy.backoff.longest;
    let mut failures = 0;
    loop {
        let subscribed = catch_unwind(AssertUnwindSafe(|| source.provider.changes()));
        if let Ok(None) = subscribed {
            return;
        }
        if failures > 0 {
            inner.heed(&source, &[ChangeHint::any()]);
        }
        let begun = Instant::now();
        if let Ok(Some(hints)) = subscribed {
            listen(&inner, &source, hints).await;
        }
        // One that greets and ends, over and over, would have everything asked for each time.
        failures = if begun.elapsed() < lasting { failures + 1 } else { 1 };
        let ended = Error::new(ErrorKind::Unavailable, "the stream of hints ended");
        tokio::time::sleep(inner.setting.terms.pause(failures, &ended)).await;
    }
}

/// Takes in hints until their stream ends or panics.
async fn listen(inner: &Inner, source: &Source, hints: ChangeStream) {
    let mut hints = hints.ready_chunks(HINTS_AT_A_TIME);
    while let Ok(Some(hints)) = AssertUnwindSafe(hints.next()).catch_unwind().await {
        inner.heed(source, &hints);
        if hints.len() == HINTS_AT_A_TIME {
            take_turns().await;
        }
    }
    let _ = catch_unwind(AssertUnwindSafe(|| drop(hints)));
}

impl Inner {
    /// Hints that came together: what may have changed is asked for again. It stays fresh until the
    /// answer is there.
    pub(crate) fn heed(&self, source: &Source, hints: &[ChangeHint]) {
        let hinted: HashSet<_> = hints.iter().map(|hint| hint.reference.as_ref()).collect();
        self.with(|desk| {
            for reference in &hinted {
                desk.store.upset(source.number, *reference);
            }
            desk.doubt_related(source.number, &hinted);
            for reference in hinted.into_iter().flatten() {
                for id in desk.store.page(source.number, reference) {
                    desk.doubt(id);
                }
            }
        });
    }

    /// Forgets what nobody holds, and has the rest asked for.
    pub(crate) fn invalidate(&self, source: usize, reference: &SecretRef) {
        self.with(|desk| {
            desk.store.upset(source, Some(reference));
            for id in desk.store.related(source, reference) {
                desk.invalidate(id);
            }
        });
    }

    /// The same for all secrets of all providers.
    pub(crate) fn invalidate_all(&self) {
        self.with(|desk| {
            (0..self.setting.sources.len()).for_each(|source| desk.store.upset(source, None));
            let lines: Vec<_> = desk.store.lines.keys().copied().collect();
            for id in lines {
                desk.invalidate(id);
            }
        });
    }
}

impl Desk<'_> {
    /// It may have changed.
    fn doubt(&mut self, id: LineId) {
        let moment = self.moment;
        let Some(line) = self.line_mut(id) else { return };
        line.asks_again = line.flight.is_some();
        match &mut line.content {
            Content::Held(held) => held.heed(&moment),
            // That there is none may have changed; that the provider fails has not.
            Content::Absent(absent) if is_absence(absent.error.kind()) => return self.vacate(id),
            Content::Absent(_) | Content::Nothing => {}
        }
        self.reconcile(id);
    }

    /// What hints may be about as well: what a native id means only the provider knows.
    fn doubt_related(&mut self, source: usize, hinted: &HashSet<Option<&SecretRef>>) {
        let is_clear = |hint: &Option<&SecretRef>| hint.is_some_and(|r| r.name().is_some());
        let lines = if hinted.iter().all(is_clear) {
            self.store.natives(source)
        } else {
            let of_source = |id: &LineId| self.line(*id).is_some_and(|l| l.key.source == source);
            self.store.lines.keys().copied().filter(of_source).collect()
        };
        for id in lines {
            self.half_doubt(id);
        }
    }

    /// It is one of many that may have changed. What is read by name only waits for its next reader:
    /// to fetch all of it at once would be a storm.
    fn half_doubt(&mut self, id: LineId) {
        let Some(line) = self.line(id) else { return };
        if line.held().is_none() || self.is_kept_up(line) {
            self.doubt(id);
        } else {
            self.miss(id);
        }
    }

    /// Nobody listened, or the machine slept: whether it changed is not known.
    pub(crate) fn miss(&mut self, id: LineId) {
        let (moment, setting) = (self.moment, self.setting);
        let Some(line) = self.line(id) else { return };
        let is_kept_up = self.is_kept_up(line);
        let Some(line) = self.line_mut(id) else { return };
        line.asks_again = line.flight.is_some();
        match &mut line.content {
            Content::Held(held) if is_kept_up => held.recheck(&moment),
            Content::Held(held) => held.suspect(&moment, &setting.terms),
            Content::Absent(_) | Content::Nothing => {}
        }
        self.reconcile(id);
    }

    fn invalidate(&mut self, id: LineId) {
        let Some(line) = self.line(id) else { return };
        if line.is_pinned() {
            return self.distrust(id);
        }
        self.overtake(id);
        self.vacate(id);
    }

    /// What is known is wrong, or may be: an answer that is on its way counts no more, and the next
    /// reader asks.
    pub(crate) fn distrust(&mut self, id: LineId) {
        let (moment, setting) = (self.moment, self.setting);
        self.overtake(id);
        let Some(line) = self.line_mut(id) else { return };
        match &mut line.content {
            Content::Held(held) => held.distrust(&moment, &setting.terms),
            Content::Absent(_) => return self.vacate(id),
            Content::Nothing => {}
        }
        self.reconcile(id);
    }
}
