use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Runs foreign code step by step: a panic in one step holds up none of the later ones, and goes
/// on at the end. Drop guards could not do this: a second panic while one unwinds aborts.
#[derive(Default)]
pub(crate) struct Panics(Option<Box<dyn Any + Send>>);

impl Panics {
    pub(crate) fn run(&mut self, step: impl FnOnce()) {
        // Unwind safe: what a step leaves half done is its own; ours is consistent between steps.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(step)) {
            self.0.get_or_insert(panic);
        }
    }

    /// Hands the first panic, if there was one, to the caller.
    pub(crate) fn go_on(self) {
        if let Some(panic) = self.0 {
            resume_unwind(panic);
        }
    }
}
