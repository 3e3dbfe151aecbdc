use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use metric_table::MetricKind;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::builder::{MetricRecorderBuilder, Rules};
use super::cell::{CounterCell, GaugeCell, Shared};
use super::family::{Family, Kinds, Shown};
use super::histogram::{Bounds, HistogramCell};
use super::own::Own;
use super::render;
use super::source::Sources;
use super::table::Table;
use super::{Exposition, InstallError, MetricSource};
use crate::catalog::{Exposed, unit_word};
use crate::record::Resource;

/// What the [`metrics`] facade records into: every counter, gauge and histogram of a process, with
/// limits that hold whatever labels are given.
///
/// A clone is another handle on the same metrics.
///
/// - A metric has at most so many series ([`series_limit`](MetricRecorderBuilder::series_limit));
///   what comes after them is summed in one with the label `otel_metric_overflow="true"`.
/// - Values of labels are cut, and redacted where the label's name tells of something sensitive.
/// - Numbers that are not finite are not recorded, but counted (`obs.metric.rejected`).
/// - Counters and the buckets of histograms keep one exemplar each, of sampled traces
///   ([`Context`](request_context::Context)).
///
/// ```
/// use metric_table::Metric;
/// use obs::catalog::Catalog;
/// use obs::metric::{Exposition, MetricRecorder};
///
/// const JOBS: &[Metric] =
///     &[Metric::counter("queue.jobs", "{job}", "jobs that were taken").with_labels(&["outcome"])];
///
/// let recorder = MetricRecorder::builder().catalog(Catalog::new().with(JOBS)?).build();
/// // An application calls `recorder.install()?` once instead.
/// metrics::with_local_recorder(&recorder, || {
///     metrics::counter!("queue.jobs", "outcome" => "done").increment(2);
/// });
/// let mut text = Vec::new();
/// recorder.render(Exposition::Text, &mut text)?;
/// let text = String::from_utf8(text)?;
/// assert!(text.ends_with("\nqueue_jobs_total{outcome=\"done\"} 2\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct MetricRecorder {
    inner: Arc<Inner>,
}

struct Inner {
    families: ArcSwap<Families>,
    /// Held by whoever adds a family.
    adding: Mutex<()>,
    described: Mutex<HashMap<Box<str>, Described>>,
    /// Who is called what in expositions.
    claims: Mutex<HashMap<String, Box<str>>>,
    shared: Arc<Shared>,
    rules: Rules,
    sources: Sources,
    own: OnceLock<Own>,
    /// What sweeps count from.
    began: OnceLock<Instant>,
}

#[derive(Debug, Default, Clone)]
struct Families {
    by_name: HashMap<Box<str>, Arc<Family>, foldhash::fast::RandomState>,
    /// By name.
    ordered: Vec<Arc<Family>>,
}

#[derive(Debug, Clone)]
struct Described {
    unit: Option<Unit>,
    help: Box<str>,
}

impl MetricRecorder {
    /// Builds a recorder.
    pub fn builder() -> MetricRecorderBuilder {
        MetricRecorderBuilder::new()
    }

    pub(crate) fn new(mut rules: Rules, sources: Vec<Arc<dyn MetricSource>>) -> Self {
        let sources = Sources::new(sources, &mut rules.catalog);
        let claims = rules.catalog.claims().map(|(claim, owner)| (claim.to_owned(), owner.into()));
        let inner = Inner {
            families: ArcSwap::default(),
            adding: Mutex::new(()),
            described: Mutex::default(),
            claims: Mutex::new(claims.collect()),
            shared: Arc::new(Shared::new(rules.clock, rules.has_exemplars)),
            rules,
            sources,
            own: OnceLock::new(),
            began: OnceLock::new(),
        };
        let recorder = Self { inner: Arc::new(inner) };
        let own = Own::register(&recorder);
        // It was made just now: there is none yet.
        let _ = recorder.inner.own.set(own);
        recorder
    }

    /// Makes it the recorder of the process, to which every call of the facade goes that is not
    /// given another one by [`metrics::with_local_recorder`].
    ///
    /// # Errors
    /// There is one already: handles that were taken from it go on recording there.
    pub fn install(&self) -> Result<(), InstallError> {
        metrics::set_global_recorder(self.clone()).map_err(|_| InstallError::new())
    }

    /// Writes everything that was recorded, and what sources say ([`MetricSource`]). No lock is held while something is written, and no more
    /// than 64 KiB are gathered for one write.
    ///
    /// After each [`OpenMetrics`](Exposition::OpenMetrics) exposition every counter and bucket keeps a new exemplar.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn render(&self, format: Exposition, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        let (sources, rules) = (&self.inner.sources, &self.inner.rules);
        let said = sources.ask(rules.steady_clock, &rules.labels, rules.series_limit);
        if let Some(own) = self.inner.own.get() {
            own.update(self);
        }
        let families = self.inner.families.load_full();
        let sourced = sources.families(&said, rules.series_limit);
        render::families(format, &families.ordered, |family| self.shown(family), sourced, out)?;
        if format == Exposition::OpenMetrics {
            self.inner.shared.generation.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        Ok(())
    }

    /// Forgets series that nobody holds a handle of and that were not changed for the window
    /// ([`idle_after`](MetricRecorderBuilder::idle_after)); says how many. It is to be called now and
    /// then, a few times within the window, whether anybody reads expositions or not. What a handle records is
    /// never lost: a series of which there is one does not expire. Nor does a gauge that went up or down by
    /// steps and is not back at zero: whoever went up comes down again.
    pub fn sweep(&self, now: Instant) -> usize {
        let Some(window) = self.inner.rules.idle_after else { return 0 };
        let began = *self.inner.began.get_or_init(|| now);
        let now = now.saturating_duration_since(began);
        let families = self.inner.families.load_full();
        let gone = families.ordered.iter().map(|family| family.sweep(now, window)).sum();
        if let (Some(own), 1..) = (self.inner.own.get(), gone) {
            own.expired(gone);
        }
        gone
    }

    /// Says of each metric once that it has more series than it may: who records one waits for no log.
    pub(crate) fn tell_overflows(&self) {
        let families = self.inner.families.load_full();
        for family in families.ordered.iter().filter(|family| family.is_first_overflow()) {
            let (metric, limit) = (&*family.name, self.inner.rules.series_limit);
            tracing::warn!(
                metric,
                limit,
                "a metric has too many series; further ones are summed in one"
            );
        }
    }

    /// How many series there are.
    pub(crate) fn series(&self) -> usize {
        self.inner.families.load().ordered.iter().map(|family| family.len()).sum()
    }

    /// All metrics, by name; those of the recorder itself are up to date.
    #[cfg(feature = "testing")]
    pub(crate) fn families(&self) -> Vec<Arc<Family>> {
        if let Some(own) = self.inner.own.get() {
            own.update(self);
        }
        self.inner.families.load().ordered.clone()
    }

    #[cfg(feature = "testing")]
    pub(crate) fn label_rules(&self) -> &super::labels::LabelRules {
        &self.inner.rules.labels
    }

    pub(crate) fn resource(&self) -> Option<&Resource> {
        self.inner.rules.resource.as_ref()
    }

    pub(crate) fn not_finite(&self) -> u64 {
        self.inner.shared.not_finite()
    }

    /// Looks at the family of a key, if it may have one and is of this kind.
    #[inline]
    fn in_family<R>(
        &self,
        key: &Key,
        kind: MetricKind,
        look: impl FnOnce(&Kinds, &Inner) -> Option<R>,
    ) -> Option<R> {
        let families = self.inner.families.load();
        let added;
        let family = match families.by_name.get(key.name()) {
            Some(family) => family,
            None => {
                added = self.add_family(key.name(), kind)?;
                &added
            }
        };
        if family.kind() == kind {
            return look(&family.table, &self.inner);
        }
        self.reject("kind");
        if family.is_first_word() {
            tracing::warn!(
                metric = key.name(),
                "a metric is used as two kinds; only what came first is recorded"
            );
        }
        None
    }

    #[cold]
    fn add_family(&self, name: &str, kind: MetricKind) -> Option<Arc<Family>> {
        let inner = &*self.inner;
        let adding = lock(&inner.adding);
        let families = inner.families.load();
        if let Some(family) = families.by_name.get(name) {
            return Some(Arc::clone(family));
        }
        if families.ordered.len() >= inner.rules.most_families || name.len() > LONGEST_NAME {
            drop(adding);
            self.reject("families");
            return None;
        }
        let family = Arc::new(Family::new(name, self.table(name, kind)));
        let mut families = Families::clone(&families);
        families.by_name.insert(name.into(), Arc::clone(&family));
        let place = families.ordered.partition_point(|other| *other.name < *name);
        families.ordered.insert(place, Arc::clone(&family));
        inner.families.store(Arc::new(families));
        // Now: who describes it from here on finds it, and who did before is found.
        if let Some(help) = self.help(name) {
            let _ = family.help.set(help);
        }
        Some(family)
    }

    fn table(&self, name: &str, kind: MetricKind) -> Kinds {
        let limit = self.inner.rules.series_limit;
        match kind {
            MetricKind::Counter => Kinds::Counter(Table::new(limit)),
            MetricKind::Histogram => {
                let bounds = self.inner.rules.bounds(name, &self.unit(name, kind));
                Kinds::Histogram(Table::new(limit), Arc::new(Bounds::new(bounds)))
            }
            _ => Kinds::Gauge(Table::new(limit)),
        }
    }

    fn reject(&self, reason: &'static str) {
        if let Some(own) = self.inner.own.get() {
            own.reject(reason);
        }
    }

    /// The word of a metric's unit: what was declared goes before what was described.
    fn unit(&self, name: &str, kind: MetricKind) -> String {
        if let Some(metric) = self.inner.rules.catalog.get(name) {
            return unit_word(metric.unit, kind).into_owned();
        }
        match lock(&self.inner.described).get(name).and_then(|described| described.unit) {
            Some(Unit::Count) | None => String::new(),
            Some(unit) => unit.as_str().to_owned(),
        }
    }

    fn help(&self, name: &str) -> Option<Box<str>> {
        match self.inner.rules.catalog.get(name) {
            Some(metric) => Some(metric.help.into()),
            None => lock(&self.inner.described).get(name).map(|described| described.help.clone()),
        }
    }

    fn describe(&self, name: &KeyName, unit: Option<Unit>, help: &str) {
        let mut described = lock(&self.inner.described);
        if described.len() < self.inner.rules.most_families {
            described.insert(name.as_str().into(), Described { unit, help: help.into() });
        }
        drop(described);
        if let Some(family) = self.inner.families.load().by_name.get(name.as_str())
            && let Some(help) = self.help(name.as_str())
        {
            // Said before: the first word counts.
            let _ = family.help.set(help);
        }
    }

    /// What a family is called; `None` if its name is taken.
    fn shown<'a>(&self, family: &'a Family) -> Option<&'a Shown> {
        let shown = family.exposed.get_or_init(|| {
            let (name, kind) = (&*family.name, family.kind());
            let names = Exposed::new(name, &self.unit(name, kind), kind);
            let mut claims = lock(&self.inner.claims);
            let is_others =
                |claim: String| claims.get(&claim).is_some_and(|owner| **owner != *name);
            if names.claims().any(is_others) || self.inner.sources.own(name) {
                return None;
            }
            claims.extend(names.claims().map(|claim| (claim, name.into())));
            Some(Shown { names, bounds: render::bounds(family) })
        });
        if shown.is_none() && family.is_first_word() {
            self.reject("collision");
            tracing::warn!(
                metric = &*family.name,
                "a metric is not shown: another one has its name in Prometheus' form"
            );
        }
        shown.as_ref()
    }
}

/// Bytes of a metric's name.
const LONGEST_NAME: usize = 256;

impl Recorder for MetricRecorder {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(&key, unit, &description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(&key, unit, &description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(&key, unit, &description);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let counter = self.in_family(key, MetricKind::Counter, |table, inner| {
            let Kinds::Counter(table) = table else { return None };
            let cell = || CounterCell::new(&inner.shared);
            Some(Counter::from_arc(table.series(key, &inner.rules.labels, cell)))
        });
        counter.unwrap_or_else(Counter::noop)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let gauge = self.in_family(key, MetricKind::Gauge, |table, inner| {
            let Kinds::Gauge(table) = table else { return None };
            let cell = || GaugeCell::new(&inner.shared);
            Some(Gauge::from_arc(table.series(key, &inner.rules.labels, cell)))
        });
        gauge.unwrap_or_else(Gauge::noop)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let histogram = self.in_family(key, MetricKind::Histogram, |table, inner| {
            let Kinds::Histogram(table, bounds) = table else { return None };
            let cell = || HistogramCell::new(bounds, &inner.shared);
            Some(Histogram::from_arc(table.series(key, &inner.rules.labels, cell)))
        });
        histogram.unwrap_or_else(Histogram::noop)
    }
}

impl fmt::Debug for MetricRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricRecorder").field("series", &self.series()).finish_non_exhaustive()
    }
}

fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
