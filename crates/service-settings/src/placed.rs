use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Visitor};

use crate::decode::{Base, Handed, PLACED, handed_over};
use crate::loader::Rules;
use crate::node::{Node, Origin, Value};
use crate::problem::{Place, Problem};

/// A part of the settings that knows where it stands, so that what is found wrong with it later, when
/// the settings are put to use, is told with its place too.
///
/// ```
/// use service_settings::{Format, Placed, Subtree};
///
/// #[derive(serde::Deserialize)]
/// struct Pool {
///     size: u32,
/// }
///
/// let text = "[database]\n\n[database.pool]\nsize = 700";
/// let settings = Subtree::parse(Format::Toml, "app.toml", text)?;
/// let pool: Placed<Pool> = settings.part("database").and_then(|part| part.part("pool")).ok_or("no pool")?.read()?;
/// assert_eq!(pool.value.size, 700);
///
/// let problem = pool.problem("size", "is more than the server allows");
/// assert_eq!(problem.to_string(), "app.toml:4: `database.pool.size`: is more than the server allows");
/// assert_eq!(pool.place(), "app.toml:3: `database.pool`");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Placed<T> {
    /// What was read.
    pub value: T,
    base: Base,
    /// The places of what it was read from, and no values.
    places: Option<Box<Node>>,
    /// Of those values: nothing can be told from it but whether others are the same.
    fingerprint: Option<u64>,
}

impl<T> Placed<T> {
    /// A value that stands nowhere: one that the program makes.
    pub fn nowhere(value: T) -> Self {
        Self { value, base: Base::root(), places: None, fingerprint: None }
    }

    /// Where it is, as `database.pool`; empty for a whole, and for what stands nowhere.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.base.path
    }

    /// What set it first, if anything did.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.places.as_ref().map(|places| &places.origin)
    }

    /// Both on one line, as a problem tells them: `` app.toml:4: `database.pool` ``; empty for what stands
    /// nowhere.
    #[must_use]
    pub fn place(&self) -> String {
        Place(self.origin(), self.path()).to_string()
    }

    /// Whether both were read from the same values, whichever file those came from. Two that stand
    /// nowhere are. What a variable holds is the same as in another variable alone: the type may take
    /// it for a number or a list.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }

    /// Something that makes no sense, at a path from here; empty for the whole.
    #[must_use]
    pub fn problem(&self, path: &str, message: impl Into<String>) -> Problem {
        let nothing = Node::new(Value::Null, Origin::nowhere());
        let places = self.places.as_deref();
        let problem = Problem::invalid(path, message);
        let mut problem = self.base.place(places.unwrap_or(&nothing), problem);
        problem.origin = problem.origin.or_else(|| self.origin().cloned());
        problem
    }
}

/// Those of the value, with their places.
impl<T: Rules> Rules for Placed<T> {
    fn problems(&self) -> Vec<Problem> {
        let placed = |problem: Problem| match problem.origin {
            Some(_) => problem,
            None => Problem { kind: problem.kind, ..self.problem(&problem.path, problem.message) },
        };
        self.value.problems().into_iter().map(placed).collect()
    }
}

impl<T: Default> Default for Placed<T> {
    fn default() -> Self {
        Self::nowhere(T::default())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(PLACED, Placing(PhantomData))
    }
}

struct Placing<T>(PhantomData<fn() -> T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Placing<T> {
    type Value = Placed<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Placed<T>, D::Error> {
        let handed = handed_over();
        let value = T::deserialize(inner)?;
        Ok(match handed {
            Some(handed) => {
                let Handed { base, node, fingerprint } = handed;
                Placed { value, base, places: Some(Box::new(node)), fingerprint }
            }
            None => Placed::nowhere(value),
        })
    }
}

/// Shows the value as it shows itself, and where it is.
impl<T: fmt::Debug> fmt::Debug for Placed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placed")
            .field("value", &self.value)
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}
