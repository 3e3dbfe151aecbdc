//! As much of Markdown as our documents use: sections, tables, code blocks, links.

/// The lines of the section under the heading `## title`, up to the next heading of the same level.
pub(super) fn section<'a>(text: &'a str, title: &str) -> Option<Vec<&'a str>> {
    let heading = format!("## {title}");
    let mut lines = prose(text).skip_while(|line| line.trim_end() != heading);
    lines.next()?;
    Some(lines.take_while(|line| !line.starts_with("## ")).collect())
}

/// The rows of the tables in `lines`, header rows and rulers left out; each row is its cells, as many as the ruler has.
pub(super) fn rows<'a>(lines: &[&'a str]) -> Vec<Vec<&'a str>> {
    let is_row = |line: &str| line.starts_with('|');
    let is_ruler = |line: &str| is_row(line) && line.chars().all(|c| "|-: ".contains(c));
    let mut rows = Vec::new();
    let mut columns = None;
    for line in lines {
        if is_ruler(line) {
            columns = Some(cells(line).count());
        } else if !is_row(line) {
            columns = None;
        } else if let Some(columns) = columns {
            rows.push(cells(line).chain(std::iter::repeat("")).take(columns).collect());
        }
    }
    rows
}

fn cells(line: &str) -> impl Iterator<Item = &str> {
    let line = line.trim_end();
    let line = line.strip_prefix('|').unwrap_or(line);
    line.strip_suffix('|').unwrap_or(line).split('|').map(str::trim)
}

/// What stands between the first pair of backticks.
pub(super) fn code(cell: &str) -> Option<&str> {
    let (_, rest) = cell.split_once('`')?;
    Some(rest.split_once('`')?.0)
}

/// Everything that stands between pairs of backticks.
pub(super) fn codes(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The lines outside code blocks.
pub(super) fn prose(text: &str) -> impl Iterator<Item = &str> {
    split(text).filter(|(block, _)| block.is_none()).map(|(_, line)| line)
}

/// The lines inside code blocks whose language is `language`.
pub(super) fn blocks<'a>(text: &'a str, language: &str) -> impl Iterator<Item = &'a str> {
    split(text).filter(move |(block, _)| *block == Some(language)).map(|(_, line)| line)
}

/// Each line with the language of the code block around it; fences themselves are left out.
fn split(text: &str) -> impl Iterator<Item = (Option<&str>, &str)> {
    let mut block = None;
    text.lines().filter_map(move |line| match line.trim_start().strip_prefix("```") {
        None => Some((block, line)),
        Some(language) => {
            block = if block.is_some() { None } else { Some(language.trim()) };
            None
        }
    })
}

/// The targets of `[text](target)` and `[label]: target` on a line of prose, code spans left out.
pub(super) fn links(line: &str) -> Vec<&str> {
    if let Some((label, target)) = line.split_once("]: ")
        && label.starts_with('[')
    {
        return vec![target.trim()];
    }
    let mut found = Vec::new();
    for (start, _) in line.match_indices("](") {
        let in_code = line.get(..start).is_some_and(|before| before.matches('`').count() % 2 == 1);
        let target = line.get(start + 2..).and_then(|rest| rest.split_once(')'));
        if let Some((target, _)) = target.filter(|_| !in_code) {
            found.push(target);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Title

## Features

| feature | cost |
|---------|------|
| `a`     | 3    |
| `b`     | 4    |

```toml
## Features
x = 1
```

## Licence
";

    #[test]
    fn a_section_ends_at_the_next_heading_and_code_is_no_heading() {
        let section = section(TEXT, "Features").unwrap();
        assert_eq!(rows(&section), [["`a`", "3"], ["`b`", "4"]]);
        assert!(super::section(TEXT, "Errors").is_none());
    }

    #[test]
    fn cells_that_are_empty_or_left_out_keep_their_place() {
        let rows = rows(&["| a | b |", "|---|---|", "| 1 ||", "| 1 |", "|| 2 | 3 | "]);
        assert_eq!(rows, [["1", ""], ["1", ""], ["", "2"]]);
    }

    #[test]
    fn a_code_block_is_found_by_its_language() {
        assert_eq!(blocks(TEXT, "toml").collect::<Vec<_>>(), ["## Features", "x = 1"]);
        assert_eq!(blocks(TEXT, "rust").count(), 0);
    }

    #[test]
    fn links_are_found_outside_code() {
        assert_eq!(links("see [a](b.md#c) and [`d`](e), not `[f](g)`"), ["b.md#c", "e"]);
        assert_eq!(links("[label]: docs/x.md"), ["docs/x.md"]);
    }

    #[test]
    fn code_is_what_stands_between_backticks() {
        assert_eq!(code("the `a` and `b`"), Some("a"));
        assert_eq!(codes("the `a` and `b`"), ["a", "b"]);
        assert_eq!(code("none"), None);
    }
}
