//! The command line.

/// What to run and how to show it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) format: Format,
    pub(crate) quick: bool,
    suite: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Table,
    Json,
}

impl Arguments {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    ///
    /// What to tell the user: the wrong word and the usage.
    pub(crate) fn parse(
        mut words: impl Iterator<Item = String>,
        suites: &[&str],
    ) -> Result<Self, String> {
        let usage = || {
            let suites = suites.join("|");
            format!("usage: bench [--json | --table] [--quick] [--suite {suites}]")
        };
        let mut arguments = Self { format: Format::Table, quick: false, suite: None };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--json" => arguments.format = Format::Json,
                "--table" => arguments.format = Format::Table,
                "--quick" => arguments.quick = true,
                "--suite" => match words.next() {
                    Some(name) if suites.contains(&name.as_str()) => arguments.suite = Some(name),
                    Some(name) => return Err(format!("there is no suite `{name}`\n{}", usage())),
                    None => return Err(format!("`--suite` needs a name\n{}", usage())),
                },
                other => return Err(format!("unknown argument `{other}`\n{}", usage())),
            }
        }
        Ok(arguments)
    }

    pub(crate) fn runs(&self, suite: &str) -> bool {
        self.suite.as_deref().is_none_or(|chosen| chosen == suite)
    }
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Format};

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(String::from), &["live", "crypto"])
    }

    #[test]
    fn runs_all_as_a_table_unless_told_otherwise() {
        let arguments = parse("").unwrap();
        assert_eq!((arguments.format, arguments.quick), (Format::Table, false));
        assert!(arguments.runs("live") && arguments.runs("crypto"));
    }

    #[test]
    fn takes_what_it_is_told() {
        let arguments = parse("--json --quick --suite crypto").unwrap();
        assert_eq!((arguments.format, arguments.quick), (Format::Json, true));
        assert!(!arguments.runs("live") && arguments.runs("crypto"));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for line in ["--fast", "--suite", "--suite lives", "live"] {
            assert!(parse(line).unwrap_err().contains("usage: bench"), "{line}");
        }
    }
}
