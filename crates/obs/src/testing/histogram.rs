/// What a histogram holds. Reading it takes nothing out of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CapturedHistogram {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Upper bounds, the last one infinite, with how many values lie below each and above the one before.
    pub buckets: Vec<(f64, u64)>,
}

impl CapturedHistogram {
    pub(super) fn new(
        sum: f64,
        bounds: impl Iterator<Item = f64>,
        counts: impl Iterator<Item = u64>,
    ) -> Self {
        let bounds = bounds.chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        Self { count: buckets.iter().map(|(_, count)| count).sum(), sum, buckets }
    }

    /// The mean of the values; none if there are none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 values it does not matter")]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}
