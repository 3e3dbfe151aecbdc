//! The command line: words in, one [`Command`] out.

use std::time::Duration;

/// What `cargo xtask help` prints.
pub(crate) const USAGE: &str = "\
usage: cargo xtask <command> [options]

  ci           everything below except bench and conformance: what has to pass before a change lands
  test         every test of the workspace, packages that must test alone, model checks, a short fuzz run
  lint         rustfmt, clippy (workspace, each package alone, benches, fuzz) and rustdoc, warnings denied
  check-graph  allowed edges between packages, forbidden packages, package budgets, rules for manifests
  check-docs   versions, features, tables, links and commands in the documents against the manifests
  deny         licences, bans, sources and advisories of all dependencies (cargo-deny)
  fuzz         all fuzz targets, or one: fuzz [TARGET] [--seconds N]
  bench        the benchmarks: bench [--json] [--table] [--quick] [--suite NAME]
  conformance  the suite of the contract on your own cloud account: conformance --live aws --region R --prefix P
  setup        install what the commands above need and the machine lacks
  help         this text

  --long       with ci, test and fuzz: the long form of whatever has a short one

exit codes: 0 all passed, 1 something failed, 2 the command line was not understood";

/// The names of all commands, for the check that documents name only these.
pub(crate) const COMMANDS: [&str; 11] = [
    "ci",
    "test",
    "lint",
    "check-graph",
    "check-docs",
    "deny",
    "fuzz",
    "bench",
    "conformance",
    "setup",
    "help",
];

/// A recipe with its options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Ci { depth: Depth },
    Test { depth: Depth },
    Lint,
    CheckGraph,
    CheckDocs,
    Deny,
    Fuzz(FuzzRequest),
    Bench { arguments: Vec<String> },
    Conformance { arguments: Vec<String> },
    Setup,
    Help,
}

/// How much of what takes long is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Minutes: what CI runs on every change.
    Short,
    /// As long as it takes: before a release, or when hunting a bug.
    Long,
}

/// Which fuzz targets run, and for how long each.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FuzzRequest {
    /// One target by name; all of them if there is none.
    pub(crate) target: Option<String>,
    /// The time that each target gets.
    pub(crate) each: Duration,
}

impl FuzzRequest {
    /// Every target, for as long as `depth` grants.
    pub(crate) fn all(depth: Depth) -> Self {
        Self { target: None, each: depth.fuzz_time() }
    }
}

impl Depth {
    fn fuzz_time(self) -> Duration {
        match self {
            Self::Short => Duration::from_secs(5),
            Self::Long => Duration::from_secs(300),
        }
    }
}

/// Reads the words behind `cargo xtask`.
///
/// # Errors
///
/// A sentence that names the word which is not understood.
pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut words = words;
    let Some(name) = words.next() else {
        return Err("a command is missing".to_owned());
    };
    match name.as_str() {
        "ci" => Ok(Command::Ci { depth: depth(words)? }),
        "test" => Ok(Command::Test { depth: depth(words)? }),
        "lint" => nothing_more(words, Command::Lint),
        "check-graph" => nothing_more(words, Command::CheckGraph),
        "check-docs" => nothing_more(words, Command::CheckDocs),
        "deny" => nothing_more(words, Command::Deny),
        "fuzz" => Ok(Command::Fuzz(fuzz(words)?)),
        "bench" => Ok(Command::Bench { arguments: words.collect() }),
        "conformance" => Ok(Command::Conformance { arguments: words.collect() }),
        "setup" => nothing_more(words, Command::Setup),
        "help" | "--help" | "-h" => nothing_more(words, Command::Help),
        other => Err(format!("`{other}` is no command")),
    }
}

fn nothing_more(
    mut words: impl Iterator<Item = String>,
    command: Command,
) -> Result<Command, String> {
    match words.next() {
        None => Ok(command),
        Some(word) => Err(format!("`{word}` is not understood here")),
    }
}

fn depth(words: impl Iterator<Item = String>) -> Result<Depth, String> {
    let mut depth = Depth::Short;
    for word in words {
        match word.as_str() {
            "--long" => depth = Depth::Long,
            other => return Err(format!("`{other}` is not understood here")),
        }
    }
    Ok(depth)
}

fn fuzz(mut words: impl Iterator<Item = String>) -> Result<FuzzRequest, String> {
    let mut request = FuzzRequest::all(Depth::Short);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--long" => request.each = Depth::Long.fuzz_time(),
            "--seconds" => request.each = seconds(words.next())?,
            option if option.starts_with('-') => {
                return Err(format!("`{option}` is not understood here"));
            }
            _ if request.target.is_some() => {
                return Err(format!(
                    "`{word}` would be a second target; name one, or none for all"
                ));
            }
            _ => request.target = Some(word),
        }
    }
    Ok(request)
}

fn seconds(word: Option<String>) -> Result<Duration, String> {
    let word = word.ok_or("a number of seconds is missing behind `--seconds`")?;
    match word.parse() {
        Ok(n) if n > 0 => Ok(Duration::from_secs(n)),
        _ => Err(format!("`{word}` is no number of seconds above 0")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        super::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn every_listed_command_is_understood_and_in_the_usage_text() {
        for name in COMMANDS {
            assert!(parse(name).is_ok(), "{name}");
            assert!(USAGE.contains(&format!("\n  {name} ")), "{name}");
        }
    }

    #[test]
    fn long_is_off_unless_asked_for() {
        assert_eq!(parse("ci"), Ok(Command::Ci { depth: Depth::Short }));
        assert_eq!(parse("test --long"), Ok(Command::Test { depth: Depth::Long }));
    }

    #[test]
    fn fuzz_takes_a_target_and_a_time() {
        assert_eq!(
            parse("fuzz dotenv --seconds 30"),
            Ok(Command::Fuzz(FuzzRequest {
                target: Some("dotenv".to_owned()),
                each: Duration::from_secs(30),
            }))
        );
    }

    #[test]
    fn bench_hands_its_arguments_on() {
        assert_eq!(
            parse("bench --json --suite cache"),
            Ok(Command::Bench {
                arguments: vec!["--json".into(), "--suite".into(), "cache".into()]
            })
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in [
            "",
            "tset",
            "lint --fix",
            "test --short",
            "fuzz --second 3",
            "fuzz a b",
            "fuzz --seconds",
            "fuzz --seconds 0",
            "fuzz --seconds soon",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
