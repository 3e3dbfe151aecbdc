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

use crate::harness::{Case, Peer, Row};

use self::aws::AwsCache;
use self::bare::Bytes;
use self::draws::Draws;
use self::ours::{Held, Kept};

const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
const THREADS: [usize; 2] = [1, 2];
const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

pub(crate) fn rows() -> Vec<Row> {
    // Ours first, in one go: what a program has in memory that keeps its secrets like this.
    let ours = SIZES.map(Ours::new);
    let sets = ours.map(Set::new);
    let pairs =
        || THREADS.into_iter().flat_map(|threads| sets.iter().map(move |set| (set, threads)));
    let by_handle = pairs().map(|(set, threads)| set.by_handle(threads));
    let by_name = pairs().map(|(set, threads)| set.by_name(threads));
    by_handle.chain(by_name).chain(fill::rows()).collect()
}

/// Our caches of one size.
struct Ours {
    draws: Draws,
    kept: Kept,
    held: Held,
}

impl Ours {
    fn new(size: usize) -> Self {
        let draws = Draws::new(size);
        Self { kept: Kept::new(draws.names()), held: Held::new(draws.names()), draws }
    }
}

/// The secrets of one size, in what is shared by several rows.
struct Set {
    ours: Ours,
    aws: AwsCache,
}

impl Set {
    fn new(ours: Ours) -> Self {
        Self { aws: AwsCache::new(ours.draws.names()), ours }
    }

    fn row(&self, path: &'static str, threads: usize, ours: Case) -> Row {
        let size = self.ours.draws.names().len();
        Row { path, threads, size, unit: "secrets", ours, within: None, peers: Vec::new() }
    }

    fn by_handle(&self, threads: usize) -> Row {
        let draws = &self.ours.draws;
        let row = self.row("cache/read by handle", threads, self.ours.held.case(draws));
        let state = |number| self.ours.held.state(number);
        let peers = vec![
            Peer::new("the same, not counted", self.ours.held.uncounted(draws)).at_most(1.3),
            Peer::new("arc_swap 1.9, same secrets", bare::cells(draws, state)).at_most(1.5),
            Peer::new("arc_swap 1.9, bytes", bare::cells(draws, Bytes::new)),
            Peer::new(aws::NAME, self.aws.case(draws)).at_most(1.0 / 12.0),
        ];
        Row { peers, ..row }
    }

    fn by_name(&self, threads: usize) -> Row {
        let draws = &self.ours.draws;
        let row = self.row("cache/read by name", threads, self.ours.kept.case(draws));
        let secret = |number: usize| self.ours.kept.secret(&draws.names()[number]);
        let aws = Peer::new(aws::NAME, self.aws.case(draws));
        let peers = vec![
            Peer::new("bare shape, same secrets", bare::map(draws, secret)).at_most(1.3),
            Peer::new("bare shape, bytes", bare::map(draws, Bytes::new)),
            Peer::new("RwLock and HashMap", general::locked(draws)),
            Peer::new("quick_cache 0.7", general::quick(draws)),
            Peer::new("moka 0.12", general::moka(draws)),
            Peer::new("secret-vault 3.0", vault::case(draws)),
            if row.size == 1_000 { aws.at_most(1.0 / 6.0) } else { aws },
        ];
        Row { peers, ..row }
    }
}
