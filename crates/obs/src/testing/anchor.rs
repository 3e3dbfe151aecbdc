use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use tracing_core::span::{Attributes, Id, Record};
use tracing_core::subscriber::{Interest, Subscriber};
use tracing_core::{Dispatch, Event, LevelFilter, Metadata};

/// How long a place that logs for the first time takes to be registered, and much more.
const REGISTERED: Duration = Duration::from_millis(1);

/// Keeps `tracing-core` (0.1.36, `callsite.rs`) from asking a thread without a subscriber on behalf of all.
///
/// Whether a place in the program is heard is decided once, when it is first reached. While there is one
/// subscriber or none, only that of the thread is asked which reaches it: if that is a test without a capture, the
/// answer is never, for everybody, and captures of other tests miss what is logged there. Of two or more each is asked,
/// and each new one is asked for all places. These two say nothing and cost nothing; they stay for the life of the process.
pub(super) fn hold() {
    static ANCHORS: OnceLock<[Dispatch; 2]> = OnceLock::new();
    ANCHORS.get_or_init(|| {
        let anchors = [Dispatch::new(Deaf), Dispatch::new(Deaf)];
        // A thread may be at it just now, and has not stored its answer yet. The capture that is made
        // next asks once more.
        thread::sleep(REGISTERED);
        anchors
    });
}

/// Hears nothing.
struct Deaf;

impl Subscriber for Deaf {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::never()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::OFF)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
