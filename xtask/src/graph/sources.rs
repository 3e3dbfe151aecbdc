//! Rules for source files that no lint covers.

use crate::failure::Failure;
use crate::files;
use crate::workspace::{Package, Workspace};

/// The one package with `unsafe`: an allocator that counts and scans cannot be written without.
const UNSAFE_ALLOWED: &str = "testing/probe";

/// Past this a file holds more than one subject.
const MAX_LINES: usize = 800;

/// What the sources get wrong.
///
/// # Errors
///
/// A file cannot be read.
pub(super) fn problems(workspace: &Workspace) -> Result<Vec<String>, Failure> {
    let mut problems = Vec::new();
    for package in workspace.members.iter().filter(|package| package.folder != UNSAFE_ALLOWED) {
        for source in product_roots(package) {
            if !forbids_unsafe(&files::read(&workspace.root.join(source))?) {
                problems.push(format!("`{source}` does not say `#![forbid(unsafe_code)]`"));
            }
        }
    }
    for path in files::with_extension(&workspace.root, "rs")? {
        let name = files::relative(&workspace.root, &path);
        problems.extend(too_long(&name, &files::read(&path)?));
    }
    Ok(problems)
}

/// Root files of the libraries and programs of a package.
fn product_roots(package: &Package) -> impl Iterator<Item = &str> {
    package
        .targets
        .iter()
        .filter(|target| matches!(target.kind.as_str(), "lib" | "bin" | "proc-macro"))
        .map(|target| target.source.as_str())
}

fn forbids_unsafe(source: &str) -> bool {
    source.lines().any(|line| line.trim() == "#![forbid(unsafe_code)]")
}

fn too_long(name: &str, source: &str) -> Option<String> {
    let lines = source.lines().count();
    (lines > MAX_LINES)
        .then(|| format!("`{name}` has {lines} lines; at most {MAX_LINES} are allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Target;
    use crate::workspace::tests::package;

    #[test]
    fn libraries_and_programs_are_product_and_tests_are_not() {
        let mut member = package("crates/live-value");
        for kind in ["lib", "bin", "test", "bench", "example"] {
            member.targets.push(Target {
                name: kind.to_owned(),
                kind: kind.to_owned(),
                source: format!("{kind}.rs"),
            });
        }
        assert_eq!(product_roots(&member).collect::<Vec<_>>(), ["lib.rs", "bin.rs"]);
    }

    #[test]
    fn a_root_file_that_does_not_forbid_unsafe_is_found() {
        assert!(forbids_unsafe("//! A crate.\n#![forbid(unsafe_code)]\n"));
        assert!(!forbids_unsafe("//! A crate.\n// #![forbid(unsafe_code)]\n"));
        assert!(!forbids_unsafe("#![deny(unsafe_code)]\n"));
    }

    #[test]
    fn a_file_past_the_limit_is_found() {
        assert_eq!(too_long("a.rs", &"\n".repeat(MAX_LINES)), None);
        assert!(too_long("a.rs", &"\n".repeat(MAX_LINES + 1)).is_some());
    }
}
