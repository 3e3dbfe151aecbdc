use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::rt::{ReadBufCursor, Sleep, Timer};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::admin::message::AdminResponse;
use crate::admin::metrics;
use crate::admin::router::Router;

/// How long a request's head may take, and a connection as a whole, with all that is read and written.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
const WITHIN: Duration = Duration::from_secs(15);
const LONGEST_HEAD: usize = 16 << 10;
const MOST_HEADERS: usize = 64;
const LONGEST_BODY: usize = 4 << 10;
/// Answers that nobody reads may take so much memory together.
const MOST_WAITING: usize = 64 << 20;

/// What the connections of a listener share.
pub(super) struct Shared {
    router: Router,
    waiting: Arc<AtomicUsize>,
    /// How many more may be answered at a time. Who goes away waits for none of them.
    threads: Arc<Semaphore>,
}

/// Requests that are answered at a time, each in a thread.
pub(super) const MOST_THREADS: usize = 8;

impl Shared {
    pub(super) fn new(router: Router) -> Self {
        let threads = Arc::new(Semaphore::new(MOST_THREADS));
        Self { router, waiting: Arc::default(), threads }
    }
}

/// One request and its answer; then the connection is closed.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    is_asking: Arc<AtomicBool>,
) {
    let service = service_fn(|request: Request<Incoming>| {
        let (shared, is_asking) = (Arc::clone(&shared), Arc::clone(&is_asking));
        async move {
            is_asking.store(true, Ordering::Relaxed);
            let answer = answer(&shared, request, peer).await;
            Ok::<_, Infallible>(response(answer, &shared.waiting))
        }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer)
        .header_read_timeout(HEAD_WITHIN)
        .max_header_size(LONGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .max_buf_size(2 * LONGEST_HEAD)
        .serve_connection(Io(stream), service);
    // Whoever is too slow, or breaks off, is nobody to tell.
    let _ = tokio::time::timeout(WITHIN, connection).await;
}

async fn answer(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> AdminResponse {
    let (head, body) = request.into_parts();
    let route = shared.router.route_of(&head);
    let answer = match shared.router.refused(&head) {
        Some(refused) => refused,
        None => answer_to(shared, head, body, peer).await,
    };
    metrics::count(route, answer.status);
    answer
}

async fn answer_to(
    shared: &Arc<Shared>,
    head: Parts,
    mut body: Incoming,
    peer: SocketAddr,
) -> AdminResponse {
    let mut read = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(frame) = frame else { return AdminResponse::problem(400, "no whole request") };
        let data = frame.into_data().unwrap_or_default();
        if read.len() + data.len() > LONGEST_BODY {
            return AdminResponse::problem(413, "too long a body");
        }
        read.extend_from_slice(&data);
    }
    let failed = || AdminResponse::problem(500, "it failed");
    let Ok(permit) = Arc::clone(&shared.threads).acquire_owned().await else { return failed() };
    let shared = Arc::clone(shared);
    // Not here: what hangs would keep everybody waiting.
    let answered = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        shared.router.answer(&head, &read, peer)
    });
    answered.await.unwrap_or_else(|_| failed())
}

fn response(answer: AdminResponse, waiting: &Arc<AtomicUsize>) -> Response<Page> {
    let mut answer = answer;
    let is_too_much = waiting.load(Ordering::Relaxed) + answer.body.len() > MOST_WAITING;
    if is_too_much && waiting.load(Ordering::Relaxed) > 0 {
        answer = AdminResponse::problem(503, "too many answers that nobody reads");
    }
    waiting.fetch_add(answer.body.len(), Ordering::Relaxed);
    let kept = Kept { bytes: answer.body, waiting: Arc::clone(waiting) };
    let mut response = Response::new(Page(Some(Bytes::from_owner(kept))));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::CACHE_CONTROL, "no-store");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if !answer.content_type.is_empty() {
        set(header::CONTENT_TYPE, answer.content_type);
    }
    if let Some(coding) = answer.coding {
        set(header::CONTENT_ENCODING, coding);
    }
    if let Some(vary) = answer.vary {
        set(header::VARY, vary);
    }
    if let Some(allow) = answer.allow {
        set(header::ALLOW, &allow);
    }
    response
}

/// The bytes of an answer, counted for as long as they take memory.
struct Kept {
    bytes: Vec<u8>,
    waiting: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

struct Page(Option<Bytes>);

impl Body for Page {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(
            self.0.take().filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(Frame::data(bytes))),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// A stream of tokio as hyper wants it.
struct Io(TcpStream);

const READ_AT_ONCE: usize = 4 << 10;

impl hyper::rt::Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // Requests are short: one copy more is cheaper than memory that is not initialised.
        let mut bytes = [0; READ_AT_ONCE];
        let room = bytes.get_mut(..buffer.remaining().min(READ_AT_ONCE)).unwrap_or_default();
        let mut read = ReadBuf::new(room);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut read))?;
        buffer.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bytes)
    }

    /// So that hyper keeps an answer as it is, and does not copy it to where nobody counts it.
    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[derive(Clone, Copy)]
struct TokioTimer;

struct TokioSleep(Pin<Box<tokio::time::Sleep>>);

impl Timer for TokioTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(TokioSleep(Box::pin(tokio::time::sleep(duration))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(TokioSleep(Box::pin(tokio::time::sleep_until(deadline.into()))))
    }
}

impl Future for TokioSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl Sleep for TokioSleep {}
