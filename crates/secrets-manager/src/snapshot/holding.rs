use std::sync::Arc;
use std::time::SystemTime;

use secrets_core::Secret;

use crate::cache::line::{Key, Line};
use crate::cache::store::Desk;

/// What is to be copied of a line.
#[derive(Debug)]
pub(crate) struct Holding {
    pub(crate) key: Key,
    pub(crate) secret: Arc<Secret>,
    pub(crate) confirmed: SystemTime,
    pub(crate) is_pinned: bool,
}

impl Desk<'_> {
    /// What is held now.
    pub(crate) fn holdings(&self) -> Vec<Holding> {
        let holding = |line: &Line| {
            let held = line.held().filter(|held| held.is_there())?;
            Some(Holding {
                key: line.key.clone(),
                secret: Arc::clone(&held.secret),
                confirmed: held.confirmed(),
                is_pinned: line.is_pinned(),
            })
        };
        self.store.lines.values().filter_map(holding).collect()
    }
}
