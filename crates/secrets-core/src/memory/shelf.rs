use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// So many earlier states of an entry are kept for stale reads.
pub(crate) const KEPT_STATES: usize = 32;
/// Below so many entries none is worth forgetting.
const FIRST_SWEEP: usize = 128;

/// How far a read lags behind what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lag {
    /// The entry as it was so many changes of it ago; 32 at most are remembered.
    Changes(u32),
    /// The entry as it was this long ago, by the provider's clock.
    Time(Duration),
}

impl Lag {
    pub(crate) const NONE: Self = Self::Changes(0);
}

/// When a request is served, and how far its reads lag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: SystemTime,
    pub(crate) lag: Lag,
}

impl Moment {
    /// The state as it is, whatever the lag: what writes, and strongly consistent reads, see.
    pub(crate) fn exact(self) -> Self {
        Self { lag: Lag::NONE, ..self }
    }
}

/// Entries by name, each with its recent past.
#[derive(Clone)]
pub(crate) struct Shelf<R> {
    entries: BTreeMap<String, Timeline<R>>,
    keep: Duration,
    /// So many entries, and those that are gone are looked through for what can be forgotten.
    sweep_at: usize,
}

#[derive(Clone)]
struct Timeline<R> {
    present: Option<Arc<R>>,
    /// Oldest first: each state with the time at which it ended.
    past: VecDeque<(SystemTime, Option<Arc<R>>)>,
}

impl<R: Clone> Shelf<R> {
    /// Remembers the past of entries for about `keep`.
    pub(crate) fn new(keep: Duration) -> Self {
        Self { entries: BTreeMap::new(), keep, sweep_at: FIRST_SWEEP }
    }

    pub(crate) fn get(&self, name: &str, at: Moment) -> Option<&R> {
        self.entries.get(name)?.at(at)
    }

    /// The entry to change; its state before is remembered.
    pub(crate) fn edit(&mut self, name: &str, at: Moment) -> Option<&mut R> {
        let timeline = self.entries.get_mut(name)?;
        timeline.present.as_ref()?;
        timeline.remember(at.now, self.keep);
        timeline.present.as_mut().map(Arc::make_mut)
    }

    pub(crate) fn insert(&mut self, name: &str, at: Moment, entry: R) {
        if self.entries.len() >= self.sweep_at {
            self.sweep(at.now);
        }
        let empty = || Timeline { present: None, past: VecDeque::new() };
        let timeline = self.entries.entry(name.to_owned()).or_insert_with(empty);
        timeline.remember(at.now, self.keep);
        timeline.present = Some(Arc::new(entry));
    }

    pub(crate) fn remove(&mut self, name: &str, at: Moment) -> Option<R> {
        let timeline = self.entries.get_mut(name)?;
        timeline.present.as_ref()?;
        timeline.remember(at.now, self.keep);
        timeline.present.take().map(Arc::unwrap_or_clone)
    }

    /// Forgets entries that have been gone for so long that no read sees them.
    fn sweep(&mut self, now: SystemTime) {
        let keep = self.keep;
        self.entries.retain(|_, timeline| {
            timeline.present.is_some()
                || timeline.past.back().is_some_and(|(ended, _)| !is_over(*ended, now, keep))
        });
        self.sweep_at = self.entries.len().saturating_mul(2).max(FIRST_SWEEP);
    }

    /// The entries in the order of their names, starting after `after`.
    pub(crate) fn iter_after<'a>(
        &'a self,
        after: Option<&str>,
        at: Moment,
    ) -> impl Iterator<Item = (&'a str, &'a R)> {
        use std::ops::Bound;
        let start = after.map_or(Bound::Unbounded, |name| Bound::Excluded(name.to_owned()));
        let range = self.entries.range((start, Bound::Unbounded));
        range.filter_map(move |(name, timeline)| Some((name.as_str(), timeline.at(at)?)))
    }
}

impl<R> Timeline<R> {
    fn at(&self, at: Moment) -> Option<&R> {
        let state = match at.lag {
            Lag::Changes(0) => &self.present,
            Lag::Changes(changes) => {
                let changes = usize::try_from(changes).unwrap_or(usize::MAX);
                let start = self.past.len().saturating_sub(changes);
                self.past.get(start).map_or(&self.present, |(_, state)| state)
            }
            Lag::Time(lag) => {
                let horizon = at.now.checked_sub(lag).unwrap_or(SystemTime::UNIX_EPOCH);
                let earlier = self.past.iter().find(|(ended, _)| *ended > horizon);
                earlier.map_or(&self.present, |(_, state)| state)
            }
        };
        state.as_deref()
    }

    fn remember(&mut self, now: SystemTime, keep: Duration) {
        self.past.push_back((now, self.present.clone()));
        let too_old = |(ended, _): &(SystemTime, _)| is_over(*ended, now, keep);
        while self.past.len() > KEPT_STATES || self.past.front().is_some_and(too_old) {
            self.past.pop_front();
        }
    }
}

fn is_over(ended: SystemTime, now: SystemTime, keep: Duration) -> bool {
    now.duration_since(ended).is_ok_and(|age| age > keep)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, lag: Lag) -> Moment {
        Moment { now: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), lag }
    }

    #[test]
    fn past_states_are_found_by_time_and_by_count() {
        let mut shelf = Shelf::new(Duration::from_secs(100));
        shelf.insert("a", at(10, Lag::NONE), 1);
        *shelf.edit("a", at(20, Lag::NONE)).unwrap() = 2;
        *shelf.edit("a", at(30, Lag::NONE)).unwrap() = 3;
        shelf.remove("a", at(40, Lag::NONE));

        let ago = |seconds| Lag::Time(Duration::from_secs(seconds));
        let seen: Vec<_> = [45, 32, 22, 12, 2].map(|s| shelf.get("a", at(47, ago(s)))).to_vec();
        assert_eq!(seen, [None, Some(&1), Some(&2), Some(&3), None]);
        let seen: Vec<_> = [0, 1, 2, 3, 4].map(|n| shelf.get("a", at(47, Lag::Changes(n)))).into();
        assert_eq!(seen, [None, Some(&3), Some(&2), Some(&1), None]);
    }

    #[test]
    fn the_past_is_bounded_in_time_and_number() {
        let mut shelf = Shelf::new(Duration::from_secs(1000));
        shelf.insert("a", at(0, Lag::NONE), 0);
        for n in 1..=100 {
            *shelf.edit("a", at(n, Lag::NONE)).unwrap() = n;
        }
        assert_eq!(shelf.entries["a"].past.len(), KEPT_STATES);
        *shelf.edit("a", at(5000, Lag::NONE)).unwrap() = 7;
        assert_eq!(shelf.entries["a"].past.len(), 1);
    }

    #[test]
    fn entries_that_are_gone_are_forgotten_in_time() {
        let mut shelf = Shelf::new(Duration::from_secs(100));
        shelf.insert("kept", at(0, Lag::NONE), 0);
        for n in 1..=10_000 {
            let name = n.to_string();
            shelf.insert(&name, at(n, Lag::NONE), n);
            shelf.remove(&name, at(n, Lag::NONE));
            assert!(shelf.entries.len() <= 2 * FIRST_SWEEP, "{n}: {}", shelf.entries.len());
        }
        assert_eq!(shelf.get("kept", at(10_000, Lag::NONE)), Some(&0));
        // What a read may still see is there.
        shelf.insert("late", at(10_001, Lag::NONE), 7);
        shelf.remove("late", at(10_050, Lag::NONE));
        (0..1_000).for_each(|n| shelf.insert(&format!("new {n}"), at(10_060, Lag::NONE), n));
        let ago = Lag::Time(Duration::from_secs(20));
        assert_eq!(shelf.get("late", at(10_060, ago)), Some(&7));
        assert!(!shelf.entries.contains_key("9000"));
    }
}
