//! Versions in prose equal those of the manifests.

use super::{Document, markdown};

/// A README names the minimum Rust version, and no other one.
pub(super) fn problems(readme: &Document, msrv: &str) -> Vec<String> {
    let mut named: Vec<&str> = markdown::prose(&readme.text).flat_map(rust_versions).collect();
    named.dedup();
    if named.is_empty() {
        return vec![format!("`{}` does not say that it needs Rust {msrv}", readme.name)];
    }
    named
        .iter()
        .filter(|version| **version != msrv)
        .map(|version| {
            format!("`{}` speaks of Rust {version}; the manifests say {msrv}", readme.name)
        })
        .collect()
}

/// The pinned toolchain is a patch release of the minimum version.
pub(super) fn toolchain(file: &Document, msrv: &str) -> Option<String> {
    let channel = file.text.lines().find_map(|line| line.strip_prefix("channel = "));
    let channel = channel.unwrap_or_default().trim_matches('"');
    let patch = channel.strip_prefix(msrv).and_then(|rest| rest.strip_prefix('.'));
    let is_patch = patch.is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()));
    (!is_patch).then(|| format!("`{}` pins `{channel}`; the manifests say {msrv}", file.name))
}

/// The changelog has a place for what comes next.
pub(super) fn changelog(file: &Document) -> Option<String> {
    markdown::section(&file.text, "[Unreleased]")
        .is_none()
        .then(|| format!("`{}` has no section `## [Unreleased]`", file.name))
}

/// Each `1.NN` in `Rust 1.NN` and `Rust version: 1.NN`.
fn rust_versions(line: &str) -> impl Iterator<Item = &str> {
    line.split("Rust ").skip(1).filter_map(|rest| {
        let rest = rest.strip_prefix("version: ").unwrap_or(rest);
        let version = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
        let version = version.trim_end_matches('.');
        version.starts_with("1.").then_some(version)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::document;
    use super::*;

    fn readme(text: &str) -> Document {
        document("README.md", text)
    }

    #[test]
    fn the_version_of_the_manifest_passes() {
        assert!(
            problems(&readme("It needs Rust 1.95. Or later: Rust 1.95, say."), "1.95").is_empty()
        );
    }

    #[test]
    fn a_missing_or_different_version_is_found() {
        assert_eq!(problems(&readme("A Rust crate."), "1.95").len(), 1);
        assert_eq!(
            problems(&readme("It needs Rust 1.90 or later."), "1.95"),
            ["`README.md` speaks of Rust 1.90; the manifests say 1.95"]
        );
    }

    #[test]
    fn the_toolchain_is_a_patch_release_of_the_minimum() {
        let pinned = |channel| {
            document("rust-toolchain.toml", &format!("[toolchain]\nchannel = \"{channel}\"\n"))
        };
        assert_eq!(toolchain(&pinned("1.95.0"), "1.95"), None);
        for channel in ["1.95", "1.96.0", "1.950.0", "stable"] {
            assert!(toolchain(&pinned(channel), "1.95").is_some(), "{channel}");
        }
    }

    #[test]
    fn a_changelog_without_a_place_for_news_is_found() {
        assert_eq!(changelog(&document("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n")), None);
        assert!(changelog(&document("CHANGELOG.md", "# Changelog\n\n## [0.1.0]\n")).is_some());
    }
}
