//! What each crate makes a user compile: forbidden packages, and how many packages in all.
//!
//! Tools for tests (`testing/`) are held to the first rule too, because users' tests run on them; they have no budget.

use std::collections::BTreeSet;

use crate::failure::Failure;
use crate::process::Run;
use crate::workspace::{Package, Workspace};

/// Budgets count for this platform, on which we test.
const BUDGET_TARGET: &str = "x86_64-unknown-linux-gnu";

/// Packages that no user of ours may have to compile. `deny.toml` bans the same for the whole workspace.
const FORBIDDEN: [(&str, &str); 4] = [
    ("ring", "one cryptography library for TLS: aws-lc-rs"),
    ("openssl-sys", "one TLS stack: rustls"),
    ("native-tls", "one TLS stack: rustls"),
    ("rsa", "RUSTSEC-2023-0071, timing side channel"),
];

/// The most packages that a crate may compile with the given features, itself included.
struct Budget {
    package: &'static str,
    features: Features,
    at_most: usize,
}

const BUDGETS: &[Budget] = &[
    Budget { package: "audit-log", features: Features::All, at_most: 45 },
    Budget { package: "live-value", features: Features::Default, at_most: 5 },
    Budget { package: "metric-table", features: Features::Default, at_most: 5 },
    Budget { package: "obs", features: Features::Default, at_most: 30 },
    Budget { package: "obs", features: Features::With("admin"), at_most: 35 },
    Budget { package: "obs", features: Features::With("gzip"), at_most: 30 },
    Budget { package: "obs", features: Features::With("http"), at_most: 35 },
    Budget { package: "obs", features: Features::With("jemalloc"), at_most: 30 },
    Budget { package: "obs", features: Features::With("process"), at_most: 30 },
    // Beside what service-settings brings: macros of serde.
    Budget { package: "obs", features: Features::With("settings"), at_most: 42 },
    Budget { package: "request-context", features: Features::Default, at_most: 4 },
    Budget { package: "secret-canary", features: Features::Default, at_most: 1 },
    // Nearly all of it is the SDKs' own: HTTP, TLS, signatures.
    Budget { package: "secrets-aws", features: Features::All, at_most: 175 },
    Budget { package: "secrets-core", features: Features::Default, at_most: 15 },
    // Whatever its features are called, the encrypted store is among all of them.
    Budget { package: "secrets-local", features: Features::All, at_most: 60 },
    Budget { package: "service-settings", features: Features::All, at_most: 45 },
    Budget { package: "secrets-manager", features: Features::Default, at_most: 75 },
    // With every provider that it can be made of: the most of them are those of AWS's SDKs.
    Budget { package: "secrets-manager", features: Features::All, at_most: 185 },
];

/// The feature sets that are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Features {
    None,
    Default,
    All,
    /// The default ones, and this one.
    With(&'static str),
}

impl Features {
    const EACH: [Self; 3] = [Self::None, Self::Default, Self::All];

    fn flag(self) -> String {
        match self {
            Self::None => "--no-default-features".to_owned(),
            Self::Default => String::new(),
            Self::All => "--all-features".to_owned(),
            Self::With(feature) => format!("--features {feature}"),
        }
    }

    fn name(self) -> String {
        match self {
            Self::None => "no features".to_owned(),
            Self::Default => "default features".to_owned(),
            Self::All => "all features".to_owned(),
            Self::With(feature) => format!("feature `{feature}`"),
        }
    }

    /// Those that every package is looked at with, and those that it has a budget for.
    fn of(package: &str) -> impl Iterator<Item = Self> + '_ {
        let single = budgets(package)
            .map(|budget| budget.features)
            .filter(|features| matches!(features, Self::With(_)));
        Self::EACH.into_iter().chain(single)
    }
}

/// Forbidden packages, exceeded and missing budgets. Prints the number of packages of every crate.
///
/// # Errors
///
/// `cargo tree` fails.
pub(super) fn problems(workspace: &Workspace) -> Result<Vec<String>, Failure> {
    let mut problems = Vec::new();
    println!("{:24} {:>8} {:>8} {:>8}   budget", "packages compiled for", "none", "default", "all");
    for package in compiled_by_users(&workspace.members) {
        let mut counts = Vec::new();
        for features in Features::of(&package.name) {
            let everywhere = tree(workspace, package, features, "all")?;
            problems.extend(forbidden(&package.name, features, &everywhere));
            counts.push((features, tree(workspace, package, features, BUDGET_TARGET)?.len()));
        }
        print_row(&package.name, &counts);
        if package.is_crate() {
            problems.extend(over_budget(&package.name, &counts));
        }
    }
    Ok(problems)
}

fn compiled_by_users(members: &[Package]) -> impl Iterator<Item = &Package> {
    members.iter().filter(|package| package.is_crate() || package.folder.starts_with("testing/"))
}

/// The packages that a user of `package` compiles for `target`, each as `name version`.
fn tree(
    workspace: &Workspace,
    package: &Package,
    features: Features,
    target: &str,
) -> Result<BTreeSet<String>, Failure> {
    let output = Run::cargo(&workspace.root)
        .words("tree --locked --edges normal,build --prefix none --format {p} --target")
        .arg(target)
        .arg("--package")
        .arg(&package.name)
        .words(&features.flag())
        .read()?;
    Ok(packages(&output))
}

/// Reads lines such as `serde v1.0.229 (proc-macro) (*)`; the part in brackets is dropped.
fn packages(output: &str) -> BTreeSet<String> {
    output
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some(format!("{} {}", words.next()?, words.next()?))
        })
        .collect()
}

fn forbidden(name: &str, features: Features, tree: &BTreeSet<String>) -> Vec<String> {
    let has = |forbidden: &str| tree.iter().any(|p| p.split(' ').next() == Some(forbidden));
    FORBIDDEN
        .iter()
        .filter(|(forbidden, _)| has(forbidden))
        .map(|(forbidden, why)| {
            format!("`{name}` with {} compiles `{forbidden}` ({why})", features.name())
        })
        .collect()
}

fn budgets(name: &str) -> impl Iterator<Item = &'static Budget> + '_ {
    BUDGETS.iter().filter(move |budget| budget.package == name)
}

fn over_budget(name: &str, counts: &[(Features, usize)]) -> Vec<String> {
    if budgets(name).next().is_none() {
        return vec![format!("`{name}` has no package budget in xtask/src/graph/tree.rs")];
    }
    let exceeded = |budget: &Budget| {
        let (_, count) = counts.iter().find(|(features, _)| *features == budget.features)?;
        (*count > budget.at_most).then(|| {
            let features = budget.features.name();
            format!(
                "`{name}` with {features} compiles {count} packages; its budget is {}",
                budget.at_most
            )
        })
    };
    budgets(name).filter_map(exceeded).collect()
}

fn print_row(name: &str, counts: &[(Features, usize)]) {
    let in_columns = counts.iter().filter(|(features, _)| Features::EACH.contains(features));
    let numbers: String = in_columns.map(|(_, count)| format!(" {count:>8}")).collect();
    let budgets: Vec<_> =
        budgets(name).map(|b| format!("{} with {}", b.at_most, b.features.name())).collect();
    println!("{name:24}{numbers}   {}", budgets.join(", "));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::tests::package;

    #[test]
    fn what_users_tests_run_on_is_looked_at_and_our_own_tools_are_not() {
        let members = ["crates/live-value", "testing/probe", "tests/readme", "xtask"].map(package);
        let names: Vec<_> = compiled_by_users(&members).map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["live-value", "probe"]);
    }

    const TREE: &str = "\
secrets-core v0.1.0 (/repo/crates/secrets-core)
async-trait v0.1.92 (proc-macro)
syn v2.0.100
ring v0.17.0
syn v2.0.100 (*)
syn v3.0.0
";

    #[test]
    fn each_version_of_a_package_counts_once_and_the_crate_itself_counts() {
        assert_eq!(packages(TREE).len(), 5);
    }

    #[test]
    fn a_forbidden_package_is_found_by_its_whole_name() {
        let found = forbidden("secrets-core", Features::All, &packages(TREE));
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("with all features compiles `ring`"));
        assert!(
            forbidden("x", Features::None, &packages("ring-buffer v1.0.0\nrsa-names v1.0.0"))
                .is_empty()
        );
    }

    #[test]
    fn a_crate_past_its_budget_is_found() {
        let counts = |n| [(Features::None, 1), (Features::Default, n), (Features::All, 99)];
        assert_eq!(over_budget("live-value", &counts(5)), Vec::<String>::new());
        assert!(
            over_budget("live-value", &counts(6)).iter().any(|p| p.contains("compiles 6 packages"))
        );
    }

    #[test]
    fn a_feature_with_a_budget_of_its_own_is_looked_at() {
        let with_http = Features::With("http");
        assert!(Features::of("obs").any(|features| features == with_http));
        assert_eq!(with_http.flag(), "--features http");
        assert_eq!(over_budget("obs", &[(with_http, 36)]).len(), 1);
        assert_eq!(over_budget("obs", &[(with_http, 35)]).len(), 0);
    }

    #[test]
    fn a_crate_without_a_budget_is_found() {
        assert!(
            over_budget("secrets-new", &[]).iter().any(|p| p.contains("has no package budget"))
        );
    }
}
