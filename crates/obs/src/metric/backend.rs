use std::fmt::Debug;
use std::io::{self, Write};
use std::time::Instant;

use super::{Exposition, InstallError, MetricRecorder};

/// What keeps the metrics of a process and shows them: [`MetricRecorder`], or the exporter of others
/// behind the same calls.
pub trait MetricBackend: Debug + Send + Sync {
    /// Makes it the recorder of the process.
    ///
    /// # Errors
    /// There is one already.
    fn install(&self) -> Result<(), InstallError>;

    /// Whether it can show what it keeps in this format.
    fn has(&self, format: Exposition) -> bool;

    /// Writes everything in a format that it has; in its own if it does not have this one.
    ///
    /// # Errors
    /// Those of the writer.
    fn render(&self, format: Exposition, out: &mut dyn Write) -> io::Result<()>;

    /// What is to be done now and then, whether anybody reads metrics or not.
    fn upkeep(&self, now: Instant);
}

impl MetricBackend for MetricRecorder {
    fn install(&self) -> Result<(), InstallError> {
        Self::install(self)
    }

    fn has(&self, _: Exposition) -> bool {
        true
    }

    fn render(&self, format: Exposition, out: &mut dyn Write) -> io::Result<()> {
        Self::render(self, format, out)
    }

    fn upkeep(&self, now: Instant) {
        self.sweep(now);
        self.tell_overflows();
    }
}
