//! Names that nothing has, and variables' names for what is written differently.

use super::MOST_PROBLEMS;
use super::decoder::Decoder;
use super::pass::Rename;
use super::path::Path;
use crate::nearest::{is_meant, nearest};
use crate::node::Table;
use crate::problem::{Problem, ProblemKind};

impl Decoder<'_> {
    pub(super) fn refuse_unknown(&self, table: &Table, fields: &[&'static str]) {
        if !self.pass.looked_at.borrow_mut().insert(self.path.to_string()) {
            return;
        }
        for (key, node) in table.iter().filter(|(key, _)| !fields.contains(&key.as_str())) {
            if let Some(field) = fields.iter().find(|field| is_meant(key, field))
                && node.origin.is_variable()
                && let Some(way) = self.path.keys()
            {
                let rename = Rename { way, key: key.clone(), field: (*field).to_owned() };
                self.pass.renames.borrow_mut().push(rename);
                continue;
            }
            if self.pass.problems.borrow().len() >= MOST_PROBLEMS {
                continue;
            }
            let message = match nearest(key, fields.iter().copied()) {
                Some(near) => format!("nothing has this name; is `{near}` meant?"),
                None if fields.is_empty() => "nothing can be set here".to_owned(),
                None => format!("nothing has this name; there are {}", list_of(fields)),
            };
            let path = Path::Key(self.path, key).to_string();
            let origin = Some(node.origin.clone());
            let problem = Problem::new(path, origin, ProblemKind::UnknownKey, message);
            self.pass.problems.borrow_mut().push(problem);
        }
    }

    /// Gives choices that variables make the names that their type has.
    pub(super) fn rename_choices(&self, table: &Table, variants: &[&'static str]) {
        for (key, node) in table {
            if !variants.contains(&key.as_str())
                && node.origin.is_variable()
                && let Some(variant) = variants.iter().find(|variant| is_meant(key, variant))
                && let Some(way) = self.path.keys()
            {
                let rename = Rename { way, key: key.clone(), field: (*variant).to_owned() };
                self.pass.renames.borrow_mut().push(rename);
            }
        }
    }
}

pub(super) fn list_of(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
