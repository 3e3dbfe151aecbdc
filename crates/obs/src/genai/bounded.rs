use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{SharedString, counter};

use super::name::{attribute, metric};

/// What the conventions of HTTP write for what they do not know.
const OTHER: &str = "_OTHER";

/// Bytes of a name.
const LONGEST: usize = 128;

/// Names that come from outside, as those of models: so many have series of their own.
#[derive(Debug)]
pub(super) struct Bounded {
    what: &'static str,
    most: usize,
    known: Mutex<HashSet<Arc<str>, foldhash::fast::RandomState>>,
}

impl Bounded {
    pub(super) fn new(what: &'static str, most: usize) -> Self {
        Self { what, most, known: Mutex::default() }
    }

    /// The name, or what stands for all that are not shown.
    pub(super) fn name(&self, name: &str) -> SharedString {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(name) {
            return SharedString::from(Arc::clone(known));
        }
        if is_name(name) && known.len() < self.most {
            let name: Arc<str> = name.into();
            known.insert(Arc::clone(&name));
            return SharedString::from(name);
        }
        drop(known);
        counter!(metric::OTHERS, attribute::OTHER_OF => self.what).increment(1);
        SharedString::const_str(OTHER)
    }
}

/// Printable ASCII without spaces, of which names of models and tools are made.
fn is_name(name: &str) -> bool {
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}
