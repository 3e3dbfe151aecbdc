use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::index::Entry;

/// How long a deleted secret stays in the file after a write first saw that its window had passed.
/// A clock that jumped ahead is noticed and set right meanwhile; the secret can be restored then.
const GRACE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Notes at a write whether the window of a deletion has passed; true when it is time to take the
/// secret out of the file. A note that a clock from the future made is taken back.
pub(crate) fn note_window(entry: &mut Arc<Entry>, now: SystemTime) -> bool {
    let Some(deletion) = entry.deletion else { return false };
    let Some(end) = deletion.purge_at else { return false };
    let noted = Some(entry.updated).filter(|at| *at >= end);
    let note = match noted {
        Some(at) if at <= now => return at.checked_add(GRACE).is_some_and(|due| due <= now),
        _ if end <= now => now,
        Some(_) => deletion.deleted,
        None => return false,
    };
    if note != entry.updated {
        Arc::make_mut(entry).updated = note;
    }
    false
}

/// What a store keeps, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// How many versions without a label are kept for each secret, the newest of them.
    pub(crate) unlabelled_versions: NonZeroUsize,
    /// How long a deleted secret can be restored, unless the deletion says otherwise.
    pub(crate) deletion_window: Duration,
}

impl Default for Policy {
    /// 20 versions; 30 days, as AWS Secrets Manager.
    fn default() -> Self {
        Self {
            unlabelled_versions: NonZeroUsize::MIN.saturating_add(19),
            deletion_window: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

impl Policy {
    /// Drops the oldest versions without a label, beyond what is kept.
    pub(crate) fn retain(&self, entry: &mut Entry) {
        let labels = entry.labels;
        let unlabelled =
            entry.versions.iter().filter(|version| labels.of(version.id).is_empty()).count();
        let mut surplus = unlabelled.saturating_sub(self.unlabelled_versions.get());
        entry.versions.retain(|version| {
            let drop = surplus > 0 && labels.of(version.id).is_empty();
            surplus -= usize::from(drop);
            !drop
        });
    }
}
