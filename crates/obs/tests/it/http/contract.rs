//! What `tower` and `http-body` ask of whoever stands between: nothing changes but what is measured.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use axum::body::{Body, Bytes};
use futures_util::future::{Ready, ready};
use futures_util::stream;
use http::{HeaderMap, Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::StreamBody;
use metrics::set_default_local_recorder;
use obs::http::{CountedBody, GrpcLayer, RequestIdLayer, ServerLayer};
use obs::metric::{Exposition, MetricRecorder};
use request_context::Id;
use tower::{Layer, Service, ServiceBuilder, service_fn};

use crate::metrics::text;

fn recorder() -> MetricRecorder {
    let catalog = obs::catalog::Catalog::new().with(obs::http::METRICS).unwrap();
    MetricRecorder::builder().catalog(catalog).build()
}

/// All layers around a service.
macro_rules! layered {
    ($inner:expr) => {
        ServiceBuilder::new()
            .layer(RequestIdLayer::new())
            .layer(ServerLayer::new())
            .layer(GrpcLayer::new())
            .service($inner)
    };
}

/// Whether the page has a line of this name with all these labels and this value.
fn has(recorder: &MetricRecorder, name: &str, labels: &[&str], value: &str) -> bool {
    text(recorder, Exposition::Text).lines().any(|line| {
        line.starts_with(name)
            && line.ends_with(&format!(" {value}"))
            && labels.iter().all(|label| line.contains(label))
    })
}

const COUNT: &str = "http_server_request_duration_seconds_count";
const ACTIVE: &str = "http_server_active_requests";

fn call() -> Request<Body> {
    let request = Request::post("/s/Get").header("content-type", "application/grpc");
    request.body(Body::empty()).unwrap()
}

/// Takes one call for each time it was ready.
#[derive(Debug)]
struct Careful {
    ready: usize,
    asked: Arc<AtomicUsize>,
}

impl Clone for Careful {
    fn clone(&self) -> Self {
        // What was reserved is not the clone's.
        Self { ready: 0, asked: Arc::clone(&self.asked) }
    }
}

impl Service<Request<CountedBody<Body>>> for Careful {
    type Response = Response<Body>;
    type Error = &'static str;
    type Future = Ready<Result<Response<Body>, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        if self.asked.fetch_add(1, Ordering::Relaxed) == 0 {
            return Poll::Pending;
        }
        self.ready += 1;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<CountedBody<Body>>) -> Self::Future {
        self.ready = self.ready.checked_sub(1).expect("it was ready");
        ready(Err("refused"))
    }
}

#[test]
fn a_service_is_called_only_when_it_is_ready_and_its_error_is_its_own() {
    let recorder = recorder();
    let _recorder = set_default_local_recorder(&recorder);
    let task = &mut Context::from_waker(Waker::noop());
    let mut service = layered!(Careful { ready: 0, asked: Arc::default() });
    assert!(service.poll_ready(task).is_pending());
    for _ in 0..2 {
        assert!(service.poll_ready(task).is_ready());
        // Whoever is ready goes, and leaves the clone to become so.
        let clone = service.clone();
        let mut reserved = std::mem::replace(&mut service, clone);
        let mut future = pin!(reserved.call(call()));
        let Poll::Ready(Err(error)) = future.as_mut().poll(task) else { panic!("it is refused") };
        assert_eq!(error, "refused");
    }
    assert!(has(&recorder, COUNT, &[r#"error_type="service""#], "2"));
    assert!(has(&recorder, "rpc_server_call_duration_seconds_count", &["UNKNOWN"], "2"));
    assert!(has(&recorder, ACTIVE, &[], "0"));
}

#[test]
fn a_request_that_is_given_up_before_it_is_polled_ends_as_any_other() {
    let recorder = recorder();
    let _recorder = set_default_local_recorder(&recorder);
    let inner = service_fn(async |_: Request<CountedBody<Body>>| {
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    let mut service = layered!(inner);
    let future = service.call(call());
    assert!(has(&recorder, ACTIVE, &[], "1"));
    drop(future);
    assert!(has(&recorder, ACTIVE, &[], "0"));
    assert!(has(&recorder, COUNT, &[r#"error_type="cancelled""#], "1"));
    assert!(has(&recorder, "rpc_server_call_duration_seconds_count", &["CANCELLED"], "1"));
}

/// Polls a future that does not wait.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn bodies_are_told_as_they_are_and_may_be_asked_after_their_end() {
    let recorder = recorder();
    let _recorder = set_default_local_recorder(&recorder);
    let inner = service_fn(async |request: Request<CountedBody<Body>>| {
        assert_eq!(request.body().size_hint().exact(), Some(4));
        let body = match request.uri().path() {
            "/full" => Body::from("12345678"),
            "/empty" => Body::empty(),
            _ => {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                let data = Frame::data(Bytes::from_static(b"12345678"));
                let frames = [data, Frame::trailers(trailers)].map(Ok::<_, Infallible>);
                Body::new(StreamBody::new(stream::iter(frames)))
            }
        };
        Ok::<_, Infallible>(Response::new(body))
    });
    let mut service = layered!(inner);
    for (path, exact, frames) in
        [("/full", Some(8), 1), ("/empty", Some(0), 0), ("/parts", None, 2)]
    {
        let request = Request::post(path).header("content-type", "application/grpc");
        let answer = now(service.call(request.body(Body::from("1234")).unwrap())).unwrap();
        let mut body = pin!(answer.into_body());
        assert_eq!(body.size_hint().exact(), exact, "{path}");
        assert_eq!(body.is_end_stream(), path == "/empty");
        let mut ask = || now(std::future::poll_fn(|task| body.as_mut().poll_frame(task)));
        for frame in 0..frames {
            assert_eq!(ask().unwrap().unwrap().is_trailers(), frame == 1, "{path}");
        }
        for _ in 0..3 {
            assert!(ask().is_none(), "{path}");
        }
    }
    assert!(has(&recorder, COUNT, &[], "3") && has(&recorder, ACTIVE, &[], "0"));
    assert!(!text(&recorder, Exposition::Text).contains(r#"error_type="cancelled""#));
    assert!(has(&recorder, "http_server_response_body_size_bytes_sum", &[], "16"));
}

/// A body of one byte a frame, which says in which request it is dropped.
struct Told {
    left: usize,
    dropped_in: Arc<Mutex<Option<Option<Id>>>>,
}

impl http_body::Body for Told {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or_default();
        Poll::Ready(left.map(|_| Ok(Frame::data(Bytes::from_static(b"x")))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let id = request_context::Context::current().and_then(|context| context.request_id);
        *self.dropped_in.lock().unwrap() = Some(id);
    }
}

#[test]
fn bodies_are_dropped_at_their_end_or_when_they_are_given_up_in_the_context_of_their_request() {
    let recorder = recorder();
    let _recorder = set_default_local_recorder(&recorder);
    for frames in [0, 1, 2] {
        let dropped_in: Arc<Mutex<Option<Option<Id>>>> = Arc::default();
        let told = Arc::clone(&dropped_in);
        let inner = service_fn(move |_: Request<CountedBody<Body>>| {
            let body = Told { left: 2, dropped_in: Arc::clone(&told) };
            ready(Ok::<_, Infallible>(Response::new(body)))
        });
        let layers = ServiceBuilder::new().layer(RequestIdLayer::new().answer_ids());
        let mut service = layers.layer(ServerLayer::new()).service(inner);
        let answer = now(service.call(call())).unwrap();
        let id = Id::new(answer.headers()["x-request-id"].to_str().unwrap()).unwrap();
        let mut body = Box::pin(answer.into_body());
        for _ in 0..frames {
            let is_dropped = dropped_in.lock().unwrap().is_some();
            assert!(!is_dropped);
            let frame = now(std::future::poll_fn(|task| body.as_mut().poll_frame(task)));
            assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "x");
        }
        // The second frame is its last one: who keeps the rest keeps nothing.
        let has_ended = frames == 2;
        let is_dropped = dropped_in.lock().unwrap().is_some();
        assert_eq!(is_dropped, has_ended, "{frames}");
        assert_eq!(body.is_end_stream(), has_ended);
        assert_eq!(body.size_hint().exact(), has_ended.then_some(0));
        drop(body);
        let dropped_in = dropped_in.lock().unwrap().take();
        assert_eq!(dropped_in, Some(Some(id)), "{frames}");
    }
}

#[test]
fn what_the_layers_keep_of_a_request_is_not_moved_with_its_future_and_its_body() {
    fn sizes<S: Service<Request<Body>, Response = Response<B>>, B>(_: &S) -> [usize; 2] {
        [size_of::<S::Future>(), size_of::<B>()]
    }
    let inner = service_fn(async |_: Request<CountedBody<Body>>| {
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    let [future, body] = sizes(&ServerLayer::new().layer(inner));
    let words = 2 * size_of::<usize>();
    assert!(body <= size_of::<Body>() + words, "{body}");
    assert!(future <= size_of::<Request<CountedBody<Body>>>() + 2 * words, "{future}");
}

#[test]
fn layers_and_services_go_wherever_their_parts_go() {
    fn goes<T: Clone + Send + Sync + 'static>(_: &T) {}
    goes(&(RequestIdLayer::new(), ServerLayer::new(), GrpcLayer::new()));
    let inner = tower::util::BoxCloneSyncService::<
        Request<CountedBody<Body>>,
        Response<Body>,
        Infallible,
    >::new(service_fn(async |_: Request<CountedBody<Body>>| {
        Ok(Response::new(Body::empty()))
    }));
    let mut service = layered!(inner);
    goes(&service);
    let future = service.call(call());
    drop::<Box<dyn Send>>(Box::new(future));
}
