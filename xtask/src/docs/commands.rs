//! Commands that documents show can be run.

use super::Document;
use crate::args::COMMANDS;
use crate::workspace::Package;

/// `cargo xtask` commands and `-p` packages that do not exist.
pub(super) fn problems(document: &Document, members: &[Package]) -> Vec<String> {
    let mut problems = Vec::new();
    for line in document.text.lines() {
        for word in words_behind(line, "cargo xtask ") {
            if !COMMANDS.contains(&word) {
                problems.push(format!(
                    "`{}` names `cargo xtask {word}`, which is no command",
                    document.name
                ));
            }
        }
        let packages =
            if line.contains("cargo ") { words_behind(line, " -p ") } else { Vec::new() };
        for word in packages {
            if !members.iter().any(|package| package.name == word) {
                problems.push(format!(
                    "`{}` names the package `{word}`, which is no member",
                    document.name
                ));
            }
        }
    }
    problems
}

/// The word behind each `prefix`. A word that a reader puts something in for (`<X>`, `NAME`, `…`) is none.
fn words_behind<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    line.split(prefix)
        .skip(1)
        .map(|rest| rest.split(|c| !is_name(c)).next().unwrap_or_default())
        .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::document;
    use super::*;
    use crate::workspace::tests::package;

    #[test]
    fn commands_and_packages_that_exist_pass() {
        let text = "run `cargo xtask ci`, `cargo xtask <command>` or\n    cargo run --release -p quickstart\nmkdir -p x";
        assert!(problems(&document("A.md", text), &[package("examples/quickstart")]).is_empty());
    }

    #[test]
    fn a_command_that_is_gone_is_found() {
        let found = problems(&document("A.md", "`cargo xtask verify`, `cargo test -p gone`"), &[]);
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
