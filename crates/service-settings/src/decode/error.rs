use std::fmt;

use serde::de::{self, Unexpected};

use crate::nearest::nearest;
use crate::node::Origin;
use crate::problem::ProblemKind;

/// Why a value cannot be read. Unlike what serde says by itself it never quotes the value.
#[derive(Debug)]
pub(crate) struct DecodeError {
    pub(crate) kind: ProblemKind,
    pub(crate) message: String,
    pub(crate) path: Option<String>,
    pub(crate) origin: Option<Origin>,
    /// A field of what stands at the path.
    pub(crate) missing: Option<&'static str>,
    /// What stands in for a failure is not good enough for the type.
    pub(crate) is_of_stand_in: bool,
    /// Its type was shown a part of what there is.
    pub(crate) is_of_part: bool,
    /// It says what a type of the application says, which may quote the value.
    pub(crate) is_foreign: bool,
    /// The name is wrong, not what stands under it.
    pub(crate) is_of_key: bool,
}

impl DecodeError {
    pub(crate) fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        let (path, origin, missing) = (None, None, None);
        let (is_of_stand_in, is_foreign, is_of_key) = (false, false, false);
        let (message, is_of_part) = (message.into(), false);
        Self {
            kind,
            message,
            path,
            origin,
            missing,
            is_of_stand_in,
            is_of_part,
            is_foreign,
            is_of_key,
        }
    }

    /// At this place, unless it is known to be at one further in.
    pub(crate) fn at(mut self, path: &str, origin: &Origin) -> Self {
        if self.path.is_none() {
            self.path = Some(path.to_owned());
            self.origin = Some(origin.clone());
        }
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DecodeError {}

/// What a value is, without the value.
fn kind_of(unexpected: &Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "a truth value",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "a number",
        Unexpected::Char(_) | Unexpected::Str(_) => "a text",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit | Unexpected::Option => "nothing",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a table",
        _ => "something else",
    }
}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { is_foreign: true, ..Self::new(ProblemKind::Invalid, message.to_string()) }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let found = kind_of(&unexpected);
        let message = format!("{found} stands where {expected} is asked for");
        Self::new(ProblemKind::WrongType, message)
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let message =
            format!("this {} is not {expected}", kind_of(&unexpected).trim_start_matches("a "));
        Self::new(ProblemKind::Invalid, message)
    }

    fn invalid_length(len: usize, expected: &dyn de::Expected) -> Self {
        let message = format!("there are {len} elements where {expected} is asked for");
        Self::new(ProblemKind::WrongType, message)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let known: Vec<_> = expected.iter().map(|name| format!("`{name}`")).collect();
        let message = match nearest(variant, expected.iter().copied()) {
            Some(near) => format!("there is no such choice; is `{near}` meant?"),
            None => format!("there is no such choice; there are {}", known.join(", ")),
        };
        Self::new(ProblemKind::Invalid, message)
    }

    /// Found before, with all others.
    fn unknown_field(_field: &str, _expected: &'static [&'static str]) -> Self {
        Self::new(ProblemKind::UnknownKey, "nothing has this name")
    }

    fn missing_field(field: &'static str) -> Self {
        let missing = Some(field);
        Self { missing, ..Self::new(ProblemKind::Missing, "this has to be set") }
    }

    /// By two names that a type has for it: a source or a table cannot hold one name twice.
    fn duplicate_field(field: &'static str) -> Self {
        let message = format!("`{field}` is set twice, by different names");
        Self::new(ProblemKind::Conflict, message)
    }
}
