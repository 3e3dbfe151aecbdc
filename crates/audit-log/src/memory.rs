use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::sink::AuditSink;

/// Keeps events in memory, for tests.
///
/// ```
/// use audit_log::{Action, AuditSink, Code, Entity, EntityActivity, Event, Id, MemorySink};
///
/// let sink = MemorySink::new();
/// let secret = Entity::new(Code::new("secret"), Id::new("db")?);
/// sink.append(&Event::new(Action::entity(EntityActivity::Read, secret), std::time::SystemTime::now()))?;
/// assert_eq!(sink.events().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct MemorySink(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    failure: Option<ErrorKind>,
}

impl MemorySink {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was recorded, in order.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.with(|state| state.events.clone())
    }

    /// What was recorded since this was last called.
    #[must_use]
    pub fn take(&self) -> Vec<Event> {
        self.with(|state| std::mem::take(&mut state.events))
    }

    /// Refuses everything with this kind of error from now on; `None` to stop.
    pub fn fail_with(&self, failure: Option<ErrorKind>) {
        self.with(|state| state.failure = failure);
    }

    fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl AuditSink for MemorySink {
    fn append(&self, event: &Event) -> Result<()> {
        self.with(|state| match state.failure {
            Some(kind) => Err(Error::new(kind, "told to fail")),
            None => {
                state.events.push(event.clone());
                Ok(())
            }
        })
    }

    async fn append_durable(&self, event: &Event) -> Result<()> {
        self.append(event)
    }

    async fn flush(&self) -> Result<()> {
        self.with(|state| {
            state.failure.map_or(Ok(()), |kind| Err(Error::new(kind, "told to fail")))
        })
    }
}
