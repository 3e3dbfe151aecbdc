use std::time::SystemTime;

use tokio::time::Instant;

/// All that a decision needs to know of the time; taken once, so that its parts fit together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// For times to live and pauses.
    pub(crate) now: Instant,
    /// For bounds of validity and for what people read.
    pub(crate) wall: SystemTime,
    /// Whether the run future keeps its promises.
    pub(crate) is_beating: bool,
}
