use audit_log::Context;

use crate::audit::words::upkeep;
use crate::cache::source::Source;

/// On whose behalf a provider is called.
#[derive(Debug)]
pub(crate) enum Asker {
    /// The manager, which keeps values fresh by itself.
    Manager,
    /// A reader or a writer, in the context of its task.
    Caller(Option<Box<Context>>),
}

impl Asker {
    /// The running task; its context is of interest only where it is recorded.
    pub(crate) fn caller(source: &Source) -> Self {
        Self::Caller(source.witness.as_ref().and_then(|_| Context::current().map(Box::new)))
    }

    pub(crate) fn context(&self) -> Context {
        match self {
            Self::Manager => upkeep(),
            Self::Caller(context) => context.as_deref().cloned().unwrap_or_default(),
        }
    }
}
