use std::convert::Infallible;

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
