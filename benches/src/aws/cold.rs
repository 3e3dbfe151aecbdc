//! Many ask for one secret at the same time, which nobody has read before.

use std::num::NonZeroUsize;
use std::time::Duration;

use aws_secretsmanager_caching::SecretsManagerCachingClient;
use futures_util::future::join_all;
use secrets_core::SecretValue;

use super::place::{Place, name, start, text};
use super::{bare, from_nothing};
use crate::harness::{Case, Peer, Row};

const SAMPLES: usize = 5;
const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn rows() -> Vec<Row> {
    let place = Place::new(1).distant();
    let case = |case: Case| case.by_wall().rarely(SAMPLES).counting(place.calls());
    let row = |readers, peers| Row {
        path: "aws/cold reads of one name at once, 20 ms a call",
        threads: 1,
        size: readers,
        unit: "reads",
        ours: case(ours(&place, readers)).at_most_calls(1.0),
        within: None,
        peers,
    };
    let peer = Peer::new("aws_secretsmanager_caching 2.1.0", case(caching(&place, 100)));
    // With more readers the peer would need as many connections.
    vec![row(100, vec![peer]), row(10_000, Vec::new())]
}

fn ours(place: &Place, readers: usize) -> Case {
    let (settings, name) = (place.settings(""), name(0));
    from_nothing(async move || {
        let started = start(&settings).await;
        let reads = join_all((0..readers).map(|_| started.manager.get(&name))).await;
        let expected = SecretValue::from_string(text(0));
        assert!(reads.iter().all(|read| read.as_ref().unwrap().value.ct_eq(&expected)));
    })
}

fn caching(place: &Place, readers: usize) -> Case {
    let (place, name) = (place.clone(), name(0));
    from_nothing(async move || {
        let client = bare::secrets_manager(&place);
        let cache = SecretsManagerCachingClient::new(client, NonZeroUsize::MIN, HOUR, false);
        let cache = cache.unwrap();
        let reads = (0..readers).map(|_| cache.get_secret_value(&name, None, None, false));
        let reads = join_all(reads).await;
        assert!(reads.into_iter().all(|read| read.unwrap().secret_string == Some(text(0))));
    })
}
