//! Names as Prometheus has them, by OpenTelemetry's specification "Prometheus and OpenMetrics
//! Compatibility" (section "Metric Metadata"): words joined by `_`, the unit's word at the end.

use std::borrow::Cow;

use metric_table::{Metric, MetricKind};

/// What a metric is called in an exposition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exposed {
    /// The name of the family, without `_total`.
    pub(crate) family: String,
    /// The word of the unit, if the name ends with it.
    pub(crate) unit: Option<String>,
    pub(crate) kind: MetricKind,
}

impl Exposed {
    pub(crate) fn of(metric: &Metric) -> Self {
        Self::new(metric.name, &unit_word(metric.unit, metric.kind), metric.kind)
    }

    /// `unit` is a word, as `seconds`; empty if there is none.
    pub(crate) fn new(name: &str, unit: &str, kind: MetricKind) -> Self {
        let mut family = sanitized(name, true);
        if kind == MetricKind::Counter
            && let Some(before) = family.strip_suffix("_total")
            && !before.is_empty()
        {
            family.truncate(before.len());
        }
        let unit = sanitized_unit(unit);
        let is_said = family.split('_').any(|word| word == unit) || ends(&family, &unit);
        if !unit.is_empty() && !is_said {
            family.push('_');
            family.push_str(&unit);
        }
        let ends_with_unit = !unit.is_empty() && ends(&family, &unit);
        Self { unit: ends_with_unit.then_some(unit), family, kind }
    }

    /// All names that its samples may have in one of the formats.
    pub(crate) fn claims(&self) -> impl Iterator<Item = String> + '_ {
        let endings: &[&str] = match self.kind {
            MetricKind::Counter => &["", "_total", "_created"],
            MetricKind::Histogram => &["", "_bucket", "_count", "_sum", "_created"],
            _ => &[""],
        };
        endings.iter().map(|ending| format!("{}{ending}", self.family))
    }
}

fn ends(family: &str, unit: &str) -> bool {
    family.strip_suffix(unit).is_some_and(|before| before.ends_with('_'))
}

/// The name of a label.
pub(crate) fn label_name(name: &str) -> String {
    let name = sanitized(name, false);
    // A histogram's own.
    if name == "le" { "exported_le".to_owned() } else { name }
}

/// Letters, digits and `_`, no two `_` in a row, no digit at the start.
fn sanitized(name: &str, with_colons: bool) -> String {
    let mut text = String::with_capacity(name.len());
    for character in name.chars() {
        let is_kept = character.is_ascii_alphanumeric() || (with_colons && character == ':');
        if is_kept {
            if text.is_empty() && character.is_ascii_digit() {
                text.push('_');
            }
            text.push(character);
        } else if !text.ends_with('_') {
            text.push('_');
        }
    }
    if text.is_empty() {
        text.push('_');
    }
    text
}

fn sanitized_unit(unit: &str) -> String {
    if unit.is_empty() {
        return String::new();
    }
    sanitized(unit, false).trim_matches('_').to_owned()
}

/// The word of a unit that is written as UCUM writes it; empty if it has none.
pub(crate) fn unit_word(unit: &str, kind: MetricKind) -> Cow<'_, str> {
    if unit == "1" {
        return if kind == MetricKind::Gauge { "ratio".into() } else { "".into() };
    }
    match unit.split_once('/') {
        Some((amount, per)) => {
            let (amount, per) = (without_braces(amount), without_braces(per));
            match (amount.as_ref(), per.as_ref()) {
                (amount, "") => Cow::Owned(word(amount).to_owned()),
                ("" | "1", per) => format!("per_{}", per_word(per)).into(),
                (amount, per) => format!("{}_per_{}", word(amount), per_word(per)).into(),
            }
        }
        None => match without_braces(unit) {
            Cow::Borrowed(unit) => Cow::Borrowed(word(unit)),
            Cow::Owned(unit) => Cow::Owned(word(&unit).to_owned()),
        },
    }
}

/// What is counted, as `{request}`, is no part of a name.
fn without_braces(unit: &str) -> Cow<'_, str> {
    match (unit.split_once('{'), unit.rsplit_once('}')) {
        (Some(("", _)), Some((_, after))) => after.into(),
        (Some((before, _)), Some((_, after))) => format!("{before}{after}").into(),
        _ => unit.into(),
    }
}

fn word(unit: &str) -> &str {
    match unit {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tebibytes",
        "KBy" | "kBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "%" => "percent",
        other => other,
    }
}

fn per_word(unit: &str) -> &str {
    match unit {
        "s" => "second",
        "min" | "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "wk" | "w" => "week",
        "mo" => "month",
        "a" | "y" => "year",
        other => word(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_specification() {
        use MetricKind::{Counter, Gauge, Histogram};
        let cases = [
            (
                "http.server.request.duration",
                "s",
                Histogram,
                "http_server_request_duration_seconds",
            ),
            ("http.server.active_requests", "{request}", Gauge, "http_server_active_requests"),
            ("process.cpu.time", "s", Counter, "process_cpu_time_seconds"),
            ("process_cpu_seconds_total", "s", Counter, "process_cpu_seconds"),
            ("system.cpu.utilization", "1", Gauge, "system_cpu_utilization_ratio"),
            ("jobs", "1", Counter, "jobs"),
            ("disk.read", "By/s", Gauge, "disk_read_bytes_per_second"),
            ("jobs.rate", "{job}/s", Gauge, "jobs_rate_per_second"),
            ("a..b--c", "", Gauge, "a_b_c"),
            ("1a", "", Gauge, "_1a"),
            ("bytes.read", "By", Counter, "bytes_read"),
            ("ns:rule", "", Gauge, "ns:rule"),
            ("käse", "furlong", Gauge, "k_se_furlong"),
            ("", "", Gauge, "_"),
        ];
        for (name, unit, kind, expected) in cases {
            let exposed = Exposed::new(name, &unit_word(unit, kind), kind);
            assert_eq!(exposed.family, expected, "{name} {unit}");
        }
    }

    #[test]
    fn a_unit_is_told_only_where_the_name_ends_with_it() {
        let unit = |name| Exposed::new(name, "bytes", MetricKind::Gauge).unit;
        assert_eq!(unit("memory").as_deref(), Some("bytes"));
        assert_eq!(unit("memory.bytes").as_deref(), Some("bytes"));
        assert_eq!(unit("bytes.read"), None);
    }
}
