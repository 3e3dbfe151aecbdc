//! A sink that keeps lines, and subscribers that give to it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use obs::log::{JsonFlat, Layout};
use obs::record::{Record, RecordLayer, RecordLayerBuilder, RecordSink};
use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt;

#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<Vec<u8>>);

impl RecordSink for Lines {
    fn record(&self, record: &Record<'_>) {
        JsonFlat::new().write(record, &mut self.0.lock().unwrap());
    }
}

impl Lines {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn all(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn last(&self) -> Value {
        self.all().pop().unwrap()
    }
}

/// What is logged in `work`, as lines.
pub(crate) fn logged(work: impl FnOnce()) -> Arc<Lines> {
    logged_by(|builder| builder, work)
}

pub(crate) fn logged_by(
    change: impl FnOnce(RecordLayerBuilder) -> RecordLayerBuilder,
    work: impl FnOnce(),
) -> Arc<Lines> {
    let lines = Arc::new(Lines::default());
    let builder = RecordLayer::builder().sink(Arc::<Lines>::clone(&lines));
    let subscriber = tracing_subscriber::registry().with(change(builder).build());
    tracing::subscriber::with_default(subscriber, work);
    lines
}

/// A target in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Memory {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        let lines = self.lines();
        lines.iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }
}

/// Waits for what comes at once, unless the machine is busy.
pub(crate) fn wait_for(what: impl Fn() -> bool) {
    let begin = Instant::now();
    while !what() {
        assert!(begin.elapsed() < Duration::from_secs(60), "did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}
