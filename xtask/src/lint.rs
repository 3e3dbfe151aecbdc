//! `lint`: formatting, clippy and rustdoc, with every warning denied.

use crate::failure::Failure;
use crate::process::Run;
use crate::report::Report;
use crate::workspace::Workspace;

/// Workspaces beside the root one: peers and fuzzers burden nobody.
const SIDE_WORKSPACES: [&str; 2] = ["benches", "fuzz"];

/// Formatting, lints and documentation of everything in the repository.
pub(crate) fn run(workspace: &Workspace, report: &mut Report) {
    report.step("fmt", |_| fmt(workspace));
    report.step("clippy", |_| {
        Run::cargo(&workspace.root)
            .words("clippy --locked --workspace --all-targets --all-features -- -D warnings")
            .check()
    });
    report.step("each package alone", |_| each_alone(workspace));
    report.step("doc", |_| {
        Run::cargo(&workspace.root)
            .env("RUSTDOCFLAGS", "-D warnings")
            .words("doc --locked --workspace --all-features --no-deps")
            .check()
    });
    for side in SIDE_WORKSPACES {
        report.step(side, |_| side_workspace(workspace, side));
    }
}

fn fmt(workspace: &Workspace) -> Result<(), Failure> {
    Run::cargo(&workspace.root).words("fmt --all --check").check()?;
    for side in SIDE_WORKSPACES {
        Run::cargo(&workspace.root.join(side)).words("fmt --all --check").check()?;
    }
    Ok(())
}

/// Each package as a user gets it: with default features, and with none. In the workspace as a whole features are
/// united, so a `cfg` that is missing would not show. Clippy compiles like `cargo check` and denies warnings on the way.
fn each_alone(workspace: &Workspace) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for package in &workspace.members {
        let has_defaults = package.features.contains_key("default");
        let without = has_defaults.then_some("--no-default-features");
        for features in std::iter::once("").chain(without) {
            let result = Run::cargo(&workspace.root)
                .words("clippy --locked --package")
                .arg(&package.name)
                .words(features)
                .words("-- -D warnings")
                .check();
            problems.extend(result.err().map(|failure| failure.to_string()));
        }
    }
    Failure::from_problems(&problems)
}

fn side_workspace(workspace: &Workspace, side: &str) -> Result<(), Failure> {
    Run::cargo(&workspace.root.join(side))
        .words("clippy --locked --workspace --all-targets --target-dir")
        .arg(workspace.target.join(side))
        .words("-- -D warnings")
        .check()
}
