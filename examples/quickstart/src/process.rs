//! What the five processes share: how they start, say that they are ready, and end.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Failure, settings};

/// A process says so on its first line of output once it serves.
#[derive(Serialize, Deserialize)]
pub(crate) struct Ready {
    /// Where it listens.
    pub(crate) listening: SocketAddr,
    /// Where its metrics are, if it has any.
    pub(crate) admin: Option<SocketAddr>,
}

impl Ready {
    pub(crate) fn print(&self) -> Result<(), Failure> {
        print_line(self)
    }
}

/// Prints one value as one line of JSON. Nobody may be listening any more: that is an error here,
/// where `println!` would panic.
pub(crate) fn print_line<T: Serialize>(value: &T) -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout().lock(), "{}", serde_json::to_string(value)?)?)
}

/// Resolves when a person or a supervisor asks this process to end.
pub(crate) async fn interrupted() -> Result<(), Failure> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = hangup.recv() => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// A listener on a free loopback port.
pub(crate) async fn listen() -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Reads an address from the command line; anything but loopback is refused.
pub(crate) fn loopback(text: &str) -> Result<SocketAddr, Failure> {
    let address: SocketAddr = text.parse()?;
    if !address.ip().is_loopback() {
        return Err("only loopback addresses are used here".into());
    }
    Ok(address)
}

/// One line of standard input.
pub(crate) async fn read_line() -> Result<String, Failure> {
    let mut line = String::new();
    // A buffered reader would swallow what follows; one byte at a time is fine for one line.
    let mut stdin = tokio::io::stdin();
    loop {
        let mut byte = [0];
        if tokio::io::AsyncReadExt::read(&mut stdin, &mut byte).await? == 0 || byte == *b"\n" {
            return Ok(line);
        }
        line.push(char::from(byte[0]));
    }
}

/// Resolves when standard input ends: the parent has gone or wants this process to end.
pub(crate) async fn parent_gone() {
    let mut stdin = tokio::io::stdin();
    let _ = tokio::io::copy(&mut stdin, &mut tokio::io::sink()).await;
}

/// Milliseconds since 1970, to compare moments between processes of one machine.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A child process. It ends when this is dropped, and by itself when its standard input closes.
pub(crate) struct Part {
    name: &'static str,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Part {
    /// Starts this program once more, in this folder, as `name`.
    pub(crate) fn start(folder: &Path, name: &'static str, args: &[&str]) -> Result<Self, Failure> {
        Self::start_as("", folder, name, args)
    }

    /// The same, under a name of its own in the audit trail.
    pub(crate) fn start_as(
        writer: &str,
        folder: &Path,
        name: &'static str,
        args: &[&str],
    ) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(name)
            .args(args)
            .current_dir(folder)
            .env(settings::WRITER, writer)
            .env(settings::LOG, format!("{writer}.log"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // An interrupt of the terminal is for the main process: it ends the others.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or("no standard output")?;
        Ok(Self { name, child, stdin, lines: BufReader::new(stdout).lines() })
    }

    /// Sends a line.
    pub(crate) async fn send<T: Serialize>(&mut self, value: &T) -> Result<(), Failure> {
        let stdin = self.stdin.as_mut().ok_or("standard input is closed")?;
        stdin.write_all(serde_json::to_string(value)?.as_bytes()).await?;
        stdin.write_all(b"\n").await?;
        Ok(stdin.flush().await?)
    }

    /// Its next line; `None` at the end of its output.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Failure> {
        match self.lines.next_line().await? {
            Some(line) => Ok(Some(serde_json::from_str(&line)?)),
            None => Ok(None),
        }
    }

    /// Its next line, which must come within a minute.
    pub(crate) async fn expect<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let name = self.name;
        let line = tokio::time::timeout(Duration::from_secs(60), self.next()).await;
        line.map_err(|_| format!("{name} does not answer"))?
            .transpose()
            .ok_or_else(|| format!("{name} ended before its time"))?
    }

    /// Asks it to end, by closing its standard input.
    pub(crate) fn close(&mut self) {
        drop(self.stdin.take());
    }

    /// Gives its standard input away: it ends when that is dropped.
    pub(crate) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// Asks it to end and waits until it has ended well.
    pub(crate) async fn finish(mut self) -> Result<(), Failure> {
        self.close();
        let status = tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await;
        match status.map_err(|_| format!("{} does not end", self.name))?? {
            status if status.success() => Ok(()),
            status => Err(format!("{} failed: {status}", self.name).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::loopback;

    #[test]
    fn only_loopback_is_taken() {
        assert!(loopback("127.0.0.1:80").is_ok());
        assert!(loopback("[::1]:80").is_ok());
        for elsewhere in ["10.0.0.1:80", "0.0.0.0:80", "example.org:80", ""] {
            assert!(loopback(elsewhere).is_err(), "{elsewhere}");
        }
    }
}
