use std::collections::HashMap;
use std::sync::Arc;

use crate::cache::cached::Asked;
use crate::cache::line::Key;
use crate::credential::trial::Trial;

/// So many secrets may be remembered before those that nobody holds are looked through.
const MOST_UNUSED: usize = 1024;

/// So many that nobody holds any more have their refusals remembered; some hundred bytes each.
const MOST_REFUSED: usize = 16 << 10;

/// What resources said of the credentials of a manager. It outlives the handles: who takes a handle
/// for each use must not begin to count anew each time.
#[derive(Debug, Default)]
pub(crate) struct Trials {
    by_key: HashMap<Credential, Arc<Trial>>,
    /// How many there may be before those that are of no use are looked for.
    bound: usize,
}

/// What is shown to a resource: a value, or a field of it. What stands in for one is of no use to
/// another.
type Credential = (Key, Box<[Box<str>]>);

impl Trials {
    pub(crate) fn of(&mut self, asked: &Asked) -> Arc<Trial> {
        let credential = (asked.key.clone(), Box::from(asked.fields()));
        if let Some(trial) = self.by_key.get(&credential) {
            return Arc::clone(trial);
        }
        if self.by_key.len() >= self.bound.max(MOST_UNUSED) {
            self.clear_out();
        }
        let trial = Arc::new(Trial::new());
        self.by_key.insert(credential, Arc::clone(&trial));
        trial
    }

    /// Forgets those that nobody holds: first those without a refusal, then, if that is not enough,
    /// all.
    fn clear_out(&mut self) {
        self.by_key.retain(|_, trial| Arc::strong_count(trial) > 1 || trial.has_refusals());
        let unused = self.by_key.values().filter(|trial| Arc::strong_count(trial) == 1).count();
        if unused >= MOST_REFUSED {
            self.by_key.retain(|_, trial| Arc::strong_count(trial) > 1);
        }
        // Looked for again when there are twice as many, so that it is seldom.
        self.bound = self.by_key.len().saturating_mul(2);
    }
}
