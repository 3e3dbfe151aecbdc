use super::sampling::Sample;

/// The samples of one case.
#[derive(Debug, Default)]
pub(super) struct Samples {
    all: Vec<Sample>,
}

/// What a number of samples comes to, in nanoseconds per operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    /// Too few clean samples were left, so all are in.
    pub(crate) disturbed: bool,
}

impl Samples {
    pub(super) fn add(&mut self, sample: Sample) {
        self.all.push(sample);
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Calls of an operation.
    pub(super) fn calls(&self) -> f64 {
        let calls: usize = self.all.iter().map(|sample| sample.calls).sum();
        let operations: u64 = self.all.iter().map(|sample| sample.operations).sum();
        calls as f64 / operations as f64
    }

    pub(super) fn spread(&self) -> Spread {
        let times = |clean_only: bool| -> Vec<f64> {
            let kept = self.all.iter().filter(|sample| sample.clean || !clean_only);
            kept.map(|sample| sample.nanoseconds).collect()
        };
        let clean = times(true);
        let disturbed = clean.len() * 3 < self.all.len();
        let kept = if disturbed { times(false) } else { clean };
        let least = kept.iter().copied().fold(f64::INFINITY, f64::min);
        let most = kept.iter().copied().fold(0.0, f64::max);
        Spread { median: median(kept), least, most, disturbed }
    }
}

impl Spread {
    /// The median of the runs' medians, and the least and the most of all.
    pub(super) fn of_runs(runs: impl Iterator<Item = Self> + Clone) -> Self {
        Self {
            median: median(runs.clone().map(|run| run.median).collect()),
            least: runs.clone().map(|run| run.least).fold(f64::INFINITY, f64::min),
            most: runs.clone().map(|run| run.most).fold(0.0, f64::max),
            disturbed: runs.clone().any(|run| run.disturbed),
        }
    }
}

/// The middle one; of an even number the upper of the two in the middle.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::{Sample, Samples};

    fn samples(of: &[(f64, bool)]) -> Samples {
        let mut samples = Samples::default();
        for (nanoseconds, clean) in of {
            samples.add(Sample {
                nanoseconds: *nanoseconds,
                calls: 3,
                operations: 2,
                clean: *clean,
            });
        }
        samples
    }

    #[test]
    fn takes_the_median_of_the_clean_samples() {
        let spread =
            samples(&[(9.0, true), (1.0, true), (500.0, false), (2.0, true), (0.1, false)])
                .spread();
        assert_eq!((spread.least, spread.median, spread.most), (1.0, 2.0, 9.0));
        assert!(!spread.disturbed);
    }

    #[test]
    fn says_when_it_had_to_take_all() {
        let spread = samples(&[(5.0, false), (3.0, false), (4.0, false), (1.0, true)]).spread();
        assert_eq!((spread.least, spread.median, spread.disturbed), (1.0, 4.0, true));
    }

    #[test]
    fn calls_are_those_of_an_operation() {
        assert_eq!(samples(&[(1.0, true), (1.0, false)]).calls(), 1.5);
    }
}
