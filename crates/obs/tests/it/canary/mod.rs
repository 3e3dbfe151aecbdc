//! A secret goes every way that leads into a log, and comes out nowhere: each route to each output, in one table of
//! each. Without the rules it does come out, of each route to each output: what the table has is looked at.
//! Routes and outputs that are not in the tables make [`complete`] fail.

mod complete;
mod outputs;
mod process;
mod routes;

use std::sync::{Arc, Mutex};

use obs::log::Layout;
use obs::metric::{Exposition, MetricRecorder};
use obs::record::{REDACTED, Record, RecordLayer, RecordSink, RedactedKeys, Resource};
use obs::testing::Canary;
use tracing_subscriber::layer::SubscriberExt;

use self::outputs::OUTPUTS;
use self::routes::{Env, ROUTES};

/// A line of a layout.
#[derive(Debug)]
struct Lines(Box<dyn Layout>, Mutex<Vec<u8>>);

impl RecordSink for Lines {
    fn record(&self, record: &Record<'_>) {
        self.0.write(record, &mut self.1.lock().unwrap());
    }
}

/// What every output makes of one route.
fn written(keys: &RedactedKeys, secret: &str, route: fn(&Env<'_>)) -> Vec<(&'static str, Vec<u8>)> {
    let outputs: Vec<_> = OUTPUTS
        .iter()
        .map(|(name, make)| {
            (*name, Arc::new(Lines(make(&Resource::new("orders")), Mutex::default())))
        })
        .collect();
    let layer = RecordLayer::builder().redacted_keys(keys.clone());
    let layer = outputs
        .iter()
        .fold(layer, |layer, (_, lines)| layer.sink(Arc::<Lines>::clone(lines)))
        .build();
    let handle = layer.handle();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        route(&Env { secret, handle: &handle });
    });
    outputs.iter().map(|(name, lines)| (*name, lines.1.lock().unwrap().clone())).collect()
}

#[test]
fn no_route_leads_to_any_output() {
    let (canary, number) = canaries();
    let mut leaks = Vec::new();
    for (route, run) in ROUTES {
        for (output, bytes) in written(&RedactedKeys::default(), canary.text(), *run) {
            let text = String::from_utf8_lossy(&bytes);
            if let Some(form) = canary.find(&bytes).or_else(|| number.find(&bytes)) {
                leaks.push(format!("{route} → {output}: {form}: {text}"));
            }
            if !text.contains(REDACTED) {
                leaks.push(format!("{route} → {output}: nothing is redacted: {text}"));
            }
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

/// What the test above looks for would be there.
#[test]
fn without_rules_each_route_leads_to_each_output() {
    let (canary, number) = canaries();
    let mut silent = Vec::new();
    for (route, run) in ROUTES {
        for (output, bytes) in written(&RedactedKeys::insecure_none(), canary.text(), *run) {
            let is_always_hidden = *route == "message with a URL";
            if canary.find(&bytes).or_else(|| number.find(&bytes)).is_none() != is_always_hidden {
                silent.push(format!("{route} → {output}: {}", String::from_utf8_lossy(&bytes)));
            }
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

fn canaries() -> (Canary, Canary) {
    (Canary::named("every route"), Canary::of(routes::NUMBER.to_string().as_bytes()))
}

/// What a service says of itself is on every line, and there is no switch that shows it all.
#[test]
fn no_resource_leads_to_any_output() {
    let (canary, _) = canaries();
    let resource = |secret: &str| {
        Resource::new("orders")
            .with("db.password", secret)
            .with("note", &format!("see https://app:{secret}@host/?token={secret}"))
            .with(Resource::HOST_NAME, &format!("token={secret}"))
    };
    let (hidden, shown) =
        (resource(canary.text()), resource("harmless").with("words", canary.text()));
    let says = |make: &outputs::Output, resource| {
        let lines = Arc::new(Lines(make.1(resource), Mutex::default()));
        let layer = RecordLayer::builder().sink(Arc::<Lines>::clone(&lines)).build();
        layer.handle().record(&obs::record::Note::new(tracing::Level::ERROR, "t"), &"m");
        lines.1.lock().unwrap().clone()
    };
    let mut with_resource = 0;
    for output in OUTPUTS {
        assert_eq!(canary.find(&says(output, &hidden)), None, "{}", output.0);
        // What nothing names is shown, by those that show resources.
        with_resource += usize::from(canary.find(&says(output, &shown)).is_some());
    }
    assert_eq!(with_resource, 10);
    assert_eq!(hidden.get("db.password"), Some(REDACTED));
}

#[test]
fn no_label_leads_to_any_page() {
    let (canary, number) = canaries();
    let page = |keys: &RedactedKeys, format| {
        let recorder = MetricRecorder::builder()
            .redacted_keys(keys.clone())
            .resource(Resource::new("s").with("api_key", canary.text()));
        let recorder = recorder.longest_label(64).build();
        metrics::with_local_recorder(&recorder, || {
            let secret = || canary.text().to_owned();
            let text = || format!("refused: password={}", canary.text());
            metrics::counter!("by.name", "password" => secret()).increment(1);
            metrics::gauge!("by.number", "card_number" => routes::NUMBER.to_string()).set(1.0);
            metrics::counter!("by.text", "error" => text()).increment(1);
            metrics::histogram!("by.url", "url" => format!("amqp://a:{}@h", secret())).record(1.0);
            metrics::histogram!("cut", "error" => text().repeat(3)).record(1.0);
            // Exemplars show ids and values.
            let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
            request_context::Context::new().with_trace(trace).sync_scope(|| {
                metrics::histogram!("exemplar", "token" => secret()).record(0.5);
            });
        });
        let mut page = Vec::new();
        recorder.render(format, &mut page).unwrap();
        String::from_utf8(page).unwrap()
    };
    for format in [Exposition::Text, Exposition::OpenMetrics] {
        let shown = page(&RedactedKeys::default(), format);
        for line in shown.lines() {
            assert_eq!(
                canary.find(line.as_bytes()).or(number.find(line.as_bytes())),
                None,
                "{line}"
            );
        }
        for metric in ["by_name", "by_number", "by_text", "by_url", "cut", "exemplar"] {
            let is_redacted = |line: &str| line.starts_with(metric) && line.contains(REDACTED);
            assert!(shown.lines().any(is_redacted), "{metric}: {shown}");
        }
        let all = page(&RedactedKeys::insecure_none(), format);
        for metric in ["by_name", "by_text", "cut", "exemplar"] {
            let has =
                |line: &str| line.starts_with(metric) && canary.find(line.as_bytes()).is_some();
            assert!(all.lines().any(has), "{metric}");
        }
        assert!(number.find(all.as_bytes()).is_some());
    }
    assert!(page(&RedactedKeys::default(), Exposition::OpenMetrics).contains("# {trace_id="));
}
