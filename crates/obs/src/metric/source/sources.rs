use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::MetricSource;
use super::family::{SourceFamilies, SourceFamily};
use super::own::{self, Totals};
use super::samples::{Sample, Samples};
use super::slot::Slot;
use crate::catalog::Catalog;
use crate::metric::labels::LabelRules;

/// All sources of a recorder.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    slots: Vec<Slot>,
    families: SourceFamilies,
}

impl Sources {
    /// The tables of all of them are in the catalog then.
    pub(crate) fn new(sources: Vec<Arc<dyn MetricSource>>, catalog: &mut Catalog) -> Self {
        let mut families = SourceFamilies::default();
        if !sources.is_empty() {
            families.add(own::TABLE, catalog);
        }
        for source in &sources {
            families.add(source.metrics(), catalog);
        }
        Self { slots: sources.into_iter().map(Slot::new).collect(), families }
    }

    /// Whether a metric is that of a source.
    pub(crate) fn own(&self, name: &str) -> bool {
        self.families.has(name)
    }

    /// Asks all of them.
    pub(crate) fn ask(
        &self,
        clock: fn() -> Instant,
        rules: &LabelRules,
        most: usize,
    ) -> Vec<Arc<[Sample]>> {
        let samples = || Samples::new(&self.families, rules, most);
        let mut said: Vec<_> = self.slots.iter().map(|slot| slot.ask(clock, samples())).collect();
        let mut totals = BTreeMap::<&str, Totals>::new();
        for slot in &self.slots {
            totals.entry(slot.name()).or_default().add(&slot.totals());
        }
        let mut samples = samples();
        totals.iter().for_each(|(source, totals)| totals.say(source, &mut samples));
        said.push(samples.into_taken().0.into());
        said
    }

    /// What was said, by family, each series once and no more of them than there may be. What is left out is
    /// counted, and seen on the next page.
    pub(crate) fn families<'s>(
        &'s self,
        said: &'s [Arc<[Sample]>],
        most: usize,
    ) -> impl Iterator<Item = (&'s SourceFamily, Vec<&'s Sample>)> {
        let mut families: Vec<_> = (0..self.families.len()).map(|_| Vec::new()).collect();
        let mut known = HashSet::<(usize, &str), foldhash::fast::RandomState>::default();
        let mut take = |sample: &'s Sample| {
            let Some(family) = families.get_mut(sample.family) else { return false };
            let is_taken = family.len() < most && known.insert((sample.family, &sample.labels));
            if is_taken {
                family.push(sample);
            }
            is_taken
        };
        // What is said of the sources stands at the end, and is of none of them.
        let slots = self.slots.iter().map(Some).chain([None]);
        for (samples, slot) in said.iter().zip(slots) {
            let rejected = samples.iter().filter(|sample| !take(sample)).count();
            if let (Some(slot), 1..) = (slot, rejected) {
                slot.reject(rejected as u64);
            }
        }
        self.families.iter().zip(families)
    }
}
