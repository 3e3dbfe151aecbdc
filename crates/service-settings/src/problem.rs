use std::fmt;

use crate::decode::shown;
use crate::node::Origin;

/// Something that is wrong with the settings. It tells where, and never shows a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The setting, as `database.pool.size`; a name that holds dots, brackets or quotation marks stands in
    /// quotation marks, as `routes."a.b"`. Empty where a source as a whole is meant.
    pub path: String,
    /// Where it stands, if it stands anywhere.
    pub origin: Option<Origin>,
    /// What sort of problem.
    pub kind: ProblemKind,
    /// What is wrong, and what to do where that is known.
    pub message: String,
}

/// What sort of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The source is not there, or cannot be read.
    Unreadable,
    /// It has not the form that it should have.
    Syntax,
    /// Nothing has this name.
    UnknownKey,
    /// Something is set twice in one source.
    Conflict,
    /// Something has to be set and is not.
    Missing,
    /// It is not what is asked for.
    WrongType,
    /// It is of the right type and makes no sense.
    Invalid,
}

impl Problem {
    /// Something that the settings' own rules find, at a path such as `database.pool.size`.
    #[must_use]
    pub fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(path, None, ProblemKind::Invalid, message)
    }

    /// Whether settings may stand where nobody could read them.
    pub(crate) fn hides_settings(&self) -> bool {
        // A name that stands twice spoils its whole file; a variable spoils nothing but itself.
        let is_of_source = self.path.is_empty() || self.kind == ProblemKind::Conflict;
        is_of_source && !self.origin.as_ref().is_some_and(Origin::is_variable)
    }

    pub(crate) fn new(
        path: impl Into<String>,
        origin: Option<Origin>,
        kind: ProblemKind,
        message: impl Into<String>,
    ) -> Self {
        Self { path: path.into(), origin, kind, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = Place(self.origin.as_ref(), &self.path).to_string();
        if !place.is_empty() {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Where something stands, on one line, of which both parts may be missing.
pub(crate) struct Place<'a>(pub(crate) Option<&'a Origin>, pub(crate) &'a str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(origin, path) = *self;
        if let Some(origin) = origin {
            write!(f, "{origin}{}", if path.is_empty() { "" } else { ": " })?;
        }
        // Names may be anything in a file that is not what it should be.
        if path.is_empty() { Ok(()) } else { write!(f, "`{}`", shown(path)) }
    }
}

/// All that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Of several problems; none where there are none.
    ///
    /// # Errors
    /// [`Problems`]: all of them, if there are any.
    pub fn none_or(problems: impl IntoIterator<Item = Problem>) -> Result<(), Self> {
        let problems: Vec<_> = problems.into_iter().collect();
        if problems.is_empty() { Ok(()) } else { Err(Self(problems)) }
    }

    /// Each of them, in the order in which they were found; at least one.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// In the order in which they were found.
impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// One on a line.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            [] => f.write_str("no problem with the settings"),
            [problem] => write!(f, "a problem with the settings: {problem}"),
            problems => {
                write!(f, "{} problems with the settings:", problems.len())?;
                problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl std::error::Error for Problems {}
