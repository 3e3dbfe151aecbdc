use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use metric_table::Metric;
use service_settings::{Problems, Rules as _};
use tracing_core::{Level, LevelFilter};

use super::restart::{needed, open, paths};
use super::{ObservabilitySettings, Outline};
use crate::log::LogOutput;
use crate::record::{Filter, Note, Value};
use crate::setup::Observability;

/// What is logged of settings that change.
const TARGET: &str = "obs::settings";
const RELOADS: &str = "obs.settings.reloads";

/// The metrics that settings have of themselves.
pub const METRICS: &[Metric] = &[Metric::counter(
    RELOADS,
    "{reload}",
    "settings that were read again: they changed something, nothing, or were refused",
)
.with_labels(&["outcome"])];

/// What the builder was told by settings, and what it was told before: that holds again where settings
/// say nothing any more.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) settings: ObservabilitySettings,
    pub(crate) log: Filter,
    pub(crate) traces: Filter,
    /// The program said something else after its settings.
    pub(crate) is_log_overruled: bool,
    pub(crate) are_traces_overruled: bool,
}

/// What of a set-up may change while it runs.
#[derive(Debug)]
pub(crate) struct Reloading {
    outputs: Vec<(Box<str>, Arc<LogOutput>)>,
    makes_traces: bool,
    /// Held while settings are taken: what one reload changes, no other changes at the same time.
    state: Mutex<Option<State>>,
}

#[derive(Debug)]
struct State {
    /// What is not taken while it runs is compared with these.
    started: Told,
    /// What is, with these.
    taken: ObservabilitySettings,
}

impl Reloading {
    pub(crate) fn new(
        told: Option<Told>,
        outputs: Vec<(Box<str>, Arc<LogOutput>)>,
        makes_traces: bool,
    ) -> Self {
        let state = told.map(|started| State { taken: started.settings.clone(), started });
        Self { outputs, makes_traces, state: Mutex::new(state) }
    }

    fn output(&self, name: &str) -> Option<&Arc<LogOutput>> {
        self.outputs.iter().find_map(|(known, output)| (**known == *name).then_some(output))
    }
}

/// What became of settings that were read again: settings by their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// What holds from now on. The filter of logs holds once one ends that was set for a while.
    pub changed: Vec<String>,
    /// What differs from the start of the service and takes effect at the next one.
    pub needs_restart: Vec<String>,
    /// What differs and has no effect: a variable of the environment comes first, or what the builder was told after the
    /// settings; of `traces`, no layer is there that makes them.
    pub overruled: Vec<String>,
}

impl Reloaded {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Why settings were not taken. Nothing is changed then.
#[derive(Debug)]
pub struct ReloadError(Option<Problems>);

/// What sort of reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReloadErrorKind {
    /// They make no sense.
    Problems,
    /// The set-up was told no settings: it is not known what they would change.
    NoSettings,
}

impl ReloadError {
    /// What sort of reason.
    #[must_use]
    pub const fn kind(&self) -> ReloadErrorKind {
        match self.0 {
            Some(_) => ReloadErrorKind::Problems,
            None => ReloadErrorKind::NoSettings,
        }
    }

    /// All that is wrong with the settings.
    #[must_use]
    pub const fn problems(&self) -> Option<&Problems> {
        self.0.as_ref()
    }
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind() {
            ReloadErrorKind::Problems => "the settings are not sound; those before them hold",
            ReloadErrorKind::NoSettings => {
                "logs and metrics were set up without settings; give some to the builder"
            }
        })
    }
}

impl std::error::Error for ReloadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_ref().map(|problems| problems as _)
    }
}

/// Settings that change.
impl Observability {
    /// Takes settings that were read again: filters of logs, of traces and of outputs, sampling and rate limits hold from
    /// now on, each for the records that come next; all else waits for a restart, and is named. What the settings do not
    /// change is left as it is, though an operator has changed it. A filter that was set for a while stays until it ends;
    /// then that of the settings holds. Changes are logged by their names, and counted (`obs.settings.reloads`).
    ///
    /// # Errors
    /// [`ReloadError`]: the settings make no sense, or the set-up was told none. Nothing is changed then.
    pub fn reload(&self, settings: &ObservabilitySettings) -> Result<Reloaded, ReloadError> {
        let problems = Problems::none_or(settings.problems());
        let taken = problems.map_err(|problems| ReloadError(Some(problems)));
        let taken = taken.and_then(|()| self.take(settings));
        let outcome = match &taken {
            Ok(reloaded) if reloaded.changed.is_empty() => "unchanged",
            Ok(_) => "changed",
            Err(error) => {
                self.say_refused(error.problems());
                "refused"
            }
        };
        metrics::counter!(RELOADS, "outcome" => outcome).increment(1);
        taken
    }

    fn take(&self, settings: &ObservabilitySettings) -> Result<Reloaded, ReloadError> {
        let reloading = self.reloading();
        let mut state = reloading.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = state.as_mut().ok_or(ReloadError(None))?;
        let new = &settings.outline.value;
        let (started, old) = (&state.started.settings.outline.value, &state.taken.outline.value);
        let mut reloaded = Reloaded { needs_restart: needed(new, started), ..Reloaded::default() };
        let log = self.with_environment(new.log.over(&state.started.log));
        let log = log.filter(|_| !state.started.is_log_overruled);
        let are_traces_taken = reloading.makes_traces && !state.started.are_traces_overruled;
        if new.log != old.log && log.is_some() {
            reloaded.changed.push("log".to_owned());
        }
        if new.log != started.log && log.is_none() {
            reloaded.overruled.push("log".to_owned());
        }
        if new.traces != old.traces && are_traces_taken {
            reloaded.changed.push("traces".to_owned());
        }
        if new.traces != started.traces && !are_traces_taken {
            reloaded.overruled.push("traces".to_owned());
        }
        let outputs = changed_outputs(new, old, started);
        reloaded.changed.extend(outputs.iter().flat_map(|(name, parts)| paths(name, parts)));
        let said = reloaded.in_table(settings.outline.path());
        // Whoever is silenced says so before.
        let is_heard = self.filter().level_of(TARGET) >= LevelFilter::WARN;
        if is_heard {
            self.say(&said);
        }
        if let Some(log) = log.filter(|_| new.log != old.log) {
            self.reload_filter(log);
        }
        if new.traces != old.traces && are_traces_taken {
            self.set_trace_filter(new.traces.over(&state.started.traces));
        }
        for (name, _) in outputs {
            if let (Some(output), Some(new)) = (reloading.output(name), open(new, name)) {
                output.choose(new.takes());
            }
        }
        if !is_heard {
            self.say(&said);
        }
        state.taken = settings.clone();
        Ok(said)
    }

    fn say(&self, reloaded: &Reloaded) {
        if reloaded.is_empty() {
            return;
        }
        let lists = [&reloaded.changed, &reloaded.needs_restart, &reloaded.overruled];
        let [changed, needs_restart, overruled] = lists.map(|names| names.join(", "));
        let all = [
            ("changed", Value::Text(&changed)),
            ("needs_restart", Value::Text(&needs_restart)),
            ("overruled", Value::Text(&overruled)),
        ];
        let given: Vec<_> = all.into_iter().filter(|(_, text)| *text != Value::Text("")).collect();
        let note = Note::new(Level::WARN, TARGET).with_fields(&given);
        self.records().record(&note, &"the settings of logs and metrics were read again");
    }

    /// Messages of problems have no values in them.
    pub(super) fn say_refused(&self, problems: Option<&Problems>) {
        let text = problems.map(ToString::to_string).unwrap_or_default();
        let fields = [("problems", Value::Text(&text))];
        let note = Note::new(Level::WARN, TARGET).with_fields(&fields);
        self.records().record(&note, &"settings were refused; those before them hold");
    }

    pub(super) fn count_refused() {
        metrics::counter!(RELOADS, "outcome" => "refused").increment(1);
    }
}

/// The outputs that are open of which something changes that may, and what.
fn changed_outputs<'a>(
    new: &'a Outline,
    old: &Outline,
    started: &Outline,
) -> Vec<(&'a str, Vec<&'static str>)> {
    let running = new.outputs.keys().filter(|name| open(started, name).is_some());
    let differ = running.filter_map(|name| {
        let parts = open(new, name)?.differences(old.outputs.get(name)?).0;
        (!parts.is_empty()).then_some((name.as_str(), parts))
    });
    differ.collect()
}

impl Reloaded {
    /// With the table before their names that the settings stand in.
    fn in_table(mut self, table: &str) -> Self {
        if !table.is_empty() {
            let lists = [&mut self.changed, &mut self.needs_restart, &mut self.overruled];
            lists.into_iter().flatten().for_each(|name| name.insert_str(0, &format!("{table}.")));
        }
        self
    }
}
