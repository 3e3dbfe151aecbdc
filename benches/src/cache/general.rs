//! What a service takes that caches secrets as it caches other things.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use super::HOUR;
use super::draws::{Draws, glimpse};
use crate::harness::Case;
use crate::names::value;

fn entries(draws: &Draws) -> impl Iterator<Item = (String, Arc<[u8]>)> {
    let names = draws.names().iter().cloned().enumerate();
    names.map(|(number, name)| (name, Arc::from(value(number))))
}

pub(super) fn locked(draws: &Draws) -> Case {
    let map: RwLock<HashMap<_, _>> = RwLock::new(entries(draws).collect());
    draws.case(move |draw| {
        let value = Arc::clone(&map.read().unwrap()[draw.name]);
        glimpse(&value)
    })
}

/// With room for twice as many, so that nothing is evicted.
pub(super) fn quick(draws: &Draws) -> Case {
    let cache = quick_cache::sync::Cache::new(2 * draws.names().len());
    entries(draws).for_each(|(name, value)| cache.insert(name, value));
    draws.case(move |draw| glimpse(&cache.get(draw.name).unwrap()))
}

/// With room for twice as many, so that nothing is evicted.
pub(super) fn moka(draws: &Draws) -> Case {
    let room = 2 * draws.names().len() as u64;
    let cache = moka::sync::Cache::builder().max_capacity(room).time_to_live(HOUR).build();
    entries(draws).for_each(|(name, value)| cache.insert(name, value));
    cache.run_pending_tasks();
    draws.case(move |draw| glimpse(&cache.get(draw.name).unwrap()))
}
