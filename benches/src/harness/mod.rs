//! The harness: rows of cases, sampled in turns.

mod case;
mod outcome;
pub(crate) mod report;
mod sampling;
mod statistics;

use std::time::Duration;

pub(crate) use self::case::{Case, Peer, Row};
pub(crate) use self::outcome::{Comparison, Outcome, Tally, merge};
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
        let counts_calls = |side: &Side<'_>| side.case.calls.is_some();
        assert!(row.threads == 1 || !sides.iter().any(counts_calls), "calls are one thread's");
        let is_long = sides.iter().any(|side| side.estimate >= LONG);
        let samples = if is_long { effort.samples.min(FEW) } else { effort.samples };
        Self { row, sides, samples }
    }

    fn take_samples(&mut self, round: usize) {
        if round >= self.samples {
            return;
        }
        let is_open = |side: &&mut Side<'_>| side.samples.len() < side.case.most_samples;
        let sides = self.sides.iter_mut().filter(is_open);
        if round.is_multiple_of(2) {
            sides.for_each(Side::take_sample);
        } else {
            sides.rev().for_each(Side::take_sample);
        }
    }

    fn outcome(&self, probe: &probe::Probe) -> Outcome {
        let (ours, peers) = (&self.sides[0], &self.sides[1..]);
        let spread = ours.samples.spread();
        let Row { path, threads, size, unit, within, .. } = *self.row;
        let comparison = |(peer, side): (&Peer, &Side<'_>)| Comparison {
            calls: side.tally(),
            allocations: peer.is_counted.then(|| allocations(side.case, side.operations, probe)),
            ..Comparison::new(peer, spread, side.samples.spread())
        };
        Outcome {
            path,
            threads,
            size,
            unit,
            within,
            ours: spread,
            ours_allocations: allocations(ours.case, ours.operations, probe),
            most_allocations: ours.case.most_allocations,
            ours_calls: ours.tally(),
            peers: self.row.peers.iter().zip(peers).map(comparison).collect(),
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
        let (operations, found) = calibrate(case, threads, batch);
        let estimate = Duration::from_nanos(found.nanoseconds as u64);
        let mut samples = Samples::default();
        if !case.is_warmed_up {
            // It is as good as any other, and took as long.
            samples.add(found);
        }
        Self { case, threads, operations, estimate, samples }
    }

    fn take_sample(&mut self) {
        self.samples.add(sample(self.case, self.threads, self.operations));
    }

    fn tally(&self) -> Option<Tally> {
        let at_most = self.case.calls.as_ref()?.at_most;
        Some(Tally { calls: self.samples.calls(), at_most })
    }
}
