//! Values as they stand in a source, with their places.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::decode::names;
use crate::nearest::is_meant;

/// Where a value or a key stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin {
    source: Arc<str>,
    line: Option<usize>,
    is_variable: bool,
}

impl Origin {
    pub(crate) fn new(source: &Arc<str>, line: Option<usize>) -> Self {
        Self { source: Arc::clone(source), line, is_variable: false }
    }

    /// Of what the program makes.
    pub(crate) fn nowhere() -> Self {
        Self::new(&Arc::from("settings"), None)
    }

    pub(crate) fn of_variable(name: &Arc<str>) -> Self {
        Self { source: Arc::clone(name), line: None, is_variable: true }
    }

    /// Whether it is a variable, whose name tells neither small letters nor hyphens.
    pub(crate) fn is_variable(&self) -> bool {
        self.is_variable
    }

    /// The file, the variable, or what else it came from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The line in a file, from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

/// `config/app.toml:12`, or the name of a variable.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

/// A value and where it stands.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
    /// Where the values stand that it replaced, the last of them last.
    pub(crate) replaced: Vec<Origin>,
}

pub(crate) type Table = BTreeMap<String, Node>;

#[derive(Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    /// The text of a variable, which is whatever is asked for.
    Raw(String),
    List(Vec<Node>),
    Table(Table),
}

impl Value {
    /// What it is, for messages; never the value itself.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) | Self::Raw(_) => "a text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

impl Node {
    pub(crate) const fn new(value: Value, origin: Origin) -> Self {
        Self { value, origin, replaced: Vec::new() }
    }

    pub(crate) fn empty_table(source: &Arc<str>) -> Self {
        Self::new(Value::Table(Table::new()), Origin::new(source, None))
    }

    /// Where the setting at a path such as `database.pool.size` stands, or else the table that it
    /// would stand in. Nowhere where that is the whole.
    pub(crate) fn find(&self, path: &str) -> Option<&Origin> {
        let mut at = self;
        let mut found = None;
        for key in names(path) {
            let Value::Table(table) = &at.value else { break };
            let Some(node) = table.get(&key) else { break };
            at = node;
            found = Some(&at.origin);
        }
        found
    }

    /// Where everything stands, without what it is.
    pub(crate) fn places(&self) -> Self {
        let value = match &self.value {
            Value::Table(table) => {
                Value::Table(table.iter().map(|(key, node)| (key.clone(), node.places())).collect())
            }
            _ => Value::Null,
        };
        Self { value, origin: self.origin.clone(), replaced: Vec::new() }
    }

    /// A number that is the same where [`is_same`](Self::is_same) is true, and hardly ever elsewhere.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash_values(&mut hasher);
        hasher.finish()
    }

    fn hash_values(&self, hasher: &mut DefaultHasher) {
        std::mem::discriminant(&self.value).hash(hasher);
        match &self.value {
            Value::Null => {}
            Value::Bool(value) => value.hash(hasher),
            Value::Integer(number) => number.hash(hasher),
            Value::Float(number) => number.to_bits().hash(hasher),
            Value::Text(text) | Value::Raw(text) => text.hash(hasher),
            Value::List(nodes) => {
                nodes.len().hash(hasher);
                nodes.iter().for_each(|node| node.hash_values(hasher));
            }
            Value::Table(table) => {
                table.len().hash(hasher);
                for (name, node) in table {
                    name.hash(hasher);
                    node.hash_values(hasher);
                }
            }
        }
    }

    /// Whether the same values stand in both, under the same names.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(one), Value::Bool(other)) => one == other,
            (Value::Integer(one), Value::Integer(other)) => one == other,
            (Value::Float(one), Value::Float(other)) => one.to_bits() == other.to_bits(),
            (Value::Text(one), Value::Text(other)) | (Value::Raw(one), Value::Raw(other)) => {
                one == other
            }
            (Value::List(one), Value::List(other)) => {
                one.len() == other.len()
                    && one.iter().zip(other).all(|(one, other)| one.is_same(other))
            }
            (Value::Table(one), Value::Table(other)) => {
                one.len() == other.len()
                    && one.iter().zip(other).all(|((name, one), (other_name, other))| {
                        name == other_name && one.is_same(other)
                    })
            }
            _ => false,
        }
    }

    /// Gives what stands under `key`, in the table at this way, the name `field`, over what has that
    /// name already. Tells a variable that sets what another one sets.
    pub(crate) fn rename(&mut self, way: &[String], key: &str, field: &str) -> Option<Origin> {
        let Value::Table(table) = &mut self.value else { return None };
        if let Some((first, rest)) = way.split_first() {
            return table.get_mut(first)?.rename(rest, key, field);
        }
        let node = table.remove(key)?;
        let Some(known) = table.get_mut(field) else {
            table.insert(field.to_owned(), node);
            return None;
        };
        let twice = known.set_twice(&node);
        known.overlay(node);
        twice
    }

    /// The variable in the other layer, if any, that sets what a variable sets in this one.
    fn set_twice(&self, over: &Self) -> Option<Origin> {
        match (&self.value, &over.value) {
            (Value::Table(under), Value::Table(over)) => {
                over.iter().find_map(|(key, node)| under.get(key)?.set_twice(node))
            }
            _ => (self.origin.is_variable() && over.origin.is_variable())
                .then(|| over.origin.clone()),
        }
    }

    /// Puts another layer over this one: tables are joined, everything else is replaced.
    pub(crate) fn overlay(&mut self, over: Self) {
        match (&mut self.value, over.value) {
            (Value::Table(under), Value::Table(over)) => {
                for (key, node) in over {
                    let key = meant_by_variable(under, &key, &node).unwrap_or(key);
                    match under.get_mut(&key) {
                        Some(known) => known.overlay(node),
                        None => drop(under.insert(key, node)),
                    }
                }
            }
            (_, value) => {
                self.replaced.push(std::mem::replace(&mut self.origin, over.origin));
                self.value = value;
            }
        }
    }
}

/// The one name in the table that a variable's name stands for, though it is written differently. None
/// that another variable has set: that is told once the names are known that the types have.
fn meant_by_variable(table: &Table, key: &str, node: &Node) -> Option<String> {
    if !node.origin.is_variable() || table.contains_key(key) {
        return None;
    }
    let mut meant = table.iter().filter(|(known, _)| is_meant(key, known));
    match (meant.next(), meant.next()) {
        (Some((known, under)), None) if under.set_twice(node).is_none() => Some(known.clone()),
        _ => None,
    }
}

/// Shows what it is and where, never the value, which may be a secret.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.value.kind(), self.origin)
    }
}
