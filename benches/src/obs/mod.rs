//! Suite `obs`: records, metrics and HTTP layers beside what else is used for them.
//!
//! Ours redacts and adds the ids of trace and span to each line; no peer does either. Lines are made
//! and let go of, except where a row says where they are written. Sizes are bytes of our line, or series.

mod http;
mod log;
mod metric;

use crate::harness::Row;

pub(crate) fn rows() -> Vec<Row> {
    [log::rows(), metric::rows(), http::rows()].into_iter().flatten().collect()
}
