use std::fmt::{self, Write as _};

use crate::metric::{Exposition, Held, MetricRecorder, Reading};
use crate::testing::CapturedHistogram;

/// What a capture measured. Values are read, not taken: the next call finds them, too.
///
/// A metric is found by its name and all of its labels, in any order; both may be written as the program writes
/// them (`http.route`) or as expositions do (`http_route`).
///
/// ```
/// use obs::testing::Capture;
///
/// let capture = Capture::new();
/// capture.run(|| {
///     metrics::counter!("jobs.done", "queue" => "mail").increment(2);
///     metrics::histogram!("job.duration").record(0.25);
/// });
/// let metrics = capture.metrics();
/// assert_eq!(metrics.counter("jobs.done", &[("queue", "mail")]), 2);
/// assert_eq!(metrics.histogram("job.duration", &[]).count, 1);
/// metrics.expect_none("jobs.failed");
/// ```
#[derive(Clone)]
pub struct CapturedMetrics(MetricRecorder);

impl CapturedMetrics {
    pub(super) const fn new(recorder: MetricRecorder) -> Self {
        Self(recorder)
    }

    /// The value of a counter.
    ///
    /// # Panics
    /// There is no such series, or it is of another kind; the message has the nearest ones.
    #[must_use]
    #[track_caller]
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        match self.series("a counter", name, labels) {
            Held::Counter(value) => value,
            other => self.wrong("a counter", name, &other),
        }
    }

    /// The sum of all series of a counter: 0 if there are none.
    ///
    /// # Panics
    /// It is of another kind.
    #[must_use]
    #[track_caller]
    pub fn counter_sum(&self, name: &str) -> u64 {
        let all = self.0.read_all().into_iter().filter(|reading| reading.name == name);
        all.map(|reading| match reading.held {
            Held::Counter(value) => value,
            other => self.wrong("a counter", name, &other),
        })
        .sum()
    }

    /// The value of a gauge.
    ///
    /// # Panics
    /// There is no such series, or it is of another kind; the message has the nearest ones.
    #[must_use]
    #[track_caller]
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        match self.series("a gauge", name, labels) {
            Held::Gauge(value) => value,
            other => self.wrong("a gauge", name, &other),
        }
    }

    /// What a histogram holds.
    ///
    /// # Panics
    /// There is no such series, or it is of another kind; the message has the nearest ones.
    #[must_use]
    #[track_caller]
    pub fn histogram(&self, name: &str, labels: &[(&str, &str)]) -> CapturedHistogram {
        match self.series("a histogram", name, labels) {
            Held::Histogram(sum, bounds, counts) => {
                CapturedHistogram::new(sum, bounds.into_iter(), counts.into_iter())
            }
            other => self.wrong("a histogram", name, &other),
        }
    }

    /// Nothing was measured by this name.
    ///
    /// # Panics
    /// There are series of it; the message has them.
    #[track_caller]
    #[expect(clippy::panic, reason = "an assertion for tests")]
    pub fn expect_none(&self, name: &str) {
        let found: Vec<_> =
            self.0.read_all().into_iter().filter(|reading| reading.name == name).collect();
        if !found.is_empty() {
            panic!("expected no metric `{name}`, found{}", List(&found));
        }
    }

    /// What a collector would be given.
    #[must_use]
    pub fn page(&self, format: Exposition) -> String {
        let mut page = Vec::new();
        // A vector takes everything.
        let _ = self.0.render(format, &mut page);
        String::from_utf8_lossy(&page).into_owned()
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "an assertion for tests")]
    fn series(&self, kind: &str, name: &str, labels: &[(&str, &str)]) -> Held {
        let (all, text) = (self.0.read_all(), self.0.label_text(labels));
        let found = all.iter().find(|reading| reading.name == name && reading.labels == text);
        match found {
            Some(reading) => reading.held.clone(),
            None => {
                panic!("expected {kind} `{name}{{{text}}}`, found{}", List(&nearest(all, name)))
            }
        }
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "an assertion for tests")]
    fn wrong(&self, kind: &str, name: &str, held: &Held) -> ! {
        let other = match held {
            Held::Counter(_) => "a counter",
            Held::Gauge(_) => "a gauge",
            Held::Histogram(..) => "a histogram",
        };
        panic!("expected {kind} `{name}`, found {other}")
    }
}

impl fmt::Debug for CapturedMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CapturedMetrics").field(&self.0).finish()
    }
}

/// How many are shown.
const SHOWN: usize = 8;

/// The series of this name; if there are none, those whose names are most like it.
fn nearest(mut all: Vec<Reading>, name: &str) -> Vec<Reading> {
    if all.iter().any(|reading| reading.name == name) {
        all.retain(|reading| reading.name == name);
    } else {
        all.sort_by_cached_key(|reading| distance(&reading.name, name));
    }
    all
}

/// How many characters are to be changed, added or left out to make one of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (at, left) in a.chars().enumerate() {
        let (mut diagonal, mut before) = (at, at + 1);
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (cell, right) in row.iter_mut().skip(1).zip(b.chars()) {
            let changed = diagonal + usize::from(left != right);
            diagonal = *cell;
            before = changed.min(before + 1).min(diagonal + 1);
            *cell = before;
        }
    }
    row.last().copied().unwrap_or_default()
}

struct List<'a>(&'a [Reading]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(" nothing that was measured");
        }
        f.write_char(':')?;
        for reading in self.0.iter().take(SHOWN) {
            write!(f, "\n    {}{{{}}} ", reading.name, reading.labels)?;
            match &reading.held {
                Held::Counter(value) => write!(f, "{value}")?,
                Held::Gauge(value) => write!(f, "{value:?}")?,
                Held::Histogram(sum, _, counts) => {
                    write!(f, "{} values, sum {sum:?}", counts.iter().sum::<u64>())?;
                }
            }
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n    and {more} more"),
        }
    }
}
