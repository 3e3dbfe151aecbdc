//! Suite `cache`: a secret that is in memory already is looked up, its length and first byte are
//! read, and it is let go of. Values have 64 bytes; which secret is read next is drawn evenly from
//! all of them, beforehand. Nothing expires meanwhile: every cache was given an hour.

mod aws;
mod bare;
mod draws;
mod fill;
mod general;
mod ours;
mod shelf;
mod vault;

use crate::harness::{Peer, Row};

use secrets_core::{Secret, SecretState};

use self::aws::AwsCache;
use self::bare::Bytes;
use self::draws::Draws;

const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
const THREADS: [usize; 2] = [1, 2];
const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

pub(crate) fn rows() -> Vec<Row> {
    let sets = SIZES.map(Set::new);
    let pairs =
        || THREADS.into_iter().flat_map(|threads| sets.iter().map(move |set| (set, threads)));
    let by_handle = pairs().map(|(set, threads)| set.by_handle(threads));
    let by_name = pairs().map(|(set, threads)| set.by_name(threads));
    by_handle.chain(by_name).chain(fill::rows()).collect()
}

/// The secrets of one size, in what is shared by several rows.
struct Set {
    draws: Draws,
    kept: ours::Kept,
    held: ours::Held,
    aws: AwsCache,
}

impl Set {
    fn new(size: usize) -> Self {
        let draws = Draws::new(size);
        let names = draws.names();
        Self {
            kept: ours::Kept::new(names),
            held: ours::Held::new(names),
            aws: AwsCache::new(names),
            draws,
        }
    }

    fn row(&self, path: &'static str, threads: usize, ours: crate::harness::Case) -> Row {
        let size = self.draws.names().len();
        Row { path, threads, size, unit: "secrets", ours, within: None, peers: Vec::new() }
    }

    fn by_handle(&self, threads: usize) -> Row {
        let draws = &self.draws;
        let row = self.row("cache/read by handle", threads, self.held.case(draws));
        let peers = vec![
            Peer::new("ArcSwap<SecretState>", bare::cells::<SecretState>(draws)).at_most(1.5),
            Peer::new("ArcSwap<bytes>", bare::cells::<Bytes>(draws)),
            Peer::new(aws::NAME, self.aws.case(draws)).at_most(1.0 / 12.0),
        ];
        Row { peers, ..row }
    }

    fn by_name(&self, threads: usize) -> Row {
        let draws = &self.draws;
        let row = self.row("cache/read by name", threads, self.kept.case(draws));
        let aws = Peer::new(aws::NAME, self.aws.case(draws));
        let peers = vec![
            Peer::new("ArcSwap<HashMap<_, ArcSwap<Secret>>>", bare::map::<Secret>(draws))
                .at_most(1.3),
            Peer::new("ArcSwap<HashMap<_, ArcSwap<bytes>>>", bare::map::<Bytes>(draws)),
            Peer::new("RwLock<HashMap>", general::locked(draws)),
            Peer::new("quick_cache 0.7", general::quick(draws)),
            Peer::new("moka 0.12", general::moka(draws)),
            Peer::new("secret-vault 3.0", vault::case(draws)),
            if row.size == 1_000 { aws.at_most(1.0 / 6.0) } else { aws },
        ];
        Row { peers, ..row }
    }
}
