//! The admin listener, over real sockets. Each test is a process of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use obs::admin::{
    Access, AdminErrorKind, AdminMethod, AdminRequest, AdminResponse, AdminRoute, AdminServer,
    AdminServerBuilder,
};
use obs::log::FileTarget;
use obs::record::Resource;
use obs::setup::{Guard, Observability, Output, Panics};
use request_context::{Actor, Context, Id};
use serde_json::Value;

use crate::child;

const WITHIN: Duration = Duration::from_secs(30);

fn with_server(
    test: &str,
    change: impl FnOnce(AdminServerBuilder) -> AdminServerBuilder,
    work: impl FnOnce(&AdminServer, &Guard),
) {
    child::alone(&format!("admin::{test}"), || {
        let path = child::folder().unwrap().join("log");
        let guard = Observability::builder()
            .resource(Resource::new("orders"))
            .output(Output::file("file", FileTarget::builder(path)))
            .panics(Panics::LogThenPrevious)
            .install()
            .unwrap();
        let builder = AdminServer::builder(guard.observability()).address(loopback());
        let server = change(builder).start().unwrap();
        work(&server, &guard);
    });
}

fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    assert!(address.ip().is_loopback());
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(WITHIN)).unwrap();
    stream
}

fn send(address: SocketAddr, request: &str) -> Answer {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    read(stream)
}

fn read(mut stream: TcpStream) -> Answer {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

fn get(address: SocketAddr, path: &str, headers: &str) -> Answer {
    send(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n"))
}

fn put(address: SocketAddr, path: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    send(
        address,
        &format!(
            "PUT {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        ),
    )
}

const TOKEN: &str = "Authorization: Bearer let-me-in\r\n";

fn authorized(builder: AdminServerBuilder) -> AdminServerBuilder {
    builder.authorizer(|request: &AdminRequest<'_>| {
        let is_known = request.header("authorization") == Some("Bearer let-me-in");
        is_known.then(|| Actor::user(Id::new("alice").unwrap()))
    })
}

/// A source of metrics that hangs, as a file system of another machine that is gone.
#[derive(Debug)]
struct Hangs(std::sync::mpsc::Sender<()>);

impl obs::metric::MetricSource for Hangs {
    fn name(&self) -> &'static str {
        "hangs"
    }

    fn metrics(&self) -> &'static [metric_table::Metric] {
        &[]
    }

    fn collect(&self, _: &mut obs::metric::Samples<'_>) -> Result<(), obs::metric::SourceError> {
        self.0.send(()).unwrap();
        loop {
            std::thread::park();
        }
    }
}

/// That is when an operator needs the listener.
#[test]
fn a_page_that_hangs_keeps_no_other_waiting() {
    child::alone("admin::a_page_that_hangs_keeps_no_other_waiting", || {
        let (hangs, is_asked) = std::sync::mpsc::channel();
        let guard = Observability::builder()
            .self_test(obs::setup::SelfTest::Skip)
            .metric_source(Hangs(hangs))
            .install()
            .unwrap();
        let server = AdminServer::builder(guard.observability()).address(loopback());
        let server = authorized(server).start().unwrap();
        let mut first = connect(server.address());
        first.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        is_asked.recv_timeout(WITHIN).unwrap();
        let began = Instant::now();
        assert_eq!(get(server.address(), "/info", "").status, 200);
        assert_eq!(put(server.address(), "/loggers", TOKEN, "debug").status, 200);
        // Later ones do without what hangs.
        for _ in 0..3 {
            let page = get(server.address(), "/metrics", "");
            assert!(page.body.contains("{reason=\"late\",source=\"hangs\"}"), "{}", page.body);
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert!(server.shutdown(), "it waits for what hangs");
    });
}

#[test]
fn metrics_are_given_in_the_format_that_is_asked_for() {
    with_server(
        "metrics_are_given_in_the_format_that_is_asked_for",
        |builder| builder,
        |server, _| {
            metrics::counter!("app.jobs").increment(3);
            let text = get(server.address(), "/metrics", "");
            assert_eq!(text.status, 200);
            assert!(text.body.contains("\napp_jobs_total 3\n"), "{}", text.body);
            assert!(text.head.contains("content-type: text/plain; version=0.0.4"), "{}", text.head);
            assert!(text.head.contains("connection: close") && text.head.contains("no-store"));
            assert!(!text.head.contains("access-control"));
            let accept = "Accept: application/openmetrics-text;version=1.0.0\r\n";
            let open = get(server.address(), "/metrics", accept);
            assert!(open.body.ends_with("# EOF\n") && open.head.contains("openmetrics-text"));
        },
    );
}

#[test]
fn info_tells_what_the_service_is() {
    let change = |builder: AdminServerBuilder| builder.fact("git.commit", "a\"b\n");
    with_server("info_tells_what_the_service_is", change, |server, _| {
        let info = get(server.address(), "/info", "").json();
        assert_eq!(info["resource"]["service.name"], "orders");
        assert_eq!(info["build"]["git.commit"], "a\"b\n");
        assert_eq!(info["log_outputs"][0]["name"], "file");
        assert_eq!(info["log_outputs"][0]["health"], "working");
    });
}

#[test]
fn it_answers_while_every_worker_of_the_application_is_wedged() {
    with_server(
        "it_answers_while_every_worker_of_the_application_is_wedged",
        |builder| builder,
        |server, _| {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
            for _ in 0..4 {
                runtime.spawn(async {
                    loop {
                        std::thread::park();
                    }
                });
            }
            assert_eq!(get(server.address(), "/metrics", "").status, 200);
            assert_eq!(get(server.address(), "/info", "").status, 200);
            runtime.shutdown_background();
        },
    );
}

#[test]
fn without_an_authorizer_nothing_is_changed_and_nothing_revealed() {
    let change = |builder: AdminServerBuilder| builder.config(|| "port = 8080".to_owned());
    with_server(
        "without_an_authorizer_nothing_is_changed_and_nothing_revealed",
        change,
        |server, guard| {
            let before = guard.observability().filter();
            let answers = [
                get(server.address(), "/loggers", TOKEN),
                put(server.address(), "/loggers", TOKEN, "trace"),
                get(server.address(), "/config", ""),
            ];
            for answer in &answers {
                assert_eq!((answer.status, &answer.body), (403, &answers[0].body));
            }
            assert_eq!(answers[0].json()["title"], "not allowed");
            assert!(answers[0].head.contains("application/problem+json"));
            assert_eq!(guard.observability().filter(), before);
        },
    );
}

#[test]
fn who_is_authorized_changes_the_filter_for_a_time() {
    let change = |builder: AdminServerBuilder| {
        authorized(builder).config(|| "port = 8080 (app.toml:1)".to_owned())
    };
    with_server("who_is_authorized_changes_the_filter_for_a_time", change, |server, guard| {
        let address = server.address();
        assert_eq!(
            put(address, "/loggers?for=600", "Authorization: Bearer x\r\n", "trace").status,
            403
        );
        let set = put(address, "/loggers?for=600", TOKEN, "info,app::store=debug\n");
        assert_eq!(set.json()["filter"], "app::store=debug,info");
        assert!((598..=600).contains(&set.json()["expires_in_seconds"].as_u64().unwrap()));
        assert_eq!(guard.observability().filter().to_string(), "app::store=debug,info");
        // It is told in the log, with who did it.
        assert!(guard.observability().records().flush(WITHIN));
        let log = std::fs::read_to_string(child::folder().unwrap().join("log")).unwrap();
        let told = log.lines().find(|line| line.contains("the filter of logs was changed"));
        let told: Value = serde_json::from_str(told.unwrap()).unwrap();
        assert_eq!(
            (&told["user.id"], &told["network.peer.address"]),
            (&"alice".into(), &"127.0.0.1".into())
        );
        assert_eq!(told["request_id"].as_str().unwrap().len(), 32);
        let seen = get(address, "/loggers", TOKEN).json();
        assert_eq!(seen["filter"], "app::store=debug,info");
        for (path, body) in [("/loggers", "loud"), ("/loggers?for=soon", "info"), ("/loggers", "")]
        {
            let refused = put(address, path, TOKEN, body);
            assert_eq!((refused.status, &refused.json()["title"]), (400, &"no such filter".into()));
        }
        assert_eq!(guard.observability().filter().to_string(), "app::store=debug,info");
        let one = put(address, "/loggers?target=app::http&for=60", TOKEN, "trace").json();
        assert_eq!(one["filter"], "app::store=debug,app::http=trace,info");
        for (target, level) in
            [("app", "loud"), ("", "info"), ("a[b]", "info"), ("app", "info,x=trace")]
        {
            let path = format!("/loggers?target={target}");
            assert_eq!(put(address, &path, TOKEN, level).status, 400, "{target} {level}");
        }
        assert_eq!(get(address, "/config", TOKEN).body, "port = 8080 (app.toml:1)");
        assert_eq!(get(address, "/config", "").status, 403);
    });
}

#[test]
fn who_silences_the_log_is_in_it() {
    with_server("who_silences_the_log_is_in_it", authorized, |server, guard| {
        for filter in ["off", "error", "info,obs::admin=off"] {
            assert_eq!(put(server.address(), "/loggers", TOKEN, filter).status, 200);
        }
        assert!(guard.observability().records().flush(WITHIN));
        let log = std::fs::read_to_string(child::folder().unwrap().join("log")).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
        let told: Vec<Value> = lines.filter(|line: &Value| line["user.id"] == "alice").collect();
        let filters: Vec<_> = told.iter().map(|line| line["filter"].as_str().unwrap()).collect();
        assert_eq!(filters, ["off", "error", "obs::admin=off,info"]);
    });
}

#[test]
fn secrets_in_the_settings_are_not_shown() {
    let settings =
        "url = postgres://app:hunter2@db/orders\npassword = hunter2 (app.toml:2)\nport = 1";
    let change = |builder: AdminServerBuilder| authorized(builder).config(|| settings.to_owned());
    with_server("secrets_in_the_settings_are_not_shown", change, |server, _| {
        let shown = get(server.address(), "/config", TOKEN).body;
        assert!(shown.contains("postgres://app:[REDACTED]@db/orders"), "{shown}");
        assert!(shown.ends_with("\nport = 1") && !shown.contains("hunter2"), "{shown}");
    });
}

/// A route that says in which context it runs.
#[derive(Debug)]
struct WhoAmI;

impl AdminRoute for WhoAmI {
    fn path(&self) -> &str {
        "/who"
    }

    fn methods(&self) -> &[(AdminMethod, Access)] {
        &[(AdminMethod::Get, Access::Open), (AdminMethod::Post, Access::Authorized)]
    }

    fn answer(&self, _: &AdminRequest<'_>) -> AdminResponse {
        let context = Context::current().unwrap();
        let actor = context.actor.map_or("nobody".to_owned(), |actor| actor.id.to_string());
        let address = context.origin.unwrap().client.value;
        AdminResponse::ok("text/plain", format!("{actor} {address}").into_bytes())
    }
}

#[test]
fn a_route_knows_who_asks() {
    let change = |builder: AdminServerBuilder| authorized(builder).route(Arc::new(WhoAmI));
    with_server("a_route_knows_who_asks", change, |server, _| {
        let address = server.address();
        assert_eq!(get(address, "/who", TOKEN).body, "nobody 127.0.0.1");
        let request = format!("POST /who HTTP/1.1\r\nHost: {address}\r\n{TOKEN}\r\n");
        assert_eq!(send(address, &request).body, "alice 127.0.0.1");
    });
}

#[test]
fn requests_are_counted_by_route_and_status() {
    with_server("requests_are_counted_by_route_and_status", authorized, |server, _| {
        let address = server.address();
        get(address, "/config", "");
        get(address, "/loggers", "");
        get(address, "/loggers", "");
        get(address, "/loggers", TOKEN);
        send(address, "GET /loggers HTTP/1.1\r\nHost: evil.example\r\n\r\n");
        let page = get(address, "/metrics", "").body;
        for (labels, count) in [
            ("http_response_status_code=\"404\"", 1),
            ("http_response_status_code=\"403\",http_route=\"/loggers\"", 2),
            ("http_response_status_code=\"200\",http_route=\"/loggers\"", 1),
            ("http_response_status_code=\"421\",http_route=\"/loggers\"", 1),
        ] {
            let line = format!("\nobs_admin_requests_total{{{labels}}} {count}\n");
            assert!(page.contains(&line), "{line}{page}");
        }
    });
}

#[test]
fn names_of_others_and_pages_of_others_are_refused() {
    let change = |builder: AdminServerBuilder| builder.host("obs.internal");
    with_server("names_of_others_and_pages_of_others_are_refused", change, |server, _| {
        let address = server.address();
        let ask = |hosts: &str| send(address, &format!("GET /info HTTP/1.1\r\n{hosts}\r\n")).status;
        for known in ["localhost", "LOCALHOST:9464", "127.0.0.1:1", "[::1]:9464", "obs.internal:80"]
        {
            assert_eq!(ask(&format!("Host: {known}\r\n")), 200, "{known}");
        }
        for other in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:9464", ""] {
            assert_eq!(ask(&format!("Host: {other}\r\n")), 421, "{other}");
        }
        assert_eq!(ask(""), 421);
        assert_eq!(ask("Host: localhost\r\nHost: evil.example\r\n"), 421);
        let site = "Host: localhost\r\nSec-Fetch-Site: ";
        assert_eq!(ask(&format!("{site}cross-site\r\n")), 403);
        assert_eq!(ask(&format!("{site}same-site\r\n")), 403);
        assert_eq!(ask(&format!("{site}none\r\n")), 200);
        let origin = "Host: 127.0.0.1:9464\r\nOrigin: ";
        assert_eq!(ask(&format!("{origin}http://127.0.0.1:9464\r\n")), 200);
        for other in ["http://127.0.0.1:8080", "https://evil.example", "null", ""] {
            assert_eq!(ask(&format!("{origin}{other}\r\n")), 403, "{other}");
        }
    });
}

#[test]
fn what_is_not_there_is_a_problem_document() {
    with_server("what_is_not_there_is_a_problem_document", authorized, |server, _| {
        let address = server.address();
        let nowhere = get(address, "/metrics/", "");
        assert_eq!((nowhere.status, nowhere.json()["status"].as_u64()), (404, Some(404)));
        assert!(!nowhere.body.contains("/metrics/"));
        let deleted =
            send(address, &format!("DELETE /loggers HTTP/1.1\r\nHost: {address}\r\n\r\n"));
        assert_eq!(deleted.status, 405);
        assert!(deleted.head.contains("allow: get, put"), "{}", deleted.head);
        let options =
            send(address, &format!("OPTIONS /loggers HTTP/1.1\r\nHost: {address}\r\n\r\n"));
        assert_eq!(options.status, 405);
        assert!(!options.head.contains("access-control"));
        let head = send(address, &format!("HEAD /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n"));
        assert_eq!((head.status, head.body.as_str()), (200, ""));
    });
}

#[test]
fn what_is_too_large_is_refused() {
    with_server("what_is_too_large_is_refused", authorized, |server, _| {
        let address = server.address();
        assert_eq!(put(address, "/loggers", TOKEN, &"x".repeat(5_000)).status, 413);
        let many: String = (0..100).map(|number| format!("X-{number}: 1\r\n")).collect();
        assert_eq!(get(address, "/info", &many).status, 431);
        let mut stream = connect(address);
        let start = format!("GET /info HTTP/1.1\r\nHost: {address}\r\nX-Large: ");
        stream.write_all(start.as_bytes()).unwrap();
        // One mebibyte; it may be cut off within.
        let _ = stream.write_all(&vec![b'a'; 1 << 20]);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
        assert_eq!(get(address, "/info", "").status, 200);
    });
}

#[test]
fn a_head_that_does_not_end_is_cut_off() {
    with_server(
        "a_head_that_does_not_end_is_cut_off",
        |builder| builder,
        |server, _| {
            let mut stream = connect(server.address());
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: local").unwrap();
            let begin = Instant::now();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            assert!(begin.elapsed() < WITHIN, "it was not cut off");
            assert!(!answer.starts_with(b"HTTP/1.1 200"));
        },
    );
}

#[test]
fn ten_thousand_idle_connections_keep_nobody_out() {
    with_server(
        "ten_thousand_idle_connections_keep_nobody_out",
        |builder| builder,
        |server, _| {
            let mut held = std::collections::VecDeque::new();
            for number in 0..10_000 {
                held.push_back(connect(server.address()));
                if held.len() > 500 {
                    held.pop_front();
                }
                if number % 2_500 == 2_499 {
                    assert_eq!(get(server.address(), "/metrics", "").status, 200);
                }
            }
            let fds = std::fs::read_dir("/proc/self/fd").unwrap().count();
            assert!(fds < 501 + 128 + 50, "{fds}");
        },
    );
}

/// A route whose answers are large.
#[derive(Debug)]
struct Large;

impl AdminRoute for Large {
    fn path(&self) -> &str {
        "/large"
    }

    fn methods(&self) -> &[(AdminMethod, Access)] {
        &[(AdminMethod::Get, Access::Open)]
    }

    fn answer(&self, _: &AdminRequest<'_>) -> AdminResponse {
        AdminResponse::ok("text/plain", vec![b'a'; 20 << 20])
    }
}

#[test]
fn answers_that_nobody_reads_are_bounded() {
    let change = |builder: AdminServerBuilder| builder.route(Arc::new(Large));
    with_server("answers_that_nobody_reads_are_bounded", change, |server, _| {
        let address = server.address();
        let ask = || {
            let mut stream = connect(address);
            let request = format!("GET /large HTTP/1.1\r\nHost: {address}\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let mut first = [0; 12];
            stream.read_exact(&mut first).unwrap();
            (stream, first)
        };
        let held: Vec<_> = (0..4).map(|_| ask()).collect();
        let statuses: Vec<_> = held.iter().map(|(_, first)| &first[9..]).collect();
        assert_eq!(statuses, [b"200", b"200", b"200", b"503"]);
        // Small ones go on, and the memory comes back.
        assert_eq!(get(address, "/info", "").status, 200);
        drop(held);
        let begin = Instant::now();
        while &ask().1[9..] != b"200" {
            assert!(begin.elapsed() < WITHIN);
        }
    });
}

/// A route that panics.
#[derive(Debug)]
struct Broken;

impl AdminRoute for Broken {
    fn path(&self) -> &str {
        "/broken"
    }

    fn methods(&self) -> &[(AdminMethod, Access)] {
        &[(AdminMethod::Post, Access::Authorized)]
    }

    fn answer(&self, _: &AdminRequest<'_>) -> AdminResponse {
        panic!("s3cr3t")
    }
}

#[test]
fn a_route_that_panics_harms_nobody() {
    let change = |builder: AdminServerBuilder| authorized(builder).route(Arc::new(Broken));
    with_server("a_route_that_panics_harms_nobody", change, |server, _| {
        let address = server.address();
        let ask = |token: &str| {
            send(address, &format!("POST /broken HTTP/1.1\r\nHost: {address}\r\n{token}\r\n"))
        };
        assert_eq!(ask("").status, 403);
        let answer = ask(TOKEN);
        assert_eq!(answer.status, 500);
        assert!(!answer.body.contains("s3cr3t"));
        assert_eq!(get(address, "/info", "").status, 200);
    });
}

#[test]
fn where_others_reach_it_has_to_be_asked_for() {
    with_server(
        "where_others_reach_it_has_to_be_asked_for",
        |builder| builder,
        |server, guard| {
            let builder = || AdminServer::builder(guard.observability());
            let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
            let refused = builder().address(everywhere).start().unwrap_err();
            assert_eq!(refused.kind(), AdminErrorKind::NotLoopback);
            assert!(refused.to_string().contains("reachable_from_outside"));
            let taken = builder().address(server.address()).start().unwrap_err();
            assert_eq!(taken.kind(), AdminErrorKind::Address);
            let twice = builder().address(loopback()).route(Arc::new(Large)).route(Arc::new(Large));
            assert_eq!(twice.start().unwrap_err().kind(), AdminErrorKind::Route);
        },
    );
}

#[test]
fn it_ends_within_a_runtime_and_lets_the_address_go() {
    with_server(
        "it_ends_within_a_runtime_and_lets_the_address_go",
        |builder| builder,
        |_, guard| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let builder = AdminServer::builder(guard.observability());
                let server = builder.address(loopback()).start().unwrap();
                let address = server.address();
                let idle = connect(address);
                assert!(server.shutdown());
                assert!(TcpStream::connect(address).is_err());
                drop(idle);
            });
        },
    );
}
