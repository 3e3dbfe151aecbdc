//! Rules for manifests: names, comments, requirements, lints.

use std::path::Path;

use crate::failure::Failure;
use crate::files;
use crate::workspace::{Dependency, Package, Purpose, Workspace};

/// Tools that check code. They burden nobody who depends on us: dev-dependencies, or a workspace of their own.
const CHECKERS: [&str; 6] =
    ["criterion", "libfuzzer-sys", "loom", "proptest", "shuttle", "tempfile"];

/// What the manifests get wrong.
///
/// # Errors
///
/// A manifest cannot be read.
pub(super) fn problems(workspace: &Workspace) -> Result<Vec<String>, Failure> {
    let root = files::read(&workspace.root.join("Cargo.toml"))?;
    let mut problems = uncommented_members(&root, workspace.members.len());
    for package in &workspace.members {
        problems.extend(of_package(package));
        let manifest = files::read(&workspace.root.join(&package.folder).join("Cargo.toml"))?;
        if !inherits_lints(&manifest) {
            problems.push(format!("`{}` does not say `[lints] workspace = true`", package.name));
        }
    }
    Ok(problems)
}

fn of_package(package: &Package) -> Vec<String> {
    let mut problems = Vec::new();
    if package.publishable {
        problems.push(format!("`{}` does not say `publish = false`", package.name));
    }
    let folder = Path::new(&package.folder).file_name().and_then(|name| name.to_str());
    if package.is_crate() && folder != Some(&package.name) {
        problems.push(format!(
            "`{}` lies in `{}`: folder and package bear one name",
            package.name, package.folder
        ));
    }
    problems.extend(package.dependencies.iter().filter_map(|edge| of_dependency(package, edge)));
    problems
}

fn of_dependency(package: &Package, edge: &Dependency) -> Option<String> {
    let Dependency { package: name, requirement, .. } = edge;
    if !edge.ours && is_open(requirement) {
        return Some(format!(
            "`{}` takes `{name}` in versions that may break it (`{requirement}`)",
            package.name
        ));
    }
    if package.is_crate() && edge.purpose != Purpose::Dev && CHECKERS.contains(&name.as_str()) {
        return Some(format!(
            "`{}` depends on `{name}`, which is for dev-dependencies",
            package.name
        ));
    }
    None
}

/// Whether a requirement, as cargo prints it, goes past the next incompatible version.
fn is_open(requirement: &str) -> bool {
    requirement == "^0" || requirement.contains('*') || requirement.starts_with(['>', '<'])
}

/// Members in the root manifest that no comment on their line describes. `expected` is how many cargo knows: a list
/// that is laid out in another way than one member a line is a problem too, not a list without members.
fn uncommented_members(manifest: &str, expected: usize) -> Vec<String> {
    let members: Vec<&str> = manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "members = [")
        .skip(1)
        .take_while(|line| *line != "]")
        .filter(|line| line.starts_with('"'))
        .collect();
    let uncommented = |line: &&&str| match line.split_once('#') {
        Some((_, comment)) => comment.trim().is_empty(),
        None => true,
    };
    let mut problems: Vec<String> = members
        .iter()
        .filter(uncommented)
        .map(|line| {
            format!("the member {} has no comment in Cargo.toml", line.trim_end_matches(','))
        })
        .collect();
    if members.len() < expected {
        problems.push(format!(
            "Cargo.toml lists {} of {expected} members on a line of their own below `members = [`",
            members.len()
        ));
    }
    problems
}

fn inherits_lints(manifest: &str) -> bool {
    let mut section = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    section.find(|line| !line.is_empty()) == Some("workspace = true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::tests::{package, using};

    fn needing(folder: &str, name: &str, requirement: &str, purpose: Purpose) -> Package {
        let mut package = using(package(folder), name, purpose);
        for edge in &mut package.dependencies {
            edge.ours = false;
            edge.requirement = requirement.to_owned();
        }
        package
    }

    #[test]
    fn an_orderly_manifest_passes() {
        let member = using(package("crates/secrets-local"), "secrets-core", Purpose::Normal);
        assert!(of_package(&member).is_empty());
        assert!(of_package(&needing("crates/live-value", "loom", "^0.7", Purpose::Dev)).is_empty());
        assert!(
            of_package(&needing("testing/probe", "tempfile", "^3", Purpose::Normal)).is_empty()
        );
    }

    #[test]
    fn a_package_that_could_be_published_is_refused() {
        let member = Package { publishable: true, ..package("crates/live-value") };
        assert_eq!(of_package(&member), ["`live-value` does not say `publish = false`"]);
    }

    #[test]
    fn a_folder_of_another_name_is_refused() {
        let member = Package { folder: "crates/live".to_owned(), ..package("crates/live-value") };
        assert_eq!(of_package(&member).len(), 1);
    }

    #[test]
    fn a_requirement_that_takes_anything_is_refused() {
        for requirement in ["*", "^0", ">=0", "0.*", "1.*", ">=0.1", ">=1, <2", "<2"] {
            let member = needing("xtask", "serde", requirement, Purpose::Dev);
            assert_eq!(of_package(&member).len(), 1, "{requirement}");
        }
    }

    #[test]
    fn a_model_checker_outside_dev_dependencies_is_refused() {
        for purpose in [Purpose::Normal, Purpose::Build] {
            let member = needing("crates/live-value", "loom", "^0.7", purpose);
            assert_eq!(of_package(&member).len(), 1, "{purpose:?}");
        }
    }

    #[test]
    fn a_member_without_a_comment_is_refused() {
        let manifest =
            "[workspace]\nmembers = [\n  \"a\", # the first\n  \"b\",\n  \"c\", #\n]\n\"d\"\n";
        assert_eq!(
            uncommented_members(manifest, 3),
            [
                "the member \"b\" has no comment in Cargo.toml",
                "the member \"c\", # has no comment in Cargo.toml"
            ]
        );
    }

    #[test]
    fn members_that_are_not_on_lines_of_their_own_are_refused() {
        let found = |manifest| uncommented_members(manifest, 2).len();
        assert_eq!(found("members = [\n\"a\", # a\n# more\n\"b\", # b\n]"), 0);
        assert_eq!(found("members = [\"a\", \"b\"]"), 1);
        assert_eq!(found("members = [\n\"a\", \"b\", # both\n]"), 1);
        assert_eq!(found("members = [ # all\n\"a\", # a\n\"b\", # b\n]"), 1);
    }

    #[test]
    fn a_package_with_lints_of_its_own_is_refused() {
        assert!(inherits_lints("[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"));
        assert!(!inherits_lints("[package]\nname = \"a\"\n"));
        assert!(!inherits_lints("[lints]\nrust.unsafe_code = \"allow\"\n[x]\nworkspace = true"));
    }
}
