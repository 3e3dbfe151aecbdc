use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::error::{PeerError, last_lines};
use crate::venv::Venv;
use serde_json::Value;

/// How long a script may take to say that it is ready. Imports are slow on a machine that builds.
const START_LIMIT: Duration = Duration::from_secs(120);

/// A running script of ours. It ends when its standard input does, so that a killed test leaves
/// nothing behind; dropping this ends it at once.
pub(crate) struct Python {
    child: Child,
    /// Without a name, so that it is gone when the process is killed, too.
    log: File,
    /// What the log is called where it is shown.
    name: &'static str,
}

/// The two ends of a script's conversation.
pub(crate) struct Pipes {
    pub(crate) input: ChildStdin,
    pub(crate) output: BufReader<ChildStdout>,
}

impl Python {
    /// Starts a script; it is told `first` and answers one line of JSON when it is ready.
    pub(crate) fn start(
        name: &'static str,
        script: &str,
        first: Option<&Value>,
    ) -> Result<(Self, Pipes, Value), PeerError> {
        let venv = Venv::prepare()?;
        let failed =
            |error: std::io::Error| PeerError::new(format!("cannot start {name}: {error}"));
        let log = tempfile::tempfile().map_err(failed)?;
        let errors = log.try_clone().map_err(failed)?;
        let mut child = command(&venv, script).stderr(errors).spawn().map_err(failed)?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let python = Self { child, log, name };
        let (Some(input), Some(output)) = (input, output) else {
            return Err(python.failure("its pipes are missing"));
        };
        let mut pipes = Pipes { input, output: BufReader::new(output) };
        if let Some(first) = first {
            pipes.write(first).map_err(|error| python.failure(&error.to_string()))?;
        }
        let (pipes, line) = first_line(pipes).map_err(|reason| python.failure(reason))?;
        match serde_json::from_str(&line) {
            Ok(ready) => Ok((python, pipes, ready)),
            Err(_) => Err(python.failure("it did not come up")),
        }
    }

    /// What it wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        contents(&self.log)
    }

    fn failure(&self, reason: &str) -> PeerError {
        PeerError::new(format!("{}: {reason}", self.name)).with_output(&self.log())
    }

    /// Another handle on the log, for a thread that outlives the borrow.
    pub(crate) fn log_file(&self) -> std::io::Result<File> {
        self.log.try_clone()
    }
}

impl Pipes {
    pub(crate) fn write(&mut self, line: &Value) -> std::io::Result<()> {
        use std::io::Write as _;
        // One write for the line, however long.
        self.input.write_all(format!("{line}\n").as_bytes())?;
        self.input.flush()
    }

    /// The next line; an error when there is none any more.
    pub(crate) fn read(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        match self.output.read_line(&mut line)? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line),
        }
    }
}

/// The environment of the caller is not inherited: no credential, profile or proxy of whoever runs
/// the tests may decide what they do.
fn command(venv: &Venv, script: &str) -> Command {
    let mut command = Command::new(venv.python());
    command.args(["-I", "-c", script]);
    command.env_clear();
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_CONFIG_FILE", "/dev/null");
    command.env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("NO_PROXY", "*");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

fn first_line(mut pipes: Pipes) -> Result<(Pipes, String), &'static str> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let line = pipes.read();
        // Nobody waits any more when it took too long.
        let _ = sender.send((pipes, line));
    });
    match receiver.recv_timeout(START_LIMIT) {
        Ok((pipes, Ok(line))) => Ok((pipes, line)),
        Ok((_, Err(_))) => Err("it ended at once"),
        Err(_) => Err("it was not ready in time"),
    }
}

/// All of a log. It is read beside the place where the program writes, which all handles on the file share.
pub(crate) fn contents(log: &File) -> String {
    let (mut bytes, mut part) = (Vec::new(), [0; 8_192]);
    // A log that cannot be read is no reason to hide the failure that it would have explained.
    while let Ok(count @ 1..) = log.read_at(&mut part, bytes.len() as u64) {
        bytes.extend_from_slice(part.get(..count).unwrap_or_default());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Drop for Python {
    fn drop(&mut self) {
        let log = if std::thread::panicking() { self.log() } else { String::new() };
        if !log.is_empty() {
            let text = format!("--- {}, last lines\n{}\n", self.name, last_lines(&log));
            let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
        }
        // It has no children of its own. If it ended by itself, there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl fmt::Debug for Python {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Python").field("name", &self.name).field("pid", &self.child.id()).finish()
    }
}
