use serde::de::{self, Visitor};

use super::error::DecodeError;
use super::hand_over::Handed;
use super::numbers::Precision;
use super::parts::{Chosen, Elements, Members};
use super::pass::Pass;
use super::path::Path;
use super::stand_in::of_stand_in;
use super::unknown::list_of;
use crate::node::{Node, Table, Value};
use crate::problem::ProblemKind;
use crate::redact::without_values;

/// What has more elements than this is not read anew from its first one for each problem.
const MANY: usize = 64;

/// Reads one value, by what the type asks for.
#[derive(Clone, Copy)]
pub(super) struct Decoder<'a> {
    pub(super) node: &'a Node,
    pub(super) path: &'a Path<'a>,
    pub(super) pass: &'a Pass<'a>,
}

impl<'a> Decoder<'a> {
    pub(super) fn has_failed(&self) -> bool {
        let failed = self.pass.failed.borrow();
        !failed.is_empty() && failed.contains(&self.path.to_string())
    }

    /// It was read and may be shown, unless it is a secret.
    pub(super) fn show(&self) {
        if !self.pass.is_secret.get() {
            self.pass.shown.borrow_mut().insert(self.path.to_string());
        }
    }

    pub(super) fn at_here<T>(&self, result: Result<T, DecodeError>) -> Result<T, DecodeError> {
        result.map_err(|error| {
            if error.path.is_some() {
                return error;
            }
            let path = self.path.to_string();
            let mut error = error;
            error.is_of_part = self.pass.is_read_in_part(&path);
            if error.is_foreign && !self.pass.is_secret.get() {
                error.message = without_values(&error.message, self.node);
            }
            let error =
                if self.pass.has_stand_in(&path, &error) { of_stand_in(error) } else { error };
            error.at(&path, &self.node.origin)
        })
    }

    pub(super) fn wrong_type<T>(&self, expected: &dyn de::Expected) -> Result<T, DecodeError> {
        let found = self.node.value.kind();
        let message = format!("{found} stands where {expected} is asked for");
        Err(DecodeError::new(ProblemKind::WrongType, message))
    }

    pub(super) fn number<'de, V: Visitor<'de>>(
        self,
        visitor: V,
        precision: Precision,
    ) -> Result<V::Value, DecodeError> {
        self.show();
        let result = match self.float(precision) {
            Ok(Some(number)) => visitor.visit_f64(number),
            Ok(None) => self.wrong_type(&visitor),
            Err(error) => Err(error),
        };
        self.at_here(result)
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        match &self.node.value {
            Value::Bool(value) => Some(*value),
            Value::Raw(text) => text.trim().to_ascii_lowercase().parse().ok(),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) | Value::Raw(text) => Some(text),
            _ => None,
        }
    }

    /// A variable holds lists and tables as JSON.
    pub(super) fn structured(&self) -> Result<Option<Node>, DecodeError> {
        if let Value::Raw(text) = &self.node.value {
            let source = std::sync::Arc::from(self.node.origin.source());
            return match crate::read::parse_value(&source, text) {
                Ok(node) => Ok(Some(node)),
                Err(_) => {
                    let message = "the variable is asked for a list or a table, as JSON";
                    Err(DecodeError::new(ProblemKind::WrongType, message))
                }
            };
        }
        Ok(None)
    }

    pub(super) fn list<'de, V: Visitor<'de>>(
        self,
        visitor: V,
        nodes: &[Node],
    ) -> Result<V::Value, DecodeError> {
        let mut elements = Elements { nodes, next: self.behind(nodes.len()), decoder: self };
        let value = visitor.visit_seq(&mut elements)?;
        match nodes.get(elements.next..) {
            None | Some([]) => Ok(value),
            Some(rest) => {
                let message = format!("there are {} elements too many", rest.len());
                Err(DecodeError::new(ProblemKind::WrongType, message))
            }
        }
    }

    pub(super) fn table<'de, V: Visitor<'de>>(
        self,
        visitor: V,
        table: &Table,
        fields: Option<&'static [&'static str]>,
    ) -> Result<V::Value, DecodeError> {
        let behind = if fields.is_none() { self.behind(table.len()) } else { 0 };
        let mut keys: Vec<&str> = table.keys().map(String::as_str).collect();
        let (failed, left_out) = (self.pass.failed_keys.borrow(), self.pass.left_out.borrow());
        if !failed.is_empty() || !left_out.is_empty() {
            keys.retain(|key| {
                let path = Path::Key(self.path, key).to_string();
                !failed.contains(&path) && !left_out.contains(&path)
            });
        }
        if let Some(fields) = fields {
            self.refuse_unknown(table, fields);
            keys.retain(|key| fields.contains(key));
            let stands_in = |field: &&&str| {
                let path = Path::Key(self.path, field).to_string();
                let is_absent = !table.contains_key(**field) && !left_out.contains(&path);
                is_absent && self.pass.failed.borrow().contains(&path)
            };
            keys.extend(fields.iter().filter(stands_in));
        }
        drop((failed, left_out));
        let mut keys = keys.into_iter();
        if let Some(last) = behind.checked_sub(1) {
            keys.nth(last);
        }
        let is_open = fields.is_none();
        visitor.visit_map(Members {
            keys,
            table,
            value: None,
            read: behind,
            is_open,
            decoder: self,
        })
    }

    /// How many of so many elements were read before; none as long as all is well.
    fn behind(&self, of: usize) -> usize {
        let is_known = of > MANY && !self.pass.behind.borrow().is_empty();
        if is_known { self.pass.behind(&self.path.to_string()) } else { 0 }
    }

    /// It may not take all that there is, so it is shown what it takes from the beginning.
    pub(super) fn is_of_fixed_length(&self) {
        self.pass.as_whole.borrow_mut().insert(self.path.to_string());
    }

    /// An element failed after so many that did not.
    pub(super) fn stopped_after<T>(
        &self,
        read: usize,
        of: usize,
        result: Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        if result.is_err() && of > MANY {
            self.pass.behind.borrow_mut().insert(self.path.to_string(), read);
        }
        result
    }

    /// A choice that carries something: a table of one.
    pub(super) fn choice<'de, V: Visitor<'de>>(
        self,
        visitor: V,
        table: &Table,
        variants: &[&'static str],
    ) -> Result<V::Value, DecodeError> {
        self.rename_choices(table, variants);
        match table.iter().collect::<Vec<_>>()[..] {
            [(variant, node)] => visitor.visit_enum(Chosen { variant, node, decoder: self }),
            _ => {
                let message = format!("one of {} is asked for", list_of(variants));
                Err(DecodeError::new(ProblemKind::WrongType, message))
            }
        }
    }

    /// Something else stands where a choice is asked for.
    pub(super) fn no_choice<T>(&self, variants: &[&str]) -> Result<T, DecodeError> {
        let choices = format!("one of {}", list_of(variants));
        self.wrong_type(&choices.as_str())
    }

    /// What stands here, to be read later.
    pub(super) fn handed(&self) -> Handed {
        let base = self.pass.base.at(&self.path.to_string(), self.path.keys());
        Handed { base, node: self.node.clone(), fingerprint: None }
    }

    /// Where things stand here, without what they are.
    pub(super) fn handed_places(&self) -> Handed {
        let base = self.pass.base.at(&self.path.to_string(), self.path.keys());
        if !self.pass.problems.borrow().is_empty() {
            // Nothing is made of it.
            return Handed {
                base,
                node: Node::new(Value::Null, self.node.origin.clone()),
                fingerprint: None,
            };
        }
        Handed { base, node: self.node.places(), fingerprint: Some(self.node.fingerprint()) }
    }
}
