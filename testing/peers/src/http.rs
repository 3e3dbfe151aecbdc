use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::PeerError;

const LIMIT: Duration = Duration::from_secs(10);

/// Sends a request without a body and waits for the answer 200: all that a server's own controls need.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str) -> Result<(), PeerError> {
    let failed = |reason: String| PeerError::new(format!("{method} {path} at {address}: {reason}"));
    let status = status_line(address, method, path).map_err(|error| failed(error.to_string()))?;
    if status.split(' ').nth(1) == Some("200") { Ok(()) } else { Err(failed(status)) }
}

/// The body of an answer 200.
pub(crate) fn get(address: SocketAddr, path: &str) -> Result<String, PeerError> {
    let failed = |reason: String| PeerError::new(format!("GET {path} at {address}: {reason}"));
    let answer = answer(address, "GET", path).map_err(|error| failed(error.to_string()))?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.split(' ').nth(1) == Some("200") => Ok(body.to_owned()),
        _ => Err(failed(answer)),
    }
}

fn status_line(address: SocketAddr, method: &str, path: &str) -> std::io::Result<String> {
    let answer = answer(address, method, path)?;
    Ok(answer.split('\r').next().unwrap_or_default().to_owned())
}

fn answer(address: SocketAddr, method: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
