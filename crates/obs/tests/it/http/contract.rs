//! What `tower` and `http-body` ask of whoever stands between: nothing changes but what is measured.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
use tower::{Service, ServiceBuilder, service_fn};

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
    let _: Box<dyn Send> = Box::new(future);
}
