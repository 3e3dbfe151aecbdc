//! `deny`: licences, bans, sources and advisories of everything in the lockfile.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::Failure;
use crate::process::Run;
use crate::report::Report;
use crate::setup;
use crate::workspace::Workspace;

/// A network that swallows packets must not hold up CI.
const FETCH_LIMIT: Duration = Duration::from_secs(180);

/// Asks cargo-deny. Where the advisory database cannot be fetched, the copy of an earlier run decides, with a warning;
/// without a copy there is only the warning. An advisory that was found is a failure like any other, and so is a copy
/// older than cargo-deny accepts (`maximum-db-staleness`, 90 days unless `deny.toml` says otherwise).
pub(crate) fn run(workspace: &Workspace, report: &mut Report) {
    report.step("deny", |_| {
        setup::cargo_deny()?;
        cargo_deny(workspace).words("check bans licenses sources").check()
    });
    report.step("advisories", |report| advisories(workspace, report));
}

fn advisories(workspace: &Workspace, report: &mut Report) -> Result<(), Failure> {
    let Err(failure) = cargo_deny(workspace).words("fetch db").check_within(FETCH_LIMIT) else {
        return cargo_deny(workspace).words("check advisories").check();
    };
    match cargo_home().and_then(|home| stale_database(&home)) {
        Some(copy) => {
            report.warn(format!(
                "the advisory database could not be fetched; dependencies were checked against the\n\
                 older copy in {}. {failure}",
                copy.display()
            ));
            cargo_deny(workspace).words("--offline check advisories").check()
        }
        None => {
            report.warn(format!(
                "the advisory database could not be fetched, so NO DEPENDENCY WAS CHECKED FOR KNOWN\n\
                 VULNERABILITIES in this run. {failure}"
            ));
            Ok(())
        }
    }
}

fn cargo_home() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("CARGO_HOME").or_else(|| Some(set("HOME")?.join(".cargo")))
}

/// Where cargo-deny left an advisory database earlier: a checkout below `advisory-dbs` with advisories in `crates/`. A
/// fetch that was cut off leaves less.
fn stale_database(cargo_home: &Path) -> Option<PathBuf> {
    let mut entries = cargo_home.join("advisory-dbs").read_dir().ok()?.flatten();
    entries
        .find(|entry| {
            entry.path().join(".git/HEAD").is_file() && entry.path().join("crates").is_dir()
        })
        .map(|entry| entry.path())
}

fn cargo_deny(workspace: &Workspace) -> Run {
    Run::new("cargo-deny", &workspace.root).words("--locked")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_database_of_an_earlier_run_is_found_and_what_a_broken_fetch_left_is_not() {
        let home = std::env::temp_dir().join(format!("xtask-deny-{}", std::process::id()));
        let databases = home.join("advisory-dbs");
        assert_eq!(stale_database(&home), None);
        fs::create_dir_all(databases.join("no-advisories/.git")).unwrap();
        fs::write(databases.join("no-advisories/.git/HEAD"), "ref: refs/heads/main").unwrap();
        fs::create_dir_all(databases.join("no-checkout/crates")).unwrap();
        fs::write(databases.join("db.lock"), "").unwrap();
        assert_eq!(stale_database(&home), None);
        let whole = databases.join("advisory-db-1");
        fs::create_dir_all(whole.join("crates")).unwrap();
        fs::create_dir_all(whole.join(".git")).unwrap();
        fs::write(whole.join(".git/HEAD"), "ref: refs/heads/main").unwrap();
        let found = stale_database(&home);
        fs::remove_dir_all(&home).unwrap();
        assert_eq!(found, Some(whole));
    }
}
