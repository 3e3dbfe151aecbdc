//! What a chain can do, from what its providers can.

use std::time::Duration;

use secrets_core::{Capabilities, Consistency, Support, VersionSelector};

use crate::fallback::members::Members;

/// Those of the primary, changed where others take part.
pub(crate) fn of(members: &Members) -> Capabilities {
    let each: Vec<_> = members.all().map(|member| member.provider.capabilities()).collect();
    let mut all = members.primary.provider.capabilities().clone();
    let is_written = all.write.is_available();
    let joined = |of: fn(&Capabilities) -> Support| {
        let primary = of(members.primary.provider.capabilities());
        let counts = primary.is_available() || !is_written;
        if counts { some(each.iter().map(|one| of(one))) } else { Support::No }
    };
    all.previous = joined(|one| one.previous);
    all.versions = joined(|one| one.versions);
    all.describe = joined(|one| one.describe);
    all.changes = joined(|one| one.changes);
    all.list = every(each.iter().map(|one| one.list));
    // The others are asked side by side, so a list never takes one call after the other.
    if let Some(batching) = each.iter().find(|one| one.batch.is_available()) {
        (all.batch, all.limits.batch) = (batching.batch, batching.limits.batch);
    }
    all.consistency = each.iter().map(|one| one.consistency).fold(all.consistency, latest);
    all
}

/// Whether a provider can be asked for such versions.
pub(crate) fn reads(capabilities: &Capabilities, version: &VersionSelector) -> bool {
    match version {
        VersionSelector::Previous => capabilities.previous.is_available(),
        VersionSelector::Pending => capabilities.staging != secrets_core::Staging::No,
        VersionSelector::Id(_) => capabilities.versions.is_available(),
        _ => true,
    }
}

/// Native where all have it so, emulated where some do.
fn some(each: impl Iterator<Item = Support> + Clone) -> Support {
    if each.clone().all(|one| one == Support::Native) {
        Support::Native
    } else if each.clone().any(Support::is_available) {
        Support::Emulated
    } else {
        Support::No
    }
}

/// The same, but for what all must have.
fn every(each: impl Iterator<Item = Support> + Clone) -> Support {
    if each.clone().all(Support::is_available) { some(each) } else { Support::No }
}

/// The one that shows changes later.
fn latest(one: Consistency, other: Consistency) -> Consistency {
    let delay = |consistency| match consistency {
        Consistency::Strong => Duration::ZERO,
        Consistency::ExactVersion { others_within: within } | Consistency::Eventual { within } => {
            within
        }
        // What is not known here is taken for the worst.
        _ => Duration::MAX,
    };
    let within = delay(one).max(delay(other));
    match (one, other) {
        (Consistency::Strong, Consistency::Strong) => Consistency::Strong,
        (
            Consistency::Strong | Consistency::ExactVersion { .. },
            Consistency::Strong | Consistency::ExactVersion { .. },
        ) => Consistency::ExactVersion { others_within: within },
        _ => Consistency::Eventual { within },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_consistency_counts() {
        let seconds = Duration::from_secs;
        let exact = |s| Consistency::ExactVersion { others_within: seconds(s) };
        let eventual = |s| Consistency::Eventual { within: seconds(s) };
        for (one, other, worst) in [
            (Consistency::Strong, Consistency::Strong, Consistency::Strong),
            (Consistency::Strong, exact(3), exact(3)),
            (exact(5), exact(3), exact(5)),
            (exact(5), eventual(3), eventual(5)),
            (Consistency::Strong, eventual(3), eventual(3)),
        ] {
            assert_eq!(latest(one, other), worst);
            assert_eq!(latest(other, one), worst);
        }
    }

    #[test]
    fn support_is_native_only_where_all_have_it_so() {
        use Support::{Emulated, Native, No};
        let (joined, shared) = (
            |each: [Support; 2]| some(each.into_iter()),
            |each: [Support; 2]| every(each.into_iter()),
        );
        assert_eq!([joined([Native, Native]), shared([Native, Native])], [Native, Native]);
        assert_eq!([joined([Native, Emulated]), shared([Native, Emulated])], [Emulated, Emulated]);
        assert_eq!([joined([Native, No]), shared([Native, No])], [Emulated, No]);
        assert_eq!([joined([No, No]), shared([No, No])], [No, No]);
    }
}
