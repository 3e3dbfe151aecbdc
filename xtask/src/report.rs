//! Runs named steps one after another and says at the end how each went.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::tally::Tally;

/// What the steps of a command came to.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    warnings: Vec<String>,
    tally: Tally,
}

#[derive(Debug)]
struct Row {
    name: String,
    passed: bool,
    took: Duration,
}

impl Report {
    /// Runs `work` as the step `name`. A failure is printed and kept; the steps behind it run all the same.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce(&mut Self) -> Result<(), Failure>) {
        eprintln!("\n==> {name}");
        let start = Instant::now();
        let result = work(self);
        if let Err(failure) = &result {
            eprintln!("FAILED {name}: {failure}");
        }
        self.rows.push(Row {
            name: name.to_owned(),
            passed: result.is_ok(),
            took: start.elapsed(),
        });
    }

    /// Keeps a warning for the end of the output, where it cannot be overlooked.
    pub(crate) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// Adds the tests of one `cargo test` run.
    pub(crate) fn count(&mut self, tally: &Tally) {
        self.tally.add(tally);
    }

    /// Prints one line a step, the warnings and, if tests ran, their sum; the exit code says whether all passed.
    pub(crate) fn finish(self) -> ExitCode {
        print!("{}", self.summary());
        if self.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.passed)
    }

    fn summary(&self) -> String {
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        let mut text = String::from("\n");
        for row in &self.rows {
            let verdict = if row.passed { "ok" } else { "FAILED" };
            text +=
                &format!("{:width$}  {verdict:6}  {:>6.1} s\n", row.name, row.took.as_secs_f64());
        }
        for warning in &self.warnings {
            let bar = "!".repeat(80);
            text += &format!("\n{bar}\nWARNING: {warning}\n{bar}\n");
        }
        if self.tally.long() > 0 {
            text +=
                &format!("\n{} long tests did not run; `--long` runs them\n", self.tally.long());
        }
        if self.tally.ran() > 0 {
            text += &format!("\n{}\n", self.tally);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_fails_the_report_and_stops_nothing() {
        let mut report = Report::default();
        let mut second_ran = false;
        report.step("first", |_| Err(Failure::new("broken")));
        report.step("second", |_| {
            second_ran = true;
            Ok(())
        });
        assert!(second_ran);
        assert!(!report.passed());
    }

    #[test]
    fn the_sum_of_all_tests_is_the_last_line_and_alone_on_it() {
        let mut report = Report::default();
        let mut tally = Tally::default();
        tally.read("test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
        report.step("test", |report| {
            report.count(&tally);
            report.count(&tally);
            Ok(())
        });
        report.warn("nobody asked the advisory database");
        let summary = report.summary();
        assert_eq!(summary.lines().last(), Some("14 passed, 0 failed"));
        assert!(summary.contains("WARNING: nobody asked the advisory database"));
        assert!(report.passed());
    }
}
