//! A section for measured figures holds figures.
//!
//! It stands between lines with nothing but `<!-- bench:begin -->` and `<!-- bench:end -->`.

use super::Document;

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

/// Sections for figures that are empty or do not end.
pub(super) fn problems(document: &Document) -> Vec<String> {
    let mut problems = Vec::new();
    let mut lines = document.text.lines().map(str::trim).zip(1..);
    while let Some((_, number)) = lines.by_ref().find(|(line, _)| *line == BEGIN) {
        let mut section = lines.by_ref().map(|(line, _)| line).filter(|line| !line.is_empty());
        match section.next() {
            Some(END) => problems.push(format!(
                "`{}` announces figures in line {number} and has none",
                document.name
            )),
            first => {
                if first.is_none() || !section.any(|line| line == END) {
                    problems.push(format!(
                        "`{}` has figures in line {number} that do not end with `{END}`",
                        document.name
                    ));
                }
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::tests::document;
    use super::*;

    fn found(text: &str) -> usize {
        problems(&document("README.md", text)).len()
    }

    #[test]
    fn figures_pass_and_so_does_a_document_without_any() {
        assert_eq!(found("# x\n\n<!-- bench:begin -->\n| 1 |\n<!-- bench:end -->\n"), 0);
        assert_eq!(found("# x\n\nThe marker is `<!-- bench:begin -->`.\n"), 0);
    }

    #[test]
    fn each_section_without_figures_is_found() {
        let empty = "<!-- bench:begin -->\n\n<!-- bench:end -->\n";
        assert_eq!(found(empty), 1);
        assert_eq!(
            found(&format!("<!-- bench:begin -->\n1\n<!-- bench:end -->\n{empty}{empty}")),
            2
        );
    }

    #[test]
    fn a_section_that_does_not_end_is_found() {
        assert_eq!(found("<!-- bench:begin -->\n1\n"), 1);
        assert_eq!(found("<!-- bench:begin -->"), 1);
    }
}
