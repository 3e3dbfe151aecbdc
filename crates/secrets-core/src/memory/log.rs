use std::collections::{HashMap, VecDeque};
use std::fmt;

use crate::error::{Error, ErrorKind, Operation};

/// The log keeps so many entries; older ones go.
const KEPT_ENTRIES: usize = 10_000;

/// One thing that a provider did: a call, or one of its requests to the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEntry {
    /// The operation that was called.
    pub operation: Operation,
    /// The number of the call of this operation, from 1 since the faults were injected.
    pub call: u64,
    /// The number of the request within the call, from 1; `None` for the call as a whole.
    pub step: Option<u32>,
    /// What the request is called in the backend's interface; empty for the call as a whole.
    pub request: &'static str,
    /// Which secret it was about; empty where it was about none or many.
    pub subject: Box<str>,
    /// How it ended.
    pub outcome: Outcome,
    /// The faults that struck.
    pub faults: Vec<&'static str>,
}

/// How a call or a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It succeeded.
    Done,
    /// The backend refused, with this code of its interface.
    Refused(&'static str),
    /// It failed with an error of this kind.
    Failed(ErrorKind),
}

impl Outcome {
    pub(crate) fn of<T>(result: &Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Done,
            Err(error) => Self::Failed(error.kind()),
        }
    }
}

impl fmt::Display for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.operation.as_str(), self.call)?;
        if let Some(step) = self.step {
            write!(f, ".{step} {}", self.request)?;
        }
        write!(f, " {} ", self.subject)?;
        match self.outcome {
            Outcome::Done => f.write_str("done")?,
            Outcome::Refused(code) => write!(f, "refused: {code}")?,
            Outcome::Failed(kind) => write!(f, "failed: {}", kind.as_str())?,
        }
        match self.faults.as_slice() {
            [] => Ok(()),
            faults => write!(f, " [{}]", faults.join(", ")),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<LogEntry>,
    calls: HashMap<Operation, u64>,
}

impl Log {
    pub(crate) fn push(&mut self, entry: LogEntry) {
        if self.entries.len() == KEPT_ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    pub(crate) fn count(&mut self, operation: Operation) {
        *self.calls.entry(operation).or_default() += 1;
    }

    pub(crate) fn calls(&self, operation: Operation) -> u64 {
        self.calls.get(&operation).copied().unwrap_or(0)
    }

    pub(crate) fn entries(&self) -> Vec<LogEntry> {
        self.entries.iter().cloned().collect()
    }
}
