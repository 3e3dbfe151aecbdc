use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use tracing_core::callsite;
use tracing_core::dispatcher::{WeakDispatch, with_default};

use crate::record::filter::Filter;
use crate::record::handle::RecordHandle;

/// What a filter goes back to, and when.
#[derive(Debug)]
pub(crate) struct Before {
    filter: Arc<Filter>,
    until: Instant,
}

impl RecordHandle {
    /// Takes another filter from now on, and for good. Every place that logs is asked again.
    pub fn set_filter(&self, new: Filter) {
        let mut before = self.0.before.lock().unwrap_or_else(PoisonError::into_inner);
        *before = None;
        self.0.filter.store(Arc::new(new));
        drop(before);
        self.ask_again();
    }

    /// Takes another filter for a while. What was set for good comes back, once
    /// [`end_expired`](Self::end_expired) is called at that time or later; also if this was called twice.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// use obs::log::{Standard, Writer};
    /// use obs::record::{Filter, RecordLayer};
    ///
    /// let handle = RecordLayer::builder().build().handle();
    /// let (writer, _guard) = Writer::builder("stderr").start(Standard::error()?)?;
    /// let of_writer = handle.clone();
    /// writer.on_tick(move |now| {
    ///     of_writer.end_expired(now);
    /// });
    ///
    /// let until = Instant::now() + Duration::from_secs(600);
    /// handle.set_filter_until("debug".parse::<Filter>()?, until);
    /// assert_eq!(handle.filter_expires(), Some(until));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_filter_until(&self, new: Filter, until: Instant) {
        let mut before = self.0.before.lock().unwrap_or_else(PoisonError::into_inner);
        let filter = before.take().map_or_else(|| self.filter(), |before| before.filter);
        *before = Some(Before { filter, until });
        self.0.filter.store(Arc::new(new));
        drop(before);
        self.ask_again();
    }

    /// Takes another filter for good. One that holds for a while is not disturbed: this one comes after it.
    pub fn set_lasting_filter(&self, new: Filter) {
        let mut before = self.0.before.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = &mut *before {
            before.filter = Arc::new(new);
            return;
        }
        self.0.filter.store(Arc::new(new));
        drop(before);
        self.ask_again();
    }

    /// When the filter goes back to what it was, if it is one for a while.
    #[must_use]
    pub fn filter_expires(&self) -> Option<Instant> {
        let before = self.0.before.lock().unwrap_or_else(PoisonError::into_inner);
        before.as_ref().map(|before| before.until)
    }

    /// Puts back the filter that was there before, if it is time; whether it was.
    ///
    /// After a change of the filter it also asks every place that logs once more: one that logged for the
    /// first time just then may have stored the older answer over the newer one (`tracing-core` finds it and
    /// stores it in two steps). Otherwise it costs next to nothing.
    pub fn end_expired(&self, now: Instant) -> bool {
        let is_unsettled = self.0.is_unsettled.swap(false, Ordering::AcqRel);
        let mut before = self.0.before.lock().unwrap_or_else(PoisonError::into_inner);
        let due = before.take_if(|before| before.until <= now);
        if let Some(due) = due {
            self.0.filter.store(due.filter);
            drop(before);
            self.ask_again();
            return true;
        }
        drop(before);
        if is_unsettled {
            self.rebuild();
        }
        false
    }

    /// Asks every place that logs again: a filter is another one.
    pub(crate) fn ask_again(&self) {
        self.0.is_unsettled.store(true, Ordering::Release);
        self.rebuild();
    }

    /// Where there is only one subscriber, `tracing-core` asks that of this thread, which may be none: then
    /// nothing would be logged any more.
    fn rebuild(&self) {
        match self.0.dispatch.get().and_then(WeakDispatch::upgrade) {
            Some(dispatch) => with_default(&dispatch, callsite::rebuild_interest_cache),
            None => callsite::rebuild_interest_cache(),
        }
    }
}
