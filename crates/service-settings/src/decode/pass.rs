use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use super::base::Base;
use super::error::DecodeError;
use super::path::{parent, under};
use crate::problem::{Problem, ProblemKind};

/// A variable's name for a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rename {
    pub(crate) way: Vec<String>,
    pub(crate) key: String,
    pub(crate) field: String,
}

/// What is known while settings are read. Paths are those from where reading began.
pub(crate) struct Pass<'b> {
    pub(super) base: &'b Base,
    pub(super) problems: RefCell<Vec<Problem>>,
    /// What failed, and has something stand in for it.
    pub(super) failed: RefCell<BTreeSet<String>>,
    /// What nothing can stand in for: as if it were not there, which is enough where it may be absent.
    pub(super) left_out: RefCell<BTreeSet<String>>,
    /// Names that their types refuse.
    pub(super) failed_keys: RefCell<BTreeSet<String>>,
    /// Tables whose unknown names are written down already.
    pub(super) looked_at: RefCell<BTreeSet<String>>,
    /// How many elements or members were read already, of what has many: with a problem found nothing is
    /// made of them, so what is good is not read again for each further problem.
    pub(super) behind: RefCell<BTreeMap<String, usize>>,
    /// What its type wants to see as a whole, however much it has.
    pub(super) as_whole: RefCell<BTreeSet<String>>,
    /// What was read and is no secret.
    pub(super) shown: RefCell<BTreeSet<String>>,
    pub(super) is_secret: Cell<bool>,
    pub(super) renames: RefCell<Vec<Rename>>,
}

impl<'b> Pass<'b> {
    pub(super) fn new(base: &'b Base) -> Self {
        Self {
            base,
            problems: RefCell::default(),
            failed: RefCell::default(),
            left_out: RefCell::default(),
            failed_keys: RefCell::default(),
            looked_at: RefCell::default(),
            behind: RefCell::default(),
            as_whole: RefCell::default(),
            shown: RefCell::default(),
            is_secret: Cell::new(false),
            renames: RefCell::default(),
        }
    }

    /// False when this was known already, so that trying again would lead nowhere.
    pub(super) fn note(&self, error: DecodeError) -> bool {
        let mut path = error.path.unwrap_or_default();
        if error.is_of_part {
            return self.read_as_whole(&path);
        }
        if error.is_of_stand_in {
            return self.do_without(&path);
        }
        if let Some(field) = error.missing {
            path = under(&path, field);
        }
        let known = if error.is_of_key { &self.failed_keys } else { &self.failed };
        let is_new = !path.is_empty() && known.borrow_mut().insert(path.clone());
        let problem = Problem::new(path, error.origin, error.kind, error.message);
        if is_new || !self.problems.borrow().contains(&problem) {
            self.problems.borrow_mut().push(problem);
        }
        is_new
    }

    /// What stands in for the value at this path, or for a part of it, is not good enough for the type:
    /// something stands in for all of it, or it is left out, or the same is done to what it is in.
    /// None of that is wrong by itself. False when nothing of it is new.
    fn do_without(&self, path: &str) -> bool {
        let (mut failed, mut left_out) = (self.failed.borrow_mut(), self.left_out.borrow_mut());
        let mut at = path;
        while !at.is_empty() {
            if failed.insert(at.to_owned()) || left_out.insert(at.to_owned()) {
                return true;
            }
            at = parent(at);
        }
        false
    }

    /// How much of what stands at this path was read already, and is not read again. Nothing as long as
    /// there is no problem, for what is read then is put to use.
    pub(super) fn behind(&self, path: &str) -> usize {
        if self.problems.borrow().is_empty() || self.as_whole.borrow().contains(path) {
            return 0;
        }
        self.behind.borrow().get(path).copied().unwrap_or_default()
    }

    /// Whether what stands at this path, or something in it, was not read from its beginning. A type
    /// that looks at what there is further in may miss what it was not shown.
    pub(super) fn is_read_in_part(&self, path: &str) -> bool {
        let behind = self.behind.borrow();
        behind.keys().any(|at| is_at_or_within(path, at) && self.behind(at) > 0)
    }

    /// From now on all that stands there is read from its beginning. False when it was already.
    fn read_as_whole(&self, path: &str) -> bool {
        let (behind, mut whole) = (self.behind.borrow(), self.as_whole.borrow_mut());
        let before = whole.len();
        whole.extend(behind.keys().filter(|at| is_at_or_within(path, at)).cloned());
        whole.len() > before
    }

    /// Whether this error, at this path, may come of what stands in for something else.
    pub(super) fn has_stand_in(&self, path: &str, error: &DecodeError) -> bool {
        let failed = self.failed.borrow();
        if let Some(field) = error.missing {
            return failed.contains(path) || self.left_out.borrow().contains(&under(path, field));
        }
        // What a type finds when all of it is read. The rest is found before anything is made of it.
        let is_of_whole = error.kind == ProblemKind::Invalid;
        failed.contains(path) || is_of_whole && failed.iter().any(|at| is_at_or_within(path, at))
    }
}

fn is_at_or_within(path: &str, at: &str) -> bool {
    let rest = at.strip_prefix(path);
    path.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
