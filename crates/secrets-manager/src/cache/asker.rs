use audit_log::Context;

use crate::audit::words::upkeep;
use crate::cache::source::Source;

/// On whose behalf a provider is called, and for which time in a row since it last answered.
#[derive(Debug)]
pub(crate) struct Asker {
    who: Who,
    pub(crate) attempt: u32,
}

#[derive(Debug)]
enum Who {
    /// The manager, which keeps values fresh by itself.
    Manager,
    /// A reader or a writer, in the context of its task.
    Caller(Option<Box<Context>>),
}

impl Asker {
    pub(crate) const fn manager() -> Self {
        Self { who: Who::Manager, attempt: 1 }
    }

    /// The running task; its context is of interest only where it is recorded.
    pub(crate) fn caller(source: &Source) -> Self {
        let context = source.witness.as_ref().and_then(|_| Context::current().map(Box::new));
        Self { who: Who::Caller(context), attempt: 1 }
    }

    /// After so many failures in a row.
    pub(crate) fn after(mut self, failures: u32) -> Self {
        self.attempt = failures.saturating_add(1);
        self
    }

    pub(crate) fn context(&self) -> Context {
        match &self.who {
            Who::Manager => upkeep(),
            Who::Caller(context) => context.as_deref().cloned().unwrap_or_default(),
        }
    }

    pub(crate) const fn as_str(&self) -> &'static str {
        match self.who {
            Who::Manager => "manager",
            Who::Caller(_) => "caller",
        }
    }
}
