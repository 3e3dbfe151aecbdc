use std::fmt::{self, Write as _};
use std::sync::Arc;

use tracing_core::Level;

use crate::testing::{CapturedRecord, FieldValue};

/// Records of a capture, of which each call leaves those that it asks for. What fails says what was asked for, what
/// was there before the last question, and what was logged where no capture was.
///
/// ```should_panic
/// use obs::testing::Capture;
///
/// let capture = Capture::new();
/// capture.run(|| tracing::info!(order = 7, "order taken"));
/// // expected one record with `order`=8, found none
/// // left before `order`=8 was asked for, 1 of 1:
/// //     INFO app: "order taken" order=7 (src/orders.rs:12)
/// capture.records().with_field("order", 8).expect_one();
/// ```
#[derive(Debug, Clone)]
#[must_use = "asking is not asserting: end with an `expect_…` call"]
pub struct Records {
    left: Vec<Arc<CapturedRecord>>,
    before: Vec<Arc<CapturedRecord>>,
    asked: Vec<String>,
    all: usize,
    left_out: usize,
    strays: Option<Vec<CapturedRecord>>,
}

impl Records {
    pub(super) fn new(
        records: Vec<Arc<CapturedRecord>>,
        left_out: usize,
        strays: Option<Vec<CapturedRecord>>,
    ) -> Self {
        let (all, before) = (records.len(), records.clone());
        Self { left: records, before, asked: Vec::new(), all, left_out, strays }
    }

    /// Those that `is` says are meant; `what` tells people which these are.
    pub fn that(mut self, what: &str, is: impl Fn(&CapturedRecord) -> bool) -> Self {
        self.asked.push(what.to_owned());
        self.before = self.left.clone();
        self.left.retain(|record| is(record));
        self
    }

    /// Those of this level.
    pub fn at(self, level: Level) -> Self {
        self.that(&format!("at {level}"), |record| record.level == level)
    }

    /// Those of this level and the more serious ones.
    pub fn at_least(self, level: Level) -> Self {
        self.that(&format!("at {level} or above"), |record| record.level <= level)
    }

    /// Those of this target and of what is below it: `app` has `app::store`.
    pub fn of_target(self, target: &str) -> Self {
        self.that(&format!("of the target `{target}`"), |record| {
            let rest = record.target.strip_prefix(target);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        })
    }

    /// Those whose message has this in it.
    pub fn with_message(self, part: &str) -> Self {
        self.that(&format!("with {part:?} in the message"), |record| record.message.contains(part))
    }

    /// Those with a field of this name and value, of their own or of a span around them.
    pub fn with_field(self, name: &str, value: impl Into<FieldValue>) -> Self {
        let value = value.into();
        let what = format!("with `{name}`={value}");
        self.that(&what, |record| record.field(name) == Some(&value))
    }

    /// Those within a span of this name.
    pub fn in_span(self, name: &str) -> Self {
        self.that(&format!("in a span `{name}`"), |record| record.span(name).is_some())
    }

    /// How many records were logged and not kept, after the first 100,000: nothing is known of them.
    #[must_use]
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    /// How many are left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.left.len()
    }

    /// Whether none is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Those that are left, in the order in which they were logged.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &CapturedRecord> + '_ {
        self.left.iter().map(|record| &**record)
    }

    /// The one that is left.
    ///
    /// # Panics
    /// There is another number of them; or there may be, since more was logged than is kept.
    #[track_caller]
    pub fn expect_one(self) -> CapturedRecord {
        match self.left.as_slice() {
            [one] if self.left_out == 0 => CapturedRecord::clone(one),
            _ => self.fail("one record"),
        }
    }

    /// Those that are left, of which there are so many.
    ///
    /// # Panics
    /// There is another number of them; or there may be, since more was logged than is kept.
    #[track_caller]
    pub fn expect_count(self, count: usize) -> Vec<CapturedRecord> {
        if self.left.len() != count || self.left_out > 0 {
            self.fail(&format!("{count} records"));
        }
        self.iter().cloned().collect()
    }

    /// None is left.
    ///
    /// # Panics
    /// There are some; or there may be, since more was logged than is kept.
    #[track_caller]
    pub fn expect_none(self) {
        if !self.left.is_empty() || self.left_out > 0 {
            self.fail("no record");
        }
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "an assertion for tests")]
    fn fail(&self, expected: &str) -> ! {
        panic!("{}", Failed { records: self, expected })
    }
}

/// Lines of a message.
const SHOWN: usize = 20;

struct Failed<'a> {
    records: &'a Records,
    expected: &'a str,
}

impl fmt::Display for Failed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, expected } = self;
        write!(f, "expected {expected}")?;
        records.asked.iter().try_for_each(|asked| write!(f, " {asked}"))?;
        match records.left.len() {
            0 => f.write_str(", found none")?,
            found => write!(f, ", found {found}")?,
        }
        let (shown, all) =
            (if records.left.is_empty() { &records.before } else { &records.left }, records.all);
        match records.asked.last().filter(|_| records.left.is_empty()) {
            _ if all == 0 => f.write_str("\nnothing was captured")?,
            Some(last) => {
                write!(f, "\nleft before it was asked for those {last}, {} of {all}:", shown.len())?
            }
            None => f.write_char(':')?,
        }
        list(f, shown.iter().map(|record| &**record))?;
        if records.left_out > 0 {
            write!(
                f,
                "\n{} records more were logged than are kept, and nobody knows what they are",
                records.left_out
            )?;
        }
        match &records.strays {
            Some(strays) if !strays.is_empty() => {
                write!(f, "\nnot captured, logged by threads that no capture was on, {}:", strays.len())?;
                list(f, strays.iter())
            }
            None if records.left.is_empty() => f.write_str(
                "\nnot captured is what threads and tasks log that were started without `Carried::here()`; \
                 `watch_strays` tells of it",
            ),
            _ => Ok(()),
        }
    }
}

fn list<'a>(
    f: &mut fmt::Formatter<'_>,
    records: impl ExactSizeIterator<Item = &'a CapturedRecord>,
) -> fmt::Result {
    let more = records.len().saturating_sub(SHOWN);
    for record in records.take(SHOWN) {
        write!(f, "\n    {record}")?;
        if let Some(thread) = &record.thread {
            write!(f, " on thread {thread:?}")?;
        }
    }
    if more > 0 { write!(f, "\n    and {more} more") } else { Ok(()) }
}
