//! Suite `live`: a load through `Live` beside a load of a bare `ArcSwap`. Sizes are bytes of the
//! value, of which one is read.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use live_value::Publisher;

use crate::harness::{Case, Peer, Row};

const SIZE: usize = 64;
type Value = [u8; SIZE];

/// 1,000 publishes a second.
const PERIOD: Duration = Duration::from_millis(1);

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row("live/load", 1, 1.5, [ours(), bare()]),
        row("live/load", 2, 1.5, [ours(), bare()]),
        row(
            "live/load while 1,000 a second are published",
            2,
            1.0,
            [ours_published(), bare_published()],
        ),
    ]
}

fn row(path: &'static str, threads: usize, at_most: f64, [ours, peer]: [Case; 2]) -> Row {
    let peers = vec![Peer::new("arc_swap 1.9", peer).at_most(at_most)];
    Row { path, threads, size: SIZE, unit: "bytes", ours, within: None, peers }
}

fn ours() -> Case {
    load_of(&Arc::new(Publisher::new([7; SIZE])))
}

fn ours_published() -> Case {
    let publisher = Arc::new(Publisher::new([7; SIZE]));
    load_of(&publisher).beside(PERIOD, move || {
        publisher.publish([8; SIZE]);
    })
}

fn load_of(publisher: &Arc<Publisher<Value>>) -> Case {
    let live = publisher.live();
    Case::new(move || {
        let live = live.clone();
        move |operations| {
            for _ in 0..operations {
                let guard = live.load();
                black_box(guard[0]);
            }
        }
    })
}

fn bare() -> Case {
    load_of_bare(&Arc::new(ArcSwap::from_pointee([7; SIZE])))
}

fn bare_published() -> Case {
    let swap = Arc::new(ArcSwap::from_pointee([7; SIZE]));
    load_of_bare(&swap).beside(PERIOD, move || swap.store(Arc::new([8; SIZE])))
}

fn load_of_bare(swap: &Arc<ArcSwap<Value>>) -> Case {
    let swap = Arc::clone(swap);
    Case::new(move || {
        let swap = Arc::clone(&swap);
        move |operations| {
            for _ in 0..operations {
                let guard = swap.load();
                black_box(guard[0]);
            }
        }
    })
}
