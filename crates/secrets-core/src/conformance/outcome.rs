//! How the outcome of one step becomes a verdict.

use crate::error::{Error, ErrorKind, Result};

use super::check::{Stop, Verdict};

/// The outcome of a step that has to succeed.
pub(super) fn done<T>(step: &'static str, result: Result<T>) -> Verdict<T> {
    result.map_err(|error| Stop::failed(step, "success", told_error(&error)))
}

/// The error of a step that has to be refused, for one of these reasons.
pub(super) fn refused<T>(
    step: &'static str,
    result: Result<T>,
    kinds: &[ErrorKind],
) -> Verdict<Error> {
    match result {
        Err(error) if kinds.contains(&error.kind()) => Ok(error),
        Err(error) => Err(Stop::failed(step, told_kinds(kinds), told_error(&error))),
        Ok(_) => Err(Stop::failed(step, told_kinds(kinds), "success")),
    }
}

/// Fails unless the rule holds.
pub(super) fn ensure(
    holds: bool,
    step: &'static str,
    expected: &'static str,
    seen: impl FnOnce() -> String,
) -> Verdict {
    if holds { Ok(()) } else { Err(Stop::failed(step, expected, seen())) }
}

pub(super) fn told_error(error: &Error) -> String {
    format!("the error `{error}`")
}

pub(super) fn told_kinds(kinds: &[ErrorKind]) -> String {
    let kinds: Vec<_> = kinds.iter().map(|kind| format!("`{}`", kind.as_str())).collect();
    format!("an error of kind {}", kinds.join(" or "))
}
