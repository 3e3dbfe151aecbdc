use std::time::Duration;

use super::case::Peer;
use super::statistics::{Spread, median};

/// Ratios closer than this to each other are the same: runs differ by more.
const RESOLUTION: f64 = 0.005;

/// A row with what was measured; times are per operation.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) path: &'static str,
    pub(crate) threads: usize,
    pub(crate) size: usize,
    pub(crate) unit: &'static str,
    pub(crate) within: Option<Duration>,
    pub(crate) ours: Spread,
    pub(crate) ours_allocations: f64,
    pub(crate) most_allocations: Option<f64>,
    pub(crate) ours_calls: Option<Tally>,
    pub(crate) peers: Vec<Comparison>,
}

/// Calls of an operation, where they are counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tally {
    pub(crate) calls: f64,
    pub(crate) at_most: Option<f64>,
}

/// Ours beside one peer.
#[derive(Debug, Clone)]
pub(crate) struct Comparison {
    pub(crate) name: &'static str,
    pub(crate) at_most: Option<f64>,
    pub(crate) time: Spread,
    pub(crate) calls: Option<Tally>,
    /// How much longer than the peer ours may take.
    pub(crate) margin: Option<Duration>,
    /// Of the peer, where they are shown.
    pub(crate) allocations: Option<f64>,
    /// Ours as a part of the peer's.
    pub(crate) ratio: f64,
    /// The least and the most of the runs' ratios.
    pub(crate) ratios: (f64, f64),
}

impl Comparison {
    pub(super) fn new(peer: &Peer, ours: Spread, time: Spread) -> Self {
        let Peer { name, at_most, margin, .. } = *peer;
        let ratio = ours.median / time.median;
        let (calls, allocations, ratios) = (None, None, (ratio, ratio));
        Self { name, at_most, time, calls, margin, allocations, ratio, ratios }
    }

    pub(crate) fn is_missed(&self) -> bool {
        self.at_most.is_some_and(|at_most| self.ratio > at_most * (1.0 + RESOLUTION))
            || self.margin.is_some_and(|margin| self.added() > margin.as_nanos() as f64)
    }

    /// How many nanoseconds longer than the peer ours takes.
    pub(crate) fn added(&self) -> f64 {
        (self.ratio - 1.0) * self.time.median
    }

    /// How far the runs were from their median, as a part of it.
    pub(crate) fn wander(&self) -> f64 {
        let (least, most) = self.ratios;
        (self.ratio - least).max(most - self.ratio) / self.ratio
    }
}

impl Tally {
    pub(crate) fn is_missed(&self) -> bool {
        self.at_most.is_some_and(|at_most| self.calls > at_most)
    }

    /// Of several runs, if they were counted.
    fn of_runs(runs: impl Iterator<Item = Option<Self>>) -> Option<Self> {
        let runs: Vec<_> = runs.collect::<Option<_>>()?;
        let Self { at_most, .. } = *runs.first()?;
        Some(Self { calls: median(runs.iter().map(|tally| tally.calls).collect()), at_most })
    }
}

impl Outcome {
    pub(crate) fn is_missed(&self) -> bool {
        self.within.is_some_and(|within| self.ours.median > within.as_nanos() as f64)
    }

    pub(crate) fn allocates_too_much(&self) -> bool {
        // A buffer that grows once in ten thousand operations is no allocation of each.
        self.most_allocations.is_some_and(|most| self.ours_allocations > most + 0.005)
    }
}

/// The medians of several runs of the same rows.
pub(crate) fn merge(runs: &[Vec<Outcome>]) -> Vec<Outcome> {
    let rows = runs.first().map_or(0, Vec::len);
    (0..rows).map(|row| merge_row(&runs.iter().map(|run| &run[row]).collect::<Vec<_>>())).collect()
}

fn merge_row(runs: &[&Outcome]) -> Outcome {
    let first = runs[0];
    let peer = |index: usize| {
        let of_runs: Vec<_> = runs.iter().map(|run| &run.peers[index]).collect();
        let ratios: Vec<_> = of_runs.iter().map(|comparison| comparison.ratio).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        Comparison {
            time: Spread::of_runs(of_runs.iter().map(|comparison| comparison.time)),
            calls: Tally::of_runs(of_runs.iter().map(|comparison| comparison.calls)),
            allocations: of_runs
                .iter()
                .map(|comparison| comparison.allocations)
                .collect::<Option<_>>()
                .map(median),
            ratios: (least, most),
            ..*of_runs[0]
        }
    };
    let mut peers: Vec<_> = (0..first.peers.len()).map(peer).collect();
    let ours = Spread::of_runs(runs.iter().map(|run| run.ours));
    for peer in &mut peers {
        peer.ratio = ours.median / peer.time.median;
    }
    Outcome {
        ours,
        // The same in each run, but for what a run may do once in a while.
        ours_allocations: median(runs.iter().map(|run| run.ours_allocations).collect()),
        ours_calls: Tally::of_runs(runs.iter().map(|run| run.ours_calls)),
        peers,
        ..first.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Comparison, Outcome, Tally, merge};
    use crate::harness::statistics::Spread;

    fn tally(calls: f64) -> Tally {
        Tally { calls, at_most: Some(30.0) }
    }

    fn run(ours: f64, peer: f64) -> Vec<Outcome> {
        let spread = |median| Spread { median, least: median, most: median, disturbed: false };
        let ratio = ours / peer;
        let comparison = Comparison {
            name: "peer",
            at_most: Some(1.5),
            time: spread(peer),
            calls: None,
            margin: None,
            allocations: None,
            ratio,
            ratios: (ratio, ratio),
        };
        vec![Outcome {
            path: "suite/operation",
            threads: 1,
            size: 1,
            unit: "bytes",
            within: None,
            ours: spread(ours),
            ours_allocations: 0.0,
            most_allocations: None,
            ours_calls: Some(tally(ours)),
            peers: vec![comparison],
        }]
    }

    #[test]
    fn takes_the_medians_of_the_runs() {
        let merged = merge(&[run(10.0, 10.0), run(30.0, 15.0), run(12.0, 10.0)]);
        let [outcome] = &merged[..] else { panic!("one row went in") };
        let [peer] = &outcome.peers[..] else { panic!("one peer went in") };
        assert_eq!((outcome.ours.median, peer.time.median, peer.ratio), (12.0, 10.0, 1.2));
        assert_eq!((peer.ratios, peer.is_missed()), ((1.0, 2.0), false));
        assert_eq!((outcome.ours_calls, peer.calls), (Some(tally(12.0)), None));
        assert!((peer.wander() - 0.8 / 1.2).abs() < 1e-9);
    }

    #[test]
    fn what_is_added_is_bounded_by_a_margin() {
        let [outcome] = &merge(&[run(30.0, 20.0)])[..] else { panic!("one row went in") };
        let within = |margin| Comparison { margin, at_most: None, ..outcome.peers[0].clone() };
        assert_eq!(within(None).added(), 10.0);
        assert!(within(Some(Duration::from_nanos(9))).is_missed());
        assert!(!within(Some(Duration::from_nanos(10))).is_missed());
    }

    #[test]
    fn allocations_are_bounded_but_for_what_happens_once_in_a_while() {
        let [outcome] = &merge(&[run(1.0, 1.0)])[..] else { panic!("one row went in") };
        let misses = |ours_allocations| {
            Outcome { ours_allocations, most_allocations: Some(0.0), ..outcome.clone() }
                .allocates_too_much()
        };
        assert_eq!([0.0, 0.001, 0.01, 1.0].map(misses), [false, false, true, true]);
    }

    #[test]
    fn more_calls_than_the_bound_miss_it() {
        assert_eq!([30.0, 30.5].map(|calls| tally(calls).is_missed()), [false, true]);
        assert!(!Tally { calls: 1e6, at_most: None }.is_missed());
    }
}
