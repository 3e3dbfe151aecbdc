use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::access::ledger::{Ledger, RowId};
use crate::access::row::Reader;
use crate::access::tally::Place;
use crate::cache::line::Key;

/// Counts the loads of one reader of one secret. All handles of that reader share it.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) row: RowId,
    pub(crate) key: Key,
    pub(crate) place: Place,
    /// What was counted by threads that had no sheet any more.
    pub(crate) late: Arc<AtomicU64>,
    /// Somebody follows the value, or derives another from it, and loads it without being counted.
    pub(crate) is_followed: Arc<AtomicBool>,
}

impl Meter {
    /// Counts one load by a thread that has no room for it yet.
    #[cold]
    pub(crate) fn count_anew(&self) {
        if !self.place.count_anew() {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn note_follower(&self) {
        self.is_followed.store(true, Ordering::Relaxed);
    }

    /// The meter of another reader of the same secret.
    pub(crate) fn of(&self, reader: Reader) -> Arc<Self> {
        self.ledger.meter(&self.key, reader)
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.ledger.close(self.row, self.place);
    }
}
