use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::pass::Rename;
use super::path::{joined, under};
use crate::node::{Node, Origin};
use crate::problem::{Problem, ProblemKind};

/// Where reading begins: at the root of the settings, or at a part of them that was kept.
#[derive(Clone, Default)]
pub(crate) struct Base {
    pub(crate) path: String,
    /// The names on the way from the root, if there are no lists on it.
    pub(crate) way: Option<Vec<String>>,
    pub(crate) reads: Reads,
}

impl Base {
    pub(crate) fn root() -> Self {
        Self { way: Some(Vec::new()), ..Self::default() }
    }

    /// What stands at this path from here.
    pub(crate) fn at(&self, path: &str, keys: Option<Vec<String>>) -> Self {
        let way = self.way.as_ref().zip(keys).map(|(way, keys)| [way.as_slice(), &keys].concat());
        Self { path: joined(&self.path, path), way, reads: self.reads.clone() }
    }

    /// A problem at a path from here, by the path from the root. One that has a place has that already.
    pub(crate) fn place(&self, node: &Node, problem: Problem) -> Problem {
        if problem.origin.is_some() {
            return problem;
        }
        let origin = node.find(&problem.path).cloned();
        Problem { path: joined(&self.path, &problem.path), origin, ..problem }
    }

    pub(super) fn set_twice(&self, rename: &Rename, origin: Origin) -> Problem {
        let names = rename.way.iter().chain([&rename.field]);
        let path = names.fold(String::new(), |path, name| under(&path, name));
        let message = "another variable sets this too, or a part of it";
        Problem::new(joined(&self.path, &path), Some(origin), ProblemKind::Conflict, message)
    }
}

/// What was read of settings, by whatever part of the program: shared by the parts that are kept.
#[derive(Clone, Default)]
pub(crate) struct Reads(Arc<Mutex<Noted>>);

#[derive(Clone, Default)]
pub(crate) struct Noted {
    /// The paths of what is no secret.
    pub(crate) shown: BTreeSet<String>,
    /// The names that variables have for settings.
    pub(crate) renames: Vec<Rename>,
}

impl Reads {
    pub(crate) fn noted(&self) -> Noted {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn note(&self, base: &Base, shown: BTreeSet<String>, renames: Vec<Rename>) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.shown.extend(shown.into_iter().map(|path| joined(&base.path, &path)));
        let Some(way) = &base.way else { return };
        let from_root =
            |rename: Rename| Rename { way: [way.as_slice(), &rename.way].concat(), ..rename };
        for rename in renames.into_iter().map(from_root) {
            // A part that is kept may be read again and again.
            if !noted.renames.contains(&rename) {
                noted.renames.push(rename);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_again_is_noted_once() {
        let base = Base::root();
        let rename = || Rename {
            way: vec!["store".to_owned()],
            key: "max_size".to_owned(),
            field: "max-size".to_owned(),
        };
        for _ in 0..3 {
            base.reads.note(&base, BTreeSet::from(["store".to_owned()]), vec![rename()]);
        }
        let Noted { shown, renames } = base.reads.noted();
        assert_eq!((shown.len(), renames), (1, vec![rename()]));
    }
}
