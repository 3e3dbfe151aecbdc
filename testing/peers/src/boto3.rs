use std::fmt;
use std::fs::File;
use std::sync::mpsc;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::endpoint::loopback;
use crate::error::{PeerError, last_lines};
use crate::python::{Pipes, Python, contents};

/// A running Python process with boto3, AWS's own client, to read what we wrote and to write what
/// we read. One call at a time and one attempt a call; stopped when dropped, and also when the test
/// process is killed.
///
/// ```no_run
/// use peers::{Boto3, Credentials, Moto};
/// use serde_json::json;
///
/// # async fn test() -> Result<(), Box<dyn std::error::Error>> {
/// let moto = Moto::start()?;
/// let boto3 = Boto3::start(moto.url(), "eu-west-1", &Credentials::new("AKIATEST", "secret"))?;
/// let made = boto3.call("kms", "CreateKey", json!({})).await?;
/// let key = made["KeyMetadata"]["KeyId"].clone();
/// let wrapped = json!({ "KeyId": key, "Plaintext": Boto3::bytes(b"16 bytes of key.") });
/// let wrapped = boto3.call("kms", "Encrypt", wrapped).await?;
/// let ciphertext = Boto3::to_bytes(&wrapped["CiphertextBlob"]);
/// # let _ = ciphertext; Ok(()) }
/// ```
pub struct Boto3 {
    requests: mpsc::Sender<Request>,
    python: Python,
}

/// What a peer signs its requests with. Made up: no peer talks to anything but this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    access_key: String,
    secret_key: String,
    session_token: Option<String>,
}

impl Credentials {
    /// A pair of keys.
    pub fn new(access_key: &str, secret_key: &str) -> Self {
        let (access_key, secret_key) = (access_key.to_owned(), secret_key.to_owned());
        Self { access_key, secret_key, session_token: None }
    }

    /// Temporary ones.
    #[must_use]
    pub fn with_session_token(mut self, token: &str) -> Self {
        self.session_token = Some(token.to_owned());
        self
    }
}

/// An error that the service answered, or that boto3 itself came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The service's code, such as `ResourceNotFoundException`; the name of boto3's exception where
    /// there was no answer.
    pub code: String,
    /// The text with it.
    pub message: String,
    /// The HTTP status, of an answer.
    pub status: Option<u16>,
    /// The request id, of an answer.
    pub request_id: Option<String>,
}

impl Boto3 {
    /// Starts a client that calls `endpoint` for every service. It blocks the thread: the first one of a
    /// process for about a second, and where boto3 is missing also for the installation.
    ///
    /// # Errors
    /// When the endpoint is not on loopback, or boto3 cannot be installed or does not come up.
    pub fn start(
        endpoint: &str,
        region: &str,
        credentials: &Credentials,
    ) -> Result<Self, PeerError> {
        loopback(endpoint)?;
        let asked = json!({
            "endpoint": endpoint,
            "region": region,
            "access_key": credentials.access_key,
            "secret_key": credentials.secret_key,
            "session_token": credentials.session_token,
        });
        let (python, pipes, _) = Python::start("boto3", asked)?;
        let log = python.log_file();
        let (requests, waiting) = mpsc::channel();
        thread::spawn(move || converse(pipes, &waiting, log));
        Ok(Self { requests, python })
    }

    /// Calls an operation by the names of AWS's API reference: service `secretsmanager`, operation
    /// `GetSecretValue`, parameters and output as documented there, bytes by [`bytes`](Self::bytes).
    /// Any runtime will do; a server of the same runtime can answer meanwhile.
    ///
    /// # Errors
    /// [`Refused`], whoever refused it.
    pub async fn call(
        &self,
        service: &str,
        operation: &str,
        parameters: Value,
    ) -> Result<Value, Refused> {
        let line = json!({ "service": service, "operation": operation, "parameters": parameters });
        let (reply, answer) = oneshot::channel();
        let sent = self.requests.send(Request { line, reply });
        match (sent, answer.await) {
            (Ok(()), Ok(answer)) => answer,
            _ => Err(Refused::gone(&self.python.log())),
        }
    }

    /// Bytes as a parameter.
    pub fn bytes(bytes: &[u8]) -> Value {
        json!({ "$bytes": BASE64.encode(bytes) })
    }

    /// The bytes of an output; `None` where it is something else.
    pub fn to_bytes(value: &Value) -> Option<Vec<u8>> {
        BASE64.decode(value.get("$bytes")?.as_str()?).ok()
    }

    /// What the process wrote to standard error so far.
    pub fn log(&self) -> String {
        self.python.log()
    }
}

impl fmt::Debug for Boto3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Boto3").field("python", &self.python).finish_non_exhaustive()
    }
}

struct Request {
    line: Value,
    reply: oneshot::Sender<Result<Value, Refused>>,
}

/// Passes one call after the other on until nobody can send any; dropping the pipes then ends the
/// process. Once that is gone, every further call is told so: a request left in a channel whose
/// receiver went away would wait for ever.
fn converse(pipes: Pipes, waiting: &mpsc::Receiver<Request>, log: std::io::Result<File>) {
    let mut pipes = Some(pipes);
    for Request { line, reply } in waiting {
        let answered =
            pipes.as_mut().and_then(|pipes| pipes.write(&line).and_then(|()| pipes.read()).ok());
        let told = match answered {
            Some(text) => Refused::read(&text),
            None => {
                pipes = None;
                Err(Refused::gone(&log.as_ref().map(contents).unwrap_or_default()))
            }
        };
        // A test that gave up has dropped its end.
        let _ = reply.send(told);
    }
}

impl Refused {
    fn gone(log: &str) -> Self {
        let message = format!("boto3's process has ended\n{}", last_lines(log));
        Self { code: "PeerGone".to_owned(), message, status: None, request_id: None }
    }

    fn read(line: &str) -> Result<Value, Self> {
        let mut answer: Value = serde_json::from_str(line).unwrap_or_default();
        if let Some(output) = answer.get_mut("output") {
            return Ok(output.take());
        }
        let error = answer.get("error").unwrap_or(&Value::Null);
        let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
        let status = error.get("status").and_then(Value::as_u64);
        Err(Self {
            code: text("code").unwrap_or_default(),
            message: text("message").unwrap_or_default(),
            status: status.and_then(|status| u16::try_from(status).ok()),
            request_id: text("request_id"),
        })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Refused {}
