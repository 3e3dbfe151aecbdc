//! Decision records: `NNNN-title.md`, each number once, each listed in the index under its heading.

use super::Document;

/// Records with a wrong name, a number that another has, or no line in the index.
pub(super) fn problems(records: &[Document], index: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut numbers: Vec<&str> = Vec::new();
    for record in records {
        let name = record.name.as_str();
        match number(name) {
            None => problems.push(format!("`docs/decisions/{name}` is not called `NNNN-title.md`")),
            Some(number) if numbers.contains(&number) => {
                problems.push(format!("`docs/decisions/{name}` has a number that another has"));
            }
            Some(number) => numbers.push(number),
        }
        let heading = record.text.lines().next().and_then(|line| line.strip_prefix("# "));
        let entry = format!("- [{}]({name})", heading.unwrap_or_default());
        if !index.lines().any(|line| line == entry) {
            problems.push(format!("`docs/decisions/README.md` has no line `{entry}`"));
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

    const INDEX: &str = "# Decisions\n\n- [0001. One](0001-one.md)\n- [0010. Ten](0010-ten.md)\n";

    fn found(records: &[(&str, &str)]) -> Vec<String> {
        let records: Vec<_> = records.iter().map(|(name, text)| document(name, text)).collect();
        problems(&records, INDEX)
    }

    const ONE: (&str, &str) = ("0001-one.md", "# 0001. One\n\nText.");
    const TEN: (&str, &str) = ("0010-ten.md", "# 0010. Ten\n");

    #[test]
    fn numbered_and_listed_records_pass_with_gaps() {
        assert!(found(&[ONE, TEN]).is_empty());
    }

    #[test]
    fn a_number_may_be_taken_only_once() {
        let found = found(&[ONE, ("0001-other.md", "# 0001. Other")]);
        assert!(found[0].contains("a number that another has"), "{found:?}");
    }

    #[test]
    fn a_record_must_be_listed_under_its_heading() {
        for record in [("0011-new.md", "# 0011. New"), ("0010-ten.md", "# 0010. Eleven")] {
            let found = found(&[ONE, record]);
            assert!(found[0].contains("has no line"), "{found:?}");
        }
    }

    #[test]
    fn a_record_must_bear_a_number_and_a_title() {
        for name in ["one.md", "1-one.md", "0001-.md", "0001.md"] {
            let found = found(&[(name, "# One")]);
            assert!(found[0].contains("is not called"), "{name}");
        }
    }
}
