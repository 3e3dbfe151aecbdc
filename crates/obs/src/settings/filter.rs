use std::collections::BTreeMap;

use serde::Deserialize;
use service_settings::{Problem, Rules};
use tracing_core::LevelFilter;

use super::below;
use crate::record::Filter;

/// Which levels of which targets: `level` for all, `targets` for those that differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FilterSettings {
    level: Option<LevelSetting>,
    targets: BTreeMap<String, LevelSetting>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LevelSetting {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LevelSetting {
    const fn filter(self) -> LevelFilter {
        match self {
            Self::Off => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

impl FilterSettings {
    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is said, over what held before.
    pub(super) fn over(&self, before: &Filter) -> Filter {
        let filter = match self.level {
            Some(level) => before.clone().with_rest(level.filter()),
            None => before.clone(),
        };
        let each = self.targets.iter();
        each.fold(filter, |filter, (target, level)| filter.with_target(target, level.filter()))
    }
}

impl Rules for FilterSettings {
    fn problems(&self) -> Vec<Problem> {
        let odd = self.targets.keys().filter(|target| !is_target(target));
        let odd = odd.flat_map(|target| below(target, vec![Problem::invalid("", NO_TARGET)]));
        below("targets", odd.collect()).collect()
    }
}

pub(super) const NO_TARGET: &str = "is no target: those are paths of modules, as `app::store`";

/// Whether it can stand in a filter that is written as text.
pub(super) fn is_target(target: &str) -> bool {
    !target.is_empty()
        && target.len() <= 256
        && target.chars().all(|c| c.is_ascii_graphic() && !",=[]{}\"".contains(c))
}
