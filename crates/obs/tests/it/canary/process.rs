//! The same through a whole process: what it writes to its standard streams and to files, and what its admin listener
//! answers. With what only a process has: panics, the facade `log`, requests, the environment.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use obs::admin::{AdminRequest, AdminServer};
use obs::http::{RequestIdLayer, ServerLayer, axum_route};
use obs::log::{FileTarget, Quota, RateLimit};
use obs::record::{Note, RecordHandle, Resource};
use obs::setup::{Format, Guard, Observability, Output, Panics};
use request_context::{Actor, Id};
use tracing_core::Level;

use super::canaries;
use super::routes::{Env, NUMBER, ROUTES};
use crate::child;

pub(super) const FORMATS: [Format; 8] = [
    Format::Console,
    Format::Json,
    Format::Ecs,
    Format::EcsNested,
    Format::Datadog,
    Format::GoogleCloud,
    Format::NewRelic,
    Format::Logfmt,
];

const WITHIN: Duration = Duration::from_secs(30);

/// All outputs, each in a format of its own; and one that suppresses.
fn install(folder: &Path, secret: &str) -> Guard {
    let file = |name: &str| FileTarget::builder(folder.join(name));
    let variables = [
        ("OTEL_RESOURCE_ATTRIBUTES", format!("db.password={secret},note=token%3D{secret}")),
        ("OTEL_LOG_LEVEL", secret.to_owned()),
        ("RUST_LOG", format!("password={secret}")),
    ];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    let builder = Observability::builder()
        .resource(Resource::new("orders").with("api_key", secret))
        .environment(variables)
        .with_log_bridge()
        .panics(Panics::LogWithBacktraces)
        .output(Output::stdout())
        .output(Output::stderr().format(Format::Console));
    let builder = FORMATS.iter().fold(builder, |builder, format| {
        let name = format!("{format:?}");
        builder.output(Output::file(&name, file(&name)).format(*format))
    });
    let quota = Quota::new(NonZeroU32::MIN, Duration::from_secs(3_600));
    let limited = Output::file("limited", file("limited")).rate_limit(RateLimit::new(quota));
    builder.output(limited).install().unwrap()
}

fn panics(secret: &str) {
    let caught = |work: &dyn Fn()| {
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err());
    };
    caught(&|| panic!("no connection: password={secret}"));
    // A static text, of which the secret is none.
    caught(&|| panic!("refused: Authorization: Bearer abc.def"));
    caught(&|| std::panic::panic_any(secret.to_owned().into_bytes()));
    caught(&|| std::panic::panic_any(format!("token={secret}")));
    let result: Result<(), String> = Err(format!("password={secret}"));
    caught(&|| result.clone().unwrap());
}

fn suppressed(handle: &RecordHandle, secret: &str) {
    let target = format!("token={secret}");
    let note = Note::new(Level::WARN, &target).at("src/limited.rs", 7);
    (0..10).for_each(|_| handle.record(&note, &format!("password={secret}")));
}

fn exchange(address: SocketAddr, request: &str) -> String {
    assert!(address.ip().is_loopback());
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(WITHIN)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

/// Requests with the secret in each of their parts that has a place for it.
fn requests(secret: &str) -> String {
    let router: Router = Router::new()
        .route("/orders/{id}", get(|| async { "an order" }))
        .layer(ServerLayer::new().route_by(axum_route).log_access())
        .layer(RequestIdLayer::new().answer_ids());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let address = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    });
    let mut answers = String::new();
    for (method, path) in [
        ("GET", format!("/orders/7?password={secret}&sig={secret}&x=1")),
        ("GET", format!("/nowhere/token={secret}")),
        ("GET", format!("/orders/token:{secret}")),
        ("POST", format!("/orders/7?next=https://a:{secret}@host/")),
    ] {
        answers += &exchange(
            address,
            &format!(
                "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {secret}\r\n\
                 Cookie: session={secret}\r\nX-Request-Id: token={secret}\r\nX-Correlation-Id: token={secret}\r\n\
                 Traceparent: 00-{secret}-00f067aa0ba902b7-01\r\nUser-Agent: curl password={secret}\r\n\
                 Referer: https://x/?token={secret}\r\n\r\n"
            ),
        );
    }
    answers
}

fn admin(guard: &Guard, secret: &'static str) -> String {
    let is_known = |request: &AdminRequest<'_>| {
        let is_known = request.header("x-operator") == Some("o-1");
        is_known.then(|| Actor::user(Id::new("o-1").unwrap()))
    };
    let server = AdminServer::builder(guard.observability())
        .address(([127, 0, 0, 1], 0).into())
        .fact("build.token", secret)
        .fact("build.url", &format!("https://ci:{secret}@host/"))
        .config(move || format!("db:\n  password: \"{secret}\"\n  url: postgres://a:{secret}@h/\n"))
        .authorizer(is_known)
        .start()
        .unwrap();
    let address = server.address();
    let mut answers = String::new();
    for (line, more) in [
        ("GET /metrics", ""),
        ("GET /metrics", "Accept: application/openmetrics-text\r\n"),
        ("GET /info", ""),
        ("GET /config", ""),
        ("GET /loggers", ""),
    ] {
        let head = format!(
            "Host: {address}\r\nX-Operator: o-1\r\nAuthorization: Bearer {secret}\r\n{more}"
        );
        let answer = exchange(address, &format!("{line}?token={secret} HTTP/1.1\r\n{head}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{line}: {answer}");
        answers += &answer;
    }
    let body = format!("info,app[token={secret}]=debug");
    let head = format!("Host: {address}\r\nX-Operator: o-1\r\nContent-Length: {}\r\n", body.len());
    answers += &exchange(address, &format!("PUT /loggers HTTP/1.1\r\n{head}\r\n{body}"));
    answers
}

fn measure(secret: &str) {
    metrics::counter!("logins", "password" => secret.to_owned()).increment(1);
    metrics::histogram!("failures", "error" => format!("token={secret}")).record(1.0);
}

#[test]
fn no_route_leads_out_of_a_process() {
    let (canary, number) = canaries();
    if let Some(folder) = child::folder() {
        let secret = canary.text();
        let guard = install(&folder, secret);
        let handle = guard.observability().records();
        for (_, route) in ROUTES {
            route(&Env { secret, handle });
        }
        log::warn!("password={secret}");
        log::warn!(target: "app", api_key = secret; "pin={NUMBER}");
        panics(secret);
        suppressed(handle, secret);
        measure(secret);
        fs::write(folder.join("http"), requests(secret)).unwrap();
        fs::write(folder.join("admin"), admin(&guard, String::leak(secret.to_owned()))).unwrap();
        assert!(guard.shutdown(WITHIN).is_complete());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "canary::process::no_route_leads_out_of_a_process";
    let output = child::command(test, folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let mut all = vec![("stdout".to_owned(), output.stdout), ("stderr".to_owned(), output.stderr)];
    for file in fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap()) {
        all.push((file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()));
    }
    assert_eq!(all.len(), 2 + FORMATS.len() + 1 + 2, "all outputs are there");
    let mut leaks = Vec::new();
    for (output, bytes) in &all {
        let text = String::from_utf8_lossy(bytes);
        for line in text.lines() {
            let found = canary.find(line.as_bytes()).or_else(|| number.find(line.as_bytes()));
            leaks.extend(found.map(|form| format!("{output}: {form}: {line}")));
        }
        if output != "http" {
            assert!(text.contains("[REDACTED]"), "{output}: {text}");
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    came_through(&all);
}

/// What is not written leaks nothing; here all of it was written.
fn came_through(all: &[(String, Vec<u8>)]) {
    let text = |name: &str| {
        let (_, bytes) = all.iter().find(|(output, _)| output == name).unwrap();
        String::from_utf8_lossy(bytes).into_owned()
    };
    let least = ROUTES.len() + 2 + 5 + 10;
    for output in
        ["stdout", "Json", "Ecs", "EcsNested", "Datadog", "GoogleCloud", "NewRelic", "Logfmt"]
    {
        let text = text(output);
        assert!(text.lines().count() > least, "{output}");
        for part in ["panicked: no connection", "request ended", "RUST_LOG", "OTEL_LOG_LEVEL"] {
            assert!(text.contains(part), "{output}: {part}");
        }
    }
    assert!(text("limited").contains("9 log records suppressed"), "{}", text("limited"));
    let admin = text("admin");
    for part in [
        "logins_total{password=\"[REDACTED]\"} 1",
        "\"api_key\":\"[REDACTED]\"",
        "# EOF",
        "HTTP/1.1 400",
    ] {
        assert!(admin.contains(part), "{part}: {admin}");
    }
    assert_eq!(text("http").matches("HTTP/1.1 ").count(), 4);
}
