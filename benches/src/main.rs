//! Ours beside a peer, sampled in turns. See README.md for how.

mod arguments;
mod harness;
mod live;

use std::process::ExitCode;

use crate::arguments::{Arguments, Format};
use crate::harness::{Effort, Row, measure, report};

#[global_allocator]
static PROBE: probe::Probe = probe::Probe::new();

/// A name, and what makes the rows.
type Suite = (&'static str, fn() -> Vec<Row>);

/// In the order in which they run.
const SUITES: &[Suite] = &[("live", live::rows)];

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
        print!("{}", report::TABLE_HEAD);
    }
    for (_, rows) in chosen {
        for outcome in measure(&rows(), &effort, &PROBE) {
            match arguments.format {
                Format::Table => println!("{}", report::table_row(&outcome)),
                Format::Json => println!("{}", report::json(&outcome)),
            }
        }
    }
    ExitCode::SUCCESS
}
