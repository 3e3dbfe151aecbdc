//! An empty cache is built, reads all secrets by their names one by one from a source that answers
//! at once, and is dropped.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use super::HOUR;
use super::draws::{Draws, glimpse};
use super::ours::{manager, read_all, runtime};
use super::shelf::Shelf;
use crate::harness::{Case, Peer, Row};
use crate::names::value;

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// What filling the largest may take.
const BOUND: Duration = Duration::from_secs(2);

pub(super) fn rows() -> impl Iterator<Item = Row> {
    SIZES.into_iter().map(row)
}

fn row(size: usize) -> Row {
    let names: Arc<[String]> = Draws::new(size).names().into();
    Row {
        path: "cache/fill one by one",
        threads: 1,
        size,
        unit: "secrets",
        ours: ours(&names),
        within: (size == 100_000).then_some(BOUND),
        peers: vec![
            Peer::new("RwLock and HashMap", locked(&names)),
            Peer::new("moka 0.12", moka(&names)),
        ],
    }
}

fn ours(names: &Arc<[String]>) -> Case {
    let shelf = Arc::new(Shelf::new(names));
    let names = Arc::clone(names);
    Case::new(move || {
        let (names, shelf) = (Arc::clone(&names), Arc::clone(&shelf));
        move |operations| {
            for _ in 0..operations {
                // The run future is part of it, in the same thread.
                runtime().block_on(async {
                    let manager = manager(Arc::clone(&shelf), names.len());
                    let running = tokio::spawn(manager.run());
                    tokio::task::yield_now().await;
                    read_all(&manager, &names).await;
                    assert!(names.iter().all(|name| manager.try_get(name).is_some()));
                    drop(manager);
                    running.await.unwrap().unwrap();
                });
            }
        }
    })
}

fn locked(names: &Arc<[String]>) -> Case {
    let names = Arc::clone(names);
    Case::new(move || {
        let names = Arc::clone(&names);
        move |operations| {
            for _ in 0..operations {
                let map: RwLock<HashMap<String, Arc<[u8]>>> = RwLock::default();
                for (number, name) in names.iter().enumerate() {
                    if map.read().unwrap().get(name).is_none() {
                        let value = Arc::from(value(number));
                        map.write().unwrap().insert(name.clone(), value);
                    }
                }
            }
        }
    })
}

fn moka(names: &Arc<[String]>) -> Case {
    let names = Arc::clone(names);
    Case::new(move || {
        let names = Arc::clone(&names);
        move |operations| {
            for _ in 0..operations {
                let room = 2 * names.len() as u64;
                let cache =
                    moka::sync::Cache::builder().max_capacity(room).time_to_live(HOUR).build();
                for (number, name) in names.iter().enumerate() {
                    let read = || -> Arc<[u8]> { Arc::from(value(number)) };
                    glimpse(&cache.get_with_by_ref(name.as_str(), read));
                }
            }
        }
    })
}
