use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::log::text::two_digits;

/// `2026-11-23T17:43:11.`: RFC 3339 up to the second.
type Second = [u8; 20];

const TEMPLATE: Second = *b"0000-00-00T00:00:00.";

thread_local! {
    /// The last second that was written, and its text.
    static LAST: Cell<(u64, Second)> = const { Cell::new((u64::MAX, TEMPLATE)) };
}

/// The last second that has a year of four digits.
const LATEST: Duration = Duration::new(253_402_300_799, 999_999_999);

/// Writes the time as RFC 3339 in UTC, with microseconds; times before 1970 as its beginning, those after 9999 as its end.
pub(crate) fn write_rfc3339(time: SystemTime, line: &mut Vec<u8>) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).min(LATEST);
    let (known, mut text) = LAST.get();
    if known != since.as_secs() {
        write_second(since.as_secs(), &mut text);
        LAST.set((since.as_secs(), text));
    }
    line.extend_from_slice(&text);
    let micros = u64::from(since.subsec_micros());
    for pair in [micros / 10_000, micros / 100 % 100, micros % 100] {
        line.extend_from_slice(&two_digits(pair));
    }
    line.push(b'Z');
}

/// Days to a date by Howard Hinnant's `civil_from_days`, for days from 1970 on.
fn write_second(seconds: u64, text: &mut Second) {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let parts = [
        (0, 4, year),
        (5, 2, month),
        (8, 2, day),
        (11, 2, second / 3600),
        (14, 2, second / 60 % 60),
        (17, 2, second % 60),
    ];
    for (at, width, number) in parts {
        digits(text, at, width, number);
    }
}

fn digits(text: &mut Second, at: usize, width: usize, mut number: u64) {
    for place in text.iter_mut().skip(at).take(width).rev() {
        *place = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}
