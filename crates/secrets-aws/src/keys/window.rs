use std::ops::RangeInclusive;
use std::time::Duration;

use secrets_core::{Error, ErrorKind, Result};

const DAY: u64 = 24 * 60 * 60;

/// How long a key waits before it is deleted for good: 7 to 30 whole days (API reference,
/// `ScheduleKeyDeletion`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletionWindow(i32);

impl DeletionWindow {
    /// The longest one, 30 days: AWS's default.
    pub const LONGEST: Self = Self(30);

    /// A window of this length.
    ///
    /// # Errors
    /// `InvalidValue` for anything but 7 to 30 whole days.
    pub fn new(window: Duration) -> Result<Self> {
        whole_days(window, 7..=30, "a key waits 7 to 30 whole days for its deletion").map(Self)
    }

    pub(super) fn days(self) -> i32 {
        self.0
    }
}

/// The number of days in a time, which has to be whole and in the range.
pub(super) fn whole_days(
    time: Duration,
    range: RangeInclusive<i32>,
    rule: &'static str,
) -> Result<i32> {
    let is_whole = time.subsec_nanos() == 0 && time.as_secs().is_multiple_of(DAY);
    i32::try_from(time.as_secs() / DAY)
        .ok()
        .filter(|days| is_whole && range.contains(days))
        .ok_or_else(|| Error::new(ErrorKind::InvalidValue, rule))
}
