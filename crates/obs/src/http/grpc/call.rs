use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, StatusCode, Uri};
use request_context::Context;

use super::meter::{CallMeter, Code};

/// A call until its trailers; measured once, when its code is known or when it is dropped.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) meter: Arc<CallMeter>,
    pub(super) uri: Uri,
    pub(super) begun: Instant,
    pub(super) now: fn() -> Instant,
    /// The trace that examples name, if it is sampled.
    pub(super) context: Option<Context>,
    pub(super) is_running: bool,
    pub(super) is_ended: bool,
}

impl Call {
    pub(super) fn run<R>(&mut self, work: impl FnOnce() -> R) -> R {
        self.is_running = true;
        let result = work();
        self.is_running = false;
        result
    }

    /// The code, if these headers or trailers have one.
    pub(super) fn told(&mut self, headers: &HeaderMap) {
        if let Some(code) = headers.get("grpc-status") {
            self.end(Code::of(code.as_bytes()));
        }
    }

    /// An answer that is none of gRPC (grpc/grpc, doc/http-grpc-status-mapping.md).
    pub(super) fn answered(&mut self, status: StatusCode) {
        match status.as_u16() {
            200 => {}
            400 => self.end(Code::INTERNAL),
            401 => self.end(Code::UNAUTHENTICATED),
            403 => self.end(Code::PERMISSION_DENIED),
            404 => self.end(Code::UNIMPLEMENTED),
            429 | 502..=504 => self.end(Code::UNAVAILABLE),
            _ => self.end(Code::UNKNOWN),
        }
    }

    pub(super) fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.is_ended, true) {
            return;
        }
        let took = (self.now)().saturating_duration_since(self.begun).as_secs_f64();
        let context = self.context.take();
        let record = || self.meter.record(self.uri.path(), code, took);
        match context {
            Some(context) => context.sync_scope(record),
            None => record(),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(if self.is_running { Code::UNKNOWN } else { Code::CANCELLED });
    }
}
