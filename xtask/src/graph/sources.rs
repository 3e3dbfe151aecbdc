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

/// Root files of all that is built for users: libraries of every kind, programs and build scripts.
fn product_roots(package: &Package) -> impl Iterator<Item = &str> {
    package
        .targets
        .iter()
        .filter(|target| !matches!(target.kind.as_str(), "test" | "bench" | "example"))
        .map(|target| target.source.as_str())
}

/// Whether `#![forbid(unsafe_code)]` is among the attributes at the top, where alone it counts.
fn forbids_unsafe(source: &str) -> bool {
    let mut rest = source;
    loop {
        rest = past_comments(rest);
        let Some(body) = rest.strip_prefix("#![") else { return false };
        let Some((attribute, after)) = split_at_bracket(body) else { return false };
        if attribute.trim() == "forbid(unsafe_code)" {
            return true;
        }
        rest = after;
    }
}

/// What follows white space and comments.
fn past_comments(mut source: &str) -> &str {
    loop {
        source = source.trim_start();
        if source.starts_with("//") {
            source = source.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = source.strip_prefix("/*") {
            source = past_block(comment);
        } else {
            return source;
        }
    }
}

/// What follows a block comment that was entered; block comments nest.
fn past_block(mut source: &str) -> &str {
    let mut depth = 1;
    while depth > 0 {
        let mark = |mark| source.find(mark).unwrap_or(source.len());
        let (open, close) = (mark("/*"), mark("*/"));
        if open < close {
            depth += 1
        } else {
            depth -= 1
        }
        source = source.get(open.min(close) + 2..).unwrap_or_default();
    }
    source
}

/// Text before and after the bracket that closes an attribute. Brackets within strings (`reason = "a]"`) do not count.
fn split_at_bracket(body: &str) -> Option<(&str, &str)> {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in body.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted && depth == 0 => return Some((body.get(..at)?, body.get(at + 1..)?)),
            ']' if !quoted => depth -= 1,
            _ => {}
        }
    }
    None
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
        let product = ["lib", "rlib", "dylib", "cdylib", "staticlib", "proc-macro", "bin"];
        for kind in product.into_iter().chain(["test", "bench", "example", "custom-build"]) {
            member.targets.push(Target {
                name: kind.to_owned(),
                kind: kind.to_owned(),
                source: format!("{kind}.rs"),
            });
        }
        let roots: Vec<_> = product_roots(&member).collect();
        assert_eq!(roots.len(), product.len() + 1);
        assert!(roots.contains(&"cdylib.rs") && roots.contains(&"custom-build.rs"));
        assert!(!roots.contains(&"test.rs"));
    }

    #[test]
    fn a_root_file_that_does_not_forbid_unsafe_is_found() {
        assert!(forbids_unsafe("//! A crate.\n#![forbid(unsafe_code)]\n"));
        assert!(!forbids_unsafe("//! A crate.\n// #![forbid(unsafe_code)]\n"));
        assert!(!forbids_unsafe("#![deny(unsafe_code)]\n"));
        assert!(!forbids_unsafe(""));
    }

    #[test]
    fn an_attribute_counts_where_the_compiler_sees_it() {
        assert!(forbids_unsafe(
            "#![doc = \"[\\\"]\"]\n#![allow(a, reason = \"b]\")] /* c */ #![forbid(unsafe_code)]"
        ));
        assert!(forbids_unsafe("/* a /* b */ c */\n#![forbid(unsafe_code)]"));
        assert!(!forbids_unsafe("/*\n#![forbid(unsafe_code)]\n*/\nfn a() {}"));
        assert!(!forbids_unsafe("/* a /* b */\n#![forbid(unsafe_code)]\n*/"));
        assert!(!forbids_unsafe("/* never ends\n#![forbid(unsafe_code)]"));
        assert!(!forbids_unsafe("const A: &str = r\"\n#![forbid(unsafe_code)]\n\";"));
        assert!(!forbids_unsafe("#![cfg_attr(test, forbid(unsafe_code))]"));
    }

    #[test]
    fn a_file_past_the_limit_is_found() {
        assert_eq!(too_long("a.rs", &"\n".repeat(MAX_LINES)), None);
        assert!(too_long("a.rs", &"\n".repeat(MAX_LINES + 1)).is_some());
    }
}
