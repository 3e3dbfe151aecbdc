use std::num::NonZeroUsize;
use std::time::Duration;

use super::index::Entry;

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
