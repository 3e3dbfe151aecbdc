use std::collections::BTreeMap;

use serde::Deserialize;
use service_settings::{Problem, Rules};

use super::below;
use super::file::FileSettings;
use super::filter::FilterSettings;
use super::layout::LayoutSettings;
use super::size::SizeSetting;
use super::thin::{RateLimitSettings, SamplingSettings};
use crate::log::{RateLimit, Sampling, Takes};
use crate::record::Filter;
use crate::setup::{Format, Output};

/// Where logs go, and how.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutputSettings {
    #[serde(default = "yes")]
    enabled: bool,
    to: To,
    file: Option<FileSettings>,
    format: Option<Format>,
    #[serde(default)]
    layout: LayoutSettings,
    #[serde(default)]
    log: FilterSettings,
    #[serde(default)]
    sampling: SamplingSettings,
    rate_limit: Option<RateLimitSettings>,
    room: Option<SizeSetting>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum To {
    Stdout,
    Stderr,
    File,
}

const fn yes() -> bool {
    true
}

/// The bounds of [`WriterBuilder::room`](crate::log::WriterBuilder::room).
const ROOM: (u64, u64) = (64 << 10, 1 << 30);
/// They are labels of metrics.
const LONGEST_NAME: usize = 64;

impl OutputSettings {
    pub(super) fn is_on(&self) -> bool {
        self.enabled
    }

    /// What it takes of what all outputs may have.
    pub(super) fn filter(&self) -> Option<Filter> {
        (!self.log.is_empty())
            .then(|| self.log.over(&Filter::up_to(tracing_core::LevelFilter::TRACE)))
    }

    pub(super) fn sampling(&self) -> Option<Sampling> {
        self.sampling.sampling()
    }

    pub(super) fn rate_limit(&self) -> Option<RateLimit> {
        self.rate_limit.as_ref()?.limit()
    }

    /// What it takes, as a whole.
    pub(super) fn takes(&self) -> Takes {
        let quotas = self.rate_limit().map(|limit| limit.quotas());
        Takes { filter: self.filter(), sampling: self.sampling(), quotas }
    }

    /// What differs from another one: what may change while it runs, and what may not.
    pub(super) fn differences(&self, other: &Self) -> (Vec<&'static str>, Vec<&'static str>) {
        let live = [
            ("log", self.log == other.log),
            ("sampling", self.sampling == other.sampling),
            ("rate_limit", self.rate_limit == other.rate_limit),
        ];
        let fixed = [
            ("to", self.to == other.to),
            ("file", self.file == other.file),
            ("format", self.format == other.format),
            ("layout", self.layout == other.layout),
            ("room", self.room == other.room),
        ];
        let differ = |all: &[(&'static str, bool)]| {
            all.iter().filter(|(_, is_same)| !is_same).map(|(name, _)| *name).collect()
        };
        (differ(&live), differ(&fixed))
    }

    /// The output, as the builder takes it; `place` is where it stands.
    pub(super) fn output(&self, name: &str, place: String) -> Output {
        let output = match (self.to, &self.file) {
            (To::File, Some(file)) => Output::file(name, file.target()),
            (To::Stderr, _) => Output::stderr().name(name),
            (To::Stdout | To::File, _) => Output::stdout().name(name),
        };
        let mut output = output.options(self.layout.options()).place(place);
        if let Some(format) = self.format {
            output = output.format(format);
        }
        if let Some(filter) = self.filter() {
            output = output.filter(filter);
        }
        if let Some(sampling) = self.sampling() {
            output = output.sampling(sampling);
        }
        if let Some(limit) = self.rate_limit() {
            output = output.rate_limit(limit);
        }
        match self.room {
            Some(room) => output.room(room.length()),
            None => output,
        }
    }

    fn problems(&self, format: Format) -> Vec<Problem> {
        let mut found = Vec::new();
        match (self.to, &self.file) {
            (To::File, None) => {
                found.push(Problem::invalid("file", "this has to be set: `file.path` at least"));
            }
            (To::Stdout | To::Stderr, Some(_)) => {
                let message =
                    "this output does not go to a file: set `to = \"file\"` or take this out";
                found.push(Problem::invalid("file", message));
            }
            (To::File, Some(file)) => found.extend(below("file", file.problems())),
            (To::Stdout | To::Stderr, None) => {}
        }
        found.extend(below("layout", self.layout.problems(self.format.unwrap_or(format))));
        found.extend(below("log", self.log.problems()));
        found.extend(below("sampling", self.sampling.problems()));
        let limit = self.rate_limit.iter();
        found.extend(limit.flat_map(|limit| below("rate_limit", limit.problems())));
        let room = self.room.and_then(|room| room.outside(ROOM.0, ROOM.1));
        found.extend(room.map(|message| Problem::invalid("room", message)));
        found
    }

    /// What no two outputs may share: their lines would be cut into each other.
    fn place(&self) -> Option<String> {
        match (self.to, &self.file) {
            (To::Stdout, _) => Some("the standard output".to_owned()),
            (To::Stderr, _) => Some("the standard error".to_owned()),
            (To::File, Some(file)) => Some(format!("`{}`", file.path().display())),
            (To::File, None) => None,
        }
    }
}

/// Of all outputs, each below its name; `format` is that of outputs that say none.
pub(super) fn problems(outputs: &BTreeMap<String, OutputSettings>, format: Format) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    for (name, output) in outputs {
        let mut problems = output.problems(format);
        if !is_name(name) {
            let message = format!(
                "is no name of an output: those have letters, digits, `_`, `-` and `.`, {LONGEST_NAME} at most"
            );
            problems.push(Problem::invalid("", message));
        }
        if let Some(place) = output.place().filter(|_| output.is_on()) {
            if let Some(other) = taken.get(&place) {
                let message = format!("`{other}` goes there, too");
                problems.push(Problem::invalid("to", message));
            } else {
                taken.insert(place, name);
            }
        }
        found.extend(below(name, problems));
    }
    found
}

fn is_name(name: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(is_fit)
}
