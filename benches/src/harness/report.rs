//! What a run prints.

use super::{Comparison, Outcome, Tally};
use crate::harness::statistics::Spread;

/// Above the tables: how to read them.
pub(crate) const LEGEND: &str = "\
A peer's cell has its time, and ours as a part of it with the part that we want to reach, or what ours takes more than
it where ours contains it; a bound that is missed is bold. Calls are requests that an operation makes. `*`: measured on a machine that was busy with something else.
";

/// Markdown: a table for each run of rows of one path with the same peers.
pub(crate) fn tables(outcomes: &[Outcome]) -> String {
    let together = |a: &Outcome, b: &Outcome| {
        let names = |outcome: &Outcome| outcome.peers.iter().map(|p| p.name).collect::<Vec<_>>();
        let kind = |outcome: &Outcome| (outcome.path, outcome.unit, outcome.ours_calls.is_some());
        (kind(a), names(a)) == (kind(b), names(b))
    };
    outcomes.chunk_by(together).map(table).collect()
}

fn table(rows: &[Outcome]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let peers: String = first.peers.iter().map(|peer| format!(" {} |", peer.name)).collect();
    let (calls, calls_rule) = first.ours_calls.map_or(("", ""), |_| (" calls |", "---:|"));
    let head = format!("| threads | {} | ours |{calls} allocations |{peers}", first.unit);
    let peers_rule = "---:|".repeat(first.peers.len());
    let rule = format!("|---:|---:|---:|{calls_rule}---:|{peers_rule}");
    let lines: String = rows.iter().map(|row| format!("{}\n", line(row))).collect();
    format!("\n**{}**\n\n{head}\n{rule}\n{lines}", first.path)
}

fn line(row: &Outcome) -> String {
    let peers: String = row.peers.iter().map(|peer| format!(" {} |", cell(peer))).collect();
    let bound = row.within.map(|within| format!(" (≤ {})", duration(within.as_nanos() as f64)));
    let ours = emphasized(&time(&row.ours), row.is_missed()) + &bound.unwrap_or_default();
    let size = grouped(row.size);
    let calls = row.ours_calls.map(|tally| format!(" {} |", bounded(&tally))).unwrap_or_default();
    let allocations = emphasized(&short(row.ours_allocations), row.allocates_too_much())
        + &row.most_allocations.map(|most| format!(" (≤ {})", short(most))).unwrap_or_default();
    format!("| {} | {size} | {ours} |{calls} {allocations} |{peers}", row.threads)
}

fn cell(peer: &Comparison) -> String {
    let (ours, bound) = match peer.margin {
        Some(margin) => {
            let bound = format!(" (≤ +{})", duration(margin.as_nanos() as f64));
            (format!("+{}", duration(peer.added())), Some(bound))
        }
        None => (ratio(peer.ratio), peer.at_most.map(|at_most| format!(" (≤ {})", short(at_most)))),
    };
    let ours = emphasized(&ours, peer.is_missed());
    let allocations = peer.allocations.map(|count| match short(count) {
        one if one == "1" => String::from(", 1 allocation"),
        many => format!(", {many} allocations"),
    });
    let calls = peer.calls.map(|tally| match bounded(&tally) {
        one if tally.calls == 1.0 => format!(", {one} call"),
        many => format!(", {many} calls"),
    });
    let [bound, calls, allocations] = [bound, calls, allocations].map(Option::unwrap_or_default);
    format!("{}, {ours}{bound}{calls}{allocations}", time(&peer.time))
}

/// How many calls, and how many there may be.
fn bounded(tally: &Tally) -> String {
    let bound = tally.at_most.map(|at_most| format!(" (≤ {})", few(at_most)));
    emphasized(&few(tally.calls), tally.is_missed()) + &bound.unwrap_or_default()
}

fn emphasized(text: &str, missed: bool) -> String {
    if missed { format!("**{text}**") } else { String::from(text) }
}

/// Below the tables: what the runs say about each other.
pub(crate) fn wander(outcomes: &[Outcome], runs: usize) -> String {
    let all = outcomes.iter().flat_map(|outcome| &outcome.peers);
    let mut wander: Vec<_> = all.map(|peer| 100.0 * peer.wander()).collect();
    wander.sort_by(f64::total_cmp);
    match wander[..] {
        [.., most] if runs > 1 => format!(
            "\nMedians of {runs} runs, each with everything built anew. The ratio of a run was off the \
             median of its row by {:.0} % in half of the rows and by {most:.0} % at most.\n",
            wander[wander.len() / 2],
        ),
        _ => String::new(),
    }
}

/// JSON objects, one on a line for each peer; one without a peer where a row has none.
pub(crate) fn json(outcomes: &[Outcome]) -> String {
    let objects = |row: &Outcome| match row.peers.is_empty() {
        true => format!("{{{}}}\n", ours(row)),
        false => row.peers.iter().map(|peer| object(row, peer)).collect(),
    };
    outcomes.iter().map(objects).collect()
}

fn object(row: &Outcome, peer: &Comparison) -> String {
    let Comparison { name, time, ratio, .. } = peer;
    let calls = json_calls("peer_calls", peer.calls);
    let allocations = peer.allocations.map(|count| format!(",\"peer_allocs\":{}", short(count)));
    let allocations = allocations.unwrap_or_default();
    let (ours, time) = (ours(row), time.median);
    format!(
        "{{{ours},\"peer\":{name:?},\"peer_ns\":{time:.2}{calls}{allocations},\"ratio\":{ratio:.4}}}\n"
    )
}

fn ours(row: &Outcome) -> String {
    // `{:?}` of these names is JSON: they are our own constants, in ASCII.
    format!(
        r#""path":{:?},"threads":{},"size":{},"ours_ns":{:.2},"ours_allocs":{}{}"#,
        row.path,
        row.threads,
        row.size,
        row.ours.median,
        short(row.ours_allocations),
        json_calls("ours_calls", row.ours_calls),
    )
}

fn json_calls(name: &str, tally: Option<Tally>) -> String {
    tally.map(|tally| format!(",\"{name}\":{}", short(tally.calls))).unwrap_or_default()
}

fn time(spread: &Spread) -> String {
    duration(spread.median) + if spread.disturbed { "*" } else { "" }
}

/// Nanoseconds in a unit that suits them, in three digits.
fn duration(nanoseconds: f64) -> String {
    let (unit, value) = match nanoseconds {
        short if short < 1e4 => ("ns", short),
        middle if middle < 1e6 => ("µs", middle / 1e3),
        long => ("ms", long / 1e6),
    };
    let digits = if value < 10.0 && value.fract() != 0.0 {
        2
    } else {
        usize::from(value < 100.0 && value.fract() != 0.0)
    };
    format!("{value:.digits$} {unit}")
}

fn ratio(value: f64) -> String {
    if value < 0.1 { format!("{value:.3}") } else { format!("{value:.2}") }
}

/// At most three decimals, none where they are zero.
fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    String::from(text.trim_end_matches('0').trim_end_matches('.'))
}

/// At most one decimal.
fn few(value: f64) -> String {
    short((10.0 * value).round() / 10.0)
}

/// 100000 as 100,000.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{duration, grouped, json, ratio, short, tables, wander};
    use crate::harness::statistics::Spread;
    use crate::harness::{Comparison, Outcome, Tally};

    fn spread(median: f64, disturbed: bool) -> Spread {
        Spread { median, least: median / 2.0, most: median * 2.0, disturbed }
    }

    fn peer(name: &'static str, at_most: Option<f64>, time: f64) -> Comparison {
        let ratio = 5.0 / time;
        let ratios = (ratio * 0.9, ratio * 1.05);
        let (calls, margin, allocations) = (None, None, None);
        let time = spread(time, time > 15.0);
        Comparison { name, at_most, time, calls, margin, allocations, ratio, ratios }
    }

    /// With calls, of which ours are more than there may be.
    fn counted() -> Outcome {
        let tally = |calls, at_most| Some(Tally { calls, at_most });
        let peer = |calls| Comparison { calls: tally(calls, None), ..peer("sdk", None, 10.0) };
        Outcome {
            ours_calls: tally(30.55, Some(30.0)),
            ..outcome("suite/calls", vec![peer(1.0), peer(500.0)])
        }
    }

    fn outcome(path: &'static str, peers: Vec<Comparison>) -> Outcome {
        Outcome {
            path,
            threads: 2,
            size: 1_000,
            unit: "secrets",
            within: None,
            ours: spread(5.0, false),
            ours_allocations: 0.0,
            most_allocations: None,
            ours_calls: None,
            peers,
        }
    }

    #[test]
    fn shows_a_table_for_each_path_with_bounds_and_what_missed_them() {
        let peers = || vec![peer("one 1.0", Some(0.4), 10.0), peer("two 2.0", Some(0.3), 20.0)];
        let mut slow = outcome("suite/other", vec![peer("one 1.0", None, 10.0)]);
        slow.within = Some(Duration::from_nanos(4));
        let rows = [outcome("suite/operation", peers()), outcome("suite/operation", peers()), slow];
        let line = "| 2 | 1,000 | 5 ns | 0 | 10 ns, **0.50** (≤ 0.4) | 20 ns*, 0.25 (≤ 0.3) |\n";
        let expected = format!(
            "\n**suite/operation**\n\n\
             | threads | secrets | ours | allocations | one 1.0 | two 2.0 |\n\
             |---:|---:|---:|---:|---:|---:|\n{line}{line}\
             \n**suite/other**\n\n\
             | threads | secrets | ours | allocations | one 1.0 |\n\
             |---:|---:|---:|---:|---:|\n\
             | 2 | 1,000 | **5 ns** (≤ 4 ns) | 0 | 10 ns, 0.50 |\n"
        );
        assert_eq!(tables(&rows), expected);
    }

    #[test]
    fn shows_calls_where_they_are_counted() {
        let expected = "\n**suite/calls**\n\n\
             | threads | secrets | ours | calls | allocations | sdk | sdk |\n\
             |---:|---:|---:|---:|---:|---:|---:|\n\
             | 2 | 1,000 | 5 ns | **30.6** (≤ 30) | 0 | 10 ns, 0.50, 1 call | 10 ns, 0.50, 500 calls |\n";
        assert_eq!(tables(&[counted()]), expected);
        let objects = json(&[counted()]);
        let first = objects.lines().next().unwrap();
        assert!(first.contains(r#""ours_calls":30.55,"#) && first.contains(r#""peer_calls":1,"#));
    }

    #[test]
    fn shows_what_is_added_and_what_is_allocated() {
        let bare = |margin| Comparison {
            margin: Some(Duration::from_nanos(margin)),
            allocations: Some(1.0),
            ..peer("bare", None, 4.0)
        };
        let row = Outcome {
            ours_allocations: 2.0,
            most_allocations: Some(0.0),
            ..outcome("suite/added", vec![bare(1), bare(0)])
        };
        let expected = "| 2 | 1,000 | 5 ns | **2** (≤ 0) | \
             4 ns, +1 ns (≤ +1 ns), 1 allocation | 4 ns, **+1 ns** (≤ +0 ns), 1 allocation |\n";
        assert!(tables(std::slice::from_ref(&row)).ends_with(expected));
        assert!(json(&[row]).contains(r#""peer_ns":4.00,"peer_allocs":1,"ratio":1.2500}"#));
    }

    #[test]
    fn writes_an_object_for_a_row_without_peers() {
        let expected =
            r#"{"path":"suite/alone","threads":2,"size":1000,"ours_ns":5.00,"ours_allocs":0}"#;
        assert_eq!(json(&[outcome("suite/alone", Vec::new())]), format!("{expected}\n"));
    }

    #[test]
    fn writes_an_object_for_each_peer() {
        let row =
            outcome("suite/operation", vec![peer("a 1", None, 10.0), peer("b 2", None, 20.0)]);
        let object = |name: &str, time: &str, ratio: &str| {
            format!(
                r#"{{"path":"suite/operation","threads":2,"size":1000,"ours_ns":5.00,"ours_allocs":0,"peer":"{name}","peer_ns":{time},"ratio":{ratio}}}"#
            ) + "\n"
        };
        let expected = object("a 1", "10.00", "0.5000") + &object("b 2", "20.00", "0.2500");
        assert_eq!(json(&[row]), expected);
    }

    #[test]
    fn says_how_far_the_runs_were_apart() {
        let row = outcome("suite/operation", vec![peer("a 1", None, 10.0)]);
        assert!(wander(std::slice::from_ref(&row), 3).contains("by 10 % at most"));
        assert_eq!(wander(&[row], 1), "");
    }

    #[test]
    fn chooses_units_and_digits() {
        let times = [1.0, 5.25, 52.5, 9_999.0, 10_000.0, 1_234_567.0, 152_345_678.0];
        let shown = ["1 ns", "5.25 ns", "52.5 ns", "9999 ns", "10 µs", "1.23 ms", "152 ms"];
        assert_eq!(times.map(duration), shown);
        assert_eq!([ratio(1.234), ratio(0.0834)], ["1.23", "0.083"]);
        assert_eq!([short(0.0), short(7.0), short(0.125), short(10.0)], ["0", "7", "0.125", "10"]);
        assert_eq!([64, 1_000, 100_000].map(grouped), ["64", "1,000", "100,000"]);
    }
}
