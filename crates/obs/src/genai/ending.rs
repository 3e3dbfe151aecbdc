use std::time::{Duration, Instant};

use tracing::Span;

use super::name::attribute;

/// What has begun, and how it ends.
#[derive(Debug)]
pub(super) struct Ending {
    began: Instant,
    /// What is known of it before it is dropped.
    said: Option<Result<(), &'static str>>,
}

impl Ending {
    pub(super) fn begin() -> Self {
        Self { began: Instant::now(), said: None }
    }

    pub(super) const fn began(&self) -> Instant {
        self.began
    }

    pub(super) const fn succeed(&mut self) {
        self.said = Some(Ok(()));
    }

    pub(super) const fn fail(&mut self, error: &'static str) {
        self.said = Some(Err(error));
    }

    /// How long it took, and the value of `error.type`, which the span is told, too. What was dropped before
    /// anything was said of it panicked or was cancelled.
    pub(super) fn end(&self, span: &Span) -> (Duration, Option<&'static str>) {
        let error = match self.said {
            Some(Ok(())) => None,
            Some(Err(error)) => Some(error),
            None if std::thread::panicking() => Some("panic"),
            None => Some("cancelled"),
        };
        if let Some(error) = error {
            span.record(attribute::ERROR, error);
        }
        (self.began.elapsed(), error)
    }
}
