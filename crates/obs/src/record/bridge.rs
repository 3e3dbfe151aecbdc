use std::error::Error;
use std::fmt::{self, Write as _};

use log::kv::{Key, Value as Given, VisitSource, VisitValue};
use log::{Log, Metadata, Record as LogRecord};
use tracing_core::Level;

use crate::record::capture::contained;
use crate::record::core::Core;
use crate::record::fields::{Fields, Value};
use crate::record::handle::{Note, RecordHandle};
use crate::record::scratch::last_event;

/// Makes records of what libraries log by the [`log`] facade: by the same filter, redacted and bounded as events
/// are, in the span that the thread is in, with their target, file, line and key-values. A `module_path` that is
/// not the target is the field `module_path`.
///
/// With the feature `log-always` of `tracing` every event is told to `log`, too: what has just become a record as
/// an event does not become another one.
///
/// ```
/// use obs::record::{LogBridge, RecordLayer};
///
/// let layer = RecordLayer::builder().build();
/// LogBridge::new(layer.handle()).install()?;
/// # Ok::<(), obs::record::BridgeError>(())
/// ```
#[derive(Debug)]
pub struct LogBridge(RecordHandle);

/// Another logger is installed already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BridgeError;

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another logger of the `log` facade is installed already")
    }
}

impl Error for BridgeError {}

impl LogBridge {
    /// The logger, for the sinks of a layer.
    #[must_use]
    pub const fn new(handle: RecordHandle) -> Self {
        Self(handle)
    }

    /// Makes it the logger of the process.
    ///
    /// # Errors
    /// [`BridgeError`]: there is one already.
    pub fn install(self) -> Result<(), BridgeError> {
        log::set_boxed_logger(Box::new(self)).map_err(|_| BridgeError)?;
        // The filter may change while the program runs; it is asked for each record.
        log::set_max_level(log::LevelFilter::Trace);
        Ok(())
    }
}

/// What `tracing` tells of its spans.
const OF_SPANS: [&str; 2] = ["tracing::span", "tracing::span::active"];

impl Log for LogBridge {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        level(metadata.level()) <= self.0.filter().level_of(metadata.target())
    }

    fn log(&self, record: &LogRecord<'_>) {
        if is_event(record) || OF_SPANS.contains(&record.target()) {
            return;
        }
        let mut note = Note::new(level(record.level()), record.target());
        if let (Some(file), Some(line)) = (record.file(), record.line()) {
            note = note.at(file, line);
        }
        self.0.record_fields(&note, |fields, core| fill(record, fields, core));
    }

    fn flush(&self) {}
}

/// Whether it repeats the event that this thread recorded last. The macros of `log` know their file as
/// a static one; those of `tracing` do not tell so.
fn is_event(record: &LogRecord<'_>) -> bool {
    let place = record.file().zip(record.line());
    record.file_static().is_none() && place.is_some() && place == last_event()
}

fn fill(record: &LogRecord<'_>, fields: &mut Fields, core: &Core) {
    let redact = |text: &mut String, part| core.redaction.redact(text, part);
    fields.set_message(
        &core.limits,
        |text| contained(text, |text| write!(text, "{}", record.args())),
        redact,
    );
    if let Some(module) = record.module_path().filter(|module| *module != record.target()) {
        fields.push_named("module_path", &core.limits, Value::Text(module), redact);
    }
    // It fails only where the visitor does.
    let _ = record.key_values().visit(&mut Pairs { fields, core });
}

struct Pairs<'a> {
    fields: &'a mut Fields,
    core: &'a Core,
}

impl<'kvs> VisitSource<'kvs> for Pairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Given<'kvs>) -> Result<(), log::kv::Error> {
        value.visit(Pair { key: key.as_str(), fields: self.fields, core: self.core })
    }
}

struct Pair<'a> {
    key: &'a str,
    fields: &'a mut Fields,
    core: &'a Core,
}

impl Pair<'_> {
    fn plain(&mut self, value: Value<'_>) -> Result<(), log::kv::Error> {
        let core = self.core;
        let value = core.shown(self.key, value);
        let redact = |text: &mut String, part| core.redaction.redact(text, part);
        self.fields.push_named(self.key, &core.limits, value, redact);
        Ok(())
    }
}

impl<'v> VisitValue<'v> for Pair<'_> {
    fn visit_any(&mut self, value: Given<'_>) -> Result<(), log::kv::Error> {
        let core = self.core;
        if core.redaction.keys.is_sensitive(self.key) {
            return self.plain(Value::Redacted);
        }
        self.fields.push_written(
            self.key,
            &core.limits,
            |text| contained(text, |text| write!(text, "{value}")),
            |text, part| core.redaction.redact(text, part),
        );
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), log::kv::Error> {
        self.plain(Value::U64(value))
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), log::kv::Error> {
        self.plain(Value::I64(value))
    }

    fn visit_u128(&mut self, value: u128) -> Result<(), log::kv::Error> {
        self.plain(Value::U128(value))
    }

    fn visit_i128(&mut self, value: i128) -> Result<(), log::kv::Error> {
        self.plain(Value::I128(value))
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), log::kv::Error> {
        self.plain(Value::F64(value))
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), log::kv::Error> {
        self.plain(Value::Bool(value))
    }

    fn visit_str(&mut self, value: &str) -> Result<(), log::kv::Error> {
        self.plain(Value::Text(value))
    }
}

const fn level(level: log::Level) -> Level {
    match level {
        log::Level::Error => Level::ERROR,
        log::Level::Warn => Level::WARN,
        log::Level::Info => Level::INFO,
        log::Level::Debug => Level::DEBUG,
        log::Level::Trace => Level::TRACE,
    }
}
