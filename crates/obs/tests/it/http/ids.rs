use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName};
use obs::http::{RequestIdLayer, ServerLayer, write_outgoing_headers};
use obs::metric::MetricRecorder;
use request_context::{Actor, Context, Id, SharedContext};
use tracing_subscriber::layer::SubscriberExt;

use super::{layered, serve, usual};
use crate::metrics::value;

/// What the handler sees: the ids of its context, and the headers that it is left with.
async fn echo(headers: HeaderMap) -> String {
    let context = Context::current().unwrap();
    tracing::info!("handled");
    let mut outgoing = HeaderMap::new();
    outgoing.insert("x-correlation-id", "stale".parse().unwrap());
    write_outgoing_headers(&mut outgoing);
    let text = |headers: &HeaderMap, name: &str| {
        headers.get(name).map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    };
    format!(
        "request={}\ncorrelation={}\ntrace={}\nactor={}\nheaders={}{}\noutgoing={}|{}\n",
        context.request_id.unwrap(),
        context.correlation_id.unwrap(),
        context.trace.unwrap(),
        context.actor.map_or(String::new(), |actor| actor.id.to_string()),
        text(&headers, "x-correlation-id"),
        text(&headers, "traceparent"),
        text(&outgoing, "traceparent"),
        text(&outgoing, "x-correlation-id"),
    )
}

fn part<'a>(answer: &'a str, name: &str) -> &'a str {
    answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap()
}

fn echoing() -> Router {
    Router::new().route("/echo", get(echo))
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[test]
fn the_trace_of_the_caller_goes_on_and_the_correlation_id_crosses() {
    serve(usual(echoing()), async |served| {
        let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let headers = format!("traceparent: {parent}\r\nx-correlation-id: order-7\r\n");
        let answer = served.get("/echo", &headers).await;
        assert_eq!(part(&answer, "trace"), parent);
        assert_eq!(part(&answer, "correlation"), "order-7");
        assert_eq!(part(&answer, "request").len(), 32);
        assert!(!answer.contains("x-request-id:"), "answers have ids on request only");
        let line = served.lines.last();
        assert_eq!(line["trace_id"], TRACE);
        assert_ne!(line["span_id"], "00f067aa0ba902b7");
        assert_eq!(line["correlation_id"], "order-7");
        assert_eq!(line["request_id"], part(&answer, "request"));
        // The next service is told of our span, and not of our request.
        let span = line["span_id"].as_str().unwrap();
        assert_eq!(part(&answer, "outgoing"), format!("00-{TRACE}-{span}-01|order-7"));
    });
}

#[test]
fn without_ids_there_are_new_ones_for_each_request() {
    serve(usual(echoing()), async |served| {
        let (one, other) = (served.get("/echo", "").await, served.get("/echo", "").await);
        for name in ["request", "correlation", "trace"] {
            assert_ne!(part(&one, name), part(&other, name), "{name}");
        }
        assert!(part(&one, "trace").ends_with("-02"), "random, not sampled: {one}");
    });
}

#[test]
fn what_is_no_id_reaches_neither_logs_nor_answers_nor_handlers_and_is_counted() {
    let ids = RequestIdLayer::new()
        .trust_request_id(HeaderName::from_static("x-request-id"))
        .answer_ids();
    serve(layered(echoing(), ids, ServerLayer::new()), async |served| {
        let long = "a".repeat(129);
        let hostile: [(&[u8], &str); 6] = [
            (b"evil\ttab", "invalid"),
            (b"evil\xff\xfe", "invalid"),
            (b"evil two words", "invalid"),
            ("evil\u{202e}live".as_bytes(), "invalid"),
            (long.as_bytes(), "too_long"),
            (b"evil1\r\nx-correlation-id: evil2\r\nx-request-id: evil3", "twice"),
        ];
        for (value, reason) in hostile {
            let before = served.sum("obs_http_refused_ids_total", &[reason, "correlation_id"]);
            let mut head =
                b"GET /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-correlation-id: "
                    .to_vec();
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\nx-request-id: ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n\r\n");
            let answer = served.send(&head).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert!(!answer.contains("evil") && !answer.contains(&long), "{answer}");
            assert_eq!(part(&answer, "headers"), "");
            let after = served.sum("obs_http_refused_ids_total", &[reason, "correlation_id"]);
            assert_eq!(after - before, 1.0, "{value:?}");
        }
        let text = served.lines.text();
        assert!(!text.contains("evil") && !text.contains(&long), "{text}");
        assert_eq!(served.sum("obs_http_refused_ids_total", &["\"request_id\""]), 6.0);
    });
}

#[test]
fn traceparents_that_are_none_begin_a_trace() {
    serve(usual(echoing()), async |served| {
        let good = format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n");
        let refused = [
            good.repeat(2),
            format!("traceparent: 00-{}-00f067aa0ba902b7-01\r\n", "0".repeat(32)),
            format!("traceparent: ff-{TRACE}-00f067aa0ba902b7-01\r\n"),
            format!("traceparent: 00-{}-00f067aa0ba902b7-01\r\n", TRACE.to_uppercase()),
            format!("traceparent: 01-{TRACE}-00f067aa0ba902b7-01-{}\r\n", "x".repeat(100)),
        ];
        for header in &refused {
            let answer = served.get("/echo", header).await;
            assert!(!answer.to_lowercase().contains(TRACE), "{answer}");
        }
        assert_eq!(served.sum("obs_http_refused_ids_total", &["\"traceparent\""]), 5.0);
    });
}

/// The headers that a service within the layer is left with.
fn left_with(layer: RequestIdLayer, headers: &[(&str, &str)]) -> (HeaderMap, Context) {
    use tower::{Layer, ServiceExt, service_fn};
    let mut request = http::Request::builder();
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let inner = service_fn(async |request: http::Request<Body>| {
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = request.headers().clone();
        let context = Context::current().unwrap();
        response.extensions_mut().insert(context);
        Ok::<_, std::convert::Infallible>(response)
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let service = layer.layer(inner).oneshot(request.body(Body::empty()).unwrap());
    let (parts, _) = runtime.block_on(service).unwrap().into_parts();
    let context = parts.extensions.get::<Context>().unwrap().clone();
    (parts.headers, context)
}

#[test]
fn traceparents_are_read_as_the_specification_says() {
    // The cases of the specification's own test suite (w3c/trace-context, test/test.py), as far as one header tells them.
    let rest = format!("{TRACE}-00f067aa0ba902b7-01");
    let taken = [
        format!("00-{rest}"),
        format!("cc-{rest}"),
        format!("cc-{rest}-what-the-future-will-be-like"),
        format!("00-{TRACE}-00f067aa0ba902b7-00"),
        format!("00-{TRACE}-00f067aa0ba902b7-ff"),
    ];
    for header in &taken {
        let (headers, context) =
            left_with(RequestIdLayer::new(), &[("traceparent", header), ("tracestate", "a=1")]);
        assert_eq!(context.trace.unwrap().trace_id.to_string(), TRACE, "{header}");
        assert_eq!(headers["tracestate"], "a=1", "{header}");
    }
    let refused = [
        String::new(),
        "00".to_owned(),
        format!("00-{rest}."),
        format!("00-{rest}-"),
        format!("00-{rest}-what-the-future-will-be-like"),
        format!("cc-{rest}.what-the-future-will-be-like"),
        format!("ff-{rest}"),
        format!("0-{rest}"),
        format!("000-{rest}"),
        format!(".0-{rest}"),
        format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
        format!("00-{TRACE}-0000000000000000-01"),
        format!("00-.{}-00f067aa0ba902b7-01", &TRACE[1..]),
        format!("00-{}-00f067aa0ba902b7-01", &TRACE[1..]),
        format!("00-{TRACE}0-00f067aa0ba902b7-01"),
        format!("00-{TRACE}-00f067aa0ba902b-01"),
        format!("00-{TRACE}-00f067aa0ba902b70-01"),
        format!("00-{TRACE}-00f067aa0ba902b7-.0"),
        format!("00-{TRACE}-00f067aa0ba902b7-1"),
        format!("00-{TRACE}-00f067aa0ba902b7-001"),
        format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
    ];
    for header in &refused {
        let (headers, context) =
            left_with(RequestIdLayer::new(), &[("traceparent", header), ("tracestate", "a=1")]);
        assert_ne!(context.trace.unwrap().trace_id.to_string(), TRACE, "{header}");
        assert!(
            headers.is_empty(),
            "what is said of no trace does not go on: {header} {headers:?}"
        );
    }
    let (headers, _) = left_with(RequestIdLayer::new(), &[("tracestate", "a=1")]);
    assert!(headers.is_empty());
}

#[test]
fn nobody_behind_a_service_that_begins_traces_follows_another_one() {
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let layer = RequestIdLayer::new().start_traces();
    let (headers, context) = left_with(layer, &[("traceparent", &parent), ("tracestate", "a=1")]);
    assert!(headers.is_empty(), "{headers:?}");
    assert_ne!(context.trace.unwrap().trace_id.to_string(), TRACE);
}

#[test]
fn a_tracestate_goes_on_with_its_own_trace_only() {
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    for (trace, is_kept) in [(parent.clone(), true), (parent.replace("4bf", "5bf"), false)] {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", parent.parse().unwrap());
        headers.insert("tracestate", "a=1".parse().unwrap());
        let context = Context::new().with_trace(trace.parse().unwrap());
        context.sync_scope(|| write_outgoing_headers(&mut headers));
        assert_eq!(
            (headers["traceparent"].to_str().unwrap(), headers.contains_key("tracestate")),
            (trace.as_str(), is_kept)
        );
    }
}

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn the_tracestate_of_the_caller_reaches_the_next_service() {
    let outgoing = async || {
        let _inner = tracing::info_span!("inner").entered();
        let mut headers = HeaderMap::new();
        write_outgoing_headers(&mut headers);
        format!("next={:?}", headers.get("tracestate"))
    };
    serve(usual(Router::new().route("/", get(outgoing))), async |served| {
        let said = "tracestate: rojo=1 ,\tcongo= 2\r\ntracestate:\r\ntracestate: baz=3\r\n";
        let answer = served.get("/", &format!("traceparent: {PARENT}\r\n{said}")).await;
        assert!(answer.ends_with("next=Some(\"rojo=1,congo= 2,baz=3\")"), "{answer}");
        for alone in [said.to_owned(), format!("traceparent: {PARENT}-\r\n{said}")] {
            let answer = served.get("/", &alone).await;
            assert!(answer.ends_with("next=None"), "{answer}");
        }
        assert!(!served.lines.text().contains("rojo"));
    });
}

#[test]
fn a_tracestate_that_is_none_goes_no_further_and_its_trace_goes_on() {
    let members =
        |count: usize| (0..count).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
    let cases = [
        ("a=1,a=2".to_owned(), Some("twice")),
        (members(33), Some("too_long")),
        ("A=1".to_owned(), Some("invalid")),
        ("a=\u{e9}".to_owned(), Some("invalid")),
        (" , ".to_owned(), None),
    ];
    for (state, reason) in &cases {
        let recorder = MetricRecorder::builder().build();
        let headers = [("traceparent", PARENT), ("tracestate", state)];
        let (headers, context) =
            metrics::with_local_recorder(&recorder, || left_with(RequestIdLayer::new(), &headers));
        assert_eq!((context.trace, context.trace_state), (PARENT.parse().ok(), None), "{state}");
        assert!(headers.contains_key("traceparent") && !headers.contains_key("tracestate"));
        let counted = reason.and_then(|reason| {
            let labels = format!("header=\"tracestate\",reason=\"{reason}\"");
            value(&recorder, &format!("obs_http_refused_ids_total{{{labels}}}"))
        });
        assert_eq!(counted, reason.map(|_| 1.0), "{state}");
    }
    let (headers, context) =
        left_with(RequestIdLayer::new(), &[("traceparent", PARENT), ("tracestate", &members(32))]);
    assert_eq!(context.trace_state.unwrap().as_str(), members(32));
    assert_eq!(headers["tracestate"], members(32));
}

#[test]
fn a_tracestate_is_not_said_of_the_trace_that_an_outer_layer_knows() {
    let other = PARENT.replace("4bf", "5bf");
    for (known, is_kept) in [(PARENT, true), (other.as_str(), false)] {
        let known = Context::new().with_trace(known.parse().unwrap());
        let (_, context) = known.sync_scope(|| {
            left_with(RequestIdLayer::new(), &[("traceparent", PARENT), ("tracestate", "a=1")])
        });
        assert_eq!(context.trace_state.is_some(), is_kept);
    }
}

#[test]
fn a_tracestate_is_written_beside_its_own_trace_and_nothing_stale_is_left() {
    let of = |trace: &str| Context::new().with_trace(trace.parse().unwrap());
    let said = |context: Context, stood: &[(&'static str, &str)]| {
        let mut headers = HeaderMap::new();
        for (name, value) in stood {
            headers.append(*name, value.parse().unwrap());
        }
        context.sync_scope(|| write_outgoing_headers(&mut headers));
        let values = headers.get_all("tracestate").iter();
        values.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let ours = || of(PARENT).with_trace_state("a=1".parse().unwrap());
    let stale = ("tracestate", "b=2");
    assert_eq!(said(ours(), &[]), ["a=1"]);
    assert_eq!(said(ours(), &[stale, stale]), ["a=1"]);
    // Somebody added a member of his own.
    assert_eq!(said(ours(), &[("traceparent", PARENT), ("tracestate", "b=2,a=1")]), ["b=2,a=1"]);
    let other = PARENT.replace("4bf", "5bf");
    assert_eq!(said(ours(), &[("traceparent", &other), stale]), ["a=1"]);
    assert!(said(of(PARENT), &[stale]).is_empty());
    // A state that was left beside a trace of another one by hand, and one of no trace.
    let mut mixed = ours();
    mixed.trace = None;
    assert!(said(mixed, &[stale]).is_empty());
    // The span that something happens in is of another trace than the context.
    let layer = obs::record::RecordLayer::builder().build();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        let elsewhere = of(&other).sync_scope(|| tracing::info_span!("elsewhere"));
        assert!(elsewhere.in_scope(|| said(ours(), &[])).is_empty());
    });
}

#[test]
fn a_header_of_a_megabyte_is_not_even_taken_by_the_layer() {
    // Servers have limits of their own; the layer is asked without one.
    use tower::{Layer, ServiceExt, service_fn};
    let inner = service_fn(async |request: http::Request<Body>| {
        assert!(request.headers().is_empty());
        let context = Context::current().unwrap();
        assert_eq!(context.correlation_id.unwrap().as_str().len(), 32);
        Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
    });
    let service = RequestIdLayer::new().answer_ids().layer(inner);
    let request = http::Request::builder().header("x-correlation-id", "a".repeat(1 << 20));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answer = runtime.block_on(service.oneshot(request.body(Body::empty()).unwrap())).unwrap();
    assert!(answer.headers().values().all(|value| value.len() == 32));
    assert_eq!(answer.headers().len(), 2);
}

#[test]
fn what_outer_layers_learnt_is_kept_their_ids_too() {
    let learns = axum::middleware::from_fn(
        async |mut request: axum::extract::Request, next: axum::middleware::Next| {
            let actor = Actor::user(Id::new("alice").unwrap());
            let context =
                Context::new().with_actor(actor).with_request_id(Id::new("outer").unwrap());
            request.extensions_mut().insert(SharedContext::new(context));
            next.run(request).await
        },
    );
    serve(usual(echoing()).layer(learns), async |served| {
        let answer = served.get("/echo", "").await;
        assert_eq!(part(&answer, "actor"), "alice");
        assert_eq!(part(&answer, "request"), "outer");
    });
}

/// What layers like `tower::buffer` do: the request goes on in another task.
fn elsewhere(request: axum::extract::Request, next: axum::middleware::Next) -> Hop {
    let answer = tokio::spawn(next.run(request));
    Box::pin(async { answer.await.unwrap() })
}

type Hop = std::pin::Pin<Box<dyn Future<Output = Response> + Send>>;

#[test]
fn what_goes_on_in_another_task_is_of_its_request_if_the_request_carries_it() {
    for extends in [true, false] {
        let told = get(async move |request: axum::extract::Request| {
            let context = request.extensions().get::<SharedContext>().cloned();
            assert_eq!(context.is_some(), extends);
            context.map_or(String::new(), |it| it.correlation_id.clone().unwrap().to_string())
        });
        let ids = RequestIdLayer::new();
        let ids = if extends { ids.extend_requests() } else { ids };
        let router = Router::new()
            .route("/", told)
            .layer(ServerLayer::new().log_access())
            .layer(axum::middleware::from_fn(elsewhere))
            .layer(ids);
        serve(router, async |served| {
            let answer = served.get("/", "x-correlation-id: order-7\r\n").await;
            served.until(|served| served.lines.text().contains("request ended")).await;
            let text = served.lines.text();
            let line = text.lines().find(|line| line.contains("request ended")).unwrap();
            assert_eq!(answer.ends_with("\r\n\r\norder-7"), extends, "{answer}");
            assert_eq!(line.contains("order-7"), extends, "{line}");
        });
    }
}

#[test]
fn a_service_that_anybody_reaches_begins_traces_itself() {
    let ids = RequestIdLayer::new().start_traces().make_ids_by(|| Id::new("made").unwrap());
    serve(layered(echoing(), ids, ServerLayer::new()), async |served| {
        let parent =
            format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\nx-request-id: theirs\r\n");
        let answer = served.get("/echo", &parent).await;
        assert!(!part(&answer, "trace").contains(TRACE));
        assert_eq!(part(&answer, "request"), "made", "no proxy is trusted unless it is named");
    });
}

#[test]
fn answers_carry_ids_and_so_does_what_their_bodies_log() {
    let streaming = async || {
        let parts = stream::iter(["one", "two"]).map(|part| {
            tracing::info!("streamed");
            Ok::<_, std::convert::Infallible>(part)
        });
        Body::from_stream(parts)
    };
    let router = Router::new().route("/", get(streaming));
    // Without a span, too.
    let server = ServerLayer::new().decide_spans(|_: &obs::http::Arrival<'_>| false);
    serve(layered(router, RequestIdLayer::new().answer_ids(), server), async |served| {
        let answer = served.get("/", "x-correlation-id: order-7\r\n").await;
        assert!(answer.contains("x-correlation-id: order-7\r\n"), "{answer}");
        let (_, id) = answer.split_once("x-request-id: ").unwrap();
        let id = id.split("\r\n").next().unwrap();
        let lines = served.lines.all();
        let streamed: Vec<_> = lines.iter().filter(|line| line["message"] == "streamed").collect();
        assert_eq!(streamed.len(), 2);
        assert!(streamed.iter().all(|line| line["request_id"] == id), "{lines:?}");
    });
}
