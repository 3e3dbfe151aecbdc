//! What is not recorded but asked for: values that somebody else keeps, as the kernel or an allocator.

mod error;
mod family;
mod own;
mod samples;
mod slot;
mod sources;

use std::fmt;
use std::time::Duration;

use metric_table::Metric;

pub use error::SourceError;
pub(crate) use family::SourceFamily;
pub(crate) use own::{DURATION, FAILURES, REJECTED};
pub use samples::{Buckets, Samples};
pub(crate) use samples::{Sample, SampleValue};
pub(crate) use sources::Sources;

/// Something that is asked for its values whenever they are shown: what the kernel, a runtime or an
/// allocator counts by itself.
///
/// It has what the facade `metrics` has not: counters of fractions (seconds), series that are gone as soon
/// as nothing is said of them, and histograms that somebody else keeps. The names are the source's own: what is recorded
/// under one of them by the facade is not shown.
///
/// Sources bring themselves in trouble only. One that fails shows what it wrote before, one that panics shows nothing,
/// both are counted by `obs.metric.source.failures`; two pages at once ask it once, and while it does not come back, other
/// pages do without it after a second. A page itself waits for what it asks: a source reads what is at hand, and
/// nothing that may hang.
///
/// ```
/// use metric_table::Metric;
/// use obs::metric::{Exposition, MetricRecorder, MetricSource, Samples, SourceError};
///
/// const TIME: Metric = Metric::counter("arena.cleaning", "s", "how long was cleaned").with_labels(&["arena"]);
/// const TABLE: &[Metric] = &[TIME];
///
/// #[derive(Debug)]
/// struct Arenas;
///
/// impl MetricSource for Arenas {
///     fn name(&self) -> &'static str {
///         "arenas"
///     }
///
///     fn metrics(&self) -> &'static [Metric] {
///         TABLE
///     }
///
///     fn collect(&self, samples: &mut Samples<'_>) -> Result<(), SourceError> {
///         samples.sample(&TIME, &[("arena", "0")], 1.5);
///         Ok(())
///     }
/// }
///
/// let recorder = MetricRecorder::builder().source(Arenas).build();
/// let mut page = Vec::new();
/// recorder.render(Exposition::Text, &mut page)?;
/// assert!(String::from_utf8(page)?.contains("arena_cleaning_seconds_total{arena=\"0\"} 1.5\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait MetricSource: fmt::Debug + Send + Sync + 'static {
    /// What it is called where it is said that it failed, as `process`. Several may have one name.
    fn name(&self) -> &'static str;

    /// What it measures. Several sources may share metrics, with labels that tell them apart.
    fn metrics(&self) -> &'static [Metric];

    /// For how long what it said is good enough to be shown again; not at all if nothing else is said.
    fn keep_for(&self) -> Duration {
        Duration::ZERO
    }

    /// Says what there is now.
    ///
    /// # Errors
    /// Not everything could be measured. What was said before is shown.
    fn collect(&self, samples: &mut Samples<'_>) -> Result<(), SourceError>;
}
