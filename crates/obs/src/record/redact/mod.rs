//! What is not shown: decided by the name of a thing, and by its shape where that is asked for.

mod around;
mod command;
mod keys;
#[cfg(feature = "redact-patterns")]
mod shapes;
mod text;
mod url;
mod value;
mod xml;

use std::ops::Range;

use crate::record::fields::REDACTED;
use crate::record::signs::Signs;

use std::borrow::Cow;

pub use keys::RedactedKeys;
#[cfg(feature = "redact-patterns")]
pub use shapes::{RedactedShapes, Shape};

/// A part of a text that was written just now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) start: usize,
    /// Whether more should have come, for which there was no room.
    pub(crate) is_cut: bool,
    /// Those of what was written.
    signs: Signs,
}

impl Part {
    /// What stands in `text` from `start` on.
    pub(crate) fn of(text: &str, start: usize, is_cut: bool) -> Self {
        Self { start, is_cut, signs: Signs::of(text.get(start..).unwrap_or_default()) }
    }

    /// Whether it is printable ASCII without quotes and backslashes; without its secrets it is, too.
    pub(crate) const fn is_plain(self) -> bool {
        self.signs.is_plain()
    }
}

/// All that decides what is not shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redaction {
    pub(crate) keys: RedactedKeys,
    #[cfg(feature = "redact-patterns")]
    pub(crate) shapes: Option<RedactedShapes>,
}

impl Redaction {
    /// Takes out of what was written what may not be shown.
    pub(crate) fn redact(&self, text: &mut String, part: Part) {
        // By shape first: what a name stands before may be longer than its value.
        #[cfg(feature = "redact-patterns")]
        if let Some(shapes) = &self.shapes {
            shapes.redact(text, part);
        }
        self.keys.redact(text, part);
    }

    /// A target as it may be shown, of which there may be more: those that are no path of a module may say anything.
    pub(crate) fn target<'a>(&self, target: &'a str, is_cut: bool) -> Cow<'a, str> {
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !self.has_shapes() && target.split("::").all(|part| part.bytes().all(is_of_name)) {
            return target.into();
        }
        let mut shown = target.to_owned();
        let part = Part::of(target, 0, is_cut);
        self.redact(&mut shown, part);
        shown.into()
    }

    const fn has_shapes(&self) -> bool {
        #[cfg(feature = "redact-patterns")]
        return self.shapes.is_some();
        #[cfg(not(feature = "redact-patterns"))]
        return false;
    }

    /// Whether a number is shaped like what may not be shown.
    pub(crate) fn hides(&self, number: u128) -> bool {
        #[cfg(feature = "redact-patterns")]
        if let Some(shapes) = &self.shapes {
            return shapes.hides(number);
        }
        let _ = number;
        false
    }
}

/// Puts what stands for something that is not shown in the place of each of these parts of what was
/// written from `start` on. They are in order, and none of them begins in another one.
fn take_out(text: &mut String, start: usize, found: &[Range<usize>]) {
    if found.is_empty() {
        return;
    }
    let written = text.split_off(start);
    let mut from = 0;
    for range in found {
        text.push_str(written.get(from..range.start).unwrap_or_default());
        text.push_str(REDACTED);
        from = range.end;
    }
    text.push_str(written.get(from..).unwrap_or_default());
}
