use std::fmt;

use crate::reference::SecretRef;

use super::check::{Because, Check, Failure};
use super::harness::Hook;

/// What the suite found out about one provider.
///
/// `Display` is for people: what failed, by which rule, what was expected and what was seen, then
/// what could not be run, then a count. [`results`](Self::results) is for programs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The provider, by its id.
    pub provider: String,
    /// One result a check, in the order of the suite.
    pub results: Vec<CheckResult>,
    /// Entries that the suite wrote and could not take away.
    pub leftovers: Vec<SecretRef>,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckResult {
    /// The check.
    pub check: Check,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The provider keeps the rule.
    Passed,
    /// The provider breaks the rule.
    Failed(Failure),
    /// The rule does not speak of this provider.
    NotApplicable {
        /// What makes it so.
        because: Because,
    },
    /// It could not be run, and says nothing.
    NotRun {
        /// What the harness does not give.
        hook: Hook,
        /// Why that is accepted, by [`Harness::waives`](super::Harness::waives).
        waived: Option<&'static str>,
    },
}

impl Outcome {
    /// The outcome in one or two words.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::NotApplicable { .. } => "not applicable",
            Self::NotRun { .. } => "not run",
        }
    }
}

impl Report {
    pub(super) fn new(provider: String) -> Self {
        Self { provider, results: Vec::new(), leftovers: Vec::new() }
    }

    pub(super) fn add(&mut self, check: Check, outcome: Outcome) {
        self.results.push(CheckResult { check, outcome });
    }

    /// The outcome of one check.
    pub fn outcome(&self, id: &str) -> Option<&Outcome> {
        self.results.iter().find(|result| result.check.id == id).map(|result| &result.outcome)
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = (&Check, &Failure)> {
        self.results.iter().filter_map(|result| match &result.outcome {
            Outcome::Failed(failure) => Some((&result.check, failure)),
            _ => None,
        })
    }

    /// The checks that lack a hook, with the reason where that is accepted.
    pub fn not_run(&self) -> impl Iterator<Item = (&Check, Hook, Option<&'static str>)> {
        self.results.iter().filter_map(|result| match result.outcome {
            Outcome::NotRun { hook, waived } => Some((&result.check, hook, waived)),
            _ => None,
        })
    }

    /// How many checks came out so.
    pub fn count(&self, outcome: &str) -> usize {
        self.results.iter().filter(|result| result.outcome.as_str() == outcome).count()
    }

    /// True when something passed, nothing failed, and nothing was left out without a reason.
    pub fn is_conformant(&self) -> bool {
        self.count("passed") > 0
            && self.failures().next().is_none()
            && self.not_run().all(|(_, _, waived)| waived.is_some())
    }

    /// The report, or as an error the report of a provider that does not conform: its `Debug` is the
    /// readable text, so that `unwrap` in a test shows it.
    ///
    /// # Errors
    /// [`NotConformant`] unless [`is_conformant`](Self::is_conformant).
    pub fn into_result(self) -> Result<Self, NotConformant> {
        if self.is_conformant() { Ok(self) } else { Err(NotConformant(self)) }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "conformance of {}", self.provider)?;
        for (check, failure) in self.failures() {
            writeln!(f, "\nfailed    {}: {}", check.id, check.title)?;
            write_field(f, "rule", check.rule)?;
            write_field(f, "step", &failure.step)?;
            write_field(f, "expected", &failure.expected)?;
            write_field(f, "seen", &failure.seen)?;
        }
        let mut lead = "\n";
        for (check, hook, waived) in self.not_run() {
            write!(f, "{lead}not run   {}: the harness has no `{}`", check.id, hook.as_str())?;
            match waived {
                Some(reason) => writeln!(f, " (accepted: {reason})")?,
                None => writeln!(f)?,
            }
            lead = "";
        }
        for entry in &self.leftovers {
            writeln!(f, "left over `{entry}`")?;
        }
        writeln!(
            f,
            "\n{} passed, {} failed, {} not run, {} not applicable",
            self.count("passed"),
            self.count("failed"),
            self.count("not run"),
            self.count("not applicable"),
        )
    }
}

/// A label and a text of several lines, where it is long.
fn write_field(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    const COLUMNS: usize = 100;
    let mut column = 11;
    write!(f, "  {label:8} ")?;
    for word in text.split(' ') {
        column += word.chars().count() + 1;
        if column > COLUMNS {
            write!(f, "\n           ")?;
            column = 11 + word.chars().count() + 1;
        }
        write!(f, " {word}")?;
    }
    writeln!(f)
}

/// A provider, or a harness, that does not pass.
#[derive(Clone)]
pub struct NotConformant(Report);

impl NotConformant {
    /// The report.
    pub fn report(&self) -> &Report {
        &self.0
    }
}

impl fmt::Display for NotConformant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The readable text: this is what a failed `unwrap` prints.
impl fmt::Debug for NotConformant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for NotConformant {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::check::Stop;

    #[test]
    fn a_failure_is_readable_without_the_source() {
        let check = Check {
            id: "promotion.stale-base",
            title: "a promotion from a base that is not current is refused",
            rule: "`promote` with a base that is not current is `Conflict` and changes nothing: the \
                   pending value still waits.",
        };
        let step = "promote from a base that is not current";
        let Stop::Failed(failure) = Stop::failed(step, "an error of kind `conflict`", "success")
        else {
            unreachable!()
        };
        let mut report = Report::new("memory:aws".to_owned());
        report.add(check, Outcome::Failed(failure));
        let shown = "\
conformance of memory:aws

failed    promotion.stale-base: a promotion from a base that is not current is refused
  rule      `promote` with a base that is not current is `Conflict` and changes nothing: the pending
            value still waits.
  step      promote from a base that is not current
  expected  an error of kind `conflict`
  seen      success

0 passed, 1 failed, 0 not run, 0 not applicable
";
        assert_eq!(report.to_string(), shown);
        assert_eq!(format!("{:?}", report.into_result().unwrap_err()), shown);
    }
}
