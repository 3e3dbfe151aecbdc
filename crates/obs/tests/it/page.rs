//! Pages of metrics that are compressed, and those who read them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use metrics::{counter, with_local_recorder};
use obs::admin::AdminServer;
use obs::metric::{ContentCoding, Exposition, MetricPage, MetricRecorder};
use obs::record::Resource;
use obs::setup::Observability;
use peers::Prometheus;
use proptest::prelude::*;

use crate::child;
use crate::metrics::text;

const WITHIN: Duration = Duration::from_secs(30);

#[test]
fn gzip_is_given_to_who_asks_for_it() {
    let asked = [
        ("gzip", true),
        ("GZip", true),
        ("x-gzip", true),
        ("gzip, deflate, br, zstd", true),
        ("deflate,gzip;q=0.001", true),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", true),
        ("*", true),
        ("identity;q=0.5, *;q=0.5", true),
        ("identity;q=0", false),
        ("gzip; q=1.000 ,identity;q=1", true),
        ("gzip;Q=0.5", true),
        ("", false),
        ("gzip;q=0", false),
        ("gzip;q=0.000", false),
        ("gzip;q=0, *;q=1", false),
        ("*;q=0", false),
        ("identity", false),
        ("identity, gzip;q=0.9", false),
        ("gzip, gzip;q=0", false),
        ("gzipped", false),
        ("deflate, br", false),
        // Weights that are none.
        ("gzip;q=", false),
        ("gzip;q=2", false),
        ("gzip;q=1.001", false),
        ("gzip;q=0.5000", false),
        ("gzip;q=-1", false),
        ("gzip;q=1e0", false),
        ("gzip;q=+1", false),
        ("gzip;q=NaN", false),
        ("gzip;level=9", false),
    ];
    for (header, is_given) in asked {
        let coding = ContentCoding::accepted(header);
        assert_eq!(coding == ContentCoding::Gzip, is_given, "{header}");
    }
}

proptest! {
    #[test]
    fn nobody_is_given_a_coding_that_they_did_not_name(header in "[a-z*;=,. 01q]{0,40}|.{0,40}") {
        let is_named = header.to_ascii_lowercase().contains("gzip") || header.contains('*');
        prop_assert!(is_named || ContentCoding::accepted(&header) == ContentCoding::Identity);
    }

    #[test]
    fn the_order_of_codings_does_not_matter(
        mut codings in proptest::sample::subsequence(
            vec!["gzip", "gzip;q=0", "gzip;q=0.4", "identity;q=0.5", "identity", "*;q=0.6", "*;q=0", "br"], 0..6)
    ) {
        let before = ContentCoding::accepted(&codings.join(", "));
        codings.reverse();
        prop_assert_eq!(before, ContentCoding::accepted(&codings.join(",")));
    }
}

/// So many series, at 70 bytes each.
fn filled(series: u64) -> MetricRecorder {
    let recorder = MetricRecorder::builder().build();
    with_local_recorder(&recorder, || {
        for number in 0..series {
            counter!("app.orders", "http.route" => format!("/orders/{number}"), "method" => "GET")
                .increment(number.wrapping_mul(7_919) % 1_000_000);
        }
    });
    recorder
}

/// Reads gzip by what is not ours: zlib, as Python has it. It checks the sum and the length at the end.
fn decompressed(bytes: &[u8]) -> String {
    let script =
        "import gzip,sys; sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))";
    let mut child = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, bytes) = (child.stdin.take().unwrap(), bytes.to_vec());
    let writer = thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_page_is_the_same_when_it_is_read_whatever_its_format_and_length() {
    for series in [20, 500, 2_000] {
        let recorder = filled(series);
        for format in [Exposition::Text, Exposition::OpenMetrics] {
            let plain = MetricPage::render(&recorder, format, ContentCoding::Identity).unwrap();
            assert_eq!(plain.coding(), ContentCoding::Identity);
            let plain = String::from_utf8(plain.into_body()).unwrap();
            let page = MetricPage::render(&recorder, format, ContentCoding::Gzip).unwrap();
            assert_eq!((page.coding(), page.format()), (ContentCoding::Gzip, format));
            let headers: Vec<_> = page.headers().collect();
            assert!(headers.contains(&("content-encoding", "gzip")), "{headers:?}");
            assert!(headers.contains(&("content-type", format.content_type())));
            let body = page.into_body();
            assert!(body.len() * 3 < plain.len(), "{} of {}", body.len(), plain.len());
            assert_eq!(decompressed(&body), plain);
            // It tells nothing of when and where it was made, so that equal pages are equal.
            let again = MetricPage::render(&recorder, format, ContentCoding::Gzip).unwrap();
            assert_eq!(again.into_body(), body);
        }
    }
}

#[test]
fn a_page_that_is_short_is_sent_as_it_is() {
    let recorder = MetricRecorder::builder().build();
    let whole = text(&recorder, Exposition::Text);
    assert!(whole.len() < 1_024, "{}", whole.len());
    let page = MetricPage::render(&recorder, Exposition::Text, ContentCoding::Gzip).unwrap();
    assert_eq!(page.coding(), ContentCoding::Identity);
    assert_eq!(page.headers().find(|(name, _)| *name == "content-encoding"), None);
    assert!(page.headers().any(|(name, _)| name == "vary"));
    assert_eq!(page.into_body(), whole.into_bytes());
}

fn with_server(test: &str, work: impl FnOnce(SocketAddr)) {
    child::alone(&format!("page::{test}"), || {
        let guard = Observability::builder().resource(Resource::new("orders")).install().unwrap();
        let address = ([127, 0, 0, 1], 0).into();
        let server = AdminServer::builder(guard.observability()).address(address).start().unwrap();
        for number in 0..500_u64 {
            counter!("app.orders", "http.route" => format!("/orders/{number}")).increment(number);
        }
        work(server.address());
    });
}

/// The head of the answer in lower case, and its body.
fn asked(address: SocketAddr, method: &str, headers: &str) -> (String, Vec<u8>) {
    assert!(address.ip().is_loopback());
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(WITHIN)).unwrap();
    let request = format!("{method} /metrics HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end + 2].to_vec()).unwrap().to_lowercase();
    (head, answer.split_off(end + 4))
}

const GZIP: &str = "content-encoding: gzip\r\n";

#[test]
fn the_listener_compresses_for_who_asks_and_says_that_it_may() {
    with_server("the_listener_compresses_for_who_asks_and_says_that_it_may", |address| {
        let (head, body) = asked(address, "GET", "Accept-Encoding: gzip\r\n");
        assert!(head.starts_with("http/1.1 200") && head.contains(GZIP), "{head}");
        assert!(head.contains("vary: accept, accept-encoding\r\n"), "{head}");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
        assert!(
            decompressed(&body).contains("\napp_orders_total{http_route=\"/orders/499\"} 499\n")
        );
        for plain in ["", "Accept-Encoding: gzip;q=0\r\n", "Accept-Encoding: br\r\n"] {
            let (head, body) = asked(address, "GET", plain);
            assert!(!head.contains("content-encoding"), "{head}");
            assert!(head.contains("vary: accept, accept-encoding\r\n"), "{head}");
            assert!(String::from_utf8(body).unwrap().contains("\napp_orders_total{"));
        }
        let several = "Accept-Encoding: br\r\nAccept: application/openmetrics-text\r\nAccept-Encoding: gzip\r\n";
        let (head, body) = asked(address, "GET", several);
        assert!(head.contains(GZIP) && head.contains("openmetrics-text"), "{head}");
        assert!(decompressed(&body).ends_with("# EOF\n"));
        // What `GET` would answer, without the page.
        let (head, body) = asked(address, "HEAD", "Accept-Encoding: gzip\r\n");
        assert!(head.contains(GZIP) && head.contains("content-length: "), "{head}");
        assert!(body.is_empty());
        let (head, body) = asked(address, "PUT", "Accept-Encoding: gzip\r\n");
        assert!(head.starts_with("http/1.1 405") && !head.contains("content-encoding"), "{head}");
        assert!(body.starts_with(b"{"));
    });
}

/// What was said on one connection.
struct Exchange {
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// Hands on one connection after another, and tells what was said.
fn overheard(to: SocketAddr) -> (SocketAddr, mpsc::Receiver<Exchange>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (say, heard) = mpsc::channel();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let (mut request, mut part) = (Vec::new(), [0; 4_096]);
            while !request.ends_with(b"\r\n\r\n") {
                match client.read(&mut part) {
                    Ok(0) | Err(_) => break,
                    Ok(read) => request.extend_from_slice(&part[..read]),
                }
            }
            let mut server = TcpStream::connect(to).unwrap();
            server.write_all(&request).unwrap();
            let mut answer = Vec::new();
            server.read_to_end(&mut answer).unwrap();
            // It may go away.
            let _ = client.write_all(&answer);
            if say.send(Exchange { request, answer }).is_err() {
                return;
            }
        }
    });
    (address, heard)
}

#[test]
fn prometheus_asks_for_gzip_by_itself_and_reads_it() {
    with_server("prometheus_asks_for_gzip_by_itself_and_reads_it", |address| {
        let (address, heard) = overheard(address);
        let prometheus = Prometheus::start(address).unwrap();
        let Exchange { request, answer } = heard.recv_timeout(Duration::from_secs(60)).unwrap();
        let lower = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_lowercase();
        assert!(lower(&request).contains("\r\naccept-encoding: gzip\r\n"), "{}", lower(&request));
        assert!(lower(&answer).contains(GZIP), "{}", lower(&answer));
        let query = "/api/v1/query?query=sum(app_orders_total)";
        let start = Instant::now();
        loop {
            let stored = prometheus.ask(query).unwrap();
            // The sum of 0 to 499.
            if stored["result"][0]["value"][1] == "124750" {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "{stored}\n{}", prometheus.log());
            thread::sleep(Duration::from_millis(200));
        }
    });
}
