use std::fmt;

use async_trait::async_trait;

use crate::error::Result;
use crate::event::Event;

/// Where events go.
#[async_trait]
pub trait AuditSink: fmt::Debug + Send + Sync + 'static {
    /// Takes an event along and promises nothing: it is written soon if all goes well.
    ///
    /// # Errors
    /// What was dropped, and why: `Overflow` when there is no room for it, `TooLarge`. How many were
    /// dropped is written to the trail as soon as it can be.
    fn append(&self, event: &Event) -> Result<()>;

    /// Writes an event and returns once it will outlast a crash of the process and of the machine.
    /// If this is dropped before it returns, the event may or may not be written.
    ///
    /// # Errors
    /// Why that cannot be promised. The event may still be in the trail.
    async fn append_durable(&self, event: &Event) -> Result<()>;

    /// Returns once all that was taken along before is written, and will outlast a crash.
    ///
    /// # Errors
    /// Why that cannot be promised.
    async fn flush(&self) -> Result<()>;
}
