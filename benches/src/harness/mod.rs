//! The harness: rows of two cases each, sampled in turns.

mod case;
pub(crate) mod report;
mod sampling;
mod statistics;

use std::time::Duration;

pub(crate) use self::case::{Case, Row};
use self::sampling::{allocations, calibrate, sample};
use self::statistics::{Samples, Spread};

/// How much time a run may take.
#[derive(Debug)]
pub(crate) struct Effort {
    samples: usize,
    batch: Duration,
}

impl Effort {
    pub(crate) const FULL: Self = Self { samples: 41, batch: Duration::from_millis(3) };
    pub(crate) const QUICK: Self = Self { samples: 9, batch: Duration::from_millis(3) };
}

/// A row with what was measured; times are per operation.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) row: &'a Row,
    pub(crate) ours: Spread,
    pub(crate) ours_allocations: f64,
    pub(crate) peer: Spread,
}

impl Outcome<'_> {
    pub(crate) fn ratio(&self) -> f64 {
        self.ours.median / self.peer.median
    }
}

/// Measures all rows of a suite, one sample of each case at a time.
pub(crate) fn measure<'a>(
    rows: &'a [Row],
    effort: &Effort,
    probe: &probe::Probe,
) -> Vec<Outcome<'a>> {
    let mut sides: Vec<_> = rows
        .iter()
        .flat_map(|row| [Side::new(row, &row.ours, effort), Side::new(row, &row.peer, effort)])
        .collect();
    for round in 0..effort.samples {
        // Who comes first changes, so that neither always finds what the other left in the caches.
        for pair in sides.chunks_mut(2) {
            if round % 2 == 1 {
                pair.reverse();
            }
            pair.iter_mut().for_each(Side::take_sample);
            if round % 2 == 1 {
                pair.reverse();
            }
        }
    }
    let outcome = |(row, pair): (&'a Row, &[Side<'_>])| Outcome {
        row,
        ours: pair[0].samples.spread(),
        ours_allocations: allocations(&row.ours, pair[0].operations, probe),
        peer: pair[1].samples.spread(),
    };
    rows.iter().zip(sides.chunks(2)).map(outcome).collect()
}

/// One of the two cases of a row.
struct Side<'a> {
    case: &'a Case,
    threads: usize,
    operations: u64,
    samples: Samples,
}

impl<'a> Side<'a> {
    fn new(row: &'a Row, case: &'a Case, effort: &Effort) -> Self {
        let operations = calibrate(case, row.threads, effort.batch);
        Self { case, threads: row.threads, operations, samples: Samples::default() }
    }

    fn take_sample(&mut self) {
        self.samples.add(sample(self.case, self.threads, self.operations));
    }
}
