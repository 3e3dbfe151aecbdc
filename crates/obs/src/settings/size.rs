use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

/// A number of bytes as settings have it: `64KiB`, `100MiB`; a number alone is refused, since nobody can
/// tell its unit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct SizeSetting(u64);

/// Binary ones (IEC 80000-13), and the decimal ones that disks are sold by.
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

const FORM: &str = "a size has the form `64KiB` or `100MB`";

impl SizeSetting {
    pub(super) const fn bytes(self) -> u64 {
        self.0
    }

    /// The same, where no more can be held in memory anyway.
    pub(super) fn length(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// What is wrong with it, as a message, unless it lies within bounds.
    pub(super) fn outside(self, least: u64, most: u64) -> Option<String> {
        let is_within = (least..=most).contains(&self.0);
        (!is_within).then(|| format!("is not between `{}` and `{}`", Self(least), Self(most)))
    }
}

impl FromStr for SizeSetting {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let end = text.find(|c: char| !c.is_ascii_digit()).ok_or(FORM)?;
        let (digits, unit) = text.split_at_checked(end).ok_or(FORM)?;
        let (_, length) = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or(FORM)?;
        let number: u64 = digits.parse().map_err(|_| FORM)?;
        number.checked_mul(*length).map(Self).ok_or(FORM)
    }
}

/// In the largest binary unit that it is a whole number of.
impl fmt::Display for SizeSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = UNITS.iter().take(5).rev();
        let fits = |unit: &&(&str, u64)| self.0.is_multiple_of(unit.1) && self.0 > 0;
        let (unit, length) = binary.into_iter().find(fits).unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / length)
    }
}

impl fmt::Debug for SizeSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

impl<'de> Deserialize<'de> for SizeSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Form)
    }
}

struct Form;

impl de::Visitor<'_> for Form {
    type Value = SizeSetting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size, as `64KiB` or `100MB`,")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SizeSetting, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::SizeSetting;

    #[test]
    fn what_is_written_is_read() {
        for text in ["1B", "64KiB", "100MiB", "3GiB", "2TiB", "0B"] {
            assert_eq!(text.parse::<SizeSetting>().unwrap().to_string(), text);
        }
        assert_eq!("5 kB".parse::<SizeSetting>().unwrap().bytes(), 5_000);
        for text in ["", "5", "KiB", "-1KiB", "1.5MiB", "1kb", "99999999999TiB", "1KiB1"] {
            assert!(text.parse::<SizeSetting>().is_err(), "{text}");
        }
    }
}
