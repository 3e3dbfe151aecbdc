//! Reads what libtest prints and adds it up.

use std::fmt;

/// Prefix of the reason in `#[ignore = "long: …"]`: such a test runs under `--long` alone.
const LONG: &str = "long:";

/// The tests of any number of `cargo test` runs.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    /// Tests that wait for `--long`.
    long: u64,
    /// Names of tests that were ignored for any other reason. Nothing is skipped silently: these fail the run.
    skipped: Vec<String>,
}

impl Tally {
    /// Takes in one line of output; lines that say nothing about tests are passed over.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.passed += number_before(counts, " passed");
            self.failed += number_before(counts, " failed");
        } else if let Some((name, reason)) = ignored(line) {
            if reason.starts_with(LONG) {
                self.long += 1;
            } else {
                self.skipped.push(name.to_owned());
            }
        }
    }

    /// Adds the tests of another run.
    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.long += other.long;
        self.skipped.extend(other.skipped.iter().cloned());
    }

    /// How many tests ran.
    pub(crate) fn ran(&self) -> u64 {
        self.passed + self.failed
    }

    /// How many tests wait for `--long`.
    pub(crate) fn long(&self) -> u64 {
        self.long
    }

    /// Names of the tests that were skipped although nobody may skip them.
    pub(crate) fn skipped(&self) -> &[String] {
        &self.skipped
    }
}

/// The closing line of a run: `12 passed, 0 failed`.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The number right before `unit` in `ok. 3 passed; 0 failed; …`; 0 if there is none.
fn number_before(text: &str, unit: &str) -> u64 {
    text.split_once(unit)
        .and_then(|(before, _)| before.rsplit(' ').next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// Name and reason out of `test NAME ... ignored` and `test NAME ... ignored, REASON`.
fn ignored(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... ignored")?;
    Some((name, rest.trim_start_matches(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(output: &str) -> Tally {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.read(line));
        tally
    }

    const RUN: &str = "\
running 3 tests
test a ... ok
test b ... FAILED
test soak ... ignored, long: an hour of writes

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    #[test]
    fn passed_and_failed_are_read() {
        let tally = tally(RUN);
        assert_eq!(tally.to_string(), "1 passed, 1 failed");
        assert_eq!(tally.ran(), 2);
    }

    #[test]
    fn several_runs_add_up() {
        let mut sum = tally(RUN);
        sum.add(&tally(
            "test result: ok. 40 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 1.20s",
        ));
        assert_eq!(sum.to_string(), "41 passed, 1 failed");
    }

    #[test]
    fn a_long_test_is_not_a_skipped_one() {
        let tally = tally(RUN);
        assert_eq!(tally.long(), 1);
        assert!(tally.skipped().is_empty());
    }

    #[test]
    fn a_test_ignored_for_another_reason_is_skipped() {
        let tally = tally("test net ... ignored\ntest src/lib.rs - Live (line 3) ... ignored\n");
        assert_eq!(tally.skipped(), ["net", "src/lib.rs - Live (line 3)"]);
    }

    #[test]
    fn what_a_test_prints_is_not_counted() {
        assert_eq!(tally("note: 3 passed; 4 failed\nlatest result: 9 passed"), Tally::default());
    }
}
