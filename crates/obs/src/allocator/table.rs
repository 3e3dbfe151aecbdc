use metric_table::Metric;

pub(super) const ALLOCATED: Metric = Metric::gauge(
    "jemalloc.allocated",
    "By",
    "bytes that the program has asked for and not given back",
);
pub(super) const ACTIVE: Metric =
    Metric::gauge("jemalloc.active", "By", "bytes in pages that have something allocated in them");
pub(super) const RESIDENT: Metric = Metric::gauge(
    "jemalloc.resident",
    "By",
    "bytes in pages that are in memory, dirty unused ones among them",
);
pub(super) const MAPPED: Metric =
    Metric::gauge("jemalloc.mapped", "By", "bytes in extents that are mapped");
pub(super) const RETAINED: Metric = Metric::gauge(
    "jemalloc.retained",
    "By",
    "bytes of address space that were given back to the system and are kept mapped without memory",
);
pub(super) const METADATA: Metric =
    Metric::gauge("jemalloc.metadata", "By", "bytes that jemalloc needs for itself");

/// What jemalloc says of itself. The difference of active and allocated is lost to fragments.
pub const METRICS: &[Metric] = &[ALLOCATED, ACTIVE, RESIDENT, MAPPED, RETAINED, METADATA];
