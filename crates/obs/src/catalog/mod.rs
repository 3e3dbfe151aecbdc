//! What is known of metrics before anything is measured: the tables of libraries, joined.

mod error;
mod exposed;

use std::collections::BTreeMap;

use metric_table::Metric;

pub use error::{CatalogError, CatalogErrorKind};
pub(crate) use exposed::{Exposed, label_name, unit_word};

/// Every metric that an application's libraries declare: their tables, joined.
///
/// It is made before anything is measured, so that what cannot be told apart later is found at the
/// start: two libraries that mean different things by one name, and names that become one in the
/// form that Prometheus reads.
///
/// ```
/// use metric_table::Metric;
/// use obs::catalog::{Catalog, CatalogErrorKind};
///
/// const JOBS: &[Metric] = &[Metric::counter("queue.jobs", "{job}", "jobs that were taken")];
/// const OTHER: &[Metric] = &[Metric::gauge("queue.jobs", "{job}", "jobs that wait")];
///
/// let catalog = Catalog::new().with(JOBS)?;
/// assert_eq!(catalog.get("queue.jobs").map(|metric| metric.unit), Some("{job}"));
/// let refused = catalog.with(OTHER).unwrap_err();
/// assert_eq!(refused.kind(), CatalogErrorKind::Disagree);
/// # Ok::<(), obs::catalog::CatalogError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    metrics: BTreeMap<&'static str, &'static Metric>,
    /// Who takes which name in an exposition.
    claims: BTreeMap<String, &'static str>,
}

impl Catalog {
    /// Nothing is declared.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With the metrics of this table, too. One that is there already, the same in everything, is no
    /// mistake: two libraries may share a part.
    ///
    /// # Errors
    /// [`Disagree`](CatalogErrorKind::Disagree) when a name is declared in two ways, and
    /// [`SameExposition`](CatalogErrorKind::SameExposition) when two names have series of one name
    /// in Prometheus' form, as `a.b` and `a_b` or the counter `a` and the gauge `a.total`.
    pub fn with(mut self, table: &'static [Metric]) -> Result<Self, CatalogError> {
        table.iter().try_for_each(|metric| self.declare(metric))?;
        Ok(self)
    }

    /// One metric more; nothing is changed if it is refused.
    pub(crate) fn declare(&mut self, metric: &'static Metric) -> Result<(), CatalogError> {
        match self.metrics.get(metric.name) {
            Some(known) if **known == *metric => return Ok(()),
            Some(_) => {
                return Err(CatalogError::new(CatalogErrorKind::Disagree, metric.name, None));
            }
            None => {}
        }
        let claims: Vec<String> = Exposed::of(metric).claims().collect();
        if let Some(other) = claims.iter().find_map(|claim| self.claims.get(claim)) {
            let kind = CatalogErrorKind::SameExposition;
            return Err(CatalogError::new(kind, metric.name, Some(*other)));
        }
        self.metrics.insert(metric.name, metric);
        self.claims.extend(claims.into_iter().map(|claim| (claim, metric.name)));
        Ok(())
    }

    /// The declaration of a metric by its name, as `http.server.request.duration`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'static Metric> {
        self.metrics.get(name).copied()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &'static Metric> + '_ {
        self.metrics.values().copied()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.metrics.len()
    }

    /// Whether nothing is declared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }

    /// Who takes which name in an exposition.
    pub(crate) fn claims(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.claims.iter().map(|(claim, owner)| (claim.as_str(), *owner))
    }
}
