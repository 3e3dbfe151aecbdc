use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Visitor};

use crate::decode::{Base, Handed, Rename, SUBTREE, decode, handed_over, segment};
use crate::foreign::Foreign;
use crate::loader::Rules;
use crate::nearest::is_meant;
use crate::node::{Node, Origin, Table, Value};
use crate::problem::{Place, Problem, ProblemKind, Problems};
use crate::read::{Format, parse, parse_value};
use crate::redact::without_values;

/// A part of the settings that is kept unread, for whoever knows its type: the options of a plugin,
/// which the settings around them know nothing of.
///
/// When it is read its problems are told as all others are: all at once, by the path from the root,
/// with the file and the line or the variable, with the nearest known name, and without a value. Until
/// then it shows in no `Debug`, and its values are masked in an [`Explanation`](crate::Explanation);
/// what the [`Rules`] of the settings around it read shows there.
///
/// ```
/// use service_settings::{Format, Layers, Problem, Rules, Subtree};
///
/// #[derive(serde::Deserialize)]
/// struct Settings {
///     store: Subtree,
/// }
///
/// #[derive(serde::Deserialize)]
/// struct Disk {
///     path: String,
/// }
///
/// impl Rules for Settings {
///     fn problems(&self) -> Vec<Problem> {
///         match self.store.text("type") {
///             Ok(Some(kind)) if kind == "disk" => self.store.without("type").read::<Disk>().err(),
///             Ok(_) => Some(self.store.problem("type", "is no store that there is").into()),
///             Err(problems) => Some(problems),
///         }
///         .into_iter()
///         .flatten()
///         .collect()
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let layers = |text| Layers::<Settings>::new().defaults(Format::Toml, text);
/// let problems = layers("[store]\ntype = 'disk'\npaht = '/data'").load().err().ok_or("two")?;
/// assert!(problems.to_string().contains("defaults:3: `store.paht`: nothing has this name; is `path` meant?"));
///
/// let loaded = layers("[store]\ntype = 'disk'\npath = '/data'").load()?;
/// let disk: Disk = loaded.settings.store.without("type").read()?;
/// assert_eq!(disk.path, "/data");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Subtree {
    base: Base,
    node: Node,
}

impl Subtree {
    /// Reads a text as a part of settings that stands by itself, as the tests of a plugin need it.
    /// `source` is what problems say of it.
    ///
    /// # Errors
    /// [`Problems`] of the text.
    pub fn parse(format: Format, source: &str, text: &str) -> Result<Self, Problems> {
        let (node, problems) = parse(format, &Arc::from(source), text);
        Problems::none_or(problems)?;
        Ok(Self { base: Base::root(), node })
    }

    /// Where it is, as `secrets.providers.main`; empty for a whole.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.base.path
    }

    /// What set it first: for a table that several sources have a part in, the first of them.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.node.origin
    }

    /// Both on one line, as a problem tells them: `` app.toml:4: `secrets.providers.main` ``.
    #[must_use]
    pub fn place(&self) -> String {
        Place(Some(self.origin()), self.path()).to_string()
    }

    /// The names in it, if it is a table. A variable's name has no capitals and no hyphens.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.table().map(|table| table.keys().cloned().collect()).unwrap_or_default()
    }

    /// What stands under a name, kept unread as well.
    #[must_use]
    pub fn part(&self, key: &str) -> Option<Self> {
        let table = self.table()?;
        let (found, node) = entry(&table, key)?;
        if found != key {
            let rename = Rename { way: Vec::new(), key: found.to_owned(), field: key.to_owned() };
            self.base.reads.note(&self.base, BTreeSet::new(), vec![rename]);
        }
        let base = self.base.at(&segment(key), Some(vec![key.to_owned()]));
        Some(Self { base, node: node.clone() })
    }

    /// The text under a name, such as the one that tells the type of all of it; `None` if there is
    /// none.
    ///
    /// # Errors
    /// [`Problems`]: that it is something else than a text.
    pub fn text(&self, key: &str) -> Result<Option<String>, Problems> {
        self.part(key).map(|part| part.read()).transpose()
    }

    /// All but what stands under one name.
    #[must_use]
    pub fn without(&self, key: &str) -> Self {
        let mut rest = self.clone();
        let Some(table) = self.table() else { return rest };
        let mut table = table.into_owned();
        if let Some((found, _)) = entry(&table, key) {
            let found = found.to_owned();
            table.remove(&found);
        }
        rest.node.value = Value::Table(table);
        rest
    }

    /// Reads it as this type.
    ///
    /// # Errors
    /// [`Problems`]: all that are found.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Problems> {
        decode(&mut self.node.clone(), &self.base).map_err(|found| {
            let unreadable = || self.problem("", "this cannot be read");
            Problems::none_or(found).err().unwrap_or_else(|| unreadable().into())
        })
    }

    /// Reads it as this type, which has rules of its own. Those name paths from here.
    ///
    /// # Errors
    /// [`Problems`]: all that are found.
    pub fn read_checked<T: DeserializeOwned + Rules>(&self) -> Result<T, Problems> {
        let value: T = self.read()?;
        let problems = value.problems().into_iter();
        Problems::none_or(problems.map(|found| self.base.place(&self.node, found)))?;
        Ok(value)
    }

    /// Something that makes no sense, at a path from here; empty for the whole.
    #[must_use]
    pub fn problem(&self, path: &str, message: impl Into<String>) -> Problem {
        let mut problem = self.base.place(&self.node, Problem::invalid(path, message));
        problem.origin.get_or_insert_with(|| self.node.origin.clone());
        problem
    }

    /// The same with the message of somebody else, which may quote what stands here: without that.
    #[must_use]
    pub fn problem_quoting(&self, path: &str, message: &str) -> Problem {
        self.problem(path, without_values(message, &self.node))
    }

    /// Whether the same stands in both, whichever file it came from. What a variable holds is the same
    /// as in another variable alone: the type may take it for a number or a list.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.node.is_same(&other.node)
    }

    /// A name that is missing from here.
    #[must_use]
    pub fn missing(&self, path: &str) -> Problem {
        let problem = self.problem(path, "this has to be set");
        Problem { kind: ProblemKind::Missing, ..problem }
    }

    /// A variable holds a table as JSON.
    fn table(&self) -> Option<Cow<'_, Table>> {
        match &self.node.value {
            Value::Table(table) => Some(Cow::Borrowed(table)),
            Value::Raw(text) => {
                let parsed = parse_value(&Arc::from(self.node.origin.source()), text).ok()?;
                match parsed.value {
                    Value::Table(table) => Some(Cow::Owned(table)),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// What stands under a name, or under what a variable makes of it.
fn entry<'t>(table: &'t Table, key: &str) -> Option<(&'t str, &'t Node)> {
    let is_it = |(known, node): &(&String, &Node)| {
        known.as_str() == key || node.origin.is_variable() && is_meant(known, key)
    };
    let exact = table.get_key_value(key).or_else(|| table.iter().find(is_it));
    exact.map(|(found, node)| (found.as_str(), node))
}

impl<'de> Deserialize<'de> for Subtree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(SUBTREE, Keeping)
    }
}

struct Keeping;

impl<'de> Visitor<'de> for Keeping {
    type Value = Subtree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Subtree, D::Error> {
        if let Some(Handed { base, node, .. }) = handed_over() {
            return Ok(Subtree { base, node });
        }
        Foreign::deserialize(inner).map(|Foreign(node)| Subtree { base: Base::root(), node })
    }
}

/// Shows where it is, and nothing of what is in it.
impl fmt::Debug for Subtree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subtree")
            .field("path", &self.path())
            .field("origin", self.origin())
            .finish_non_exhaustive()
    }
}
