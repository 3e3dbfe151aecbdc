//! A second of a service that has been running for a while: secrets that live for a second are read
//! all the time, by sixteen tasks. Its time is what the thread of the service computes.

use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::Duration;

use aws_secretsmanager_caching::SecretsManagerCachingClient;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::place::{Place, name, start};
use super::{bare, runtime};
use crate::harness::{Case, Peer, Row};
use crate::names::Random;

const SECRETS: usize = 100;
const TTL: Duration = Duration::from_secs(1);
/// A value that a handle holds is asked for again at 0.8 of its time to live, or up to 0.1 earlier at
/// random (`CachePolicy::with_refresh_at`): so many calls a second at most.
const CALLS: f64 = SECRETS as f64 / 0.7;
const READERS: usize = 16;
const SAMPLES: usize = 3;

pub(super) fn rows() -> Vec<Row> {
    let place = Place::new(SECRETS).distant();
    let case = |case: Case| case.by_computing().rarely(SAMPLES).counting(place.calls());
    vec![Row {
        path: "aws/a second of reads, time to live 1 s, 20 ms a call (CPU time)",
        threads: 1,
        size: SECRETS,
        unit: "secrets",
        ours: case(ours(&place)).at_most_calls(CALLS),
        within: None,
        peers: vec![Peer::new("aws_secretsmanager_caching 2.1.0", case(caching(&place)))],
    }]
}

/// The first reads are spread over a time to live, so that what comes due is as well.
async fn spread(read: impl AsyncFn(usize)) {
    let begun = Instant::now();
    for number in 0..SECRETS {
        tokio::time::sleep_until(begun + TTL * number as u32 / SECRETS as u32).await;
        read(number).await;
    }
}

/// So many seconds in which everybody reads one secret after the other.
async fn serve(seconds: u64, read: impl AsyncFn(usize)) {
    let end = Instant::now() + Duration::from_secs(seconds);
    let readers = (0..READERS).map(async |reader| {
        let mut random = Random(reader as u64);
        while Instant::now() < end {
            read(random.below(SECRETS)).await;
            sleep(Duration::from_millis(1)).await;
        }
    });
    join_all(readers).await;
}

fn ours(place: &Place) -> Case {
    let settings = place.settings("cache = { ttl = '1s' }");
    Case::new(move || {
        let runtime = runtime();
        let (started, handles) = runtime.block_on(async {
            let started = start(&settings).await;
            tokio::spawn(started.run());
            let handles = Rc::new(std::cell::RefCell::new(Vec::new()));
            spread(async |number| {
                let handle = started.manager.handle(&name(number)).await.unwrap();
                handles.borrow_mut().push(handle);
            })
            .await;
            (started, handles)
        });
        move |seconds| {
            runtime.block_on(serve(seconds, async |number| {
                assert!(started.manager.get(&name(number)).await.is_ok());
            }));
            assert!(handles.borrow().iter().all(|handle| handle.load().secret().is_some()));
        }
    })
}

fn caching(place: &Place) -> Case {
    let place = place.clone();
    Case::new(move || {
        let runtime = runtime();
        let cache = runtime.block_on(async {
            let (client, room) = (bare::secrets_manager(&place), NonZeroUsize::new(SECRETS));
            let cache = SecretsManagerCachingClient::new(client, room.unwrap(), TTL, false);
            let cache = cache.unwrap();
            let read = async |number| {
                cache.get_secret_value(&name(number), None, None, false).await.unwrap();
            };
            spread(read).await;
            cache
        });
        move |seconds| {
            runtime.block_on(serve(seconds, async |number| {
                assert!(cache.get_secret_value(&name(number), None, None, false).await.is_ok());
            }));
        }
    })
}
