use secret_canary::Canary;

use crate::metric::Exposition;
use crate::testing::record::Text;
use crate::testing::{Capture, CapturedRecord};

impl Capture {
    /// The secret is in nothing that was captured, in any encoding: in no message, target, field or span of a record,
    /// no name, label or description of a metric.
    ///
    /// ```
    /// use obs::testing::{Canary, Capture};
    ///
    /// let password = Canary::named("database password");
    /// let capture = Capture::new();
    /// capture.run(|| tracing::info!("connecting to postgres://app:{}@db/orders", password.text()));
    /// capture.expect_no_secret(&password);
    /// ```
    ///
    /// # Panics
    /// It is there; the message says where and in which encoding, but not what. Or it may be: more records were logged than
    /// are kept.
    #[track_caller]
    #[expect(clippy::panic, reason = "an assertion for tests")]
    pub fn expect_no_secret(&self, secret: &Canary) {
        let records = self.records();
        let in_records = records.iter().flat_map(|record| in_record(record, secret));
        let places: Vec<String> = in_records.chain(self.in_metrics(secret)).collect();
        if !places.is_empty() {
            panic!("the secret was found in {} places:{}", places.len(), listed(&places));
        }
        if records.left_out() > 0 {
            let left_out = records.left_out();
            panic!(
                "nobody looked for the secret in {left_out} records: more were logged than are kept"
            );
        }
    }

    /// Of a page, its lines: so a place is told.
    fn in_metrics(&self, secret: &Canary) -> Vec<String> {
        let pages =
            [Exposition::Text, Exposition::OpenMetrics].map(|format| self.metrics().page(format));
        let lines = pages.iter().flat_map(|page| page.lines());
        let found = lines.filter_map(|line| {
            let form = secret.find(line.as_bytes())?;
            let name = line.trim_start_matches("# HELP ").split([' ', '{']).next()?;
            // The name may be what it is in.
            let name = if secret.find(name.as_bytes()).is_some() { "…" } else { name };
            Some(format!("{form}, in the metric `{name}`"))
        });
        found.collect()
    }
}

fn in_record(record: &CapturedRecord, secret: &Canary) -> Vec<String> {
    let source = record.source.as_ref();
    let source = source.map_or(String::new(), |(file, line)| format!(" ({file}:{line})"));
    let texts = record.texts();
    let found = texts.filter_map(|Text { place, text }| {
        let form = secret.find(text.as_bytes())?;
        let place = place.shown(secret);
        Some(format!("{form}, in {place} of a record at {}{source}", record.level))
    });
    found.collect()
}

/// Lines of a message.
const SHOWN: usize = 20;

fn listed(places: &[String]) -> String {
    let shown: String = places.iter().take(SHOWN).map(|place| format!("\n    {place}")).collect();
    match places.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}\n    and {more} more"),
    }
}
