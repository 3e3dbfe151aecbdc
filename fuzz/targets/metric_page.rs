//! Whatever metrics and labels are called and hold, a page of them is one that a strict reader reads: no line that a label
//! wrote, no sample twice, no family in two places. The input is metrics: a name, then names and values of labels.

#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use metrics::{Label, counter, gauge, histogram, with_local_recorder};
use obs::metric::{Exposition, MetricRecorder};
use obs::record::RedactedKeys;

fuzz_target!(|input: &str| {
    let keys = RedactedKeys::insecure_none();
    let builder = MetricRecorder::builder().redacted_keys(keys).longest_label(1 << 20);
    let recorder = builder.series_limit(4).build();
    let mut values = Vec::new();
    with_local_recorder(&recorder, || {
        for (at, metric) in input.split('\u{0}').enumerate() {
            let mut parts = metric.split('\u{1}');
            let name = parts.next().unwrap_or_default().to_owned();
            let labels: Vec<_> =
                parts.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
            if let [(_, value)] = labels.as_slice() {
                values.push((*value).to_owned());
            }
            let labels: Vec<_> = labels
                .iter()
                .map(|(name, value)| Label::new((*name).to_owned(), (*value).to_owned()))
                .collect();
            match at % 3 {
                0 => counter!(name, labels).increment(1),
                1 => gauge!(name, labels).set(-0.5),
                _ => histogram!(name, labels).record(1e-7),
            }
        }
    });
    for format in [Exposition::Text, Exposition::OpenMetrics] {
        let mut page = Vec::new();
        recorder.render(format, &mut page).expect("a vector takes everything");
        let page = String::from_utf8(page).expect("a page is UTF-8");
        let shown = read(&page, format);
        // What has one label and is shown at all is shown as it was, unless it is beyond the limit.
        assert!(shown.iter().all(|value| value == "true" || values.contains(value)), "{page}");
    }
});

/// Reads a page by its grammar; the values of samples that have one label besides `le`.
fn read(page: &str, format: Exposition) -> Vec<String> {
    let (mut families, mut samples, mut values) = (HashSet::new(), HashSet::new(), Vec::new());
    let mut family = String::new();
    let page = match format {
        Exposition::OpenMetrics => page.strip_suffix("# EOF\n").expect("it says where it ends"),
        _ => page,
    };
    for line in page.split_terminator('\n') {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (what, name) = (words.next().expect("a word"), words.next().expect("a name"));
            assert!(matches!(what, "HELP" | "TYPE" | "UNIT") && is_name(name, true), "{line:?}");
            if what == "TYPE" {
                family = name.to_owned();
                assert!(families.insert(family.clone()), "a family stands twice: {line:?}");
            }
            continue;
        }
        let (name, rest) = line.split_at(line.find(['{', ' ']).expect("a name"));
        assert!(is_name(name, true) && name.starts_with(&family), "{family} {line:?}");
        let (labels, number) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest),
            None => (Vec::new(), rest),
        };
        let number = number.strip_prefix(' ').expect("a space");
        assert!(number.parse::<f64>().is_ok_and(f64::is_finite), "{line:?}");
        assert!(samples.insert(line.strip_suffix(number).map(str::to_owned)), "twice: {line:?}");
        let own: Vec<_> = labels.iter().filter(|(name, _)| name != "le").collect();
        let names: HashSet<_> = labels.iter().map(|(name, _)| name).collect();
        assert!(
            names.len() == labels.len() && names.iter().all(|name| is_name(name, false)),
            "{line:?}"
        );
        if let ([(_, value)], false) = (own.as_slice(), name.starts_with("obs_metric_")) {
            // Names that became one have joined values.
            values.extend((!value.contains(';')).then(|| value.clone()));
        }
    }
    values
}

fn is_name(name: &str, with_colons: bool) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || c == '_' || (with_colons && c == ':');
    !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty() && name.chars().all(is_fit)
}

/// Takes `a="x",b="y"} 1` apart.
fn labels(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut labels = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"").expect("a label");
        let (mut value, mut characters) = (String::new(), after.char_indices());
        let end = loop {
            match characters.next().expect("a quote at the end") {
                (at, '"') => break at + 1,
                (_, '\\') => value.push(match characters.next().expect("an escape").1 {
                    'n' => '\n',
                    other @ ('\\' | '"') => other,
                    other => panic!("`{other}` is not escaped"),
                }),
                (_, other) => value.push(other),
            }
        };
        labels.push((name.to_owned(), value));
        match after.split_at(end).1.split_at(1) {
            (",", more) => rest = more,
            ("}", more) => return (labels, more),
            other => panic!("{other:?} after a label"),
        }
    }
}
