/// What the manager holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Values in the cache.
    pub entries: usize,
    /// Of these, how many a handle or something derived from one can read.
    pub pinned: usize,
    /// Of these, how many come from a snapshot: their provider has not confirmed them yet.
    pub restored: usize,
    /// Remembered failures and absences.
    pub absent: usize,
    /// Whether a run future is alive.
    pub is_running: bool,
}
