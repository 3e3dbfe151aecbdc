use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use http::{HeaderMap, StatusCode, Uri, header};
use http_body::Body;
use request_context::SharedContext;
use tracing::field::display;
use tracing::{Level, Span};

use super::labels::{Failure, Labels, Method};
use super::meter::Route;
use crate::http::traced::in_span;

/// A request from its head to the end of its answer, however that comes about: it is measured once, when
/// it is told to be finished or when it is dropped.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) route: Arc<Route>,
    pub(super) labels: Labels,
    pub(super) begun: Instant,
    pub(super) now: fn() -> Instant,
    pub(super) span: Span,
    /// For what is told when the task has left its context: exemplars, records.
    pub(super) context: Option<SharedContext>,
    /// What was read of it, if there is anything to read.
    pub(super) request_bytes: Option<Arc<AtomicU64>>,
    pub(super) response_bytes: u64,
    /// What the answer will have, if that is known.
    pub(super) expected: Option<u64>,
    /// What a record of the request says of it beyond labels.
    pub(super) access: Option<Box<(http::Method, Uri)>>,
    pub(super) is_running: bool,
    pub(super) is_finished: bool,
}

impl Exchange {
    /// Runs what is not ours in the request's span. If it panics, that is how the request ended.
    pub(super) fn run<R>(&mut self, work: impl FnOnce() -> R) -> R {
        self.run_on((), |()| work())
    }

    /// The same with what it runs on, which is not moved into a closure before: requests are large.
    #[inline]
    pub(super) fn run_on<I, R>(&mut self, input: I, work: impl FnOnce(I) -> R) -> R {
        self.is_running = true;
        let result = {
            let _entered = self.span.enter();
            work(input)
        };
        self.is_running = false;
        result
    }

    /// Drops what is not ours in the request's span. If it panicked before, that stays how the request ended.
    pub(super) fn leave(&mut self, drop: impl FnOnce()) {
        let has_panicked = self.is_running;
        self.run(drop);
        self.is_running = has_panicked;
    }

    /// Takes note of the head of the answer; it may be all there is.
    pub(super) fn answered<B: Body>(&mut self, status: StatusCode, headers: &HeaderMap, body: &B) {
        self.labels.status = Some(status);
        self.labels.failure = status.is_server_error().then_some(Failure::Status(status));
        let declared = || headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
        self.expected = body.size_hint().exact().or_else(declared);
        if self.has_no_body(status) || body.is_end_stream() {
            self.finish();
        }
    }

    /// What servers send no body for, whatever there is of one (RFC 9110, section 6.4.1; of `CONNECT` and
    /// 101 the rest of the connection is none).
    fn has_no_body(&self, status: StatusCode) -> bool {
        let by_method = match self.labels.method {
            Method::Head => true,
            Method::Connect => status.is_success(),
            _ => false,
        };
        let by_status = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        by_method || by_status || status.is_informational()
    }

    /// The request ended in an error that is not in its status.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.labels.failure = Some(failure);
        self.finish();
    }

    /// The request ended.
    pub(super) fn finish(&mut self) {
        if std::mem::replace(&mut self.is_finished, true) {
            return;
        }
        self.route.end(&self.labels);
        let duration = (self.now)().saturating_duration_since(self.begun).as_secs_f64();
        let read = self.request_bytes.as_ref().map_or(0, |bytes| bytes.load(Ordering::Relaxed));
        self.tell_span();
        match self.context.take().map(|context| in_span(context, &self.span)) {
            Some(context) if !context.is_current() => {
                context.sync_scope(|| self.measure(duration, read));
            }
            _ => self.measure(duration, read),
        }
        // The span ends with the answer, even if somebody keeps the body.
        self.span = Span::none();
    }

    fn tell_span(&self) {
        if self.span.is_disabled() {
            return;
        }
        if let Some(status) = self.labels.status {
            self.span.record("http.response.status_code", status.as_u16());
        }
        if let Some(failure) = &self.labels.failure {
            self.span.record("error.type", failure.as_str());
            // What tracing-opentelemetry makes the span's status of: 4xx leaves it unset.
            self.span.record("otel.status_code", "ERROR");
        }
    }

    fn measure(&self, duration: f64, read: u64) {
        let sent = self.response_bytes;
        let series = self.route.series(&self.labels);
        series.duration.record(duration);
        series.request_size.record(approximate(read));
        series.response_size.record(approximate(sent));
        let Some(access) = &self.access else { return };
        self.span.in_scope(|| self.log_access(access, duration, (read, sent)));
    }

    fn log_access(
        &self,
        (method, uri): &(http::Method, Uri),
        duration: f64,
        (read, sent): (u64, u64),
    ) {
        let original = (self.labels.method == Method::Other).then(|| display(method));
        let failure = self.labels.failure.as_ref();
        // A level is of the place that logs.
        macro_rules! log {
            ($level:expr) => {
                tracing::event!(
                    target: "obs::http::access",
                    $level,
                    { http.request.method = self.labels.method.as_str(),
                    http.request.method_original = original,
                    http.route = self.route.pattern(),
                    url.path = uri.path(),
                    http.response.status_code = self.labels.status.map(|status| status.as_u16()),
                    error.type = failure.map(Failure::as_str),
                    network.protocol.version = self.labels.version.as_str(),
                    http.server.request.duration = duration,
                    http.request.body.size = read,
                    http.response.body.size = sent },
                    "request ended"
                )
            };
        }
        match failure {
            None | Some(Failure::Cancelled) => log!(Level::INFO),
            Some(_) => log!(Level::ERROR),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        let is_complete = self.labels.status.is_some()
            && self.expected.is_some_and(|expected| self.response_bytes >= expected);
        if self.is_running {
            self.fail(Failure::Panic);
        } else if is_complete {
            // Servers do not ask for more than what they know the answer to have.
            self.finish();
        } else {
            self.fail(Failure::Cancelled);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "of sizes beyond 8 PiB, bytes do not matter")]
pub(super) const fn approximate(bytes: u64) -> f64 {
    bytes as f64
}
