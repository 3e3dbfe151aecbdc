//! `deny`: licences, bans, sources and advisories of everything in the lockfile.

use std::time::Duration;

use crate::failure::Failure;
use crate::process::Run;
use crate::report::Report;
use crate::setup;
use crate::workspace::Workspace;

/// A network that swallows packets must not hold up CI.
const FETCH_LIMIT: Duration = Duration::from_secs(180);

/// Asks cargo-deny. Where the advisory database cannot be reached that is a warning, and the rest still decides; an
/// advisory that was found is a failure like any other.
pub(crate) fn run(workspace: &Workspace, report: &mut Report) {
    report.step("deny", |_| {
        setup::cargo_deny()?;
        cargo_deny(workspace).words("check bans licenses sources").check()
    });
    report.step("advisories", |report| advisories(workspace, report));
}

fn advisories(workspace: &Workspace, report: &mut Report) -> Result<(), Failure> {
    match cargo_deny(workspace).words("fetch db").check_within(FETCH_LIMIT) {
        Ok(()) => cargo_deny(workspace).words("check advisories").check(),
        Err(failure) => {
            report.warn(format!(
                "the advisory database could not be fetched, so NO DEPENDENCY WAS CHECKED FOR KNOWN\n\
                 VULNERABILITIES in this run. {failure}"
            ));
            Ok(())
        }
    }
}

fn cargo_deny(workspace: &Workspace) -> Run {
    Run::new("cargo-deny", &workspace.root).words("--locked")
}
