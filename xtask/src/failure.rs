//! Why a recipe stopped.

use std::fmt;

/// A message for the person at the terminal; recipes have no caller that would tell kinds apart.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// A failure that reads as `message`.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// The failure that stands for `problems`, one a line; success when there is none.
    pub(crate) fn from_problems(problems: &[String]) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = problems.iter().map(|p| format!("  - {p}")).collect();
        Err(Self(format!("{} found\n{}", count(problems.len()), lines.join("\n"))))
    }
}

fn count(problems: usize) -> String {
    match problems {
        1 => "1 problem".to_owned(),
        n => format!("{n} problems"),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_problem_is_success() {
        assert!(Failure::from_problems(&[]).is_ok());
    }

    #[test]
    fn every_problem_is_named() {
        let failure = Failure::from_problems(&["a".to_owned(), "b".to_owned()]).unwrap_err();
        assert_eq!(failure.to_string(), "2 problems found\n  - a\n  - b");
    }
}
