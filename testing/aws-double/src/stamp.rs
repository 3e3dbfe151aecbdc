//! Times as AWS writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Number, Value};

/// A moment in the proleptic Gregorian calendar, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Civil {
    year: i64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    /// 0 is Thursday, the day of the epoch.
    weekday: u64,
}

/// The last second of the year 9999: later there is nothing, for years have four digits.
const END: Duration = Duration::from_secs(253_402_300_799);

/// So much later. A time that is never reached is the end, however long it is: tests say `Duration::MAX` for "never".
pub(crate) fn later(at: SystemTime, by: Duration) -> SystemTime {
    let end = UNIX_EPOCH + END;
    at.checked_add(by).map_or(end, |later| later.min(end))
}

/// So much earlier, but not before 1970.
pub(crate) fn earlier(at: SystemTime, by: Duration) -> SystemTime {
    at.checked_sub(by).map_or(UNIX_EPOCH, |earlier| earlier.max(UNIX_EPOCH))
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Days to dates by the method of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn civil(at: SystemTime) -> Civil {
    let total = seconds(at);
    let (days, rest) = (total / 86_400, total % 86_400);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    Civil {
        year: i64::try_from(year).unwrap_or(i64::MAX),
        month,
        day: of_year - (153 * shifted_month + 2) / 5 + 1,
        hour: rest / 3_600,
        minute: rest % 3_600 / 60,
        second: rest % 60,
        weekday: days % 7,
    }
}

/// `20261123T140000Z`, as in signatures.
pub(crate) fn compact(at: SystemTime) -> String {
    let c = civil(at);
    format!("{:04}{:02}{:02}T{:02}{:02}{:02}Z", c.year, c.month, c.day, c.hour, c.minute, c.second)
}

/// `2026-11-23T14:00:00Z`, as in XML and credentials documents.
pub(crate) fn iso(at: SystemTime) -> String {
    let c = civil(at);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        c.year, c.month, c.day, c.hour, c.minute, c.second
    )
}

/// `Mon, 23 Nov 2026 14:00:00 GMT` (RFC 9110, section 5.6.7), as in the header `Date`.
pub(crate) fn http(at: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let c = civil(at);
    let pick = |names: &[&'static str], index: u64| {
        usize::try_from(index).ok().and_then(|i| names.get(i).copied()).unwrap_or_default()
    };
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        pick(&DAYS, c.weekday),
        c.day,
        pick(&MONTHS, c.month.saturating_sub(1)),
        c.year,
        c.hour,
        c.minute,
        c.second
    )
}

/// Seconds since the epoch with milliseconds, as JSON services write times.
pub(crate) fn epoch(at: SystemTime) -> Value {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    #[allow(clippy::cast_precision_loss, reason = "seconds of this age fit 52 bits")]
    let float = since.as_secs() as f64 + f64::from(since.subsec_millis()) / 1_000.0;
    Number::from_f64(float).map_or(Value::Null, Value::Number)
}

/// Reads `20261123T140000Z`.
pub(crate) fn parse_compact(text: &str) -> Option<SystemTime> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes.get(8) != Some(&b'T') || bytes.get(15) != Some(&b'Z') {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<u64> { text.get(from..to)?.parse().ok() };
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 {
        return None;
    }
    let shifted_year = if month <= 2 { year.checked_sub(1)? } else { year };
    let (era, year_of_era) = (shifted_year / 400, shifted_year % 400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    let days = (era * 146_097 + of_era).checked_sub(719_468)?;
    UNIX_EPOCH.checked_add(Duration::from_secs(days * 86_400 + hour * 3_600 + minute * 60 + second))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(secs)
    }

    #[test]
    fn dates_that_are_known() {
        // RFC 9110 gives this date; 784111777 is its epoch time.
        assert_eq!(http(at(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(compact(at(0)), "19700101T000000Z");
        assert_eq!(iso(at(951_782_400)), "2000-02-29T00:00:00Z");
        assert_eq!(compact(at(1_440_938_160)), "20150830T123600Z");
    }

    #[test]
    fn what_is_written_is_read() {
        for secs in (0..4_000_000_000_u64).step_by(86_399 * 97) {
            assert_eq!(parse_compact(&compact(at(secs))), Some(at(secs)));
        }
    }

    #[test]
    fn times_have_an_end_and_a_beginning() {
        let end = later(at(0), Duration::MAX);
        assert_eq!(iso(end), "9999-12-31T23:59:59Z");
        assert_eq!((later(end, Duration::MAX), later(at(1), Duration::ZERO)), (end, at(1)));
        assert_eq!(
            (earlier(end, Duration::MAX), earlier(at(5), Duration::from_secs(2))),
            (at(0), at(3))
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "20150830",
            "20151330T123600Z",
            "20150830T123600",
            "2015083oT123600Z",
            "20150830T243600Z",
        ] {
            assert_eq!(parse_compact(text), None, "{text}");
        }
    }
}
