//! Word of changes: the provider's hints and the application's invalidations.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use futures_util::{FutureExt, StreamExt};
use secrets_core::{ChangeHint, Error, ErrorKind, SecretRef};

use crate::held::is_absence;
use crate::inner::Inner;
use crate::line::{Content, LineId};
use crate::source::Source;
use crate::store::Desk;

/// A stream that always has one more hint must let the rest of the run future have its turn.
const HINTS_AT_A_TIME: u32 = 32;

/// Follows the hints of a provider for as long as it gives any. A stream that ends or panics is
/// asked for again after a pause; what was missed meanwhile may be anything.
pub(crate) async fn follow(inner: Arc<Inner>, source: Arc<Source>) {
    let mut failures = 0;
    loop {
        let subscribed = catch_unwind(AssertUnwindSafe(|| source.provider.changes()));
        if let Ok(None) = subscribed {
            return;
        }
        if failures > 0 {
            inner.heed(&source, &ChangeHint::any());
        }
        if let Ok(Some(mut hints)) = subscribed {
            let mut heeded = 0;
            while let Ok(Some(hint)) = AssertUnwindSafe(hints.next()).catch_unwind().await {
                inner.heed(&source, &hint);
                failures = 0;
                heeded += 1;
                if heeded % HINTS_AT_A_TIME == 0 {
                    take_turns().await;
                }
            }
        }
        failures += 1;
        let ended = Error::new(ErrorKind::Unavailable, "the stream of hints ended");
        tokio::time::sleep(inner.setting.terms.pause(failures, &ended)).await;
    }
}

/// Lets others be polled once.
async fn take_turns() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Inner {
    /// A hint: what may have changed is asked for again. It stays fresh until the answer is there.
    pub(crate) fn heed(&self, source: &Source, hint: &ChangeHint) {
        self.with(|desk| {
            desk.store.generation += 1;
            match &hint.reference {
                Some(reference) => {
                    for id in desk.store.related(source.number, reference) {
                        desk.doubt(id);
                    }
                }
                None => desk.doubt_all(source.number),
            }
        });
    }

    /// Forgets what nobody holds, and has the rest asked for.
    pub(crate) fn invalidate(&self, source: usize, reference: &SecretRef) {
        self.with(|desk| {
            desk.store.generation += 1;
            for id in desk.store.related(source, reference) {
                desk.invalidate(id);
            }
        });
    }

    /// The same for all secrets of all providers.
    pub(crate) fn invalidate_all(&self) {
        self.with(|desk| {
            desk.store.generation += 1;
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

    /// Any may have changed. What is read by name only waits for its next reader: to fetch all of it
    /// at once would be a storm.
    fn doubt_all(&mut self, source: usize) {
        let of_source = |id: &LineId| self.line(*id).is_some_and(|l| l.key.source == source);
        let lines: Vec<_> = self.store.lines.keys().copied().filter(of_source).collect();
        for id in lines {
            let Some(line) = self.line(id) else { continue };
            if line.held().is_none() || self.is_kept_up(line) {
                self.doubt(id);
            } else {
                self.miss(id);
            }
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
        if let Some(line) = self.line_mut(id) {
            line.flight = None;
        }
        self.vacate(id);
    }

    /// What is known is wrong, or may be: an answer that is on its way counts no more, and the next
    /// reader asks.
    pub(crate) fn distrust(&mut self, id: LineId) {
        let (moment, setting) = (self.moment, self.setting);
        let Some(line) = self.line_mut(id) else { return };
        line.flight = None;
        line.asks_again = false;
        match &mut line.content {
            Content::Held(held) => held.distrust(&moment, &setting.terms),
            Content::Absent(_) => return self.vacate(id),
            Content::Nothing => {}
        }
        self.reconcile(id);
    }
}
