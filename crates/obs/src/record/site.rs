use tracing_core::{Field, Metadata};

use crate::record::name::Mark;
use crate::record::redact::RedactedKeys;

/// The first field of an event with this name is the message: `tracing` puts the text of a macro there.
const MESSAGE: &str = "message";

/// What is known of a place in the program that logs, before it does.
#[derive(Debug)]
pub(crate) struct Site {
    fields: Box<[Known]>,
}

/// What is known of one of its fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) is_sensitive: bool,
    pub(crate) is_message: bool,
    pub(crate) mark: Mark,
}

impl Site {
    pub(crate) fn new(metadata: &'static Metadata<'static>, keys: &RedactedKeys) -> Self {
        let mut has_message = !metadata.is_event();
        let fields = metadata.fields().iter().map(|field| {
            let is_message = !has_message && field.name() == MESSAGE;
            has_message |= is_message;
            Known::new(field.name(), is_message, keys)
        });
        Self { fields: fields.collect() }
    }

    pub(crate) fn of(&self, field: &Field) -> Known {
        self.fields.get(field.index()).copied().unwrap_or_else(|| Known {
            // A field that is not the site's own cannot be judged by it.
            is_sensitive: true,
            is_message: false,
            mark: Mark::of(field.name()),
        })
    }
}

impl Known {
    fn new(name: &str, is_message: bool, keys: &RedactedKeys) -> Self {
        Self { is_sensitive: keys.is_sensitive(name), is_message, mark: Mark::of(name) }
    }
}
