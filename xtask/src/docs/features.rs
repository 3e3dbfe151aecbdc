//! What READMEs say of features equals the manifest.
//!
//! The section `## Features` of a crate's README holds one table. Its first column names each feature in backticks, its
//! second says `yes` if the feature is on by default and `no` if not, its last what the feature costs:
//! ``| `store` | yes | … | 3 packages |``. A crate without features has no such table.

use super::{Document, markdown};
use crate::workspace::Package;

/// Differences between the table of features and the manifest.
pub(super) fn problems(readme: &Document, package: &Package) -> Vec<String> {
    let section = markdown::section(&readme.text, "Features").unwrap_or_default();
    let rows = markdown::rows(&section);
    let table: Vec<(&str, &str)> =
        rows.iter().filter_map(|row| Some((markdown::code(row.first()?)?, *row.get(1)?))).collect();
    let mut problems = Vec::new();
    for name in package.named_features() {
        let truth = if package.is_default(name) { "yes" } else { "no" };
        match table.iter().find(|(listed, _)| *listed == name) {
            None => problems.push(format!("`{}` does not list the feature `{name}`", readme.name)),
            Some((_, written)) if *written != truth => problems.push(format!(
                "`{}` says `{written}` to whether `{name}` is a default feature; it is `{truth}`",
                readme.name
            )),
            Some(_) => {}
        }
    }
    for row in &rows {
        if let Some(name) = row.first().and_then(|cell| markdown::code(cell))
            && (row.len() < 3 || row.last().is_none_or(|cost| cost.is_empty()))
        {
            problems.push(format!("`{}` does not say what `{name}` costs", readme.name));
        }
    }
    let unknown = table.iter().filter(|(name, _)| !package.features.contains_key(*name));
    problems.extend(
        unknown.map(|(name, _)| format!("`{}` lists `{name}`, which is no feature", readme.name)),
    );
    problems
}

/// Dependencies in `toml` blocks that name a feature which does not exist, ask for a version, or tell readers to
/// take the package from a registry where its name may be a stranger's.
pub(super) fn dependency_problems(readme: &Document, members: &[Package]) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, value) in dependencies(&readme.text) {
        let Some(package) = members.iter().find(|package| package.name == name) else { continue };
        if !value.contains("git = ") {
            problems.push(format!("`{}` does not take `{name}` by git", readme.name));
        }
        for feature in named_features(&value) {
            if !package.features.contains_key(feature) {
                problems.push(format!(
                    "`{}` names `{feature}`, which is no feature of `{name}`",
                    readme.name
                ));
            }
        }
    }
    if readme.text.contains("cargo add") {
        problems
            .push(format!("`{}` says `cargo add`; the names are not ours there yet", readme.name));
    }
    problems
}

/// Name and value of each dependency in `toml` blocks: lines such as `name = { … }`, and tables such as
/// `[dependencies.name]`, whose lines together are the value.
fn dependencies(text: &str) -> Vec<(&str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    let mut in_table = false;
    for line in markdown::blocks(text, "toml").map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            let table = header.split_once(']').map_or(header, |(header, _)| header);
            let name = table
                .rsplit_once('.')
                .filter(|(kind, _)| kind.ends_with("dependencies"))
                .map(|(_, name)| name.trim_matches('"'));
            in_table = name.is_some();
            found.extend(name.map(|name| (name, String::new())));
        } else if let Some((_, value)) = found.last_mut().filter(|_| in_table) {
            *value += line;
            *value += "\n";
        } else if let Some((name, value)) = line.split_once('=') {
            found.push((name.trim().trim_matches('"'), value.trim().to_owned()));
        }
    }
    found
}

/// The strings in `features = ["a", "b"]`.
fn named_features(value: &str) -> Vec<&str> {
    let list = value
        .split_once("features = [")
        .filter(|(before, _)| !before.ends_with("default-"))
        .and_then(|(_, rest)| rest.split_once(']'));
    list.map(|(list, _)| list.split('"').skip(1).step_by(2).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::tests::document;
    use super::*;
    use crate::workspace::tests::{featured, package};

    fn store() -> Package {
        let package = featured(package("crates/secrets-local"), "default", &["store"]);
        featured(featured(package, "store", &[]), "json", &[])
    }

    fn readme(rows: &str) -> Document {
        document(
            "README.md",
            &format!("# x\n\n## Features\n\n| feature | default | cost |\n|---|---|---|\n{rows}\n"),
        )
    }

    #[test]
    fn a_table_that_equals_the_manifest_passes() {
        assert!(
            problems(&readme("| `store` | yes | 3 |\n| `json` | no | 2 |"), &store()).is_empty()
        );
        assert!(problems(&document("README.md", "# x"), &package("crates/live-value")).is_empty());
    }

    #[test]
    fn a_feature_that_is_not_listed_is_found() {
        assert_eq!(
            problems(&readme("| `store` | yes | 3 |"), &store()),
            ["`README.md` does not list the feature `json`"]
        );
        assert_eq!(problems(&document("README.md", "# x"), &store()).len(), 2);
    }

    #[test]
    fn a_wrong_default_is_found_in_both_directions() {
        assert_eq!(
            problems(&readme("| `store` | no | 3 |\n| `json` | no | 2 |"), &store()).len(),
            1
        );
        assert_eq!(
            problems(&readme("| `store` | yes | 3 |\n| `json` | yes | 2 |"), &store()).len(),
            1
        );
    }

    #[test]
    fn a_feature_that_is_gone_is_found() {
        let rows = "| `store` | yes | 3 |\n| `json` | no | 2 |\n| `yaml` | no | 9 |";
        assert_eq!(
            problems(&readme(rows), &store()),
            ["`README.md` lists `yaml`, which is no feature"]
        );
    }

    #[test]
    fn a_feature_without_its_cost_is_found() {
        let found = |row| problems(&readme(&format!("| `store` | yes | 3 |\n{row}")), &store());
        assert!(found("| `json` | no | no package |").is_empty());
        for row in ["| `json` | no | |", "| `json` | no ||", "| `json` | no |"] {
            assert_eq!(found(row), ["`README.md` does not say what `json` costs"], "{row}");
        }
        let narrow =
            "## Features\n| feature | default |\n|---|---|\n| `store` | yes |\n| `json` | no |";
        assert_eq!(problems(&document("README.md", narrow), &store()).len(), 2);
    }

    #[test]
    fn dependency_tables_are_read_like_lines() {
        let found = |table: &str| {
            let toml = format!("```toml\n{table}\n\n[dependencies]\nserde = \"1\"\n```");
            dependency_problems(&document("README.md", &toml), &[store()]).len()
        };
        let git = "git = \"https://x.example\"";
        assert_eq!(
            found(&format!("[dependencies.secrets-local]\n{git}\nfeatures = [\"json\"]")),
            0
        );
        assert_eq!(
            found(&format!("[dependencies.secrets-local]\n{git}\nfeatures = [\n\"yaml\",\n]")),
            1
        );
        assert_eq!(found("[dependencies.secrets-local]\nversion = \"0.1\""), 1);
        assert_eq!(found("[dependencies.\"secrets-local\"]\nversion = \"0.1\""), 1);
        assert_eq!(
            found("[target.'cfg(unix)'.dev-dependencies.secrets-local]\nversion = \"0.1\""),
            1
        );
        assert_eq!(found("[patch.secrets-local]\nx = 1"), 0);
        assert_eq!(found("[dependencies]\nsecrets-local={ version = \"0.1\" }"), 1);
    }

    #[test]
    fn dependency_lines_name_features_that_exist() {
        let toml = |line| document("README.md", &format!("```toml\n[dependencies]\n{line}\n```"));
        let found = |line| dependency_problems(&toml(line), &[store()]).len();
        assert_eq!(
            found("secrets-local = { git = \"https://x.example\", features = [\"json\"] }"),
            0
        );
        assert_eq!(
            found("secrets-local = { git = \"https://x.example\", default-features = false }"),
            0
        );
        assert_eq!(
            found("secrets-local = { git = \"https://x.example\", features = [\"yaml\"] }"),
            1
        );
        assert_eq!(found("secrets-local = \"0.1\""), 1);
        assert_eq!(found("serde = \"1\""), 0);
        assert_eq!(
            dependency_problems(&document("README.md", "`cargo add secrets-local`"), &[]).len(),
            1
        );
    }
}
