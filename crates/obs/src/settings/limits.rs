use serde::Deserialize;
use service_settings::{Problem, Rules};

use super::size::SizeSetting;
use crate::record::Limits;

/// How much of a record is taken: [`Limits`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LimitsSettings {
    value: Option<SizeSetting>,
    record: Option<SizeSetting>,
    fields: Option<usize>,
    error_sources: Option<usize>,
}

/// Below this a message cannot be read; beyond it every reader cuts lines in two.
const SIZES: (u64, u64) = (128, 1 << 20);
const FIELDS: (usize, usize) = (1, 1_024);
const SOURCES: (usize, usize) = (0, 64);

impl LimitsSettings {
    /// What is said, over what held before.
    pub(super) fn over(&self, mut limits: Limits) -> Limits {
        limits.value_bytes = self.value.map_or(limits.value_bytes, SizeSetting::length);
        limits.total_bytes = self.record.map_or(limits.total_bytes, SizeSetting::length);
        limits.fields = self.fields.unwrap_or(limits.fields);
        limits.error_sources = self.error_sources.unwrap_or(limits.error_sources);
        limits
    }

    /// Whether something is said of what the environment may say, too: values, and how many fields.
    pub(super) const fn are_told(&self) -> [bool; 2] {
        [self.value.is_some(), self.fields.is_some()]
    }
}

impl Rules for LimitsSettings {
    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        for (path, size) in [("value", self.value), ("record", self.record)] {
            let outside = size.and_then(|size| size.outside(SIZES.0, SIZES.1));
            found.extend(outside.map(|message| Problem::invalid(path, message)));
        }
        let numbers =
            [("fields", self.fields, FIELDS), ("error_sources", self.error_sources, SOURCES)];
        for (path, number, bounds) in numbers {
            found.extend(outside(number, bounds).map(|message| Problem::invalid(path, message)));
        }
        if let (Some(value), Some(record)) = (self.value, self.record)
            && value.bytes() > record.bytes()
        {
            found.push(Problem::invalid("value", "is more than a whole `record` may take"));
        }
        found
    }
}

/// What is wrong with a number, unless it lies within bounds.
pub(super) fn outside(number: Option<usize>, (least, most): (usize, usize)) -> Option<String> {
    let is_outside = number.is_some_and(|number| !(least..=most).contains(&number));
    is_outside.then(|| format!("is not between {least} and {most}"))
}
