use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A length of time as settings have it: `5m`, `1h30m`, `250ms`.
///
/// Whole numbers with their units, the longest first, each once: `d`, `h`, `m`, `s`, `ms`; 36,500 days
/// at most. A number alone is refused, since nobody can tell its unit. Written out again, it is in the
/// same form.
///
/// ```
/// use std::time::Duration;
/// use service_settings::DurationSetting;
///
/// let pause: DurationSetting = "1m30s".parse()?;
/// assert_eq!(pause.get(), Duration::from_secs(90));
/// assert_eq!(pause.to_string(), "1m30s");
/// assert!("90".parse::<DurationSetting>().is_err());
/// # Ok::<(), service_settings::InvalidDuration>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DurationSetting(Duration);

/// The text is no length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a length of time has the form `5m`, `1h30m` or `250ms`, of 36500 days at most")]
pub struct InvalidDuration;

const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// In milliseconds: a hundred years, which every clock can be moved by.
const LONGEST: u64 = 36_500 * 86_400_000;

impl DurationSetting {
    /// From a length of time; what is finer than a millisecond is cut off when it is written out.
    #[must_use]
    pub const fn new(duration: Duration) -> Self {
        Self(duration)
    }

    /// The length of time.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }

    /// What is wrong with it, as a message, unless it lies within bounds.
    #[must_use]
    pub fn outside(self, least: Duration, most: Duration) -> Option<String> {
        let is_within = (least..=most).contains(&self.0);
        (!is_within).then(|| format!("is not between `{}` and `{}`", Self(least), Self(most)))
    }
}

impl From<DurationSetting> for Duration {
    fn from(setting: DurationSetting) -> Self {
        setting.0
    }
}

impl From<Duration> for DurationSetting {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl FromStr for DurationSetting {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let mut units = UNITS.iter();
        let mut rest = text;
        let mut total = 0_u64;
        while !rest.is_empty() || text.is_empty() {
            let (digits, after) = split(rest, |letter| letter.is_ascii_digit());
            let (unit, after) = split(after, |letter| letter.is_ascii_alphabetic());
            // Whoever comes later in the list: the order is that of the text.
            let (_, length) = units.find(|(name, _)| *name == unit).ok_or(InvalidDuration)?;
            let number: u64 = digits.parse().map_err(|_| InvalidDuration)?;
            let part = number.checked_mul(*length).ok_or(InvalidDuration)?;
            total = total.checked_add(part).filter(|all| *all <= LONGEST).ok_or(InvalidDuration)?;
            rest = after;
        }
        Ok(Self(Duration::from_millis(total)))
    }
}

fn split(text: &str, belongs: impl Fn(&char) -> bool) -> (&str, &str) {
    let end = text.find(|letter| !belongs(&letter)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// In the form that is read.
impl fmt::Display for DurationSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, length) in UNITS {
            let number = rest / length;
            rest %= length;
            if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for DurationSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

impl<'de> Deserialize<'de> for DurationSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Form)
    }
}

struct Form;

impl Visitor<'_> for Form {
    type Value = DurationSetting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time, as `5m`, `1h30m` or `250ms`,")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<DurationSetting, E> {
        text.parse().map_err(E::custom)
    }
}
