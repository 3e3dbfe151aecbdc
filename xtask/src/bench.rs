//! `bench`: runs the program of the workspace `benches/` and hands its arguments on.

use crate::failure::Failure;
use crate::process::Run;
use crate::workspace::Workspace;

/// Builds the benchmarks optimised and runs them; what they print is the result.
///
/// # Errors
///
/// They cannot be built, or one failed.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<(), Failure> {
    let mut run = Run::cargo(&workspace.root.join("benches"))
        .words("run --locked --release --bin bench --target-dir")
        .arg(workspace.target.join("benches"))
        .arg("--");
    for argument in arguments {
        run = run.arg(argument);
    }
    run.check()
}
