//! The labels of a series as text: named, redacted, cut, escaped and sorted once, when it is registered.

use std::borrow::Cow;

use metrics::Label;

use crate::catalog::label_name;
use crate::record::{CUT, REDACTED, RedactedKeys};

/// What may stand in labels.
#[derive(Debug, Clone)]
pub(crate) struct LabelRules {
    pub(crate) redacted: RedactedKeys,
    /// Bytes of a value.
    pub(crate) longest: usize,
    /// Labels of a series.
    pub(crate) most: usize,
}

impl Default for LabelRules {
    fn default() -> Self {
        Self { redacted: RedactedKeys::default(), longest: 256, most: 32 }
    }
}

pub(crate) struct LabelText {
    /// As `a="x",b="y"`.
    pub(crate) text: String,
    /// Whether every value is as it was given: else other keys may have the same text, and what was
    /// given is not to be kept.
    pub(crate) is_faithful: bool,
}

impl LabelRules {
    pub(crate) fn text<'a>(&self, given: impl Iterator<Item = &'a Label>) -> LabelText {
        let mut is_faithful = true;
        let mut labels: Vec<(String, &str, Cow<'_, str>)> = given
            .map(|label| {
                let value = self.value(label);
                is_faithful &=
                    matches!(value, Cow::Borrowed(shown) if std::ptr::eq(shown, label.value()));
                let name = longest(label.key(), LONGEST_NAME);
                is_faithful &= name.len() == label.key().len();
                (label_name(name), label.key(), value)
            })
            .collect();
        labels.sort();
        is_faithful &= labels.len() <= self.most;
        labels.truncate(self.most);
        let mut text = String::with_capacity(labels.len() * 24);
        let mut last = None;
        for (name, _, value) in &labels {
            // Names that become one: the specification joins their values.
            if last == Some(name) {
                text.pop();
                text.push(';');
            } else {
                if last.is_some() {
                    text.push(',');
                }
                text.push_str(name);
                text.push_str("=\"");
            }
            escape(value, &mut text);
            text.push('"');
            last = Some(name);
        }
        LabelText { text, is_faithful }
    }

    fn value<'a>(&self, label: &'a Label) -> Cow<'a, str> {
        let value = label.value();
        if self.redacted.is_sensitive(label.key()) {
            return REDACTED.into();
        }
        if value.len() <= self.longest {
            return self.redacted.redacted(value).map_or(value.into(), Cow::Owned);
        }
        // A secret that was cut is redacted, too.
        let kept = longest(value, self.longest);
        let kept = self.redacted.redacted(kept).map_or(kept.into(), Cow::Owned);
        format!("{kept}{CUT}").into()
    }
}

/// Bytes of a label's name.
const LONGEST_NAME: usize = 256;

/// So much of a text.
fn longest(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// Backslash, quote and line feed, as both formats ask.
fn escape(value: &str, text: &mut String) {
    for part in value.split_inclusive(['\\', '"', '\n']) {
        let mut characters = part.chars();
        match characters.next_back() {
            Some('\\') => text.extend([characters.as_str(), "\\\\"]),
            Some('"') => text.extend([characters.as_str(), "\\\""]),
            Some('\n') => text.extend([characters.as_str(), "\\n"]),
            _ => text.push_str(part),
        }
    }
}
