//! What a run prints.

use super::{Outcome, Spread};

pub(crate) const TABLE_HEAD: &str = "\
| path | threads | size | ours | allocations | peer | peer's time | ratio | to reach |
|---|---:|---:|---:|---:|---|---:|---:|---:|
";

/// A line of a Markdown table.
pub(crate) fn table_row(outcome: &Outcome<'_>) -> String {
    let row = outcome.row;
    let at_most = row.at_most.map_or_else(String::new, |ratio| format!("≤ {ratio}"));
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {:.2} | {at_most} |",
        row.path,
        row.threads,
        row.size,
        time(&outcome.ours),
        short(outcome.ours_allocations),
        row.peer_name,
        time(&outcome.peer),
        outcome.ratio(),
    )
}

/// A JSON object on one line.
pub(crate) fn json(outcome: &Outcome<'_>) -> String {
    let row = outcome.row;
    // `{:?}` of these names is JSON: they are our own constants, in ASCII.
    format!(
        r#"{{"path":{:?},"threads":{},"size":{},"ours_ns":{:.2},"ours_allocs":{},"peer":{:?},"peer_ns":{:.2},"ratio":{:.3}}}"#,
        row.path,
        row.threads,
        row.size,
        outcome.ours.median,
        short(outcome.ours_allocations),
        row.peer_name,
        outcome.peer.median,
        outcome.ratio(),
    )
}

/// Median with least and most, in a unit that suits it.
fn time(spread: &Spread) -> String {
    let (unit, scale) = match spread.median {
        median if median < 10_000.0 => ("ns", 1.0),
        median if median < 10_000_000.0 => ("µs", 1e3),
        _ => ("ms", 1e6),
    };
    let show = |value: f64| match value / scale {
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    };
    let mark = if spread.disturbed { "*" } else { "" };
    let Spread { median, least, most, .. } = *spread;
    format!("{}{mark} {unit} ({}–{})", show(median), show(least), show(most))
}

/// At most three decimals, none where they are zero.
fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    String::from(text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::{json, short, table_row, time};
    use crate::harness::{Case, Outcome, Row, Spread};

    fn spread(median: f64, disturbed: bool) -> Spread {
        Spread { median, least: median / 2.0, most: median * 2.0, disturbed }
    }

    fn row() -> Row {
        let case = || Case::new(|| |_| ());
        Row {
            path: "suite/operation",
            threads: 2,
            size: 64,
            ours: case(),
            peer_name: "peer 1.0",
            peer: case(),
            at_most: Some(1.5),
        }
    }

    #[test]
    fn shows_a_row_in_both_forms() {
        let row = row();
        let outcome = Outcome {
            row: &row,
            ours: spread(5.0, false),
            ours_allocations: 0.0,
            peer: spread(20.0, true),
        };
        assert_eq!(
            json(&outcome),
            r#"{"path":"suite/operation","threads":2,"size":64,"ours_ns":5.00,"ours_allocs":0,"peer":"peer 1.0","peer_ns":20.00,"ratio":0.250}"#
        );
        assert_eq!(
            table_row(&outcome),
            "| suite/operation | 2 | 64 | 5.0 ns (2.5–10.0) | 0 | peer 1.0 | 20.0* ns (10.0–40.0) \
             | 0.25 | ≤ 1.5 |"
        );
    }

    #[test]
    fn chooses_units_and_digits() {
        assert_eq!(time(&spread(2_000.0, false)), "2000 ns (1000–4000)");
        assert_eq!(time(&spread(20_000.0, false)), "20.0 µs (10.0–40.0)");
        assert_eq!(time(&spread(15_300_000.0, false)), "15.3 ms (7.7–30.6)");
        assert_eq!([short(0.0), short(7.0), short(0.125), short(10.0)], ["0", "7", "0.125", "10"]);
    }
}
