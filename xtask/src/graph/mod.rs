//! `check-graph`: who may depend on whom, what may not be compiled at all, and what a manifest looks like.

mod edges;
mod manifests;
mod sources;
mod tree;

use crate::failure::Failure;
use crate::workspace::Workspace;

/// Checks every rule and prints how many packages each crate compiles.
///
/// # Errors
///
/// Lists every violation that was found.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let mut problems = edges::problems(&workspace.members);
    problems.extend(manifests::problems(workspace)?);
    problems.extend(sources::problems(workspace)?);
    problems.extend(tree::problems(workspace)?);
    Failure::from_problems(&problems)
}

pub(crate) use edges::may_use;
