use std::collections::HashMap;

use metric_table::Metric;

use crate::catalog::{Catalog, Exposed};

/// A metric that sources say something of.
#[derive(Debug)]
pub(crate) struct SourceFamily {
    pub(crate) metric: &'static Metric,
    pub(crate) names: Exposed,
}

/// The metrics of all sources, each once.
#[derive(Debug, Default)]
pub(crate) struct SourceFamilies {
    all: Vec<SourceFamily>,
    by_name: HashMap<&'static str, usize, foldhash::fast::RandomState>,
}

impl SourceFamilies {
    /// With a table. What disagrees with what the catalog has already is left out, and said.
    pub(crate) fn add(&mut self, table: &'static [Metric], catalog: &mut Catalog) {
        for metric in table {
            if self.find(metric).is_some() {
                continue;
            }
            if let Err(error) = catalog.declare(metric) {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "a metric of a source is not shown");
                continue;
            }
            self.by_name.insert(metric.name, self.all.len());
            self.all.push(SourceFamily { metric, names: Exposed::of(metric) });
        }
    }

    /// Its place, if it is declared just so.
    pub(crate) fn find(&self, metric: &Metric) -> Option<usize> {
        let place = *self.by_name.get(metric.name)?;
        self.all.get(place).filter(|known| known.metric == metric).map(|_| place)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &SourceFamily> {
        self.all.iter()
    }
}
