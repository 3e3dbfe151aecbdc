use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;

use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::sink::AuditSink;

/// Sends each event to several sinks. One that fails keeps none of the others from it.
#[derive(Debug, Clone)]
pub struct FanOut(Vec<Arc<dyn AuditSink>>);

impl FanOut {
    /// To all of these.
    #[must_use]
    pub fn new(sinks: impl IntoIterator<Item = Arc<dyn AuditSink>>) -> Self {
        Self(sinks.into_iter().collect())
    }
}

/// The first failure; that of a single sink as it is.
fn all(results: Vec<Result<()>>) -> Result<()> {
    let asked = results.len();
    let mut failures = results.into_iter().filter_map(Result::err);
    let Some(first) = failures.next() else { return Ok(()) };
    match failures.count() + 1 {
        1 if asked == 1 => Err(first),
        failed => {
            let message = format!("{failed} of {asked} sinks failed, the first because: {first}");
            let is_overflow = failed == 1 && first.kind() == ErrorKind::Overflow;
            let kind = if is_overflow { ErrorKind::Overflow } else { ErrorKind::Sink };
            Err(Error::new(kind, message))
        }
    }
}

#[async_trait]
impl AuditSink for FanOut {
    fn append(&self, event: &Event) -> Result<()> {
        all(self.0.iter().map(|sink| sink.append(event)).collect())
    }

    /// Returns when all have it.
    async fn append_durable(&self, event: &Event) -> Result<()> {
        all(join_all(self.0.iter().map(|sink| sink.append_durable(event))).await)
    }

    async fn flush(&self) -> Result<()> {
        all(join_all(self.0.iter().map(|sink| sink.flush())).await)
    }
}
