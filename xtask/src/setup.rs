//! Installs what the recipes need and the machine lacks. What is there already is left alone.

use std::path::Path;

use crate::failure::Failure;
use crate::process::{self, Run};
use crate::report::Report;
use crate::workspace::Workspace;

/// Programs that tests and builds start, each with the Debian package that holds it.
const PROGRAMS: [(&str, &str); 12] = [
    ("c++", "g++"),
    ("cc", "gcc"),
    ("git", "git"),
    ("mount", "mount"),
    ("pg_ctlcluster", "postgresql"),
    ("prometheus", "prometheus"),
    ("promtool", "prometheus"),
    ("python3", "python3-venv"),
    ("redis-server", "redis-server"),
    ("setpriv", "util-linux"),
    ("strace", "strace"),
    ("unshare", "util-linux"),
];

/// The release of cargo-deny that `deny.toml` is written for.
const CARGO_DENY: &str = "0.20.2";

/// Everything that any recipe needs.
pub(crate) fn everything(workspace: &Workspace, report: &mut Report) {
    report.step("setup", |_| {
        programs()?;
        cargo_deny()
    });
    report.step("peers for tests", |_| peers(workspace));
}

/// The programs that tests start.
///
/// # Errors
///
/// One of them is missing and cannot be installed: tests that cannot run do not count as passed.
pub(crate) fn programs() -> Result<(), Failure> {
    let missing = missing(process::is_installed);
    if missing.is_empty() {
        return Ok(());
    }
    if !process::is_installed("apt-get") {
        return Err(Failure::new(format!(
            "missing, with no apt-get to install it: {} (names of the Debian packages)",
            missing.join(", ")
        )));
    }
    eprintln!("{}", announcement(&missing));
    let root = Path::new("/");
    let quiet = |run: Run| run.env("DEBIAN_FRONTEND", "noninteractive");
    quiet(Run::new("apt-get", root)).words("update --quiet").check()?;
    quiet(Run::new("apt-get", root))
        .words("install --quiet --yes --no-install-recommends")
        .words(&missing.join(" "))
        .check()
}

/// The foreign clients and servers that tests talk to, below the target folder. Whoever installs them says so first.
///
/// # Errors
///
/// They cannot be had, or are not those that are pinned.
pub(crate) fn peers(workspace: &Workspace) -> Result<(), Failure> {
    Run::cargo(&workspace.root).words("run --locked --quiet --package peers").check()
}

/// cargo-deny in the release that we use, built by cargo if another or none is installed.
///
/// # Errors
///
/// It cannot be built.
pub(crate) fn cargo_deny() -> Result<(), Failure> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = process::is_installed("cargo-deny")
        .then(|| Run::new("cargo-deny", home).arg("--version").read())
        .transpose()?;
    if found.is_some_and(|version| version.trim() == format!("cargo-deny {CARGO_DENY}")) {
        return Ok(());
    }
    eprintln!("Building and installing cargo-deny {CARGO_DENY} in cargo's folder of programs.");
    Run::cargo(home)
        .words("install --quiet --locked --force cargo-deny --version")
        .arg(CARGO_DENY)
        .check()
}

/// What a person reads before this machine is changed.
fn announcement(packages: &[&str]) -> String {
    let programs: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(_, package)| packages.contains(package))
        .map(|(program, _)| *program)
        .collect();
    format!(
        "Tests need programs that are missing here (among {}).\n\
         Installing these Debian packages on this machine with apt-get, as the user you are: {}.",
        programs.join(", "),
        packages.join(", ")
    )
}

/// Debian packages of the programs that are not `installed`, each once.
fn missing(installed: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut packages: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !installed(program))
        .map(|(_, package)| *package)
        .collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_named_before_it_is_installed() {
        let text = announcement(&["strace", "util-linux"]);
        assert!(text.ends_with("apt-get, as the user you are: strace, util-linux."), "{text}");
        assert!(text.contains("setpriv, strace, unshare"), "{text}");
    }

    #[test]
    fn only_what_is_missing_is_installed_and_each_package_once() {
        assert!(missing(|_| true).is_empty());
        assert_eq!(missing(|program| program != "strace"), ["strace"]);
        assert_eq!(missing(|program| !matches!(program, "setpriv" | "unshare")), ["util-linux"]);
    }
}
