//! Metrics of an application, declared once, whose labels are types.

use std::marker::PhantomData;

use metric_table::Metric;
use metrics::{Counter, Gauge, Histogram, Label};

/// A label that takes a bounded set of values, most often an enum.
pub trait LabelValue: Copy {
    /// What the label is called, in the style of OpenTelemetry: `order.channel`.
    const NAME: &'static str;

    /// The value. It is a constant of the program: what a user sends cannot become one.
    fn value(self) -> &'static str;
}

/// The labels of a metric: none, one, or several together.
pub trait Labels: Copy {
    /// Their names.
    const NAMES: &'static [&'static str];

    /// Their values, with the names.
    fn labels(self) -> Vec<Label>;
}

impl Labels for () {
    const NAMES: &'static [&'static str] = &[];

    fn labels(self) -> Vec<Label> {
        Vec::new()
    }
}

impl<A: LabelValue> Labels for (A,) {
    const NAMES: &'static [&'static str] = &[A::NAME];

    fn labels(self) -> Vec<Label> {
        vec![label(self.0)]
    }
}

impl<A: LabelValue, B: LabelValue> Labels for (A, B) {
    const NAMES: &'static [&'static str] = &[A::NAME, B::NAME];

    fn labels(self) -> Vec<Label> {
        vec![label(self.0), label(self.1)]
    }
}

impl<A: LabelValue, B: LabelValue, C: LabelValue> Labels for (A, B, C) {
    const NAMES: &'static [&'static str] = &[A::NAME, B::NAME, C::NAME];

    fn labels(self) -> Vec<Label> {
        vec![label(self.0), label(self.1), label(self.2)]
    }
}

fn label<L: LabelValue>(label: L) -> Label {
    Label::from_static_parts(L::NAME, label.value())
}

/// A counter of an application, declared with the types of its labels: a label that is missing, of
/// another metric or made up is an error of the compiler.
///
/// ```
/// use metric_table::Metric;
/// use obs::catalog::Catalog;
/// use obs::metric::{CounterOf, LabelValue, MetricRecorder};
///
/// #[derive(Clone, Copy)]
/// enum Channel { Shop, Phone }
///
/// impl LabelValue for Channel {
///     const NAME: &'static str = "order.channel";
///     fn value(self) -> &'static str {
///         match self { Self::Shop => "shop", Self::Phone => "phone" }
///     }
/// }
///
/// const ORDERS: CounterOf<(Channel,)> = CounterOf::new("shop.orders", "{order}", "orders that were placed");
/// const TABLE: &[Metric] = &[ORDERS.metric()];
///
/// let recorder = MetricRecorder::builder().catalog(Catalog::new().with(TABLE)?).build();
/// # metrics::with_local_recorder(&recorder, || {
/// ORDERS.of((Channel::Shop,)).increment(1);
/// // Where it happens often, the handle is kept.
/// let by_phone = ORDERS.of((Channel::Phone,));
/// by_phone.increment(1);
/// # });
/// # Ok::<(), obs::catalog::CatalogError>(())
/// ```
#[derive(Debug)]
pub struct CounterOf<L> {
    metric: Metric,
    labels: PhantomData<fn(L)>,
}

impl<L: Labels> CounterOf<L> {
    /// Declares it.
    ///
    /// # Panics
    /// As [`Metric::counter`] and [`Metric::with_labels`] do; in a constant that is an error of the compiler.
    #[must_use]
    pub const fn new(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        let metric = Metric::counter(name, unit, help).with_labels(L::NAMES);
        Self { metric, labels: PhantomData }
    }

    /// What a table says of it.
    #[must_use]
    pub const fn metric(&self) -> Metric {
        self.metric
    }

    /// The series with these labels.
    pub fn of(&self, labels: L) -> Counter {
        metrics::counter!(self.metric.name, labels.labels())
    }
}

/// A gauge of an application, declared as [`CounterOf`] is.
#[derive(Debug)]
pub struct GaugeOf<L> {
    metric: Metric,
    labels: PhantomData<fn(L)>,
}

impl<L: Labels> GaugeOf<L> {
    /// Declares it.
    ///
    /// # Panics
    /// As [`CounterOf::new`] does.
    #[must_use]
    pub const fn new(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        let metric = Metric::gauge(name, unit, help).with_labels(L::NAMES);
        Self { metric, labels: PhantomData }
    }

    /// What a table says of it.
    #[must_use]
    pub const fn metric(&self) -> Metric {
        self.metric
    }

    /// The series with these labels.
    pub fn of(&self, labels: L) -> Gauge {
        metrics::gauge!(self.metric.name, labels.labels())
    }
}

/// A histogram of an application, declared as [`CounterOf`] is.
#[derive(Debug)]
pub struct HistogramOf<L> {
    metric: Metric,
    labels: PhantomData<fn(L)>,
}

impl<L: Labels> HistogramOf<L> {
    /// Declares it, with the upper bounds of its buckets.
    ///
    /// # Panics
    /// As [`CounterOf::new`] and [`Metric::with_buckets`] do.
    #[must_use]
    pub const fn new(
        name: &'static str,
        unit: &'static str,
        help: &'static str,
        bounds: &'static [f64],
    ) -> Self {
        let metric = Metric::histogram(name, unit, help).with_labels(L::NAMES);
        Self { metric: metric.with_buckets(bounds), labels: PhantomData }
    }

    /// What a table says of it.
    #[must_use]
    pub const fn metric(&self) -> Metric {
        self.metric
    }

    /// The series with these labels.
    pub fn of(&self, labels: L) -> Histogram {
        metrics::histogram!(self.metric.name, labels.labels())
    }
}
