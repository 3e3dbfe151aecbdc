use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::action::Class;
use crate::error::Result;
use crate::event::Event;
use crate::sink::AuditSink;

/// What the code that does things records them by: a sink, and for each class of events what
/// happens when it cannot be written.
///
/// ```
/// use audit_log::{Action, AuditLog, Class, Code, Entity, EntityActivity, ErrorKind, Event, Id};
/// use audit_log::{MemorySink, OnFailure};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sink = Arc::new(MemorySink::new());
/// let audit = AuditLog::new(sink.clone()).on_failure(Class::EntityManagement, OnFailure::Refuse);
///
/// sink.fail_with(Some(ErrorKind::StorageFull));
/// let secret = Entity::new(Code::new("secret"), Id::new("db")?);
/// let deletion = Action::entity(EntityActivity::Delete, secret);
/// // The secret is not deleted, since nobody would know by whom.
/// assert!(audit.record(&Event::new(deletion, std::time::SystemTime::now())).await.is_err());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct AuditLog {
    sink: Arc<dyn AuditSink>,
    refused: Vec<Class>,
    failures: Arc<AtomicU64>,
}

/// What happens when an event cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnFailure {
    /// The action goes on; the loss is counted (fail open). The event is taken along, and not waited
    /// for.
    Proceed,
    /// The action is refused (fail closed). It waits until the event is on the disk.
    Refuse,
}

impl AuditLog {
    /// Records to this sink. What changes who may do what is refused when it cannot be recorded:
    /// account changes and the granting of rights. The rest goes on.
    #[must_use]
    pub fn new(sink: Arc<dyn AuditSink>) -> Self {
        let refused = vec![Class::AccountChange, Class::AuthorizeSession];
        Self { sink, refused, failures: Arc::default() }
    }

    /// Sets what happens for a class.
    #[must_use]
    pub fn on_failure(mut self, class: Class, action: OnFailure) -> Self {
        self.refused.retain(|refused| *refused != class);
        if action == OnFailure::Refuse {
            self.refused.push(class);
        }
        self
    }

    /// Records an event, before the action if it is to be refused without.
    ///
    /// # Errors
    /// Why it cannot be written, for a class that is refused then. For the others this always
    /// succeeds.
    pub async fn record(&self, event: &Event) -> Result<()> {
        if self.policy(event.class()) == OnFailure::Refuse {
            let written = self.sink.append_durable(event).await;
            return written.inspect_err(|_| self.count());
        }
        let _ = self.note(event);
        Ok(())
    }

    /// Takes an event of any class along without waiting for it, from code that cannot wait: what
    /// is not taken is counted.
    ///
    /// # Errors
    /// Why it was not taken.
    pub fn note(&self, event: &Event) -> Result<()> {
        self.sink.append(event).inspect_err(|_| self.count())
    }

    /// What happens for a class when an event cannot be written.
    #[must_use]
    pub fn policy(&self, class: Class) -> OnFailure {
        if self.refused.contains(&class) { OnFailure::Refuse } else { OnFailure::Proceed }
    }

    /// How many events were not taken.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The sink.
    #[must_use]
    pub fn sink(&self) -> &Arc<dyn AuditSink> {
        &self.sink
    }

    fn count(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}
