//! Decision records: `NNNN-title.md`, each number once, each listed in the index.

use super::{Document, markdown};

/// Records with a wrong name or a number that another has, and differences between records and index.
pub(super) fn problems(records: &[Document], index: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let listed: Vec<&str> = markdown::prose(index).flat_map(markdown::links).collect();
    let mut numbers: Vec<&str> = Vec::new();
    for record in records {
        let name = record.name.as_str();
        match number(name) {
            None => problems.push(format!("`docs/decisions/{name}` is not called `NNNN-title.md`")),
            Some(number) if numbers.contains(&number) => {
                problems
                    .push(format!("`docs/decisions/{name}` has a number that another record has"));
            }
            Some(number) => numbers.push(number),
        }
        if !listed.contains(&name) {
            problems.push(format!("`docs/decisions/README.md` does not list `{name}`"));
        }
    }
    problems
}

fn number(name: &str) -> Option<&str> {
    let (number, title) = name.strip_suffix(".md")?.split_once('-')?;
    let is_number = number.len() == 4 && number.chars().all(|c| c.is_ascii_digit());
    (is_number && !title.is_empty()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::super::tests::document;
    use super::*;

    const INDEX: &str = "- [One](0001-one.md)\n- [Ten](0010-ten.md)\n";

    fn found(names: &[&str]) -> Vec<String> {
        let records: Vec<_> = names.iter().map(|name| document(name, "")).collect();
        problems(&records, INDEX)
    }

    #[test]
    fn numbered_and_listed_records_pass_with_gaps() {
        assert!(found(&["0001-one.md", "0010-ten.md"]).is_empty());
    }

    #[test]
    fn a_number_may_be_taken_only_once() {
        let found = found(&["0001-one.md", "0001-other.md", "0010-ten.md"]);
        assert!(found[0].contains("a number that another record has"), "{found:?}");
    }

    #[test]
    fn a_record_must_be_listed() {
        assert_eq!(
            found(&["0001-one.md", "0011-new.md"]),
            ["`docs/decisions/README.md` does not list `0011-new.md`"]
        );
    }

    #[test]
    fn a_record_must_bear_a_number_and_a_title() {
        for name in ["one.md", "1-one.md", "0001-.md", "0001.md"] {
            assert!(!found(&[name]).is_empty(), "{name}");
        }
    }
}
