//! `check-docs`: no fact is written twice unless it is compared here with where it comes from.

mod commands;
mod decisions;
mod features;
mod figures;
mod links;
mod markdown;
mod rooms;
mod versions;

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::files;
use crate::workspace::Workspace;

/// A Markdown file of the repository.
struct Document {
    path: PathBuf,
    /// From the root of the repository.
    name: String,
    text: String,
}

/// Checks every document against the manifests and the files that it speaks of.
///
/// # Errors
///
/// Lists every statement that is wrong, and every document that is missing.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let documents = all(workspace)?;
    let mut problems = Vec::new();
    for document in &documents {
        let folder = document.path.parent().unwrap_or(Path::new("/"));
        problems.extend(links::problems(document, |target| folder.join(target).exists()));
        problems.extend(commands::problems(document, &workspace.members));
        problems.extend(figures::problems(document));
    }
    problems.extend(of_crates(workspace, &documents));
    problems.extend(of_root(workspace)?);
    println!("{} documents checked", documents.len());
    Failure::from_problems(&problems)
}

fn all(workspace: &Workspace) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    for path in files::with_extension(&workspace.root, "md")? {
        let name = files::relative(&workspace.root, &path);
        documents.push(Document { text: files::read(&path)?, name, path });
    }
    Ok(documents)
}

/// The README of every crate: what it says of versions and features.
fn of_crates(workspace: &Workspace, documents: &[Document]) -> Vec<String> {
    let mut problems = Vec::new();
    for package in workspace.crates() {
        let name = format!("{}/README.md", package.folder);
        let Some(readme) = documents.iter().find(|document| document.name == name) else {
            problems.push(format!("`{name}` is missing"));
            continue;
        };
        problems.extend(versions::problems(readme, &package.msrv));
        problems.extend(features::problems(readme, package));
        problems.extend(features::dependency_problems(readme, &workspace.members));
    }
    problems
}

/// The documents at the root, which speak of the workspace as a whole.
fn of_root(workspace: &Workspace) -> Result<Vec<String>, Failure> {
    let read = |name: &str| -> Result<Document, Failure> {
        let path = workspace.root.join(name);
        Ok(Document { text: files::read(&path)?, name: name.to_owned(), path })
    };
    let readme = read("README.md")?;
    let msrv = workspace.members.first().map(|package| package.msrv.as_str()).unwrap_or_default();
    let mut problems = versions::problems(&readme, msrv);
    problems.extend(versions::toolchain(&read("rust-toolchain.toml")?, msrv));
    problems.extend(versions::changelog(&read("CHANGELOG.md")?));
    problems.extend(features::dependency_problems(&readme, &workspace.members));
    problems.extend(rooms::readme(&readme, workspace));
    problems.extend(rooms::architecture(&read("ARCHITECTURE.md")?, workspace));

    let folder = workspace.root.join("docs/decisions");
    let mut records = Vec::new();
    for path in files::with_extension(&folder, "md")? {
        let name = files::relative(&folder, &path);
        if name != "README.md" {
            records.push(Document { text: files::read(&path)?, name, path });
        }
    }
    problems.extend(decisions::problems(&records, &read("docs/decisions/README.md")?.text));
    Ok(problems)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A document that lies nowhere.
    pub(super) fn document(name: &str, text: &str) -> Document {
        Document { path: PathBuf::from(name), name: name.to_owned(), text: text.to_owned() }
    }
}
