//! Ours beside a peer, sampled in turns. See README.md for how.

mod arguments;
mod audit;
mod aws;
mod cache;
mod crypto;
mod harness;
mod live;
mod names;
mod obs;
mod start;
mod store;

use std::process::ExitCode;

use crate::arguments::{Arguments, Format};
use crate::harness::{Effort, Outcome, Row, measure, merge, report};

#[global_allocator]
static PROBE: probe::Probe = probe::Probe::new();

/// A name, and what makes the rows.
type Suite = (&'static str, fn() -> Vec<Row>);

/// In the order in which they run.
const SUITES: &[Suite] = &[
    ("live", live::rows),
    ("crypto", crypto::rows),
    ("store", store::rows),
    ("audit", audit::rows),
    ("start", start::rows),
    ("aws", aws::rows),
    ("cache", cache::rows),
    ("obs", obs::rows),
];

fn main() -> ExitCode {
    let names: Vec<_> = SUITES.iter().map(|(name, _)| *name).collect();
    let arguments = match Arguments::parse(std::env::args().skip(1), &names) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    // A case that panics would leave the other threads of its sample waiting for it.
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        std::process::exit(101);
    }));
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    let chosen = SUITES.iter().filter(|(name, _)| arguments.runs(name));
    if arguments.format == Format::Table {
        print!("{}", report::LEGEND);
    }
    let mut all = Vec::new();
    for (_, rows) in chosen {
        let outcomes = run(*rows, &effort);
        match arguments.format {
            Format::Table => print!("{}", report::tables(&outcomes)),
            Format::Json => print!("{}", report::json(&outcomes)),
        }
        all.extend(outcomes);
    }
    if arguments.format == Format::Table {
        print!("{}", report::wander(&all, effort.runs));
    }
    ExitCode::SUCCESS
}

/// Builds and measures a suite as often as the effort says.
fn run(rows: fn() -> Vec<Row>, effort: &Effort) -> Vec<Outcome> {
    let runs: Vec<_> = (0..effort.runs).map(|_| measure(&rows(), effort, &PROBE)).collect();
    merge(&runs)
}
