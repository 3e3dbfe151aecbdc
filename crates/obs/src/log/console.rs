use std::io::IsTerminal;

use tracing_core::Level;

use crate::log::layout::Layout;
use crate::log::logfmt::{write_name, write_value};
use crate::log::members::{span_names, upper};
use crate::log::names::each_visible;
use crate::log::text::{misleads, written};
use crate::log::time::write_rfc3339;
use crate::record::{Record, Value, Visible};

/// For people at a terminal: time, level, spans, target, message and fields in one line; values of several lines
/// below it, each line of them behind a bar.
///
/// ```text
/// 2026-11-23T17:43:11.123456Z  INFO http_request:authz app::orders: order placed id=42 user=alice
///     | body: {
///     |   "items": 3
/// ```
///
/// What a value holds cannot look like a record, nor colour, move or hide anything: control characters and
/// those that reorder text are written as `\u{1b}`.
#[derive(Debug, Clone, Default)]
pub struct Console {
    has_colours: bool,
    has_ids: bool,
}

impl Console {
    /// The layout, without colours.
    #[must_use]
    pub const fn new() -> Self {
        Self { has_colours: false, has_ids: false }
    }

    /// With colours, if that is a terminal.
    #[must_use]
    pub fn with_colours_on(mut self, output: &impl IsTerminal) -> Self {
        self.has_colours = output.is_terminal();
        self
    }

    /// With colours, wherever it goes.
    #[must_use]
    pub const fn with_colours(mut self) -> Self {
        self.has_colours = true;
        self
    }

    /// With the ids of trace, span and request.
    #[must_use]
    pub const fn with_ids(mut self) -> Self {
        self.has_ids = true;
        self
    }

    /// Text between codes of ECMA-48 ("Select graphic rendition"), or text alone.
    fn coloured(&self, code: &[u8], line: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        if self.has_colours {
            line.extend_from_slice(code);
        }
        write(line);
        if self.has_colours {
            line.extend_from_slice(b"\x1b[0m");
        }
    }

    fn write_ids(&self, record: &Record<'_>, line: &mut Vec<u8>) {
        let ids = record.ids;
        let ids = [
            ("trace_id", ids.trace_id.map(|id| id.to_string())),
            ("span_id", ids.span_id.map(|id| id.to_string())),
            ("request_id", ids.request_id.as_ref().map(ToString::to_string)),
            ("correlation_id", ids.correlation_id.as_ref().map(ToString::to_string)),
        ];
        for (name, id) in ids {
            if let Some(id) = id {
                self.coloured(FAINT, line, |line| written(format_args!(" {name}={id}"), line));
            }
        }
    }
}

const FAINT: &[u8] = b"\x1b[2m";
const BOLD: &[u8] = b"\x1b[1m";

const fn colour(level: Level) -> &'static [u8] {
    match level {
        Level::ERROR => b"\x1b[31m",
        Level::WARN => b"\x1b[33m",
        Level::INFO => b"\x1b[32m",
        Level::DEBUG => b"\x1b[34m",
        Level::TRACE => b"\x1b[35m",
    }
}

impl Layout for Console {
    fn write(&self, record: &Record<'_>, line: &mut Vec<u8>) {
        self.coloured(FAINT, line, |line| write_rfc3339(record.time, line));
        self.coloured(colour(record.level), line, |line| {
            written(format_args!(" {:>5} ", upper(record.level)), line);
        });
        let spans = span_names(record);
        if !spans.is_empty() {
            self.coloured(BOLD, line, |line| {
                for (number, name) in spans.iter().enumerate() {
                    if number > 0 {
                        line.push(b':');
                    }
                    safe(name, line);
                }
            });
            line.push(b' ');
        }
        self.coloured(FAINT, line, |line| {
            safe(record.target, line);
            line.push(b':');
        });
        let mut lines = record.message.lines();
        line.push(b' ');
        safe(lines.next().unwrap_or_default(), line);
        let mut below = Vec::new();
        lines.for_each(|more| behind_bar(more, &mut below));
        each_visible(record, |Visible { name, value, .. }| match value {
            Value::Text(text) if text.contains('\n') => {
                let mut lines = text.lines();
                below.extend_from_slice(BAR);
                write_name(name, &mut below);
                below.extend_from_slice(b": ");
                safe(lines.next().unwrap_or_default(), &mut below);
                lines.for_each(|more| behind_bar(more, &mut below));
            }
            value => {
                line.push(b' ');
                self.coloured(FAINT, line, |line| {
                    write_name(name, line);
                    line.push(b'=');
                });
                write_value(value, line);
            }
        });
        if self.has_ids {
            self.write_ids(record, line);
        }
        line.extend_from_slice(&below);
        line.push(b'\n');
    }
}

const BAR: &[u8] = b"\n    | ";

fn behind_bar(text: &str, line: &mut Vec<u8>) {
    line.extend_from_slice(BAR);
    safe(text, line);
}

/// A text without anything that a terminal acts upon.
fn safe(text: &str, line: &mut Vec<u8>) {
    for character in text.chars() {
        if misleads(character) && character != '\t' {
            written(format_args!("{}", character.escape_unicode()), line);
        } else {
            line.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}
