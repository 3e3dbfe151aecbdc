use std::sync::{Arc, PoisonError};
use std::time::Instant;

use tracing_core::callsite;

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
        callsite::rebuild_interest_cache();
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
        callsite::rebuild_interest_cache();
    }

    /// When the filter goes back to what it was, if it is one for a while.
    #[must_use]
    pub fn filter_expires(&self) -> Option<Instant> {
        let before = self.0.before.lock().unwrap_or_else(PoisonError::into_inner);
        before.as_ref().map(|before| before.until)
    }

    /// Puts back the filter that was there before, if it is time; whether it was. Costs next to nothing
    /// otherwise.
    pub fn end_expired(&self, now: Instant) -> bool {
        let mut before = self.0.before.lock().unwrap_or_else(PoisonError::into_inner);
        let due = before.take_if(|before| before.until <= now);
        let Some(due) = due else { return false };
        self.0.filter.store(due.filter);
        drop(before);
        callsite::rebuild_interest_cache();
        true
    }
}
