use std::time::Duration;

use secrets_core::{Capabilities, Cas, CasSupport, Consistency, Limits, Scope, Staging, Support};

/// `SecretString` and `SecretBinary` take so many bytes (quotas of Secrets Manager).
pub(super) const MAX_VALUE: usize = 65_536;
/// So many tags a secret (API reference, `TagResource`).
pub(super) const MAX_TAGS: usize = 50;
/// `BatchGetSecretValue` takes so many ids (API reference).
pub(super) const MAX_BATCH: usize = 20;

/// AWS names no usual delay of reads ("all operations are eventually consistent"), and five minutes
/// for lists. Assumed for reads; lists lag behind this.
const READS_WITHIN: Duration = Duration::from_secs(2);

pub(super) fn capabilities(changes: Support) -> Capabilities {
    let consistency = Consistency::Eventual { within: READS_WITHIN };
    let limits = Limits::new(MAX_VALUE).with_tags(MAX_TAGS).with_batch(MAX_BATCH);
    let mut capabilities = Capabilities::read_only(consistency, limits);
    capabilities.write = Support::Native;
    capabilities.staging = Staging::Labels;
    capabilities.previous = Support::Native;
    capabilities.versions = Support::Native;
    capabilities.cas = CasSupport::new(Cas::Enforced, Cas::Enforced, Cas::No);
    capabilities.idempotency = Support::Native;
    capabilities.list = Support::Native;
    capabilities.batch = Support::Native;
    capabilities.describe = Support::Native;
    capabilities.tags = Support::Native;
    capabilities.tags_scope = Scope::Secret;
    // Tags could carry bounds, but no read of a value returns tags: each would cost a second call.
    capabilities.validity = Support::No;
    capabilities.delete = Support::Native;
    capabilities.recover = Support::Native;
    capabilities.changes = changes;
    capabilities
}
