use async_trait::async_trait;

use crate::error::Result;
use crate::event::{Event, Outcome};
use crate::ocsf::{self, Product};
use crate::sink::AuditSink;

/// Sends events to whatever subscribes to `tracing`, under the target `audit`: the whole event as
/// OCSF in the field `ocsf`, and what one filters by beside it. Failures are warnings.
///
/// It promises nothing, whatever is asked of it, and shows no tampering: for people who watch, beside
/// a [`FileTrail`](crate::FileTrail) that keeps.
#[derive(Debug, Clone)]
pub struct TracingSink {
    product: Product,
}

impl TracingSink {
    /// Events of this program.
    #[must_use]
    pub const fn new(product: Product) -> Self {
        Self { product }
    }
}

#[async_trait]
impl AuditSink for TracingSink {
    fn append(&self, event: &Event) -> Result<()> {
        let class = event.class().name();
        let activity = event.action.activity_name();
        let reason = event.outcome.reason().map(|reason| reason.as_str());
        let ocsf = ocsf::encode(event, &self.product, event.time);
        match event.outcome {
            Outcome::Success => tracing::info!(target: "audit", class, activity, ocsf),
            _ => tracing::warn!(target: "audit", class, activity, reason, ocsf),
        }
        Ok(())
    }

    async fn append_durable(&self, event: &Event) -> Result<()> {
        self.append(event)
    }

    async fn flush(&self) -> Result<()> {
        Ok(())
    }
}
