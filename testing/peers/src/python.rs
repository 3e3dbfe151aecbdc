use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{PeerError, last_lines};
use crate::nursery::Nursery;

/// How long a peer may take to say that it is ready. Imports are slow on a machine that builds.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(120);

/// A running peer of ours. It ends when its connection does, so that a killed test leaves nothing behind; dropping this
/// closes it.
pub(crate) struct Python {
    pid: u64,
    connection: TcpStream,
    /// Without a name, so that it is gone when the process is killed, too.
    log: File,
    /// What the log is called where it is shown.
    name: &'static str,
}

/// The two ends of a peer's conversation.
pub(crate) struct Pipes {
    input: TcpStream,
    output: BufReader<TcpStream>,
}

impl Python {
    /// Starts the peer of this name; it is told `asked` and answers one line of JSON when it is ready.
    pub(crate) fn start(
        name: &'static str,
        mut asked: Value,
    ) -> Result<(Self, Pipes, Value), PeerError> {
        let nursery = Nursery::of_this_process()?;
        let failed =
            |error: std::io::Error| PeerError::new(format!("cannot start {name}: {error}"));
        // It has a name until the peer has opened it.
        let log = tempfile::NamedTempFile::new().map_err(failed)?;
        if let Some(asked) = asked.as_object_mut() {
            asked.insert("peer".to_owned(), json!(name));
            asked.insert("log".to_owned(), json!(log.path()));
        }
        let told = |error: std::io::Error| {
            let logs = [nursery.log(), contents(log.as_file())].concat();
            failed(error).with_output(&logs)
        };
        let connection = nursery.connect().map_err(told)?;
        let (pipes, line) = Pipes::ask(&connection, &asked).map_err(told)?;
        let ready: Value = serde_json::from_str(&line).unwrap_or_default();
        let Some(pid) = ready.get("pid").and_then(Value::as_u64) else {
            return Err(told(std::io::ErrorKind::InvalidData.into()));
        };
        Ok((Self { pid, connection, log: log.into_file(), name }, pipes, ready))
    }

    /// What it wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        contents(&self.log)
    }

    /// Another handle on the log, for a thread that outlives the borrow.
    pub(crate) fn log_file(&self) -> std::io::Result<File> {
        self.log.try_clone()
    }
}

impl Pipes {
    /// Sends the first line and waits for the answer.
    fn ask(connection: &TcpStream, asked: &Value) -> std::io::Result<(Self, String)> {
        let output = BufReader::new(connection.try_clone()?);
        let mut pipes = Self { input: connection.try_clone()?, output };
        pipes.write(asked)?;
        connection.set_read_timeout(Some(START_LIMIT))?;
        let line = pipes.read()?;
        connection.set_read_timeout(None)?;
        Ok((pipes, line))
    }

    pub(crate) fn write(&mut self, line: &Value) -> std::io::Result<()> {
        use std::io::Write as _;
        // One write for the line, however long.
        self.input.write_all(format!("{line}\n").as_bytes())
    }

    /// The next line; an error when there is none any more.
    pub(crate) fn read(&mut self) -> std::io::Result<String> {
        read_line(&mut self.output)
    }
}

/// The next line; an error at the end.
pub(crate) fn read_line(from: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    match from.read_line(&mut line)? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
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
        // It has no children of its own. If it ended by itself, there is nothing to close.
        let _ = self.connection.shutdown(Shutdown::Both);
    }
}

impl fmt::Debug for Python {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Python").field("name", &self.name).field("pid", &self.pid).finish()
    }
}
