//! What tests do in processes of their own: under a mount, as another user, to be killed.

use std::path::Path;
use std::process::Command;

use crate::support;

use super::support::Place;
use super::{processes, surroundings};

/// A task of a child: its name, and what it does with the folder of its store and an argument.
pub(super) type Task = (&'static str, fn(&Path, &str));

const TEST: &str = "store::child::a_child_does_its_task";
const TASK: &str = "MAINSTAY_TEST_TASK";
/// In the folder, for children that are started through other programs.
const TASK_FILE: &str = "task";

fn tasks() -> impl Iterator<Item = &'static Task> {
    processes::TASKS.iter().chain(surroundings::TASKS)
}

/// In a child this does the task that its parent chose. By itself it checks that a task can be
/// chosen by name.
#[test]
fn a_child_does_its_task() {
    let Some(folder) = support::folder_for_child() else {
        let names: Vec<_> = tasks().map(|(name, _)| name).collect();
        let once =
            names.iter().all(|name| names.iter().filter(|other| *other == name).count() == 1);
        return assert!(once && !names.is_empty(), "{names:?}");
    };
    let task = std::env::var(TASK)
        .or_else(|_| std::fs::read_to_string(folder.join(TASK_FILE)))
        .expect("a task");
    let (name, argument) = task.split_once(' ').unwrap_or((&task, ""));
    let (_, work) = tasks().find(|(known, _)| *known == name).expect("a known task");
    work(&folder, argument);
}

/// This program, to be run by the caller, with a task and its argument.
pub(super) fn command(folder: &Path, task: &str) -> Command {
    let mut command = support::Child { test: TEST, folder }.command();
    command.args(["--test-threads=1", "--quiet"]).env(TASK, task);
    command
}

/// This program, to be run by the helpers of `support`, with a task.
pub(super) fn prepared<'a>(place: &'a Place, task: &str) -> support::Child<'a> {
    std::fs::write(place.file(TASK_FILE), task).unwrap();
    support::Child { test: TEST, folder: place.folder.path() }
}
