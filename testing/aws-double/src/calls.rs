//! What was asked of the double.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use tokio::sync::watch;

/// How many records are kept; counts go on beyond them.
const KEPT: usize = 65_536;

/// The longest id of a secret, and of anything else that has a name.
const LONGEST: usize = 2_048;

/// One request and how it was answered. It holds no value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallRecord {
    /// When it was answered or given up, by the double's clock.
    pub at: SystemTime,
    /// The service and the operation, such as `secretsmanager:GetSecretValue`; method and path of a plain request.
    pub operation: String,
    /// What it was about, as the caller named it: a secret, a key, a queue.
    pub subject: Option<String>,
    /// The HTTP status; 0 if the connection was cut or never answered, or the client did not wait for the answer.
    pub status: u16,
    /// The code of the error.
    pub code: Option<String>,
    /// The request id that the answer carried.
    pub request_id: String,
    /// The access key that signed, if any.
    pub access_key: Option<String>,
    /// The region of the signature's scope.
    pub region: Option<String>,
}

/// The record of everything that was asked of a double, in the order of the answers.
///
/// Clones are the same record.
#[derive(Debug, Clone)]
pub struct CallLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    arrived: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    records: VecDeque<CallRecord>,
    counts: HashMap<String, usize>,
}

impl Default for CallLog {
    fn default() -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State::default()),
                arrived: watch::Sender::new(0),
            }),
        }
    }
}

impl CallLog {
    /// The latest 65,536 calls, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<CallRecord> {
        self.state().records.iter().cloned().collect()
    }

    /// The calls of an operation, by its full name (`kms:Decrypt`) or the bare one (`Decrypt`).
    #[must_use]
    pub fn of(&self, operation: &str) -> Vec<CallRecord> {
        let state = self.state();
        state.records.iter().filter(|r| names(&r.operation, operation)).cloned().collect()
    }

    /// How often an operation was called, by its full or bare name.
    #[must_use]
    pub fn count(&self, operation: &str) -> usize {
        let state = self.state();
        state.counts.iter().filter(|(name, _)| names(name, operation)).map(|(_, n)| n).sum()
    }

    /// How many calls there were.
    #[must_use]
    pub fn total(&self) -> usize {
        self.state().counts.values().sum()
    }

    /// Forgets everything so far.
    pub fn clear(&self) {
        *self.state() = State::default();
    }

    /// Waits until an operation was called at least so often. Put a time-out around it.
    pub async fn wait_for(&self, operation: &str, times: usize) {
        let mut arrived = self.shared.arrived.subscribe();
        while self.count(operation) < times {
            // The sender lives as long as `self`.
            if arrived.changed().await.is_err() {
                return;
            }
        }
    }

    pub(crate) fn add(&self, mut record: CallRecord) {
        clip(&mut record.operation);
        let texts = [&mut record.subject, &mut record.access_key, &mut record.region];
        texts.into_iter().flatten().for_each(clip);
        let mut state = self.state();
        *state.counts.entry(record.operation.clone()).or_default() += 1;
        if state.records.len() == KEPT {
            state.records.pop_front();
        }
        state.records.push_back(record);
        drop(state);
        self.shared.arrived.send_modify(|n| *n = n.wrapping_add(1));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the beginning of what is longer than any name: a record of hostile requests is bounded too.
fn clip(text: &mut String) {
    text.truncate(text.floor_char_boundary(LONGEST));
}

/// Whether `wanted` names the operation, with or without its service.
pub(crate) fn names(operation: &str, wanted: &str) -> bool {
    operation == wanted || operation.split_once(':').is_some_and(|(_, bare)| bare == wanted)
}
