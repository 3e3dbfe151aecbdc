use metric_table::Metric;

use super::{build, cgroup, host, own, tcp};

/// The metrics of all sources of this module.
pub const METRICS: &[Metric] = &ALL;

const COUNT: usize =
    own::TABLE.len() + cgroup::TABLE.len() + host::TABLE.len() + tcp::TABLE.len() + 1;

const ALL: [Metric; COUNT] = joined();

#[expect(clippy::indexing_slicing, reason = "the compiler computes it")]
const fn joined() -> [Metric; COUNT] {
    let tables: [&[Metric]; 4] = [own::TABLE, cgroup::TABLE, host::TABLE, tcp::TABLE];
    let mut all = [build::INFO; COUNT];
    let (mut table, mut place) = (0, 0);
    while table < tables.len() {
        let mut row = 0;
        while row < tables[table].len() {
            all[place] = tables[table][row];
            (row, place) = (row + 1, place + 1);
        }
        table += 1;
    }
    all
}
