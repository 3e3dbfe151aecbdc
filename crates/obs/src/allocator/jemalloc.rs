use std::hint::black_box;

use metric_table::Metric;
use tikv_jemalloc_ctl::{epoch, stats, thread};

use super::error::{AllocatorError, Reason};
use super::table;
use crate::metric::{MetricSource, Samples, SourceError};

/// The allocator jemalloc, as a source of metrics.
///
/// It tells nothing of programs that have another allocator: `new` finds that out, so that nobody takes zeros for
/// measurements. The numbers are jemalloc's own ("jemalloc(3)", `stats.*`), of all threads together; what one
/// thread allocated it tells that thread alone.
///
/// ```
/// use obs::allocator::Jemalloc;
/// use obs::metric::MetricRecorder;
///
/// // Somewhere in the program:
/// // #[global_allocator]
/// // static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
/// let recorder = match Jemalloc::new() {
///     Ok(jemalloc) => MetricRecorder::builder().source(jemalloc).build(),
///     Err(error) => {
///         // This program has another one.
///         assert!(error.is_not_used());
///         MetricRecorder::builder().build()
///     }
/// };
/// # drop(recorder);
/// ```
#[derive(Debug)]
pub struct Jemalloc(());

/// What is allocated to see who allocates. No other number that jemalloc counts for a thread is as large by chance.
const PROBE: usize = 1 << 16;

impl Jemalloc {
    /// Makes sure that jemalloc is the allocator of this program.
    ///
    /// # Errors
    /// It is not, or it was compiled without statistics.
    pub fn new() -> Result<Self, AllocatorError> {
        let refused =
            |error| AllocatorError(Reason::Refused("thread.allocatedp", format!("{error}")));
        let allocated = thread::allocatedp::read().map_err(refused)?;
        let before = allocated.get();
        drop(black_box(Vec::<u8>::with_capacity(PROBE)));
        if allocated.get().wrapping_sub(before) < PROBE as u64 {
            return Err(AllocatorError(Reason::NotUsed));
        }
        stats::allocated::read().map_err(|error| {
            AllocatorError(Reason::Refused("stats.allocated", format!("{error}")))
        })?;
        Ok(Self(()))
    }
}

impl MetricSource for Jemalloc {
    fn name(&self) -> &'static str {
        "jemalloc"
    }

    fn metrics(&self) -> &'static [Metric] {
        table::METRICS
    }

    fn collect(&self, samples: &mut Samples<'_>) -> Result<(), SourceError> {
        // It keeps what it told until it is asked to look again.
        epoch::advance()
            .map_err(|error| SourceError::new(format!("jemalloc does not look again: {error}")))?;
        let all = [
            (&table::ALLOCATED, stats::allocated::read()),
            (&table::ACTIVE, stats::active::read()),
            (&table::RESIDENT, stats::resident::read()),
            (&table::MAPPED, stats::mapped::read()),
            (&table::RETAINED, stats::retained::read()),
            (&table::METADATA, stats::metadata::read()),
        ];
        for (metric, bytes) in all {
            let bytes = bytes.map_err(|error| {
                SourceError::new(format!("jemalloc does not tell `{}`: {error}", metric.name))
            })?;
            samples.sample(metric, &[], bytes as f64);
        }
        Ok(())
    }
}
