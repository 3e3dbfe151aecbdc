use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use axum::routing::post;
use futures_util::stream;
use http::{HeaderMap, Request};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use obs::http::GrpcLayer;
use tower::ServiceExt;

use super::{Served, serve, usual};

/// An answer whose code is in its trailers.
fn trailers(code: &'static str) -> Response {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.parse().unwrap());
    let frames = [Frame::data(Bytes::from_static(b"message")), Frame::trailers(trailers)];
    Response::new(Body::new(StreamBody::new(stream::iter(frames.map(Ok::<_, Infallible>)))))
}

fn calls(served: &Served, labels: &[&str]) -> f64 {
    served.sum("rpc_server_call_duration_seconds_count", labels)
}

fn call(path: &str) -> Request<Body> {
    let request = Request::post(path).header("content-type", "application/grpc+proto");
    request.body(Body::empty()).unwrap()
}

#[test]
fn calls_are_measured_by_the_code_in_their_trailers() {
    let unimplemented =
        || async { Response::builder().header("grpc-status", "12").body(Body::empty()).unwrap() };
    let router = Router::new()
        .route("/shop.Orders/Get", post(|| async { trailers("0") }))
        .route("/shop.Orders/Put", post(|| async { trailers("13") }))
        .route("/shop.Orders/Odd", post(|| async { trailers("99") }))
        .fallback(unimplemented);
    let router = usual(router.layer(GrpcLayer::new()));
    serve(router.clone(), async |served| {
        let ask = async |path: &str| {
            let answer = router.clone().oneshot(call(path)).await.unwrap();
            answer.into_body().collect().await.unwrap();
        };
        for path in ["/shop.Orders/Get", "/shop.Orders/Get", "/shop.Orders/Put", "/shop.Orders/Odd"]
        {
            ask(path).await;
        }
        for path in 0..200 {
            ask(&format!("/shop.Orders/Made{path}")).await;
        }
        let known = [r#"rpc_method="shop.Orders/Get""#, r#"rpc_response_status_code="OK""#];
        assert_eq!(calls(&served, &known), 2.0);
        assert_eq!(calls(&served, &[known[0], "error_type"]), 0.0);
        assert_eq!(calls(&served, &[r#"rpc_system_name="grpc""#, r#"error_type="INTERNAL""#]), 1.0);
        assert_eq!(calls(&served, &[r#"rpc_response_status_code="UNKNOWN""#]), 1.0);
        let made_up = [r#"rpc_method="_OTHER""#, r#"rpc_response_status_code="UNIMPLEMENTED""#];
        assert_eq!(calls(&served, &made_up), 200.0);
        assert_eq!(served.samples("rpc_server_call_duration_seconds_count").len(), 4);
        // A method that is known is itself whatever it answers; one that is given up is cancelled.
        drop(router.clone().oneshot(call("/shop.Orders/Get")).await.unwrap());
        assert_eq!(calls(&served, &[known[0], r#"status_code="CANCELLED""#]), 1.0);
        let other = Request::post("/shop.Orders/Get").body(Body::empty()).unwrap();
        drop(router.clone().oneshot(other).await.unwrap());
        assert_eq!(calls(&served, &[]), 205.0, "other requests are no calls");
    });
}

/// What the layer within the others measures of the calls that `work` makes.
fn measured(layer: GrpcLayer, router: Router, work: impl AsyncFnOnce(Router, &Served)) {
    let router = usual(router.layer(layer));
    serve(router.clone(), async |served| work(router, &served).await);
}

fn status(served: &Served, code: &str) -> f64 {
    calls(served, &[&format!(r#"rpc_response_status_code="{code}""#)])
}

#[test]
fn a_call_that_ends_without_a_code_is_not_one_that_was_given_up() {
    let silent = || async {
        let frames = [Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"message")))];
        Response::new(Body::new(StreamBody::new(stream::iter(frames))))
    };
    let router = Router::new()
        .route("/s/Empty", post(|| async { Response::new(Body::empty()) }))
        .route("/s/Full", post(|| async { Response::new(Body::from("message")) }))
        .route("/s/Silent", post(silent));
    measured(GrpcLayer::new(), router, async |router, served| {
        // Servers ask until they are told that nothing follows.
        for (path, frames) in [("/s/Empty", 0), ("/s/Full", 1), ("/s/Silent", 2)] {
            let mut body = router.clone().oneshot(call(path)).await.unwrap().into_body();
            for _ in 0..frames {
                body.frame().await;
            }
        }
        assert_eq!((status(served, "UNKNOWN"), calls(served, &[])), (3.0, 3.0));
    });
}

#[test]
fn answers_that_are_none_of_grpc_are_mapped() {
    let answer = async |request: Request<Body>| {
        let status = request.uri().path().trim_start_matches('/').parse::<u16>().unwrap();
        Response::builder().status(status).body(Body::from("<html>")).unwrap()
    };
    // grpc/grpc, doc/http-grpc-status-mapping.md.
    let mapped = [
        (400, "INTERNAL"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "UNIMPLEMENTED"),
        (429, "UNAVAILABLE"),
        (502, "UNAVAILABLE"),
        (503, "UNAVAILABLE"),
        (504, "UNAVAILABLE"),
        (500, "UNKNOWN"),
        (302, "UNKNOWN"),
    ];
    measured(GrpcLayer::new(), Router::new().fallback(answer), async |router, served| {
        for (http, code) in mapped {
            let before = status(served, code);
            drop(router.clone().oneshot(call(&format!("/{http}"))).await.unwrap());
            assert_eq!(status(served, code) - before, 1.0, "{http}");
        }
    });
}

#[test]
fn a_call_that_panics_ends_so_wherever_it_does() {
    let late = || async {
        Body::from_stream(stream::poll_fn(
            |_| -> std::task::Poll<Option<Result<Bytes, Infallible>>> { panic!("on purpose") },
        ))
    };
    async fn early() {
        tokio::task::yield_now().await;
        panic!("on purpose")
    }
    let router = Router::new().route("/s/Early", post(early)).route("/s/Late", post(late));
    measured(GrpcLayer::new(), router, async |router, served| {
        for path in ["/s/Early", "/s/Late"] {
            let router = router.clone();
            let ended = tokio::spawn(async move {
                router.oneshot(call(path)).await.unwrap().into_body().collect().await
            });
            assert!(ended.await.unwrap_err().is_panic());
        }
        assert_eq!((status(served, "UNKNOWN"), calls(served, &[])), (2.0, 2.0));
        assert_eq!(
            served.sum("http_server_request_duration_seconds_count", &[r#"error_type="panic""#]),
            2.0
        );
    });
}

#[test]
fn what_is_no_call_is_not_measured() {
    let router = Router::new().fallback(|| async { trailers("0") });
    measured(GrpcLayer::new(), router, async |router, served| {
        let ask = async |kind: &str| {
            let request = Request::post("/s/Get").header("content-type", kind);
            let answer =
                router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            answer.into_body().collect().await.unwrap();
        };
        for kind in [
            "application/grpc-web",
            "application/grpc-web+proto",
            "application/grpc-web-text",
            "application/grpcx",
            "application/json",
            "application/grp",
        ] {
            ask(kind).await;
            assert_eq!(calls(served, &[]), 0.0, "{kind}");
        }
        for kind in ["application/grpc", "application/grpc+json", "Application/GRPC; charset=x"] {
            ask(kind).await;
        }
        assert_eq!(status(served, "OK"), 3.0);
    });
}

#[test]
fn methods_are_learnt_once_and_only_if_they_may_be_names() {
    let router = Router::new().fallback(|| async { trailers("0") });
    measured(GrpcLayer::new(), router, async |router, served| {
        for path in ["/s/Get".to_owned(), format!("/s/{}", "x".repeat(10_000))] {
            let answer = router.clone().oneshot(call(&path)).await.unwrap();
            answer.into_body().collect().await.unwrap();
        }
        assert_eq!(calls(served, &[r#"rpc_method="s/Get""#]), 1.0);
        assert_eq!(calls(served, &[r#"rpc_method="_OTHER""#]), 1.0);
    });
}

/// Half a second goes by each time somebody looks.
fn clock() -> Instant {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    static LOOKED: AtomicU32 = AtomicU32::new(0);
    let looked = LOOKED.fetch_add(1, Ordering::Relaxed);
    *BEGIN.get_or_init(Instant::now) + Duration::from_millis(500) * looked
}

#[test]
fn calls_take_as_long_as_the_clock_says_and_show_their_span() {
    let handler = || async {
        tracing::info!("handled");
        trailers("0")
    };
    let router = Router::new().route("/s/Get", post(handler));
    measured(GrpcLayer::new().clock(clock), router, async |router, served| {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let mut request = call("/s/Get");
        let parent = format!("00-{trace}-00f067aa0ba902b7-01");
        request.headers_mut().insert("traceparent", parent.parse().unwrap());
        router.oneshot(request).await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(served.sum("rpc_server_call_duration_seconds_sum", &[]), 0.5);
        let page = crate::metrics::text(&served.recorder, obs::metric::Exposition::OpenMetrics);
        let bucket = page.lines().find(|line| {
            line.starts_with("rpc_server_call_duration_seconds_bucket") && line.contains('#')
        });
        let span = served.lines.last()["span_id"].as_str().unwrap().to_owned();
        assert!(bucket.unwrap().contains(&format!("span_id=\"{span}\"")), "{bucket:?}");
    });
}
