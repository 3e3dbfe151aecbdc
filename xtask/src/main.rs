//! Recipes for people and CI alike: `cargo xtask help` lists them.
//!
//! Every check that CI makes is one of these commands, so that what fails there can be run here by the same name. The
//! pure parts (rules of the dependency graph, checks of the documents, reading of test output) are functions over
//! plain values with tests beside them; the rest runs cargo.

#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program talks through its standard streams"
)]

mod args;
mod bench;
mod deny;
mod docs;
mod failure;
mod files;
mod fuzz;
mod graph;
mod lint;
mod process;
mod report;
mod setup;
mod tally;
mod test;
mod workspace;

use std::process::ExitCode;

use args::{Command, Depth};
use failure::Failure;
use process::Run;
use report::Report;
use workspace::Workspace;

/// Exit code of a command line that is not understood; a failed check exits with 1.
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let command = match args::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("error: {error}\n\n{}", args::USAGE);
            return ExitCode::from(USAGE_ERROR);
        }
    };
    match run(command) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    if command == Command::Help {
        println!("{}", args::USAGE);
        return Ok(ExitCode::SUCCESS);
    }
    let workspace = Workspace::load()?;
    let mut report = Report::default();
    match command {
        Command::Help => {}
        Command::Ci { depth } => ci(&workspace, depth, &mut report),
        Command::Setup => setup::everything(&workspace, &mut report),
        Command::Test { depth } => test::run(&workspace, depth, &mut report),
        Command::Lint => lint::run(&workspace, &mut report),
        Command::CheckGraph => report.step("check-graph", |_| graph::run(&workspace)),
        Command::CheckDocs => report.step("check-docs", |_| docs::run(&workspace)),
        Command::Deny => deny::run(&workspace, &mut report),
        Command::Fuzz(request) => fuzz::run(&workspace, &request, &mut report),
        Command::Bench { arguments } => {
            // Its output is the table or the JSON that somebody reads on: no summary behind it.
            bench::run(&workspace, &arguments)?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Conformance { arguments } => {
            let run = Run::cargo(&workspace.root).words("run --locked -p live-conformance --");
            arguments.iter().fold(run, Run::arg).check()?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    Ok(report.finish())
}

/// All that must hold before a change lands: cheap checks first, every step run even after one failed.
fn ci(workspace: &Workspace, depth: Depth, report: &mut Report) {
    setup::everything(workspace, report);
    report.step("check-graph", |_| graph::run(workspace));
    report.step("check-docs", |_| docs::run(workspace));
    lint::run(workspace, report);
    deny::run(workspace, report);
    test::run(workspace, depth, report);
}
