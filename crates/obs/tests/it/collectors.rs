//! Those who read expositions: Prometheus itself, its promtool, and the parsers of its library for Python.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use metrics::{counter, gauge, histogram, with_local_recorder};
use obs::metric::{Exposition, MetricRecorder};
use peers::{Prometheus, PrometheusClient, promtool_check_metrics};
use serde_json::{Value, json};

use crate::metrics::{in_trace, recorder, text};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const HOSTILE: [&str; 8] = [
    "",
    "\\",
    "\\\\",
    "\\\"",
    "a\nb\\n",
    "{le=\"1\"} 7 # {a=\"b\"} 1",
    "\r\t\0\u{1b}[31m",
    "語🦀\u{202e}",
];

/// One of everything, with labels that try to be more.
fn filled() -> MetricRecorder {
    let recorder = recorder();
    let header = format!("00-{TRACE}-00f067aa0ba902b7-01");
    with_local_recorder(&recorder, || {
        for (number, hostile) in (1..).zip(HOSTILE) {
            counter!("jobs.done", "outcome" => hostile).increment(number);
            let usage = f64::from(i32::try_from(number).unwrap());
            gauge!("pool.usage", "pool.name" => hostile).set(usage / -3.0);
        }
        gauge!("pool.usage", "of" => "numbers").set(1e-300);
        in_trace(&header, || {
            for seconds in [0.05, 0.1, 5.0, 1e9] {
                histogram!("job.duration", "job.kind" => "\"mail\"\n").record(seconds);
            }
            counter!("traced.jobs").increment(2);
        });
        histogram!("falling").record(-3);
        metrics::describe_histogram!("falling", "a sum that falls");
        metrics::describe_counter!("traced.jobs", "counted in a trace");
    });
    recorder
}

/// What was counted under each hostile label.
fn counted() -> Vec<(String, f64)> {
    HOSTILE.iter().map(ToString::to_string).zip((1..).map(f64::from)).collect()
}

fn family<'a>(families: &'a Value, name: &str) -> &'a Value {
    families.as_array().unwrap().iter().find(|family| family["name"] == name).unwrap()
}

/// What the samples of a family say, by the value of a label.
fn by_label(family: &Value, label: &str) -> Vec<(String, f64)> {
    let samples = family["samples"].as_array().unwrap().iter();
    let labelled = samples.filter_map(|sample| {
        Some((sample["labels"][label].as_str()?.to_owned(), sample["value"].as_f64().unwrap()))
    });
    labelled.collect()
}

#[test]
fn the_strict_parser_reads_open_metrics_and_finds_what_was_recorded() {
    let client = PrometheusClient::start().unwrap();
    let recorder = filled();
    let families = client.open_metrics(&text(&recorder, Exposition::OpenMetrics)).unwrap();

    let jobs = family(&families, "jobs_done");
    assert_eq!((&jobs["type"], &jobs["unit"]), (&json!("counter"), &json!("")));
    assert_eq!(jobs["help"], "jobs \\ that \"were\"\ndone");
    assert_eq!(by_label(jobs, "outcome"), counted());

    let traced = &family(&families, "traced_jobs")["samples"][0];
    assert_eq!(
        (&traced["exemplar"]["labels"]["trace_id"], &traced["exemplar"]["value"]),
        (&json!(TRACE), &json!(2.0))
    );

    let usage = family(&families, "pool_usage_ratio");
    assert_eq!((&usage["type"], &usage["unit"]), (&json!("gauge"), &json!("ratio")));
    assert_eq!(by_label(usage, "of"), [("numbers".to_owned(), 1e-300)]);

    let duration = family(&families, "job_duration_seconds");
    assert_eq!((&duration["type"], &duration["unit"]), (&json!("histogram"), &json!("seconds")));
    let buckets = duration["samples"].as_array().unwrap();
    assert_eq!(buckets[0]["labels"], json!({ "job_kind": "\"mail\"\n", "le": "0.1" }));
    assert_eq!(buckets[0]["exemplar"]["labels"]["trace_id"], TRACE);
    assert_eq!(buckets[0]["exemplar"]["value"], 0.05);
    assert!(buckets[0]["exemplar"]["time"].as_f64().unwrap() > 1.7e9);
    assert_eq!(buckets[3]["exemplar"]["value"], 1e9);
    assert_eq!(buckets[4]["name"], "job_duration_seconds_sum");

    // The parser is strict indeed.
    let cut = text(&recorder, Exposition::OpenMetrics).replace("# EOF\n", "");
    assert!(client.open_metrics(&cut).is_err());
}

#[test]
fn the_text_format_is_read_back_whole() {
    let client = PrometheusClient::start().unwrap();
    let families = client.text(&text(&filled(), Exposition::Text)).unwrap();
    assert_eq!(by_label(family(&families, "jobs_done"), "outcome"), counted());
    let falling = family(&families, "falling")["samples"].as_array().unwrap();
    assert_eq!(falling.iter().find(|it| it["name"] == "falling_sum").unwrap()["value"], -3.0);
}

#[test]
fn promtool_finds_nothing_wrong_with_what_is_described() {
    let found = promtool_check_metrics(&text(&filled(), Exposition::Text)).unwrap();
    assert_eq!(found, "");
    // It finds what is wrong.
    let recorder = MetricRecorder::builder().build();
    with_local_recorder(&recorder, || gauge!("undescribed").set(1));
    let found = promtool_check_metrics(&text(&recorder, Exposition::Text)).unwrap();
    assert!(found.contains("undescribed no help text"), "{found}");
}

/// Serves expositions on a port of loopback, in the format that is asked for, until the process ends.
fn serve(recorder: MetricRecorder) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut format = Exposition::Text;
            let lines = BufReader::new(connection.try_clone().unwrap()).lines();
            for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
                if let Some(("accept", accept)) = line
                    .to_ascii_lowercase()
                    .split_once(':')
                    .map(|(name, value)| (name.trim(), value))
                {
                    format = Exposition::accepted(accept);
                }
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nConnection: close\r\n\r\n",
                format.content_type()
            );
            // A collector may go away.
            let _ = connection.write_all(head.as_bytes());
            let _ = recorder.render(format, &mut connection);
        }
    });
    address
}

/// Asks until the answer is as it is to be: Prometheus collects every second, and what it stored can be
/// asked for a moment later.
fn eventually(prometheus: &Prometheus, path: &str, is_there: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        let answer = prometheus.ask(path).unwrap();
        if is_there(&answer) {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{answer}\n{}", prometheus.log());
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn prometheus_stores_the_series_and_their_exemplars() {
    let prometheus = Prometheus::start(serve(filled())).unwrap();
    let query = "/api/v1/query_exemplars?query=job_duration_seconds_bucket&start=0&end=9999999999";
    let exemplars = eventually(&prometheus, query, |answer| answer.as_array().unwrap().len() == 3);
    for series in exemplars.as_array().unwrap() {
        assert_eq!(series["exemplars"][0]["labels"]["trace_id"], TRACE);
    }
    let query = "/api/v1/query_exemplars?query=traced_jobs_total&start=0&end=9999999999";
    let counted_in = prometheus.ask(query).unwrap();
    assert_eq!(counted_in[0]["exemplars"][0]["labels"]["trace_id"], TRACE, "{counted_in}");
    let answer = eventually(&prometheus, "/api/v1/query?query=jobs_done_total", |answer| {
        answer["result"].as_array().unwrap().len() == HOSTILE.len()
    });
    let mut stored: Vec<(String, f64)> = answer["result"]
        .as_array()
        .unwrap()
        .iter()
        .map(|series| {
            let outcome = series["metric"]["outcome"].as_str().unwrap_or_default();
            (outcome.to_owned(), series["value"][1].as_str().unwrap().parse().unwrap())
        })
        .collect();
    stored.sort_by(|one, other| one.1.total_cmp(&other.1));
    assert_eq!(stored, counted());
    let metadata = "/api/v1/metadata?metric=job_duration_seconds";
    let units =
        eventually(&prometheus, metadata, |answer| answer.get("job_duration_seconds").is_some());
    assert_eq!(units["job_duration_seconds"][0]["unit"], "seconds");
}
