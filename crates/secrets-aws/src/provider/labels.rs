use std::time::SystemTime;

use secrets_core::{Result, Stage, StageSet, VersionInfo};

use crate::provider::session::version_id;

/// The staging label of the current version.
pub(super) const CURRENT: &str = "AWSCURRENT";
/// That of the version before it.
pub(super) const PREVIOUS: &str = "AWSPREVIOUS";
/// That of a version which waits for its promotion.
pub(super) const PENDING: &str = "AWSPENDING";
/// Ours: a version that waits for a conditional move of `AWSCURRENT` to it. One for all writers, so
/// that a writer who dies leaves one version behind at most that AWS does not clear away.
pub(super) const STAGED: &str = "mainstay-staged";

/// The roles that labels give.
pub(super) fn stages(labels: &[String]) -> StageSet {
    let has = |label: &str| labels.iter().any(|one| one == label);
    let mut stages = StageSet::EMPTY;
    if has(CURRENT) {
        stages = stages.with(Stage::Current);
    }
    if has(PREVIOUS) {
        stages = stages.with(Stage::Previous);
    }
    // A finished rotation may leave AWSPENDING where AWSCURRENT is: nothing waits then.
    if has(PENDING) && !has(CURRENT) {
        stages = stages.with(Stage::Pending);
    }
    stages
}

/// A version as answers tell it.
pub(super) fn version(
    id: Option<&str>,
    labels: &[String],
    created: Option<SystemTime>,
) -> Result<VersionInfo> {
    let created = created.unwrap_or(SystemTime::UNIX_EPOCH);
    Ok(VersionInfo::new(version_id(id)?, created).with_stages(stages(labels)))
}
