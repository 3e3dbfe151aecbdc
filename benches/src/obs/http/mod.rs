//! Layers around a router of axum that answers a byte, without a network. What a request of ours is
//! told beyond the bare router's is its own time plus that of everything that it brings along.
//!
//! Ours finds or makes ids, passes a context on, counts active requests until the body of the answer has
//! ended, and measures duration and both sizes, with the trace as an exemplar.

mod layers;

use std::hint::black_box;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::routing::get;
use metrics::with_local_recorder;
use tower_service::Service;
use tracing::dispatcher;

use self::layers::{
    Stack, at_once, both, idle, ids, nothing, opentelemetry, prometheus, server, spoken, trace,
};
use super::metric::Subject;
use crate::harness::{Case, Peer, Row};

/// What ours may take more than the bare router.
const MARGIN: Duration = Duration::from_nanos(500);

pub(super) fn rows() -> Vec<Row> {
    vec![
        row("obs/HTTP, ServerLayer, unsampled", server(), Vec::new()),
        row("obs/HTTP, RequestIdLayer", ids(), Vec::new()),
        row("obs/HTTP, both layers one by one, unsampled", both(), Vec::new()),
        row(
            "obs/HTTP, both layers at once, unsampled",
            at_once(),
            vec![
                Peer::new("axum-prometheus 0.10.1, no ids", requests(prometheus())).counted(),
                Peer::new(
                    "opentelemetry-instrumentation-tower 0.19, metrics",
                    requests(opentelemetry()),
                )
                .counted(),
            ],
        ),
        logged(),
    ]
}

fn row(path: &'static str, ours: Stack, peers: Vec<Peer>) -> Row {
    let bare = Peer::new("the bare router", requests(nothing())).plus_at_most(MARGIN).counted();
    let idle = Peer::new("a layer that does nothing", requests(idle())).counted();
    let peers = [bare, idle].into_iter().chain(peers).collect();
    Row { path, threads: 1, size: 1, unit: "bytes", ours: requests(ours), within: None, peers }
}

/// With a span and a line for each request.
fn logged() -> Row {
    let ours = requests(spoken());
    let peer =
        Peer::new("tower-http 0.7 TraceLayer, no ids or metrics", requests(trace())).counted();
    let path = "obs/HTTP, a span and a line of JSON";
    Row { path, threads: 1, size: 1, unit: "bytes", ours, within: None, peers: vec![peer] }
}

/// Requests one after the other, each until its answer was read.
fn requests(stack: Stack) -> Case {
    let Stack { layer, subscriber } = stack;
    let subject = Subject::ours();
    Case::new(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut router = layer(Router::new().route("/orders/{id}", get(|| async { "x" })));
        // As `into_make_service` does: otherwise axum makes the layers' services anew for each request.
        router = router.with_state(());
        let (subject, dispatch) = (subject.clone(), subscriber());
        move |operations| {
            let _default = dispatcher::set_default(&dispatch);
            with_local_recorder(&*subject.recorder, || {
                runtime.block_on(async {
                    for _ in 0..operations {
                        one(&mut router).await;
                    }
                });
            });
        }
    })
}

async fn one(router: &mut Router) {
    let request = Request::get("/orders/7").body(Body::empty()).expect("a request");
    let answer = router.call(request).await.expect("it does not fail");
    let mut body = std::pin::pin!(answer.into_body());
    while let Some(frame) = std::future::poll_fn(|task| body.as_mut().poll_frame(task)).await {
        black_box(frame.is_ok());
    }
}
