use std::ffi::OsString;
use std::sync::Arc;

use crate::node::{Node, Origin, Table, Value};
use crate::problem::{Problem, ProblemKind};

/// Variables with a prefix, taken when they were given. The others, whatever is in them, are not kept.
#[derive(Clone)]
pub(crate) struct Variables {
    pub(crate) prefix: String,
    ours: Vec<(OsString, OsString)>,
}

impl Variables {
    pub(crate) fn new(prefix: &str, all: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let begin = format!("{prefix}__");
        let is_ours = |name: &OsString| name.as_encoded_bytes().starts_with(begin.as_bytes());
        let mut ours: Vec<_> = all.into_iter().filter(|(name, _)| is_ours(name)).collect();
        ours.sort();
        Self { prefix: prefix.to_owned(), ours }
    }
}

/// Variables named `PREFIX__A__B` set `a.b`: two underscores between the names of tables.
pub(crate) fn of_variables(variables: &Variables) -> (Node, Vec<Problem>) {
    let mut root = Node::empty_table(&Arc::from("environment"));
    let mut problems = Vec::new();
    let begin = format!("{}__", variables.prefix);
    for (name, value) in &variables.ours {
        let Some(name) = name.to_str() else {
            let shown = name.to_string_lossy().escape_debug().to_string();
            let origin = Origin::of_variable(&Arc::from(shown));
            let message = "the name of the variable is not UTF-8 text";
            problems.push(Problem::new("", Some(origin), ProblemKind::Syntax, message));
            continue;
        };
        let Some(rest) = name.strip_prefix(&begin) else { continue };
        let source = Arc::from(name);
        let origin = Origin::of_variable(&source);
        let path = rest.to_ascii_lowercase();
        let keys: Vec<&str> = path.split("__").collect();
        let shown = keys.join(".");
        let mut refuse = |kind, message: &str| {
            problems.push(Problem::new(shown.clone(), Some(origin.clone()), kind, message));
        };
        if keys.iter().any(|key| key.is_empty()) {
            refuse(
                ProblemKind::Syntax,
                "the variable names no setting: a name between `__` is empty",
            );
            continue;
        }
        let Some(value) = value.to_str() else {
            refuse(ProblemKind::Syntax, "the value of the variable is not UTF-8 text");
            continue;
        };
        let node = Node::new(Value::Raw(value.to_owned()), origin.clone());
        if !put(&mut root, &keys, node) {
            refuse(ProblemKind::Conflict, "another variable sets this too, or a part of it");
        }
    }
    (root, problems)
}

fn put(at: &mut Node, keys: &[&str], node: Node) -> bool {
    let Value::Table(table) = &mut at.value else { return false };
    match keys {
        [] => false,
        [last] => {
            let is_new = !table.contains_key(*last);
            if is_new {
                table.insert((*last).to_owned(), node);
            }
            is_new
        }
        [first, rest @ ..] => {
            let fresh = || Node::new(Value::Table(Table::new()), node.origin.clone());
            put(table.entry((*first).to_owned()).or_insert_with(fresh), rest, node)
        }
    }
}
