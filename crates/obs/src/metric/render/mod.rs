//! Expositions: Prometheus' text format 0.0.4, and OpenMetrics 1.0.

mod number;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use metric_table::MetricKind;

use self::number::{write_f64, write_u64};
use super::Exposition;
use super::cell::{CounterCell, GaugeCell};
use super::exemplar::Exemplar;
use super::family::{Family, Kinds, Shown};
use super::histogram::{Bounds, HistogramCell};
use super::source::{Sample, SampleValue, SourceFamily};
use super::table::Series;
use crate::catalog::Exposed;

/// What is gathered before it is written.
const PART: usize = 64 * 1024;

/// Room for what one series adds.
const ROOM: usize = 4 * 1024;

struct Page<'a> {
    format: Exposition,
    text: Vec<u8>,
    out: &'a mut dyn Write,
}

/// Writes all families that have a name, and then what sources said.
pub(crate) fn families<'f>(
    format: Exposition,
    families: &'f [Arc<Family>],
    shown: impl Fn(&'f Family) -> Option<&'f Shown>,
    sourced: impl Iterator<Item = (&'f SourceFamily, Vec<&'f Sample>)>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page { format, text: Vec::with_capacity(PART + ROOM), out };
    for family in families {
        if family.len() > 0
            && let Some(shown) = shown(family)
        {
            page.family(family, shown)?;
        }
    }
    for (family, samples) in sourced {
        page.sourced(family, &samples)?;
    }
    if format == Exposition::OpenMetrics {
        page.text.extend_from_slice(b"# EOF\n");
    }
    page.flush()
}

/// `le="0.005"` for each bucket. Both formats write them alike, as OpenMetrics asks, so that a series
/// keeps its name whatever a collector asks for.
pub(crate) fn bounds(family: &Family) -> Box<[Box<str>]> {
    let Kinds::Histogram(_, bounds) = &family.table else { return Box::default() };
    bounds_of(bounds)
}

/// The same, of any bounds.
pub(crate) fn bounds_of(bounds: &Bounds) -> Box<[Box<str>]> {
    let bound = |bound: f64| {
        let mut text = Vec::new();
        write_f64(bound, &mut text);
        let text = String::from_utf8_lossy(&text);
        let point = if text.contains(['.', 'e']) { "" } else { ".0" };
        format!("le=\"{text}{point}\"").into()
    };
    bounds.iter().map(bound).chain([Box::from("le=\"+Inf\"")]).collect()
}

impl Page<'_> {
    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.text)?;
        self.text.clear();
        Ok(())
    }

    fn family(&mut self, family: &Family, shown: &Shown) -> io::Result<()> {
        self.head(&shown.names, family.help.get().map(|help| &**help));
        let name = shown.names.family.as_str();
        match &family.table {
            Kinds::Counter(table) => {
                let name = format!("{name}_total");
                self.each(&table.all(), |page, series| page.counter(&name, series))
            }
            Kinds::Gauge(table) => self.each(&table.all(), |page, series| page.gauge(name, series)),
            Kinds::Histogram(table, _) => {
                let names = HistogramNames::new(name);
                self.each(&table.all(), |page, series| {
                    page.histogram(&names, &shown.bounds, series);
                })
            }
        }
    }

    /// A family of which nothing is said is not there.
    fn sourced(&mut self, family: &SourceFamily, samples: &[&Sample]) -> io::Result<()> {
        if samples.is_empty() {
            return Ok(());
        }
        let names = &family.names;
        self.head(names, Some(family.metric.help));
        let total = if names.kind == MetricKind::Counter { "_total" } else { "" };
        let (name, histogram) =
            (format!("{}{total}", names.family), HistogramNames::new(&names.family));
        for sample in samples {
            match &sample.value {
                SampleValue::Number(value) => {
                    self.sample(&name, &sample.labels);
                    write_f64(*value, &mut self.text);
                    self.text.push(b'\n');
                }
                SampleValue::Buckets { buckets, sum } => {
                    self.buckets(&histogram, &sample.labels, buckets, *sum);
                }
            }
            if self.text.len() > PART {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// OpenMetrics has either both of sum and count or none.
    fn buckets(
        &mut self,
        names: &HistogramNames,
        labels: &str,
        buckets: &[(Box<str>, u64)],
        sum: Option<f64>,
    ) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut count = 0_u64;
        for (bound, values) in buckets {
            count = count.saturating_add(*values);
            self.words(&[&names.bucket, "{", labels, comma, bound, "} "]);
            write_u64(count, &mut self.text);
            self.text.push(b'\n');
        }
        if let Some(sum) = sum {
            self.sample(&names.sum, labels);
            write_f64(sum, &mut self.text);
            self.text.push(b'\n');
        }
        if sum.is_some() || self.format == Exposition::Text {
            self.sample(&names.count, labels);
            write_u64(count, &mut self.text);
            self.text.push(b'\n');
        }
    }

    fn each<C>(
        &mut self,
        all: &[Arc<Series<C>>],
        write: impl Fn(&mut Self, &Series<C>),
    ) -> io::Result<()> {
        for series in all {
            write(self, series);
            if self.text.len() > PART {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn head(&mut self, names: &Exposed, help: Option<&str>) {
        let (kind, is_counter) = match names.kind {
            MetricKind::Counter => ("counter", true),
            MetricKind::Histogram => ("histogram", false),
            _ => ("gauge", false),
        };
        let is_open_metrics = self.format == Exposition::OpenMetrics;
        // The text format names samples, OpenMetrics families.
        let total = if is_counter && !is_open_metrics { "_total" } else { "" };
        if let Some(help) = help {
            self.words(&["# HELP ", &names.family, total, " "]);
            self.help(help);
            self.text.push(b'\n');
        }
        self.words(&["# TYPE ", &names.family, total, " ", kind, "\n"]);
        if is_open_metrics && let Some(unit) = &names.unit {
            self.words(&["# UNIT ", &names.family, " ", unit, "\n"]);
        }
    }

    /// A quote is escaped by OpenMetrics only.
    fn help(&mut self, help: &str) {
        for byte in help.bytes() {
            match byte {
                b'\\' => self.text.extend_from_slice(b"\\\\"),
                b'\n' => self.text.extend_from_slice(b"\\n"),
                b'"' if self.format == Exposition::OpenMetrics => {
                    self.text.extend_from_slice(b"\\\"");
                }
                other => self.text.push(other),
            }
        }
    }

    fn words(&mut self, words: &[&str]) {
        for word in words {
            self.text.extend_from_slice(word.as_bytes());
        }
    }

    /// The name, the labels, and the space before the value.
    fn sample(&mut self, name: &str, labels: &str) {
        self.text.extend_from_slice(name.as_bytes());
        if !labels.is_empty() {
            self.text.push(b'{');
            self.text.extend_from_slice(labels.as_bytes());
            self.text.push(b'}');
        }
        self.text.push(b' ');
    }

    fn counter(&mut self, name: &str, series: &Series<CounterCell>) {
        self.sample(name, series.labels());
        write_u64(series.cell().value(), &mut self.text);
        self.exemplar(series.cell().example());
        self.text.push(b'\n');
    }

    fn gauge(&mut self, name: &str, series: &Series<GaugeCell>) {
        self.sample(name, series.labels());
        write_f64(series.cell().value(), &mut self.text);
        self.text.push(b'\n');
    }

    fn histogram(
        &mut self,
        names: &HistogramNames,
        bounds: &[Box<str>],
        series: &Series<HistogramCell>,
    ) {
        let (cell, labels) = (series.cell(), series.labels());
        let comma = if labels.is_empty() { "" } else { "," };
        let mut count = 0_u64;
        for (bound, (values, exemplar)) in bounds.iter().zip(cell.buckets()) {
            count = count.wrapping_add(values);
            self.words(&[&names.bucket, "{", labels, comma, bound, "} "]);
            write_u64(count, &mut self.text);
            self.exemplar(exemplar);
            self.text.push(b'\n');
        }
        let sum = cell.sum();
        // OpenMetrics takes a sum for a counter: one that may fall is not to be shown.
        let is_shown =
            self.format == Exposition::Text || !cell.bounds().has_negative() && sum >= 0.0;
        if is_shown {
            self.sample(&names.sum, labels);
            write_f64(sum, &mut self.text);
            self.text.push(b'\n');
            self.sample(&names.count, labels);
            write_u64(count, &mut self.text);
            self.text.push(b'\n');
        }
    }

    /// Only OpenMetrics has them. The labels take 63 characters of the 128 that it allows.
    fn exemplar(&mut self, exemplar: Option<Exemplar>) {
        let Some(exemplar) = exemplar.filter(|_| self.format == Exposition::OpenMetrics) else {
            return;
        };
        self.text.extend_from_slice(b" # {trace_id=\"");
        self.text.extend_from_slice(&exemplar.trace.trace_id.to_hex());
        self.text.extend_from_slice(b"\",span_id=\"");
        self.text.extend_from_slice(&exemplar.trace.span_id.to_hex());
        self.text.extend_from_slice(b"\"} ");
        write_f64(exemplar.value, &mut self.text);
        let since = exemplar.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.text.push(b' ');
        write_u64(since.as_secs(), &mut self.text);
        self.text.push(b'.');
        let millis = since.subsec_millis();
        let digits = [millis / 100, millis / 10 % 10, millis % 10];
        self.text.extend(digits.map(|digit| b'0' + u8::try_from(digit).unwrap_or(0)));
    }
}

struct HistogramNames {
    bucket: String,
    sum: String,
    count: String,
}

impl HistogramNames {
    fn new(family: &str) -> Self {
        let [bucket, sum, count] =
            ["bucket", "sum", "count"].map(|ending| format!("{family}_{ending}"));
        Self { bucket, sum, count }
    }
}
