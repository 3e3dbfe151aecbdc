//! Any chain, whatever is in it and whatever is out: the answer is that of the first that has the secret.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use proptest::prelude::*;
use secrets_core::{
    ErrorKind, GetOptions, PageRequest, Result, Secret, SecretFilter, SecretProvider, SecretRef,
    Staging, Support, VersionId, VersionSelector,
};
use secrets_manager::{Fallback, OnUnavailable};

use crate::shelf::{Entry, Shelf};
use crate::support::{reference, text};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// One provider of a chain: what it has, what it can, and how it is.
#[derive(Debug, Clone)]
struct Plan {
    entries: [Option<Entry>; 3],
    reads_versions: bool,
    describes: bool,
    batches: bool,
    mood: Option<ErrorKind>,
    /// It cannot express the third name.
    is_narrow: bool,
}

fn entry() -> impl Strategy<Value = Entry> {
    let some =
        |ids: [&'static str; 2]| proptest::option::of(proptest::sample::select(ids.to_vec()));
    // The same ids in all stores: Google counts from 1 in each.
    (some(["1", "2"]), some(["3", "4"]), some(["5", "6"])).prop_filter_map(
        "a secret has a version",
        |(current, previous, pending)| {
            let entry = Entry { current, previous, pending };
            (entry != Entry::default()).then_some(entry)
        },
    )
}

fn plan() -> impl Strategy<Value = Plan> {
    use ErrorKind::{Disabled, Internal, NotFound, PermissionDenied, Throttled, Unavailable};
    let moods = [NotFound, Unavailable, Throttled, PermissionDenied, Disabled, Internal];
    let mood =
        prop_oneof![3 => Just(None), 1 => proptest::sample::select(moods.to_vec()).prop_map(Some)];
    let entries = proptest::array::uniform3(proptest::option::of(entry()));
    (entries, any::<[bool; 4]>(), mood).prop_map(|(entries, flags, mood)| {
        let [reads_versions, describes, batches, is_narrow] = flags;
        Plan { entries, reads_versions, describes, batches, mood, is_narrow }
    })
}

fn selector() -> impl Strategy<Value = VersionSelector> {
    let id = proptest::sample::select(vec!["1", "3", "9", "~1~1", "~1~4", "~1~5", "~2~2", "~2~3"]);
    prop_oneof![
        4 => Just(VersionSelector::Current),
        1 => Just(VersionSelector::Previous),
        1 => Just(VersionSelector::Pending),
        2 => id.prop_map(|id| VersionSelector::Id(VersionId::new(id).unwrap())),
    ]
}

impl Plan {
    /// What is in it: its place in the chain stands in the values, so that they tell whose they are.
    fn shelf(&self, at: usize) -> Shelf {
        let scope = format!("shelf-{at}");
        let reads_all = self.reads_versions || at == 0;
        let shelf = if reads_all { Shelf::new(&scope) } else { Shelf::plain(&scope) };
        let shelf = shelf.able(|c| {
            c.describe = if self.describes && reads_all { Support::Native } else { Support::No };
            c.batch = if self.batches { Support::Native } else { Support::No };
            // The chain's abilities are the primary's: that one has them all.
            if at == 0 {
                (c.write, c.staging) = (Support::Native, Staging::Labels);
            }
        });
        let shelf = match self.is_narrow && at > 0 {
            true => shelf.named_by(secrets_core::NameRules::new(|b| b != b'c', b'%', 2)),
            false => shelf,
        };
        for (name, entry) in NAMES.iter().zip(&self.entries) {
            entry.iter().for_each(|entry| shelf.put(name, entry.clone()));
        }
        shelf.mood(self.mood);
        shelf
    }

    fn entry(&self, at: usize, name: usize) -> Option<&Entry> {
        self.entries[name].as_ref().filter(|_| !(self.is_narrow && at > 0 && name == 2))
    }

    /// One that has only what is current has nothing of a secret that is pending alone.
    fn has(&self, at: usize, name: usize) -> bool {
        let has_versions = self.reads_versions || at == 0;
        self.entry(at, name).is_some_and(|entry| has_versions || entry.current.is_some())
    }

    fn find(&self, at: usize, name: usize, version: &VersionSelector) -> Option<&'static str> {
        let entry = self.entry(at, name)?;
        let version = &unmarked(at, version)?;
        if self.reads_versions || at == 0 {
            return entry.find(version);
        }
        match version {
            VersionSelector::Current => entry.current,
            VersionSelector::Id(id) => entry.current.filter(|current| *current == id.as_str()),
            _ => None,
        }
    }
}

/// Ids of all but the first store have its place before them.
fn unmarked(at: usize, version: &VersionSelector) -> Option<VersionSelector> {
    match version {
        VersionSelector::Id(id) if at > 0 => {
            let own = id.as_str().strip_prefix(&format!("~{at}~"))?;
            Some(VersionSelector::Id(VersionId::new(own).unwrap()))
        }
        version => Some(version.clone()),
    }
}

/// Which store answers and with which version, or of which kind the error is.
type Answer = std::result::Result<&'static str, ErrorKind>;

/// The rules once more, in a few lines.
fn expected(
    plans: &[Plan],
    setting: OnUnavailable,
    name: usize,
    version: &VersionSelector,
) -> Answer {
    let mut outage = None;
    for (at, plan) in plans.iter().enumerate() {
        let is_asked = !(plan.is_narrow && at > 0 && name == 2);
        match plan.mood.filter(|_| is_asked) {
            None | Some(ErrorKind::NotFound) => {}
            Some(kind @ (ErrorKind::Unavailable | ErrorKind::Throttled))
                if setting == OnUnavailable::Fall && *version == VersionSelector::Current =>
            {
                outage.get_or_insert(kind);
                continue;
            }
            Some(kind) => return Err(outage.unwrap_or(kind)),
        }
        let is_empty = plan.mood == Some(ErrorKind::NotFound);
        match plan.find(at, name, version).filter(|_| !is_empty) {
            Some(found) => return Ok(found),
            None if *version == VersionSelector::Current || is_empty => {}
            None if plan.has(at, name) => return Err(outage.unwrap_or(ErrorKind::NotFound)),
            None => {}
        }
    }
    Err(outage.unwrap_or(ErrorKind::NotFound))
}

fn told(answer: &Result<Secret>) -> std::result::Result<String, ErrorKind> {
    answer.as_ref().map(text).map_err(secrets_core::Error::kind)
}

fn cases() -> u32 {
    if std::env::var_os("MAINSTAY_LONG").is_some() { 20_000 } else { 400 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn the_first_that_has_the_secret_answers(
        plans in proptest::collection::vec(plan(), 1..4),
        falls in any::<bool>(),
        wanted in proptest::collection::vec((0..NAMES.len(), selector()), 1..6),
    ) {
        let setting = if falls { OnUnavailable::Fall } else { OnUnavailable::Fail };
        let mut shelves = plans.iter().enumerate().map(|(at, plan)| plan.shelf(at));
        let mut chain = Fallback::new(shelves.next().unwrap()).on_unavailable(setting);
        for shelf in shelves {
            chain = chain.then(shelf);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let ask = |(name, version): &(usize, VersionSelector)| -> (SecretRef, GetOptions) {
                (reference(NAMES[*name]), GetOptions::version(version.clone()))
            };
            let mut right = Vec::new();
            for question in &wanted {
                let (name, options) = ask(question);
                let want = expected(&plans, setting, question.0, &question.1);
                let want = want.map(str::to_owned);
                let read = told(&chain.get_secret(&name, options).await);
                assert_eq!(read, want, "{question:?}");
                right.push(want);
            }
            let questions: Vec<_> = wanted.iter().map(ask).collect();
            match chain.get_secrets(&questions).await {
                Ok(answers) => {
                    let answers: Vec<_> = answers.iter().map(told).collect();
                    assert_eq!(answers, right);
                }
                Err(error) => assert!(right.iter().all(|right| *right == Err(error.kind()))),
            }
        });
    }
}

/// Some names of a store, and how it tells and lists what it has.
fn listed() -> impl Strategy<Value = (BTreeSet<&'static str>, bool)> {
    let names = ["a/1", "a/2", "a/21", "a/3", "b/1", "b/2", "b/3", "c"];
    (proptest::collection::btree_set(proptest::sample::select(names.to_vec()), 0..8), any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// The names of all stores, each once, by pages of any size.
    #[test]
    fn lists_have_each_name_once(
        stores in proptest::collection::vec(listed(), 1..5),
        limit in proptest::option::of(1_u32..4),
        prefix in proptest::sample::select(vec!["", "a/", "a/2", "c", "d"]),
    ) {
        let mut shelves = stores.iter().enumerate().map(|(at, (names, describes))| {
            let shelf = Shelf::new(&format!("shelf-{at}"));
            let shelf = shelf.able(|c| if !describes { c.describe = Support::No });
            names.iter().fold(shelf, |shelf, name| shelf.with(name, Entry::current("1")))
        });
        let mut chain = Fallback::new(shelves.next().unwrap());
        for shelf in shelves {
            chain = chain.then(shelf);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let names = runtime.block_on(async {
            let (mut names, mut request) = (Vec::new(), PageRequest::first());
            for _ in 0..100 {
                request.limit = limit.and_then(NonZeroU32::new);
                let page = chain.list_secrets(&SecretFilter::prefix(prefix), request).await.unwrap();
                names.extend(page.items.iter().map(|info| info.reference.to_string()));
                let Some(next) = page.next else { return names };
                request = PageRequest::after(next);
            }
            panic!("the list does not end");
        });
        let all: BTreeSet<_> = stores.iter().flat_map(|(names, _)| names).copied().collect();
        let all: Vec<_> = all.into_iter().filter(|name| name.starts_with(prefix)).collect();
        let mut sorted = names.clone();
        sorted.sort();
        prop_assert_eq!(sorted, all, "{:?}", names);
    }
}
