//! The harness: rows of cases, sampled in turns.

mod case;
mod outcome;
pub(crate) mod report;
mod sampling;
mod statistics;

use std::time::Duration;

pub(crate) use self::case::{Case, Peer, Row};
pub(crate) use self::outcome::{Comparison, Outcome, merge};
use self::sampling::{allocations, calibrate, sample};
use self::statistics::Samples;

/// How much time a run may take.
#[derive(Debug)]
pub(crate) struct Effort {
    /// How often everything is built anew and measured.
    pub(crate) runs: usize,
    samples: usize,
    batch: Duration,
}

/// An operation as long as this is sampled `FEW` times at most.
const LONG: Duration = Duration::from_millis(30);
const FEW: usize = 9;

impl Effort {
    pub(crate) const FULL: Self = Self { runs: 3, samples: 41, batch: Duration::from_millis(3) };
    pub(crate) const QUICK: Self = Self { runs: 1, samples: 9, batch: Duration::from_millis(3) };
}

/// Measures all rows of a suite, one sample of each case at a time.
pub(crate) fn measure(rows: &[Row], effort: &Effort, probe: &probe::Probe) -> Vec<Outcome> {
    let mut lines: Vec<_> = rows.iter().map(|row| Line::new(row, effort)).collect();
    for round in 0..effort.samples {
        // Who comes first changes, so that nobody always finds what the same other left in the
        // caches.
        for line in &mut lines {
            line.take_samples(round);
        }
    }
    lines.iter().map(|line| line.outcome(probe)).collect()
}

/// A row that is being measured: ours, then the peers.
struct Line<'a> {
    row: &'a Row,
    sides: Vec<Side<'a>>,
    samples: usize,
}

impl<'a> Line<'a> {
    fn new(row: &'a Row, effort: &Effort) -> Self {
        let cases = std::iter::once(&row.ours).chain(row.peers.iter().map(|peer| &peer.case));
        let sides: Vec<_> = cases.map(|case| Side::new(case, row.threads, effort.batch)).collect();
        let is_long = sides.iter().any(|side| side.estimate >= LONG);
        let samples = if is_long { effort.samples.min(FEW) } else { effort.samples };
        Self { row, sides, samples }
    }

    fn take_samples(&mut self, round: usize) {
        if round >= self.samples {
            return;
        }
        if round.is_multiple_of(2) {
            self.sides.iter_mut().for_each(Side::take_sample);
        } else {
            self.sides.iter_mut().rev().for_each(Side::take_sample);
        }
    }

    fn outcome(&self, probe: &probe::Probe) -> Outcome {
        let spreads: Vec<_> = self.sides.iter().map(|side| side.samples.spread()).collect();
        let (ours, peers) = (spreads[0], &spreads[1..]);
        let Row { path, threads, size, unit, within, .. } = *self.row;
        let comparison = |(peer, time): (&Peer, _)| Comparison::new(peer, ours, time);
        Outcome {
            path,
            threads,
            size,
            unit,
            within,
            ours,
            ours_allocations: allocations(&self.row.ours, self.sides[0].operations, probe),
            peers: self.row.peers.iter().zip(peers.iter().copied()).map(comparison).collect(),
        }
    }
}

/// One of the cases of a row.
struct Side<'a> {
    case: &'a Case,
    threads: usize,
    operations: u64,
    /// About how long an operation takes.
    estimate: Duration,
    samples: Samples,
}

impl<'a> Side<'a> {
    fn new(case: &'a Case, threads: usize, batch: Duration) -> Self {
        let (operations, estimate) = calibrate(case, threads, batch);
        Self { case, threads, operations, estimate, samples: Samples::default() }
    }

    fn take_sample(&mut self) {
        self.samples.add(sample(self.case, self.threads, self.operations));
    }
}
