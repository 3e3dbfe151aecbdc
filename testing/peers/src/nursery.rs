use std::fs::File;
use std::io::BufReader;
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{OnceLock, mpsc};

use serde_json::Value;

use crate::error::PeerError;
use crate::python::{START_LIMIT, contents, read_line};
use crate::venv::Venv;

const SCRIPT: &str = concat!(
    include_str!("python/imports.py"),
    include_str!("python/boto3_client.py"),
    include_str!("python/moto.py"),
    include_str!("python/prometheus_client.py"),
    include_str!("python/nursery.py"),
);

/// The process that all peers of this one are forked from, so that what they import is imported once. It ends when its
/// standard input does, with this process.
pub(crate) struct Nursery {
    port: u16,
    log: File,
    /// Held for its end.
    _input: ChildStdin,
    _child: Child,
}

impl Nursery {
    /// That of this process, which is kept for it: a hundred tests start their peers at the price of a fork. What kept it from
    /// starting is kept as well, so that an installation that fails is waited for once.
    pub(crate) fn of_this_process() -> Result<&'static Self, PeerError> {
        static NURSERY: OnceLock<Result<Nursery, PeerError>> = OnceLock::new();
        let started = NURSERY.get_or_init(|| Self::start(&Venv::prepare()?));
        started.as_ref().map_err(Clone::clone)
    }

    fn start(venv: &Venv) -> Result<Self, PeerError> {
        let failed =
            |error: std::io::Error| PeerError::new(format!("cannot start the peers: {error}"));
        let log = tempfile::tempfile().map_err(failed)?;
        let errors = log.try_clone().map_err(failed)?;
        let mut child = command(venv).stderr(errors).spawn().map_err(failed)?;
        let told = |reason: &str| {
            PeerError::new(format!("the peers' process: {reason}")).with_output(&contents(&log))
        };
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            return Err(told("its pipes are missing"));
        };
        let line = first_line(output).map_err(told)?;
        let ready: Value = serde_json::from_str(&line).unwrap_or_default();
        let port = ready.get("port").and_then(Value::as_u64);
        let Some(port) = port.and_then(|port| u16::try_from(port).ok()) else {
            return Err(told("it did not come up"));
        };
        Ok(Self { port, log, _input: input, _child: child })
    }

    /// A connection on which a peer can be asked for.
    pub(crate) fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// What it wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        contents(&self.log)
    }
}

/// The environment of the caller is not inherited: no credential, profile or proxy of whoever runs
/// the tests may decide what they do.
fn command(venv: &Venv) -> Command {
    let mut command = Command::new(venv.python());
    command.args(["-I", "-c", SCRIPT]);
    command.env_clear();
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_CONFIG_FILE", "/dev/null");
    command.env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("NO_PROXY", "*");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

fn first_line(output: ChildStdout) -> Result<String, &'static str> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody waits any more when it took too long.
        let _ = sender.send(read_line(&mut BufReader::new(output)));
    });
    match receiver.recv_timeout(START_LIMIT) {
        Ok(Ok(line)) => Ok(line),
        Ok(Err(_)) => Err("it ended at once"),
        Err(_) => Err("it was not ready in time"),
    }
}
