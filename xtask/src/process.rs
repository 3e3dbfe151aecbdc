//! Starts other programs and waits for them.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// One run of another program; its standard input is empty.
#[derive(Debug)]
pub(crate) struct Run {
    command: Command,
    shown: String,
}

impl Run {
    /// A run of `program` in `folder`.
    pub(crate) fn new(program: &str, folder: &Path) -> Self {
        let mut command = Command::new(program);
        command.current_dir(folder).stdin(Stdio::null());
        Self { command, shown: program.to_owned() }
    }

    /// A run of cargo in `folder`, which decides the toolchain by its `rust-toolchain.toml`.
    pub(crate) fn cargo(folder: &Path) -> Self {
        Self::new("cargo", folder)
    }

    /// Appends the words of `line`, split at white space.
    pub(crate) fn words(mut self, line: &str) -> Self {
        for word in line.split_whitespace() {
            self = self.arg(word);
        }
        self
    }

    /// Appends one argument as it is.
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.shown += " ";
        self.shown += &argument.as_ref().to_string_lossy();
        self.command.arg(argument);
        self
    }

    /// Sets an environment variable, which is shown in front of the command.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.shown = format!("{name}='{}' {}", value.as_ref().to_string_lossy(), self.shown);
        self.command.env(name, value);
        self
    }

    /// Runs to the end, with its output going where ours goes.
    ///
    /// # Errors
    ///
    /// The program cannot be started or exits with anything but 0.
    pub(crate) fn check(self) -> Result<(), Failure> {
        let shown = self.shown.clone();
        verdict(&shown, self.status()?)
    }

    /// Sends what the program writes to standard error to a file.
    pub(crate) fn errors_to(mut self, file: File) -> Self {
        self.command.stderr(file);
        self
    }

    /// Runs to the end and says how it exited.
    ///
    /// # Errors
    ///
    /// The program cannot be started.
    pub(crate) fn status(mut self) -> Result<ExitStatus, Failure> {
        self.announce();
        self.command.status().map_err(|error| self.cannot_start(&error))
    }

    /// Runs to the end without a word and returns what it printed on standard output.
    ///
    /// # Errors
    ///
    /// The program cannot be started, exits with anything but 0, or prints something that is not UTF-8.
    pub(crate) fn read(mut self) -> Result<String, Failure> {
        let output = self
            .command
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| self.cannot_start(&error))?;
        verdict(&self.shown, output.status)?;
        String::from_utf8(output.stdout).map_err(|_| {
            Failure::new(format!("`{}` printed something that is no text", self.shown))
        })
    }

    /// Runs to the end, prints each line of its standard output at once and hands it to `each`; says how it exited.
    ///
    /// # Errors
    ///
    /// The program cannot be started or its output cannot be read.
    pub(crate) fn stream(mut self, each: impl FnMut(&str)) -> Result<ExitStatus, Failure> {
        self.announce();
        let mut child = self
            .command
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| self.cannot_start(&error))?;
        let read = child.stdout.take().map_or(Ok(()), |out| pass_on(BufReader::new(out), each));
        let status = child.wait();
        read.and(status)
            .map_err(|error| Failure::new(format!("`{}` was lost: {error}", self.shown)))
    }

    /// Runs for at most `limit`; past it the program is killed, which counts as a failure.
    ///
    /// # Errors
    ///
    /// The program cannot be started, exits with anything but 0, or does not end in time.
    pub(crate) fn check_within(mut self, limit: Duration) -> Result<(), Failure> {
        const PAUSE: Duration = Duration::from_millis(50);
        self.announce();
        let mut child = self.command.spawn().map_err(|error| self.cannot_start(&error))?;
        let start = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return verdict(&self.shown, status),
                Ok(None) if start.elapsed() < limit => std::thread::sleep(PAUSE),
                Ok(None) | Err(_) => {
                    // Either it hangs or it cannot be watched: it must not stay behind.
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(Failure::new(format!(
                        "`{}` did not end within {limit:?}",
                        self.shown
                    )));
                }
            }
        }
    }

    fn announce(&self) {
        eprintln!("$ {}", self.shown);
    }

    fn cannot_start(&self, error: &std::io::Error) -> Failure {
        Failure::new(format!("`{}` cannot be started: {error}", self.shown))
    }
}

fn verdict(shown: &str, status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{shown}` ended with {status}")))
}

/// Prints and hands on line by line; bytes that are no text are shown as replacement characters.
fn pass_on(mut output: impl BufRead, mut each: impl FnMut(&str)) -> std::io::Result<()> {
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        println!("{text}");
        each(text);
        line.clear();
    }
    Ok(())
}

/// Whether `program` stands in one of the folders of `PATH`.
pub(crate) fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Run {
        Run::new("sh", Path::new("/")).arg("-c").arg(script)
    }

    #[test]
    fn an_exit_code_other_than_0_is_a_failure_that_names_the_command() {
        let failure = sh("exit 3").check().unwrap_err().to_string();
        assert!(failure.contains("sh -c exit 3"), "{failure}");
        assert!(sh("exit 0").check().is_ok());
    }

    #[test]
    fn a_program_that_is_missing_is_a_failure() {
        assert!(Run::new("no-such-program", Path::new("/")).read().is_err());
        assert!(!is_installed("no-such-program"));
        assert!(is_installed("sh"));
    }

    #[test]
    fn output_is_streamed_line_by_line_even_if_it_is_no_text() {
        let mut lines = Vec::new();
        let status =
            sh(r"printf 'a\nb\377\nc'; exit 1").stream(|line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["a", "b\u{fffd}", "c"]);
        assert!(!status.success());
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let start = Instant::now();
        assert!(sh("exec sleep 60").check_within(Duration::from_millis(100)).is_err());
        assert!(start.elapsed() < Duration::from_secs(30));
        assert!(sh("exit 0").check_within(Duration::from_secs(30)).is_ok());
    }
}
