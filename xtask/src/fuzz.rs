//! `fuzz`: builds the targets of the workspace `fuzz/` on the pinned stable toolchain and runs each for a bounded time.
//!
//! The compiler's own coverage pass instruments all code of a target, so neither nightly nor cargo-fuzz is needed. What
//! libFuzzer finds on the way goes to the target folder, not into the repository: the seeds under `fuzz/corpus` are
//! chosen by hand.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::args::FuzzRequest;
use crate::failure::Failure;
use crate::files;
use crate::process::Run;
use crate::report::Report;
use crate::workspace::Workspace;

/// What cargo-fuzz passes for coverage, without the sanitizers that need nightly.
const INSTRUMENTATION: &str = "-Cpasses=sancov-module \
     -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
     -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares \
     -Ccodegen-units=1 -Cdebug-assertions --cfg fuzzing";

/// A target that panics on one input of 2^64: whoever finds it was led there by coverage.
const GUIDED: &str = "coverage_check";

/// How long the search for that input may take; it takes about a second.
const GUIDED_LIMIT: Duration = Duration::from_secs(60);

/// Builds the targets, shows that coverage guides them, and runs those that `request` asks for.
pub(crate) fn run(workspace: &Workspace, request: &FuzzRequest, report: &mut Report) {
    let mut fuzzer = None;
    report.step("build fuzz targets", |_| {
        fuzzer = Some(Fuzzer::build(workspace)?);
        Ok(())
    });
    let Some(fuzzer) = fuzzer else { return };
    report.step("fuzz: guided by coverage", |_| fuzzer.finds_by_coverage());
    match &request.target {
        Some(name) if !fuzzer.targets.contains(name) => {
            report.step(&format!("fuzz {name}"), |_| {
                Err(Failure::new(format!(
                    "no such target; there are: {}",
                    fuzzer.targets.join(", ")
                )))
            });
        }
        Some(name) => report.step(&format!("fuzz {name}"), |_| fuzzer.run(name, request.each)),
        None => {
            for name in &fuzzer.targets {
                report.step(&format!("fuzz {name}"), |_| fuzzer.run(name, request.each));
            }
        }
    }
}

/// The built targets and where their files lie.
struct Fuzzer {
    /// The workspace `fuzz/`.
    sources: PathBuf,
    /// Where programs, found inputs and logs go.
    output: PathBuf,
    /// Platform of this machine, such as `x86_64-unknown-linux-gnu`.
    host: String,
    /// All targets but [`GUIDED`].
    targets: Vec<String>,
}

impl Fuzzer {
    fn build(workspace: &Workspace) -> Result<Self, Failure> {
        let sources = workspace.root.join("fuzz");
        let host = host(&Run::new("rustc", &sources).arg("-vV").read()?)?;
        let output = workspace.target.join("fuzz");
        // With --target the flags do not reach build scripts and macros, which could not be linked with them.
        Run::cargo(&sources)
            .env("RUSTFLAGS", INSTRUMENTATION)
            .words("build --locked --release --bins --target")
            .arg(&host)
            .arg("--target-dir")
            .arg(&output)
            .check()?;
        let targets = targets(&Workspace::load_from(&sources)?);
        Ok(Self { sources, output, host, targets })
    }

    /// Runs one target; an input that makes it fail is a failure that names the file with that input.
    fn run(&self, name: &str, time: Duration) -> Result<(), Failure> {
        let seeds = self.sources.join("corpus").join(name);
        let is_empty = fs::read_dir(&seeds).map_or(true, |mut entries| entries.next().is_none());
        if is_empty {
            return Err(Failure::new(format!("`fuzz/corpus/{name}` holds no seeds")));
        }
        let log = self.start(name, time, Some(&seeds))?;
        if let Some(failure) = log.failure() {
            return Err(failure);
        }
        println!("{name}: {log}");
        log.check_instrumented()
    }

    /// Fails unless libFuzzer finds the input that only coverage leads to.
    fn finds_by_coverage(&self) -> Result<(), Failure> {
        let log = self.start(GUIDED, GUIDED_LIMIT, None)?;
        if log.artifact.is_none() {
            return Err(Failure::new(format!(
                "`{GUIDED}` did not find its input: the fuzzer is blind ({log})"
            )));
        }
        println!("{GUIDED}: found its input, as it should");
        Ok(())
    }

    fn start(&self, name: &str, time: Duration, seeds: Option<&Path>) -> Result<Log, Failure> {
        let found = self.folder("found", name)?;
        let artifacts = self.folder("artifacts", name)?;
        let log = self.folder("logs", name)?.join("last.txt");
        let program = self.output.join(&self.host).join("release").join(name);
        let mut run = Run::new(&program.to_string_lossy(), &self.output)
            // The message of a panic is wanted at the end of the log, not a page of frames behind it.
            .env("RUST_BACKTRACE", "0")
            .arg(format!("-max_total_time={}", time.as_secs()))
            .words("-timeout=10 -rss_limit_mb=2048 -print_final_stats=1")
            .arg(format!("-artifact_prefix={}/", artifacts.display()));
        match seeds {
            // New inputs go to the first folder; the second is only read.
            Some(seeds) => run = run.arg(found).arg(seeds),
            // From scratch, or an earlier run would have left the answer behind.
            None => run = run.arg("-seed=1"),
        }
        let file = File::create(&log).map_err(|error| cannot_write(&log, &error))?;
        let passed = run.errors_to(file).status()?.success();
        Ok(Log::read(&files::read(&log)?, passed))
    }

    fn folder(&self, kind: &str, name: &str) -> Result<PathBuf, Failure> {
        let folder = self.output.join(kind).join(name);
        fs::create_dir_all(&folder).map_err(|error| cannot_write(&folder, &error))?;
        Ok(folder)
    }
}

/// What libFuzzer wrote about one run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Log {
    passed: bool,
    runs: u64,
    /// Covered edges after the first inputs were read, and at the end.
    coverage: Option<(u64, u64)>,
    /// The file with the input that made the target fail.
    artifact: Option<String>,
    /// The last lines, for whoever has to find out why it failed.
    tail: String,
}

impl Log {
    /// Lines of a failed run that are shown.
    const TAIL: usize = 40;

    fn read(text: &str, passed: bool) -> Self {
        let mut coverage = text.lines().filter_map(|line| number_behind(line, "cov: "));
        let first = coverage.next();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(Self::TAIL)..).unwrap_or_default();
        Self {
            passed,
            runs: text
                .lines()
                .find_map(|line| number_behind(line, "stat::number_of_executed_units: "))
                .unwrap_or(0),
            coverage: first.map(|first| (first, coverage.next_back().unwrap_or(first))),
            artifact: text
                .lines()
                .find_map(|line| line.split_once("Test unit written to "))
                .map(|(_, path)| path.to_owned()),
            tail: tail.join("\n"),
        }
    }

    fn failure(&self) -> Option<Failure> {
        if self.passed && self.artifact.is_none() {
            return None;
        }
        let artifact = self.artifact.as_deref().unwrap_or("none was written");
        Some(Failure::new(format!("{}\n\ninput that makes it fail: {artifact}", self.tail)))
    }

    fn check_instrumented(&self) -> Result<(), Failure> {
        match self.coverage {
            Some((_, end)) if end > 0 && self.runs > 0 => Ok(()),
            _ => Err(Failure::new("it ran without coverage, or not at all")),
        }
    }
}

impl std::fmt::Display for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (start, end) = self.coverage.unwrap_or_default();
        write!(f, "{} runs, {start} edges covered at the start, {end} at the end", self.runs)
    }
}

/// The number right behind `label`.
fn number_behind(line: &str, label: &str) -> Option<u64> {
    line.split_once(label)?.1.split_whitespace().next()?.parse().ok()
}

fn targets(sources: &Workspace) -> Vec<String> {
    let programs = sources.members.iter().flat_map(|package| &package.targets);
    programs
        .filter(|target| target.kind == "bin" && target.name != GUIDED)
        .map(|target| target.name.clone())
        .collect()
}

/// The platform out of what `rustc -vV` prints.
fn host(version: &str) -> Result<String, Failure> {
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| Failure::new("`rustc -vV` does not name the platform of this machine"))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("`{}` cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: &str = "\
INFO: Loaded 1 modules   (2052 inline 8-bit counters)
#5\tINITED cov: 33 ft: 40 corp: 4/21b exec/s: 0 rss: 27Mb
#786724\tNEW    cov: 41 ft: 52 corp: 6/21b lim: 4096 exec/s: 0 rss: 27Mb
#900000\tDONE   cov: 41 ft: 52 corp: 6/21b lim: 4096 exec/s: 0 rss: 27Mb
stat::number_of_executed_units: 900000
";

    #[test]
    fn a_run_without_findings_passes_with_its_figures() {
        let log = Log::read(DONE, true);
        assert_eq!(log.to_string(), "900000 runs, 33 edges covered at the start, 41 at the end");
        assert!(log.failure().is_none());
        assert!(log.check_instrumented().is_ok());
    }

    #[test]
    fn a_crash_names_the_file_with_its_input() {
        let text = format!("{DONE}artifact_prefix='/t/'; Test unit written to /t/crash-1\n");
        let failure = Log::read(&text, false).failure().unwrap().to_string();
        assert!(failure.ends_with("input that makes it fail: /t/crash-1"), "{failure}");
        assert!(Log::read(DONE, false).failure().is_some(), "a bad exit code is enough");
    }

    #[test]
    fn a_target_without_instrumentation_is_refused() {
        let blind = "#2\tINITED exec/s: 0 rss: 26Mb\nstat::number_of_executed_units: 5\n";
        assert!(Log::read(blind, true).check_instrumented().is_err());
        assert!(Log::read("", true).check_instrumented().is_err());
    }

    #[test]
    fn the_platform_is_read() {
        assert_eq!(
            host("rustc 1.95.0\nhost: x86_64-unknown-linux-gnu\n").unwrap(),
            "x86_64-unknown-linux-gnu"
        );
        assert!(host("rustc 1.95.0\n").is_err());
    }
}
