//! A service that requires 500 secrets starts: its settings are read, a client is built, all secrets
//! are read and held to their rules. The peers build a client and read as many.

use std::num::NonZeroUsize;
use std::time::Duration;

use aws_secretsmanager_caching::SecretsManagerCachingClient;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};

use super::place::{Place, start, text};
use super::{bare, from_nothing};
use crate::harness::{Case, Peer, Row};

const SECRETS: usize = 500;
/// What `BatchGetSecretValue` takes (API reference).
const BATCH: usize = 20;
/// 25 batches, and some more for what else a start may ask.
const CALLS: f64 = 30.0;
const PART_OF_ONE_EACH: f64 = 1.0 / 8.0;
/// So many single reads run at once where a provider has no batches: what
/// `CachePolicy::with_concurrent_refreshes` is by default.
const AT_ONCE: usize = 16;
const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn rows() -> Vec<Row> {
    let place = Place::new(SECRETS).distant();
    let case = |case: Case, samples| case.by_wall().rarely(samples).counting(place.calls());
    vec![Row {
        path: "aws/start with required secrets, 20 ms a call",
        threads: 1,
        size: SECRETS,
        unit: "secrets",
        ours: case(ours(&place), 5).at_most_calls(CALLS),
        within: None,
        peers: vec![
            // Ten seconds each time.
            Peer::new("aws-sdk 1.125, one by one", case(one_by_one(&place), 1))
                .at_most(PART_OF_ONE_EACH),
            Peer::new("ours without batches, 16 at once", case(ours_singly(&place), 3))
                .at_most(PART_OF_ONE_EACH),
            Peer::new("aws-sdk 1.125, all joined", case(joined(&place), 5)),
            Peer::new("aws-sdk 1.125, batches joined", case(batches(&place), 5)),
            Peer::new(
                "aws_secretsmanager_caching 2.1.0, batches one by one",
                case(caching(&place), 3),
            ),
        ],
    }]
}

fn ours(place: &Place) -> Case {
    let settings = place.settings_requiring_all();
    from_nothing(async move || {
        let started = start(&settings).await;
        let last = started.manager.get(&format!("s{}", SECRETS - 1)).await.unwrap();
        assert_eq!(last.value.expose_secret(), text(SECRETS - 1).as_bytes());
    })
}

/// As many calls at once as for a provider that has no batches.
fn ours_singly(place: &Place) -> Case {
    let (settings, names) = (place.settings(""), place.names());
    from_nothing(async move || {
        let started = start(&settings).await;
        let reads = names.iter().map(|name| started.manager.get(name));
        let reads: Vec<_> = stream::iter(reads).buffer_unordered(AT_ONCE).collect().await;
        assert!(reads.iter().all(Result::is_ok));
    })
}

fn one_by_one(place: &Place) -> Case {
    let (place, names) = (place.clone(), place.names());
    from_nothing(async move || {
        let client = bare::secrets_manager(&place);
        for (number, name) in names.iter().enumerate() {
            let read = client.get_secret_value().secret_id(name).send().await.unwrap();
            assert_eq!(read.secret_string(), Some(&*text(number)));
        }
    })
}

fn joined(place: &Place) -> Case {
    let (place, names) = (place.clone(), place.names());
    from_nothing(async move || {
        let client = bare::secrets_manager(&place);
        let reads = names.iter().map(|name| client.get_secret_value().secret_id(name).send());
        let reads = join_all(reads).await;
        assert!(reads.iter().all(|read| read.as_ref().unwrap().secret_string().is_some()));
    })
}

/// The least that can be done, by somebody who needs no more than this.
fn batches(place: &Place) -> Case {
    let (place, names) = (place.clone(), place.names());
    from_nothing(async move || {
        let client = bare::secrets_manager(&place);
        let reads = names.chunks(BATCH).map(|batch| {
            client.batch_get_secret_value().set_secret_id_list(Some(batch.to_vec())).send()
        });
        let batches = join_all(reads).await;
        let read = batches.iter().map(|batch| batch.as_ref().unwrap().secret_values().len());
        assert_eq!(read.sum::<usize>(), SECRETS);
    })
}

fn caching(place: &Place) -> Case {
    let (place, names) = (place.clone(), place.names());
    from_nothing(async move || {
        let room = NonZeroUsize::new(SECRETS).unwrap();
        let client = bare::secrets_manager(&place);
        let cache = SecretsManagerCachingClient::new(client, room, HOUR, false).unwrap();
        for batch in names.chunks(BATCH) {
            cache.batch_get_secret_value(Some(batch.to_vec()), None, None, None).await.unwrap();
        }
        let last = cache.get_secret_value(&names[SECRETS - 1], None, None, false).await.unwrap();
        assert_eq!(last.secret_string, Some(text(SECRETS - 1)));
    })
}
