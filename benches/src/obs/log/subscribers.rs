//! Who makes lines of what is logged. All filter the same way.

use std::cell::RefCell;
use std::fmt;
use std::hint::black_box;
use std::io::{self, Write};
use std::sync::Arc;

use obs::log::Layout;
use obs::record::{Filter, Record, RecordLayer, RecordSink};
use tracing::{Dispatch, Level};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

use super::scene::{MakeDispatch, QUIET};

/// Ours, in a layout.
pub(in crate::obs) fn ours<L: Layout>(
    layout: impl Fn() -> L + Send + Sync + 'static,
) -> MakeDispatch {
    Box::new(move || by_records(Arc::new(Lines(layout()))))
}

/// Ours, with records given to `sink`.
pub(super) fn by_records(sink: Arc<dyn RecordSink>) -> Dispatch {
    let filter: Filter = format!("info,{QUIET}=off").parse().expect("a filter");
    let layer = RecordLayer::builder().filter(filter).sink(sink).build();
    Dispatch::new(tracing_subscriber::registry().with(layer))
}

/// As it comes: the event's fields in an object, those of the inner span twice.
pub(super) fn json() -> MakeDispatch {
    Box::new(|| {
        Dispatch::new(tracing_subscriber::fmt().json().with_writer(gone).finish().with(filter()))
    })
}

/// The event's fields at the top, those of spans once, in objects in a list.
pub(in crate::obs) fn flat() -> MakeDispatch {
    Box::new(|| {
        let json = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false);
        Dispatch::new(json.with_writer(gone).finish().with(filter()))
    })
}

/// As tracing-subscriber's.
pub(super) fn json_subscriber() -> MakeDispatch {
    Box::new(|| Dispatch::new(json_subscriber::fmt().with_writer(gone).finish().with(filter())))
}

/// All fields at the top, as ours.
pub(super) fn flat_json_subscriber() -> MakeDispatch {
    Box::new(|| {
        let json = json_subscriber::fmt::layer()
            .flatten_event(true)
            .flatten_span_list_on_top_level(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(gone);
        Dispatch::new(tracing_subscriber::registry().with(json).with(filter()))
    })
}

/// Nobody looks at anything: what `tracing` and its registry take by themselves.
pub(super) fn nobody() -> MakeDispatch {
    Box::new(|| Dispatch::new(tracing_subscriber::registry().with(filter())))
}

fn filter() -> Targets {
    Targets::new().with_default(Level::INFO).with_target(QUIET, tracing_core::LevelFilter::OFF)
}

fn gone() -> impl Write {
    Gone
}

/// Takes lines and lets them go.
struct Gone;

impl Write for Gone {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        #[cfg(test)]
        tests::LAST.set(line.into());
        black_box(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes lines into what the thread keeps for them, as peers do, and lets them go.
struct Lines<L>(L);

thread_local! {
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl<L: Layout> RecordSink for Lines<L> {
    fn record(&self, record: &Record<'_>) {
        LINE.with_borrow_mut(|line| {
            line.clear();
            self.0.write(record, line);
            Gone.write_all(line).expect("it takes everything");
        });
    }
}

impl<L> fmt::Debug for Lines<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lines")
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tracing::dispatcher::with_default;

    use super::{MakeDispatch, flat, flat_json_subscriber, json, json_subscriber, nobody, ours};
    use crate::obs::log::LINE;
    use crate::obs::log::scene::Scene;
    use obs::log::JsonFlat;

    thread_local! {
        pub(super) static LAST: RefCell<Vec<u8>> = RefCell::default();
    }

    /// The last line of a scene, or nothing.
    fn line(scene: Scene, make: &MakeDispatch) -> String {
        LAST.take();
        with_default(&make(), || {
            let _open = scene.open();
            scene.operation()();
        });
        String::from_utf8(LAST.take()).unwrap()
    }

    #[test]
    fn all_say_the_same() {
        let all = [ours(JsonFlat::new), json(), flat(), json_subscriber(), flat_json_subscriber()];
        let said = [
            "request completed",
            r#""latency_us":1234"#,
            "abcdefghijklmnop",
            "/api/v1/items/42",
            r#""tenant":"acme""#,
            r#""user_id":12345"#,
            "INFO",
            "scene",
        ];
        for make in &all {
            for scene in [Scene::EventInSpans, Scene::SpansAndEvent] {
                let line = line(scene, make);
                assert!(said.iter().all(|part| line.contains(part)), "{line}");
            }
            assert_eq!(line(Scene::Filtered, make), "");
        }
        assert_eq!(line(Scene::EventInSpans, &nobody()), "");
    }

    #[test]
    fn the_size_of_rows_is_that_of_the_line() {
        assert_eq!(line(Scene::EventInSpans, &ours(JsonFlat::new)).len(), LINE);
    }
}
