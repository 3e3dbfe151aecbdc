use tracing_core::{Field, Metadata};

use crate::record::redact::RedactedKeys;

/// What is known of a place in the program that logs, before it does.
#[derive(Debug)]
pub(crate) struct Site {
    sensitive: Box<[bool]>,
}

impl Site {
    pub(crate) fn new(metadata: &'static Metadata<'static>, keys: &RedactedKeys) -> Self {
        Self {
            sensitive: metadata
                .fields()
                .iter()
                .map(|field| keys.is_sensitive(field.name()))
                .collect(),
        }
    }

    pub(crate) fn is_sensitive(&self, field: &Field) -> bool {
        // A field that is not the site's own cannot be judged by it.
        self.sensitive.get(field.index()).copied().unwrap_or(true)
    }
}
