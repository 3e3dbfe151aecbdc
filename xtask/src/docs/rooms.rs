//! The tables of crates equal the workspace: the one in `README.md` its members, the one in `ARCHITECTURE.md` also the
//! rules of `check-graph`.

use super::{Document, markdown};
use crate::graph;
use crate::workspace::Workspace;

/// The table under `## Crates` lists every crate once and nothing else.
pub(super) fn readme(readme: &Document, workspace: &Workspace) -> Vec<String> {
    let rows = rows(readme, "Crates");
    differences(readme, &rows, workspace)
}

/// The table under `## Rooms` lists every crate, and in its last column exactly what it may depend on.
pub(super) fn architecture(document: &Document, workspace: &Workspace) -> Vec<String> {
    let rows = rows(document, "Rooms");
    let mut problems = differences(document, &rows, workspace);
    for row in &rows {
        let (Some(allowed), Some(cell)) = (graph::may_use(row.name), row.cells.last()) else {
            continue;
        };
        let mut written = markdown::codes(cell);
        let mut allowed = allowed.to_vec();
        written.sort_unstable();
        allowed.sort_unstable();
        if written != allowed {
            problems.push(format!(
                "`{}` lets `{}` depend on {written:?}; check-graph lets it depend on {allowed:?}",
                document.name, row.name
            ));
        }
    }
    problems
}

struct Row<'a> {
    name: &'a str,
    cells: Vec<&'a str>,
}

/// The rows of a section's tables whose first cell names something in backticks.
fn rows<'a>(document: &'a Document, title: &str) -> Vec<Row<'a>> {
    let section = markdown::section(&document.text, title).unwrap_or_default();
    let named = |cells: Vec<&'a str>| Some(Row { name: markdown::code(cells.first()?)?, cells });
    markdown::rows(&section).into_iter().filter_map(named).collect()
}

fn differences(document: &Document, rows: &[Row<'_>], workspace: &Workspace) -> Vec<String> {
    let mut problems = Vec::new();
    for package in workspace.crates() {
        if !rows.iter().any(|row| row.name == package.name) {
            problems
                .push(format!("`{}` does not list the crate `{}`", document.name, package.name));
        }
    }
    for row in rows {
        if !workspace.crates().any(|package| package.name == row.name) {
            problems.push(format!("`{}` lists `{}`, which is no crate", document.name, row.name));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::tests::document;
    use super::*;
    use crate::workspace::tests::package;

    fn workspace() -> Workspace {
        let members = ["crates/live-value", "crates/secrets-local", "testing/probe"].map(package);
        Workspace { root: PathBuf::new(), target: PathBuf::new(), members: members.to_vec() }
    }

    fn crates(rows: &str) -> Vec<String> {
        readme(
            &document("README.md", &format!("## Crates\n\n| crate | what |\n|---|---|\n{rows}\n")),
            &workspace(),
        )
    }

    fn rooms(local: &str) -> Vec<String> {
        let text = format!(
            "## Rooms\n\n| crate | may use |\n|---|---|\n| `live-value` | – |\n| `secrets-local` | {local} |\n"
        );
        architecture(&document("ARCHITECTURE.md", &text), &workspace())
    }

    #[test]
    fn a_table_of_all_crates_passes() {
        assert!(crates("| [`live-value`](x) | a |\n| `secrets-local` | b |").is_empty());
    }

    #[test]
    fn a_missing_and_an_unknown_crate_are_found() {
        assert_eq!(
            crates("| `live-value` | a |\n| `probe` | b |"),
            [
                "`README.md` does not list the crate `secrets-local`",
                "`README.md` lists `probe`, which is no crate"
            ]
        );
    }

    #[test]
    fn edges_in_prose_equal_the_rules() {
        assert!(rooms("`secrets-core`, `live-value`").is_empty());
        assert_eq!(rooms("`secrets-core`").len(), 1);
        assert_eq!(rooms("`secrets-core`, `live-value`, `secrets-manager`").len(), 1);
    }
}
