use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{any, get, post};
use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use obs::http::{Arrival, RequestIdLayer, ServerLayer};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tracing_subscriber::layer::SubscriberExt;

use super::{Served, layered, serve, usual};

const COUNT: &str = "http_server_request_duration_seconds_count";
const SENT: &str = "http_server_response_body_size_bytes_sum";
const READ: &str = "http_server_request_body_size_bytes_sum";

fn count(served: &Served, labels: &[&str]) -> f64 {
    served.sum(COUNT, labels)
}

#[test]
fn a_request_is_measured_by_its_route_method_and_status() {
    let router = Router::new().route("/orders/{id}", get(|| async { "an order" }));
    serve(usual(router), async |served| {
        for id in 0..3 {
            served.get(&format!("/orders/{id}"), "").await;
        }
        served.send(b"BREW /orders/1 HTTP/1.0\r\n\r\n").await;
        let route = r#"http_route="/orders/{id}""#;
        let common = r#"network_protocol_version="1.1""#;
        let labels =
            [route, common, r#"method="GET""#, r#"status_code="200""#, r#"url_scheme="http""#];
        assert_eq!(count(&served, &labels), 3.0);
        assert_eq!(served.sum(SENT, &labels), 24.0);
        let other = [route, r#"method="_OTHER""#, r#"status_code="405""#, r#"version="1.0""#];
        assert_eq!(count(&served, &other), 1.0);
        assert_eq!(count(&served, &["error_type"]), 0.0, "405 is the caller's fault");
        assert_eq!(served.active(), 0.0);
        let buckets = served.samples("http_server_request_duration_seconds_bucket");
        assert!(buckets.iter().any(|line| line.contains(r#"le="0.075""#)), "{buckets:?}");
    });
}

#[test]
fn a_span_has_what_the_conventions_name_and_no_signatures() {
    let router = Router::new().route("/files/{name}", get(|| async { tracing::info!("handled") }));
    let router = usual(router);
    serve(router, async |served| {
        let query = "a=1&X-Amz-Signature=s3cr3t&%53ig=s3cr3t&password=s3cr3t&sigma=2&flag";
        served.get(&format!("/files/x?{query}"), "user-agent: probe/1\r\n").await;
        let line = served.lines.last();
        assert_eq!(line["otel.name"], "GET /files/{name}");
        assert_eq!(line["otel.kind"], "server");
        assert_eq!(line["http.request.method"], "GET");
        assert_eq!(line["http.route"], "/files/{name}");
        assert_eq!(line["url.path"], "/files/x");
        assert_eq!(line["url.scheme"], "http");
        assert_eq!(line["user_agent.original"], "probe/1");
        assert!(line.get("http.request.method_original").is_none());
        let shown = line["url.query"].as_str().unwrap();
        assert!(!served.lines.text().contains("s3cr3t"), "{shown}");
        assert!(shown.starts_with("a=1&X-Amz-Signature=[REDACTED]&%53ig=REDACTED&"), "{shown}");
        assert!(shown.ends_with("&sigma=2&flag"), "{shown}");
    });
}

#[test]
fn a_method_that_nobody_knows_is_named_as_the_conventions_say() {
    let router = Router::new().fallback(|| async { tracing::info!("handled") });
    let router = layered(router, RequestIdLayer::new(), ServerLayer::new().log_access());
    serve(router, async |served| {
        served.send(b"BREW /pot HTTP/1.0\r\n\r\n").await;
        served.until_idle().await;
        for message in ["handled", "request ended"] {
            let lines = served.lines.all();
            let line = lines.iter().find(|line| line["message"] == message).unwrap();
            let method = ["http.request.method", "http.request.method_original", "otel.name"];
            let method = method.map(|name| line[name].as_str().unwrap());
            assert_eq!(method, ["_OTHER", "BREW", "HTTP"], "{line}");
        }
    });
}

#[test]
fn spans_are_decided_before_they_are_made() {
    let router = Router::new()
        .route("/seen", get(|| async { tracing::info!("in seen") }))
        .route("/healthz", get(|| async { tracing::info!("in healthz") }));
    let server = ServerLayer::new().decide_spans(|arrival: &Arrival<'_>| {
        assert!(arrival.parent.is_some() && arrival.method == "GET");
        arrival.route != Some("/healthz")
    });
    serve(layered(router, RequestIdLayer::new(), server), async |served| {
        served.get("/seen", "").await;
        served.get("/healthz", "").await;
        let lines = served.lines.all();
        assert!(lines[0].get("url.path").is_some());
        assert!(lines[1].get("url.path").is_none());
        assert!(lines[1]["trace_id"].is_string(), "the ids are there without a span");
        assert_eq!(count(&served, &[r#"route="/healthz""#]), 1.0);
    });
}

#[test]
fn a_span_belongs_to_the_trace_of_the_request_and_not_to_that_of_the_connection() {
    let layer = usual(Router::new().route("/", get(|| async { tracing::info!("handled") })));
    serve(layer.clone(), async |served| {
        use tower::ServiceExt;
        let connection = tracing::info_span!("connection");
        let _entered = connection.enter();
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let request =
            Request::get("/").header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
        layer.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(served.lines.last()["trace_id"], trace);
    });
}

#[test]
fn many_unmatched_paths_make_no_series() {
    let layer = usual(Router::new().route("/", get(|| async {})));
    serve(layer.clone(), async |served| {
        use tower::ServiceExt;
        let mut router = layer;
        for path in 0..100_000 {
            let request = Request::get(format!("/wp-{path}.php")).body(Body::empty()).unwrap();
            let router: &mut Router = &mut router;
            ServiceExt::<Request>::ready(router).await.unwrap();
            tower::Service::call(router, request).await.unwrap();
        }
        assert_eq!(count(&served, &[r#"status_code="404""#]), 100_000.0);
        let samples = served.samples(COUNT);
        assert_eq!(samples.len(), 1, "{samples:?}");
        assert!(!samples[0].contains("http_route") && !samples[0].contains("wp-"), "{samples:?}");
    });
}

#[test]
fn paths_that_are_given_for_routes_are_bounded() {
    let path = |extensions: &http::Extensions| -> Option<&str> {
        extensions.get::<&'static str>().copied()
    };
    let router = Router::new().fallback(|| async {});
    let router = router.layer(ServerLayer::new().route_by(path)).layer(RequestIdLayer::new());
    serve(router.clone(), async |served| {
        use tower::ServiceExt;
        for path in 0..1_100 {
            let path: &'static str = format!("/{path}").leak();
            let mut request = Request::get(path).body(Body::empty()).unwrap();
            request.extensions_mut().insert(path);
            router.clone().oneshot(request).await.unwrap();
        }
        assert_eq!(count(&served, &[]), 1_100.0);
        assert_eq!(count(&served, &[r#"http_route="_OTHER""#]), 76.0);
        assert!(served.lines.text().contains("are these paths instead of patterns?"));
    });
}

#[test]
fn a_client_that_goes_away_ends_its_request() {
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    let hang = move || {
        begins.notify_one();
        std::future::pending::<()>()
    };
    serve(usual(Router::new().route("/hang", get(hang))), async |served| {
        let mut stream = served.connect().await;
        stream.write_all(b"GET /hang HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        begun.notified().await;
        assert_eq!(served.active(), 1.0);
        drop(stream);
        served.until_idle().await;
        assert_eq!(count(&served, &[r#"error_type="cancelled""#, r#"route="/hang""#]), 1.0);
        assert_eq!(count(&served, &["status_code"]), 0.0);
    });
}

#[test]
fn a_handler_that_panics_ends_its_request() {
    async fn panics() {
        tokio::task::yield_now().await;
        panic!("on purpose");
    }
    serve(usual(Router::new().route("/panic", get(panics))), async |served| {
        let answer = served.get("/panic", "").await;
        assert_eq!(answer, "");
        served.until_idle().await;
        assert_eq!(count(&served, &[r#"error_type="panic""#]), 1.0);
    });
}

#[test]
fn errors_are_told_by_their_status() {
    let router = Router::new()
        .route("/503", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route("/404", get(|| async { StatusCode::NOT_FOUND }));
    serve(
        layered(router, RequestIdLayer::new(), ServerLayer::new().log_access()),
        async |served| {
            served.get("/503", "").await;
            let line = served.lines.last();
            assert_eq!(
                (&line["error.type"], &line["otel.status_code"]),
                (&json!("503"), &json!("ERROR"))
            );
            assert_eq!(
                (&line["message"], &line["level"]),
                (&json!("request ended"), &json!("ERROR"))
            );
            served.get("/404", "").await;
            let line = served.lines.last();
            assert!(
                line.get("error.type").is_none() && line.get("otel.status_code").is_none(),
                "{line}"
            );
            assert_eq!(
                (&line["message"], &line["level"]),
                (&json!("request ended"), &json!("INFO"))
            );
            assert_eq!(count(&served, &[r#"error_type="503""#, r#"status_code="503""#]), 1.0);
            assert_eq!(count(&served, &["error_type"]), 1.0);
        },
    );
}

/// A body that gives a part and then waits.
fn slow(go_on: Arc<Notify>) -> Body {
    Body::from_stream(stream::unfold(0, move |at| {
        let go_on = Arc::clone(&go_on);
        async move {
            if at == 1 {
                go_on.notified().await;
            }
            (at < 2)
                .then(|| (Ok::<_, std::convert::Infallible>(Bytes::from_static(b"part")), at + 1))
        }
    }))
}

#[test]
fn a_request_is_active_until_its_body_ends_or_is_given_up() {
    let go_on = Arc::new(Notify::new());
    let goes_on = Arc::clone(&go_on);
    let router = Router::new().route("/slow", get(move || async move { slow(goes_on) }));
    serve(usual(router), async |served| {
        let mut stream = served.connect().await;
        let mut part = [0; 1024];
        let head = b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(head).await.unwrap();
        assert!(stream.read(&mut part).await.unwrap() > 0);
        assert_eq!((served.active(), count(&served, &[])), (1.0, 0.0));
        go_on.notify_one();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        served.until_idle().await;
        assert_eq!(
            (count(&served, &["status_code=\"200\""]), count(&served, &["error_type"])),
            (1.0, 0.0)
        );
        assert_eq!(served.sum(SENT, &[]), 8.0);

        let mut stream = served.connect().await;
        stream.write_all(head).await.unwrap();
        assert!(stream.read(&mut part).await.unwrap() > 0);
        assert_eq!(served.active(), 1.0);
        drop(stream);
        served.until_idle().await;
        assert_eq!(count(&served, &[r#"error_type="cancelled""#, "status_code=\"200\""]), 1.0);
    });
}

#[test]
fn bodies_that_fail_or_panic_say_so() {
    let fails = || async {
        let parts = [Ok("part"), Err(std::io::Error::other("on purpose"))];
        Body::from_stream(stream::iter(parts))
    };
    let panics = || async {
        Body::from_stream(stream::iter([1, 2]).map(|part| match part {
            1 => Ok::<_, std::convert::Infallible>("part"),
            _ => panic!("on purpose"),
        }))
    };
    let router = Router::new().route("/fails", get(fails)).route("/panics", get(panics));
    serve(usual(router), async |served| {
        served.get("/fails", "").await;
        served.get("/panics", "").await;
        served.until_idle().await;
        assert_eq!(count(&served, &[r#"error_type="body""#, r#"route="/fails""#]), 1.0);
        assert_eq!(count(&served, &[r#"error_type="panic""#, r#"route="/panics""#]), 1.0);
    });
}

#[test]
fn answers_whose_length_is_known_and_those_to_head_are_whole() {
    // The server stops asking when it has as many bytes as the head says.
    let declared = || async {
        let parts = stream::iter([Ok::<_, std::convert::Infallible>("1234"), Ok("5678")]);
        Response::builder().header("content-length", "8").body(Body::from_stream(parts)).unwrap()
    };
    let router = Router::new()
        .route("/declared", get(declared))
        .route("/full", get(|| async { "12345678" }));
    serve(usual(router), async |served| {
        for path in ["/declared", "/full"] {
            assert!(served.get(path, "").await.ends_with("12345678"));
            let head = format!("HEAD {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            served.send(head.as_bytes()).await;
        }
        served.until_idle().await;
        assert_eq!((count(&served, &[]), count(&served, &["error_type"])), (4.0, 0.0));
        assert_eq!(served.sum(SENT, &[r#"method="GET""#]), 16.0);
        assert_eq!(served.sum(SENT, &[r#"method="HEAD""#]), 0.0);
    });
}

#[test]
fn bytes_are_counted_as_they_are_read_whatever_the_head_says() {
    let reads = |body: Bytes| async move { body.len().to_string() };
    let first = |request: Request| async move {
        let mut body = request.into_body().into_data_stream();
        body.next().await.unwrap().unwrap().len().to_string()
    };
    let router = Router::new().route("/reads", post(reads)).route("/ignores", post(|| async {}));
    serve(usual(router.route("/first", post(first))), async |served| {
        let post = async |path: &str, rest: &str| {
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{rest}");
            served.send(head.as_bytes()).await
        };
        post("/reads", "content-length: 5\r\n\r\n12345").await;
        post("/reads", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
            .await;
        assert_eq!(served.sum(READ, &[r#"route="/reads""#]), 12.0);
        post("/ignores", "content-length: 5\r\n\r\n12345").await;
        assert_eq!(served.sum(READ, &[r#"route="/ignores""#]), 0.0);
        post("/first", "content-length: 9999999\r\n\r\n12345").await;
        assert_eq!(served.sum(READ, &[r#"route="/first""#]), 5.0);
    });
}

#[test]
fn one_connection_has_many_requests() {
    serve(usual(Router::new().route("/", get(|| async { "x" }))), async |served| {
        let mut stream = served.connect().await;
        for _ in 0..5 {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            let mut answer = [0; 512];
            assert!(stream.read(&mut answer).await.unwrap() > 0);
            served.until_idle().await;
        }
        assert_eq!(count(&served, &["status_code=\"200\""]), 5.0);
    });
}

#[test]
fn http_2_streams_are_requests_of_their_own() {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let hang = get(std::future::pending::<()>);
    let router = Router::new().route("/", get(|| async { "x" })).route("/hang", hang);
    serve(usual(router), async |served| {
        let io = TokioIo::new(served.connect().await);
        let (client, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        let connection = tokio::spawn(connection);
        let url = |path: &str| format!("http://{}{path}", served.address);
        let ask = |path: &str| {
            let request = http::Request::get(url(path)).body(Empty::<Bytes>::new()).unwrap();
            client.clone().send_request(request)
        };
        let hanging = tokio::spawn(ask("/hang"));
        let body = ask("/").await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes().as_ref(), b"x");
        served.until(|served| served.active() == 1.0).await;
        assert_eq!(count(&served, &[r#"network_protocol_version="2""#, r#"route="/""#]), 1.0);
        // The stream is reset; the connection goes on.
        hanging.abort();
        served.until_idle().await;
        assert_eq!(count(&served, &[r#"error_type="cancelled""#, r#"route="/hang""#]), 1.0);
        connection.abort();
    });
}

#[test]
fn an_upgrade_ends_the_request_and_the_connection_goes_on() {
    let upgrades = |mut request: Request| async move {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut io = hyper_util::rt::TokioIo::new(upgrade.await.unwrap());
            let mut asked = [0; 4];
            io.read_exact(&mut asked).await.unwrap();
            io.write_all(b"pong").await.unwrap();
        });
        let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
        let response = response.header("connection", "upgrade").header("upgrade", "ping");
        response.body(Body::empty()).unwrap()
    };
    serve(usual(Router::new().route("/up", get(upgrades))), async |served| {
        let mut stream = served.connect().await;
        let head = b"GET /up HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: ping\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let mut answer = vec![0; 1024];
        let read = stream.read(&mut answer).await.unwrap();
        assert!(String::from_utf8_lossy(&answer[..read]).starts_with("HTTP/1.1 101"));
        served.until_idle().await;
        assert_eq!(count(&served, &["status_code=\"101\""]), 1.0);
        stream.write_all(b"ping").await.unwrap();
        let mut pong = Vec::new();
        stream.read_to_end(&mut pong).await.unwrap();
        assert_eq!(pong, b"pong");
        assert_eq!((count(&served, &[]), count(&served, &["error_type"])), (1.0, 0.0));
    });
}

#[test]
fn answers_that_have_no_body_end_with_their_head() {
    // Of a kind that does not know that nothing follows; servers do not ask it.
    let empty = |status: u16, length: &'static str| {
        let body = Body::from_stream(stream::empty::<Result<Bytes, std::convert::Infallible>>());
        let response = Response::builder().status(status);
        if length.is_empty() {
            return response.body(body).unwrap();
        }
        response.header("content-length", length).body(body).unwrap()
    };
    let router = Router::new()
        .route("/204", get(move || async move { empty(204, "") }))
        .route("/304", get(move || async move { empty(304, "8") }))
        .route("/tunnel", any(move || async move { empty(200, "") }));
    let router = usual(router);
    serve(router.clone(), async |served| {
        for path in ["/204", "/304"] {
            served.get(path, "").await;
        }
        use tower::ServiceExt;
        let tunnel =
            Request::builder().method("CONNECT").uri("/tunnel").body(Body::empty()).unwrap();
        drop(router.clone().oneshot(tunnel).await.unwrap());
        served.until_idle().await;
        assert_eq!((count(&served, &[]), count(&served, &["error_type"])), (3.0, 0.0));
        // Any other answer of this kind is given up.
        drop(router.clone().oneshot(Request::get("/tunnel").body(Body::empty()).unwrap()).await);
        assert_eq!(count(&served, &[r#"error_type="cancelled""#]), 1.0);
    });
}

#[test]
fn exemplars_name_the_span_of_the_server_and_not_that_of_the_caller() {
    let handler = || async { tracing::info!("handled") };
    serve(usual(Router::new().route("/", get(handler))), async |served| {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        served.get("/", &format!("traceparent: 00-{trace}-00f067aa0ba902b7-01\r\n")).await;
        served.until_idle().await;
        let page = crate::metrics::text(&served.recorder, obs::metric::Exposition::OpenMetrics);
        let span = served.lines.last()["span_id"].as_str().unwrap().to_owned();
        let exemplar = format!("# {{trace_id=\"{trace}\",span_id=\"{span}\"}}");
        // Duration and both sizes.
        assert_eq!(page.matches(&exemplar).count(), 3, "{page}");
        assert!(!page.contains("00f067aa0ba902b7"), "{page}");
    });
}

/// Says so when it is dropped.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        tracing::info!("let go");
    }
}

#[test]
fn what_is_logged_while_a_request_is_given_up_belongs_to_it() {
    let hangs = || async {
        let _guard = Guard;
        std::future::pending::<()>().await;
    };
    let streams = || async {
        let guard = Guard;
        let parts = stream::once(async { Ok::<_, std::convert::Infallible>("part") });
        let rest = stream::unfold(guard, |guard| async move {
            std::future::pending::<()>().await;
            Some((Ok("never"), guard))
        });
        Body::from_stream(parts.chain(rest))
    };
    let router = Router::new().route("/hangs", get(hangs)).route("/streams", get(streams));
    serve(usual(router), async |served| {
        for path in ["/hangs", "/streams"] {
            let before = served.lines.all().len();
            let mut stream = served.connect().await;
            let head =
                format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-correlation-id: order-7\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            served.until(|served| served.active() == 1.0).await;
            if path == "/streams" {
                assert!(stream.read(&mut [0; 512]).await.unwrap() > 0);
            }
            drop(stream);
            served.until_idle().await;
            served.until(|served| served.lines.all().len() > before).await;
            let line = served.lines.last();
            assert_eq!(line["message"], "let go");
            assert_eq!(
                (&line["correlation_id"], &line["http.route"]),
                (&json!("order-7"), &json!(path))
            );
        }
    });
}

#[test]
fn a_client_cannot_take_the_series_of_other_routes() {
    use tower::{Layer, ServiceExt, service_fn};
    let catalog = obs::catalog::Catalog::new().with(obs::http::METRICS).unwrap();
    let recorder = obs::metric::MetricRecorder::builder().catalog(catalog).build();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let inner = service_fn(async |_: http::Request<obs::http::CountedBody<Body>>| {
        Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
    });
    let service = RequestIdLayer::new().layer(ServerLayer::new().layer(inner));
    let methods =
        ["GET", "PUT", "POST", "HEAD", "PATCH", "TRACE", "DELETE", "OPTIONS", "CONNECT", "BREW"];
    let versions = [
        http::Version::HTTP_09,
        http::Version::HTTP_10,
        http::Version::HTTP_11,
        http::Version::HTTP_2,
        http::Version::HTTP_3,
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for method in methods {
        for version in versions {
            for uri in ["http://x/", "https://x/"] {
                let request = Request::builder().method(method).version(version).uri(uri);
                let request = request.body(Body::empty()).unwrap();
                runtime.block_on(service.clone().oneshot(request)).unwrap();
            }
        }
    }
    let page = crate::metrics::text(&recorder, obs::metric::Exposition::Text);
    let counts: Vec<f64> = page
        .lines()
        .filter(|line| line.starts_with(COUNT))
        .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
        .collect();
    // 64 of their own, and one for the rest of each scheme.
    assert_eq!((counts.len(), counts.iter().sum::<f64>()), (66, 100.0), "{page}");
}

#[test]
fn routes_of_nested_routers_are_patterns_as_a_whole() {
    let inner =
        Router::new().route("/{id}", get(|| async {})).route("/files/{*path}", get(|| async {}));
    let service = Router::new().route("/deep/{x}", get(|| async {}));
    let router = Router::new()
        .nest("/orders", inner)
        .nest_service("/service", service)
        .route("/", get(|| async {}))
        .fallback(|| async { StatusCode::NOT_FOUND });
    serve(usual(router), async |served| {
        for path in
            ["/orders/7", "/orders/files/a/b", "/service/deep/7", "/orders/7/none", "/none/7"]
        {
            served.get(path, "").await;
        }
        served.send(b"POST /orders/7 HTTP/1.0\r\n\r\n").await;
        served.until_idle().await;
        let samples = served.samples(COUNT).join("\n");
        assert_eq!(
            count(&served, &[r#"http_route="/orders/{id}""#, r#"status_code="200""#]),
            1.0,
            "{samples}"
        );
        assert_eq!(
            count(&served, &[r#"http_route="/orders/{id}""#, r#"status_code="405""#]),
            1.0,
            "{samples}"
        );
        assert_eq!(count(&served, &[r#"http_route="/orders/files/{*path}""#]), 1.0, "{samples}");
        assert_eq!(count(&served, &[r#"status_code="404""#]), 2.0, "{samples}");
        assert!(!samples.contains("/7") && !samples.contains("none"), "{samples}");
    });
}

/// Half a second goes by each time somebody looks.
fn clock() -> Instant {
    thread_local! {
        static BEGIN: Instant = Instant::now();
    }
    static LOOKED: AtomicUsize = AtomicUsize::new(0);
    let looked = LOOKED.fetch_add(1, Ordering::Relaxed);
    BEGIN.with(|begin| *begin) + Duration::from_millis(500) * u32::try_from(looked).unwrap()
}

#[test]
fn a_record_of_each_request_has_its_ids_and_what_was_measured() {
    let router = Router::new().route("/orders/{id}", any(|body: Bytes| async move { body }));
    let server = ServerLayer::new().log_access().clock(clock);
    let server = server.decide_spans(|arrival: &Arrival<'_>| arrival.method != "PUT");
    serve(layered(router, RequestIdLayer::new(), server), async |served| {
        for (at, method) in ["POST", "PUT"].into_iter().enumerate() {
            let head = format!(
                "{method} /orders/7?token=s3cr3t HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                 x-correlation-id: order-7\r\ncontent-length: 4\r\n\r\nbody"
            );
            served.send(head.as_bytes()).await;
            served.until(|served| served.lines.all().len() > at).await;
            let line = served.lines.last();
            assert_eq!(line["message"], "request ended");
            assert_eq!(line["correlation_id"], "order-7", "{method}: {line}");
            assert_eq!(line["http.request.method"], method);
            assert_eq!(line["http.route"], "/orders/{id}");
            assert_eq!(line["url.path"], "/orders/7");
            assert_eq!(line["http.response.status_code"], 200);
            assert_eq!(line["http.server.request.duration"], 0.5);
            assert_eq!(line["http.request.body.size"], 4);
            assert_eq!(line["http.response.body.size"], 4);
        }
        assert!(!served.lines.text().contains("s3cr3t"));
        assert_eq!(served.sum("http_server_request_duration_seconds_sum", &[]), 1.0);
    });
}

/// By itself: what is said once in a program can be tested once.
#[test]
fn layers_in_the_wrong_order_are_said_once() {
    const CHILD: &str = "obs_http_wrong_order";
    if std::env::var_os(CHILD).is_none() {
        let this = "http::server::layers_in_the_wrong_order_are_said_once";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let child = child.args(["--exact", this]).env(CHILD, "1").output().unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        return;
    }
    let router = Router::new().route("/", get(|| async {}));
    let wrong = router.layer(RequestIdLayer::new()).layer(ServerLayer::new());
    serve(wrong, async |served| {
        served.get("/", "").await;
        served.get("/", "").await;
        let text = served.lines.text();
        assert_eq!(text.matches("stands within `ServerLayer` instead of around it").count(), 1);
    });
}

#[test]
fn where_nothing_takes_spans_nothing_is_made_for_them() {
    let subscriber = tracing_subscriber::registry()
        .with(obs::record::RecordLayer::builder().filter("warn".parse().unwrap()).build());
    let _quiet = tracing::subscriber::set_default(subscriber);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        use tower::{Layer, ServiceExt, service_fn};
        let inner = service_fn(async |_: http::Request<obs::http::CountedBody<Body>>| {
            assert!(tracing::Span::current().is_disabled());
            Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
        });
        let service = ServerLayer::new().layer(inner);
        let request = Request::get("/").body(Body::empty()).unwrap();
        service.oneshot(request).await.unwrap();
    });
}
