//! Events and spans as lines.

mod outputs;
mod scene;
mod subscribers;

use std::time::Duration;

use obs::log::{Console, Datadog, Ecs, GoogleCloud, JsonFlat, Logfmt, NewRelic};
use obs::record::Resource;

pub(super) use self::scene::MakeDispatch;
use self::scene::{Scene, case};
pub(super) use self::subscribers::{flat, ours};
use self::subscribers::{flat_json_subscriber, json, json_subscriber, nobody};
use crate::harness::{Case, Peer, Row};

/// Bytes of the line of `JsonFlat` for the event in two spans.
pub(super) const LINE: usize = 435;

const MICROSECOND: Duration = Duration::from_micros(1);

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![
        beside(Scene::EventInSpans, 1),
        beside(Scene::EventInSpans, 2),
        beside(Scene::SpansAndEvent, 1),
        beside(Scene::SpansAndEvent, 2),
        beside(Scene::Filtered, 1),
        layouts(),
    ];
    rows.extend(outputs::rows());
    rows
}

/// Ours, flat, beside the layouts of others.
fn beside(scene: Scene, threads: usize) -> Row {
    let ours = case(scene, ours(JsonFlat::new));
    let at_once = threads == 1;
    let (ours, within, times) = match scene {
        Scene::EventInSpans => {
            let within = Duration::from_nanos(450);
            (
                ours.at_most_allocations(0.0),
                Some(within),
                [Some(7.0), Some(7.0), Some(4.0), Some(4.0)],
            )
        }
        Scene::SpansAndEvent => (ours, Some(MICROSECOND), [Some(5.0), None, None, None]),
        Scene::Filtered => (ours.at_most_allocations(0.0), None, [None; 4]),
    };
    let [json_times, flat_times, sub_times, flat_sub_times] = times;
    let peer = |name, of: Case, times: Option<f64>| {
        let peer = Peer::new(name, of).counted();
        match times {
            Some(times) => peer.at_most(1.0 / times),
            None => peer,
        }
    };
    let peers = vec![
        peer("tracing-subscriber 0.3 JSON", case(scene, json()), json_times),
        peer("the same, event flat, spans once", case(scene, flat()), flat_times),
        peer("json-subscriber 0.3.1", case(scene, json_subscriber()), sub_times),
        peer("the same, all flat", case(scene, flat_json_subscriber()), flat_sub_times),
        peer("a registry without layers", case(scene, nobody()), None),
    ];
    let within = within.filter(|_| at_once);
    Row { path: scene.path(), threads, size: LINE, unit: "bytes", ours, within, peers }
}

/// Ours beside our other layouts.
fn layouts() -> Row {
    let scene = Scene::EventInSpans;
    let resource = || Resource::new("orders").with_version("1.4.2");
    let other = |name, case| Peer::new(name, case).counted();
    let peers = vec![
        other("Ecs", case(scene, ours(move || Ecs::new(&resource())))),
        other("Ecs, nested", case(scene, ours(move || Ecs::nested(&resource())))),
        other("Datadog", case(scene, ours(move || Datadog::new(&resource())))),
        other("GoogleCloud", case(scene, ours(move || GoogleCloud::new(&resource())))),
        other("NewRelic", case(scene, ours(move || NewRelic::new(&resource())))),
        other("Logfmt", case(scene, ours(Logfmt::new))),
        other("Console", case(scene, ours(Console::new))),
    ];
    let flat = ours(move || JsonFlat::new().with_resource(&resource()));
    let ours = case(scene, flat).at_most_allocations(0.0);
    let path = "obs/event in 2 spans, by layout";
    Row { path, threads: 1, size: LINE, unit: "bytes", ours, within: None, peers }
}
