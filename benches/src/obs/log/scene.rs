use std::sync::{Mutex, PoisonError};

use tracing::dispatcher::{self, WeakDispatch};
use tracing::span::EnteredSpan;
use tracing::{Dispatch, info, info_span};

use crate::harness::Case;

/// What is logged in one operation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scene {
    /// An event, in two spans that stay open.
    EventInSpans,
    /// Two spans, an event in them, and their end.
    SpansAndEvent,
    /// An event that the filter does not take, in two spans that stay open.
    Filtered,
}

/// Makes the subscriber that is measured.
pub(in crate::obs) type MakeDispatch = Box<dyn Fn() -> Dispatch + Send + Sync>;

/// What no subscriber here takes.
pub(super) const QUIET: &str = "quiet";

impl Scene {
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::EventInSpans => "obs/event in 2 spans",
            Self::SpansAndEvent => "obs/2 spans and an event",
            Self::Filtered => "obs/event that is filtered out",
        }
    }

    /// What is open while it happens again and again.
    pub(super) fn open(self) -> Option<[EnteredSpan; 2]> {
        match self {
            Self::EventInSpans | Self::Filtered => Some(spans()),
            Self::SpansAndEvent => None,
        }
    }

    pub(super) const fn operation(self) -> fn() {
        match self {
            Self::EventInSpans => event,
            Self::SpansAndEvent => spans_and_event,
            Self::Filtered => filtered,
        }
    }
}

/// The scene for a subscriber, of which there is one at a time: places that log remember what all
/// subscribers say of them that there are. Threads of one sample share it.
pub(super) fn case(scene: Scene, make: MakeDispatch) -> Case {
    let current: Mutex<Option<WeakDispatch>> = Mutex::default();
    Case::new(move || {
        let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
        let dispatch = current.as_ref().and_then(WeakDispatch::upgrade).unwrap_or_else(&make);
        *current = Some(dispatch.downgrade());
        drop(current);
        let guard = dispatcher::set_default(&dispatch);
        let (open, operation) = (scene.open(), scene.operation());
        move |operations| {
            let _in = (&open, &guard);
            for _ in 0..operations {
                operation();
            }
        }
    })
}

fn event() {
    info!(
        status = 200,
        latency_us = 1234_u64,
        bytes = 5120_u64,
        cache_hit = true,
        item = "abcdefghijklmnop",
        "request completed"
    );
}

fn spans() -> [EnteredSpan; 2] {
    let request = info_span!(
        "http_request",
        method = "GET",
        path = "/api/v1/items/42",
        agent = "01234567-89ab-cdef-0123-456789abcdef"
    );
    let request = request.entered();
    let authz = info_span!("authz", user_id = 12345_u64, tenant = "acme", role = "admin");
    // Left in the opposite order.
    [authz.entered(), request]
}

fn spans_and_event() {
    let _open = spans();
    event();
}

fn filtered() {
    info!(target: QUIET, status = 200, latency_us = 1234_u64, "request completed");
}
