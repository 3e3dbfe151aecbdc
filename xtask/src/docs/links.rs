//! Relative links lead to files that exist.

use super::{Document, markdown};

/// Links that lead nowhere; `exists` knows what lies beside the document.
pub(super) fn problems(document: &Document, exists: impl Fn(&str) -> bool) -> Vec<String> {
    markdown::prose(&document.text)
        .flat_map(markdown::links)
        .filter_map(file)
        .filter(|target| !exists(target))
        .map(|target| format!("`{}` links to `{target}`, which is not there", document.name))
        .collect()
}

/// The file that a link leads to; none for addresses, places on the same page and items of rustdoc.
fn file(target: &str) -> Option<&str> {
    let is_address = target.contains("://") || target.starts_with("mailto:");
    let is_item = target.contains("::") || target.contains('@') || target.ends_with(['!', ')']);
    if is_address || is_item {
        return None;
    }
    let file = target.split('#').next().unwrap_or(target);
    (!file.is_empty()).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::super::tests::document;
    use super::*;

    #[test]
    fn a_link_to_nothing_is_found() {
        let readme = document("README.md", "see [a](there.md#part) and [b](gone.md)");
        assert_eq!(
            problems(&readme, |target| target == "there.md"),
            ["`README.md` links to `gone.md`, which is not there"]
        );
    }

    #[test]
    fn addresses_items_and_code_are_no_files() {
        let readme = document(
            "README.md",
            "[a](https://x.example/y) [b](#part) [c](crate::Live) [d](struct@Live)\n```\n[e](f)\n```\n",
        );
        assert!(problems(&readme, |_| false).is_empty());
    }
}
