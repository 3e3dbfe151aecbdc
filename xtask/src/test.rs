//! `test`: every test of the repository, each kind in its own step.

use crate::args::{Depth, FuzzRequest};
use crate::failure::Failure;
use crate::fuzz;
use crate::process::Run;
use crate::report::Report;
use crate::setup;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// Leaves that everything else stands on, and what most users have of `obs`: their tests also pass without the features
/// that the workspace unites.
const TESTED_ALONE: [&str; 6] =
    ["live-value", "metric-table", "obs", "request-context", "secret-canary", "secrets-core"];

/// Kinds of tests that are run, and have to be there, each by itself: examples in documentation that ran must not hide
/// that no other test did.
const KINDS: [&str; 2] = ["--tests", "--doc"];

/// The package whose concurrency is model-checked, and the module with its models.
const MODELS: (&str, &str) = ("live-value", "loom_tests");

/// Tells tests that have a short and a long form to take the long one.
const LONG: &str = "MAINSTAY_LONG";

/// Runs all tests and adds them up for the closing line.
pub(crate) fn run(workspace: &Workspace, depth: Depth, report: &mut Report) {
    report.step("programs for tests", |_| setup::programs());
    report.step("peers for tests", |_| setup::peers(workspace));
    report
        .step("test", |report| cargo_test(workspace, depth, report, "--workspace --all-features"));
    for package in TESTED_ALONE {
        report.step(&format!("test {package} alone"), |report| {
            alone(workspace, depth, report, package)
        });
    }
    report.step("model checks", |report| models(workspace, depth, report));
    fuzz::run(workspace, &FuzzRequest::all(depth), report);
}

fn alone(
    workspace: &Workspace,
    depth: Depth,
    report: &mut Report,
    package: &str,
) -> Result<(), Failure> {
    of_each_kind(package, |selection| cargo_test(workspace, depth, report, selection))
}

/// Runs every kind, also after one failed.
fn of_each_kind(
    package: &str,
    mut run: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let failed: Vec<String> = KINDS
        .iter()
        .filter_map(|kind| {
            let selection = format!("--package {package} {kind}");
            run(&selection).err().map(|failure| format!("{selection}: {failure}"))
        })
        .collect();
    Failure::from_problems(&failed)
}

/// One `cargo test` with `selection`, every test of it even after one failed.
fn cargo_test(
    workspace: &Workspace,
    depth: Depth,
    report: &mut Report,
    selection: &str,
) -> Result<(), Failure> {
    let run = Run::cargo(&workspace.root).words("test --locked --no-fail-fast").words(selection);
    counted(deepened(run, depth), report)
}

/// The model checks, optimised and in a folder of their own: `cfg(loom)` would rebuild everything else.
fn models(workspace: &Workspace, depth: Depth, report: &mut Report) -> Result<(), Failure> {
    let (package, module) = MODELS;
    let run = Run::cargo(&workspace.root)
        .env("RUSTFLAGS", "--cfg loom")
        .words("test --locked --release --lib --package")
        .arg(package)
        .arg("--target-dir")
        .arg(workspace.target.join("loom"))
        .arg(module);
    counted(deepened(run, depth), report)
}

fn deepened(run: Run, depth: Depth) -> Run {
    match depth {
        Depth::Short => run,
        Depth::Long => run.env(LONG, "1").words("-- --include-ignored"),
    }
}

fn counted(run: Run, report: &mut Report) -> Result<(), Failure> {
    let mut tally = Tally::default();
    let status = run.stream(|line| tally.read(line))?;
    report.count(&tally);
    verdict(status.success(), &tally)
}

/// A run passes if cargo says so, tests ran, and none was skipped.
fn verdict(succeeded: bool, tally: &Tally) -> Result<(), Failure> {
    if !succeeded {
        return Err(Failure::new(format!("a test failed or did not compile ({tally})")));
    }
    if tally.ran() == 0 {
        return Err(Failure::new("no test ran"));
    }
    let skipped = tally.skipped().iter().map(|name| {
        format!("`{name}` was skipped; only `#[ignore = \"long: …\"]` is allowed, for --long")
    });
    Failure::from_problems(&skipped.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(succeeded: bool, output: &str) -> Result<(), Failure> {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.read(line));
        verdict(succeeded, &tally)
    }

    #[test]
    fn doc_tests_do_not_stand_in_for_other_tests() {
        let mut seen = Vec::new();
        let outcome = of_each_kind("live-value", |selection| {
            seen.push(selection.to_owned());
            let none = "test result: ok. 0 passed; 0 failed; 0 ignored;";
            result(true, if selection.ends_with("--doc") { PASSED } else { none })
        });
        let failure = outcome.unwrap_err().to_string();
        assert!(failure.contains("--package live-value --tests: no test ran"), "{failure}");
        assert_eq!(seen, ["--package live-value --tests", "--package live-value --doc"]);
    }

    const PASSED: &str = "test result: ok. 2 passed; 0 failed; 0 ignored;";

    #[test]
    fn a_run_passes_if_tests_ran_and_none_was_skipped() {
        assert!(result(true, PASSED).is_ok());
        assert!(result(true, &format!("test a ... ignored, long: hours\n{PASSED}")).is_ok());
    }

    #[test]
    fn failed_no_and_skipped_tests_fail_the_run() {
        assert!(result(false, PASSED).is_err());
        assert!(result(true, "test result: ok. 0 passed; 0 failed; 0 ignored;").is_err());
        assert!(result(true, &format!("test a ... ignored\n{PASSED}")).is_err());
    }
}
