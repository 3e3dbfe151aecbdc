use std::error::Error;
use std::fmt::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing_core::Field;
use tracing_core::field::Visit;

use crate::record::fields::{Bounded, Fields, Limits, Value};
use crate::record::redact::{Part, Redaction};
use crate::record::site::Site;

/// What stands for a value whose `Debug` or `Display` panicked.
pub(crate) const PANICKED: &str = "[PANICKED]";

/// Visits the values of an event or a span.
pub(crate) struct Capture<'a> {
    pub(crate) fields: &'a mut Fields,
    pub(crate) site: &'a Site,
    pub(crate) redaction: &'a Redaction,
    pub(crate) limits: &'a Limits,
}

impl Capture<'_> {
    fn plain(&mut self, field: &Field, value: Value<'static>) {
        let known = self.site.of(field);
        let hides = || value.number().is_some_and(|number| self.redaction.hides(number));
        let value = if known.is_sensitive || hides() { Value::Redacted } else { value };
        self.fields.push(field.name(), known.mark, value, self.limits);
    }

    fn text(&mut self, field: &Field, write: impl FnOnce(&mut Bounded<'_>)) {
        let (redaction, limits) = (self.redaction, self.limits);
        let redact = |text: &mut String, part: Part| redaction.redact(text, part);
        let known = self.site.of(field);
        if known.is_sensitive {
            self.fields.push(field.name(), known.mark, Value::Redacted, limits);
        } else if known.is_message {
            self.fields.set_message(limits, write, redact);
        } else {
            self.fields.push_text(field.name(), known.mark, limits, write, redact);
        }
    }
}

impl Visit for Capture<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, |text| text.push(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, Value::I64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, Value::U64(value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.plain(field, Value::I128(value));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.plain(field, Value::U128(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.plain(field, Value::F64(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, Value::Bool(value));
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        let room = self.limits.value_bytes / 2;
        let said = String::from_utf8_lossy(value.get(..room).unwrap_or(value)).into_owned();
        let part = Part::of(&said, 0, value.len() > room);
        let mut shown = said.clone();
        self.redaction.redact(&mut shown, part);
        if shown != said {
            // Of a secret in hexadecimal digits nothing could be taken out any more.
            return self.plain(field, Value::Redacted);
        }
        self.text(field, |text| {
            for byte in value {
                if write!(text, "{byte:02x}").is_err() {
                    break;
                }
            }
        });
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let most = self.limits.error_sources;
        self.text(field, |text| {
            contained(text, |text| {
                write!(text, "{value}")?;
                let mut source = value.source();
                for _ in 0..most {
                    let Some(error) = source else { break };
                    write!(text, ": {error}")?;
                    source = error.source();
                }
                Ok(())
            });
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, |text| contained(text, |text| write!(text, "{value:?}")));
    }
}

/// Lets the value write itself; if it panics, that is what is written.
pub(crate) fn contained(
    text: &mut Bounded<'_>,
    write: impl FnOnce(&mut Bounded<'_>) -> fmt::Result,
) {
    // What a panic leaves behind is text, whatever it says.
    match catch_unwind(AssertUnwindSafe(|| write(text))) {
        Ok(_) => {}
        Err(_) => text.push(PANICKED),
    }
}
