//! The allowed edges between our packages, dev-dependencies included.

use crate::workspace::{Dependency, Package, Purpose};

/// A room and what it may depend on among ours.
struct Room {
    name: &'static str,
    may_use: &'static [&'static str],
}

/// Every crate has a row. `ARCHITECTURE.md` shows the same table with the reasons; `check-docs` compares the two.
const ROOMS: &[Room] = &[
    Room { name: "audit-log", may_use: &["request-context"] },
    Room { name: "live-value", may_use: &[] },
    Room { name: "metric-table", may_use: &[] },
    Room {
        name: "obs",
        may_use: &[
            "audit-log",
            "live-value",
            "metric-table",
            "request-context",
            "secret-canary",
            "secrets-core",
            "service-settings",
        ],
    },
    Room { name: "request-context", may_use: &[] },
    Room { name: "secret-canary", may_use: &[] },
    Room { name: "secrets-aws", may_use: &["live-value", "secrets-core"] },
    Room { name: "secrets-core", may_use: &[] },
    Room { name: "secrets-local", may_use: &["live-value", "secrets-core"] },
    Room { name: "service-settings", may_use: &["live-value", "secrets-core"] },
    Room {
        name: "secrets-manager",
        may_use: &[
            "audit-log",
            "live-value",
            "metric-table",
            "secrets-aws",
            "secrets-core",
            "secrets-local",
            "service-settings",
        ],
    },
];

/// Folders whose packages may depend on anything of ours, because nothing that a user builds depends on them.
const UNBOUND: [&str; 4] = ["testing/", "tests/", "examples/", "xtask"];

/// What the crate `name` may depend on among ours; nothing if there is no such crate.
pub(crate) fn may_use(name: &str) -> Option<&'static [&'static str]> {
    ROOMS.iter().find(|room| room.name == name).map(|room| room.may_use)
}

/// The edges that no rule allows, and the members that no rule covers.
pub(super) fn problems(members: &[Package]) -> Vec<String> {
    members.iter().flat_map(|package| of_package(package, members)).collect()
}

fn of_package(package: &Package, members: &[Package]) -> Vec<String> {
    if UNBOUND.iter().any(|folder| package.folder.starts_with(folder)) {
        return Vec::new();
    }
    if !package.is_crate() {
        return vec![format!(
            "`{}` is no room: members lie in crates/, testing/, tests/, examples/ or are xtask",
            package.folder
        )];
    }
    let Some(allowed) = may_use(&package.name) else {
        return vec![format!(
            "`{}` has no row in xtask/src/graph/edges.rs and ARCHITECTURE.md that says what it may depend on",
            package.name
        )];
    };
    package
        .dependencies
        .iter()
        .filter(|edge| edge.ours && !allowed.contains(&edge.package.as_str()))
        .filter(|edge| !is_test_support(edge, members))
        .map(|edge| refusal(package, edge))
        .collect()
}

/// A dev-dependency on a package under `testing/`: the only edge that a row need not name.
fn is_test_support(edge: &Dependency, members: &[Package]) -> bool {
    let in_testing =
        |package: &Package| package.name == edge.package && package.folder.starts_with("testing/");
    edge.purpose == Purpose::Dev && members.iter().any(in_testing)
}

fn refusal(package: &Package, edge: &Dependency) -> String {
    let kind = match edge.purpose {
        Purpose::Normal => "depend on",
        Purpose::Build => "build with",
        Purpose::Dev => "test with",
    };
    format!("`{}` may not {kind} `{}`", package.name, edge.package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::tests::{package, using};

    fn found(members: &[Package]) -> Vec<String> {
        problems(members)
    }

    #[test]
    fn allowed_edges_pass() {
        let manager = using(package("crates/secrets-manager"), "secrets-core", Purpose::Normal);
        let manager = using(manager, "secrets-local", Purpose::Dev);
        assert!(found(&[manager]).is_empty());
    }

    #[test]
    fn an_edge_that_no_row_names_is_refused_whatever_it_is_for() {
        for purpose in [Purpose::Normal, Purpose::Build, Purpose::Dev] {
            let core = using(package("crates/secrets-core"), "live-value", purpose);
            assert_eq!(found(&[core]).len(), 1, "{purpose:?}");
        }
        let local = using(package("crates/secrets-local"), "secrets-manager", Purpose::Dev);
        assert_eq!(found(&[local]), ["`secrets-local` may not test with `secrets-manager`"]);
    }

    #[test]
    fn test_support_is_for_tests() {
        let probe = package("testing/probe");
        let tests = using(package("crates/live-value"), "probe", Purpose::Dev);
        let product = using(package("crates/live-value"), "probe", Purpose::Normal);
        assert!(found(&[probe.clone(), tests]).is_empty());
        assert_eq!(found(&[probe, product]), ["`live-value` may not depend on `probe`"]);
    }

    #[test]
    fn a_new_crate_needs_a_row() {
        assert!(found(&[package("crates/secrets-new")])[0].contains("has no row"));
    }

    #[test]
    fn a_member_outside_the_known_folders_is_refused() {
        assert!(found(&[package("tools/thing")])[0].contains("is no room"));
    }

    #[test]
    fn examples_tests_and_recipes_may_use_anything() {
        for folder in ["examples/quickstart", "tests/readme", "testing/probe", "xtask"] {
            let member = using(package(folder), "secrets-manager", Purpose::Normal);
            assert!(found(&[member]).is_empty(), "{folder}");
        }
    }
}
