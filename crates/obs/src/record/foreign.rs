use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tracing_core::subscriber::Interest;
use tracing_core::{LevelFilter, Metadata};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, Filter as LayerFilter};
use tracing_subscriber::registry::Registry;

use crate::record::core::Core;
use crate::record::filter::Filter;
use crate::record::handle::RecordHandle;
use crate::record::layer::RecordLayer;

/// Layers that stand beside each other on a registry.
pub type Layers = Vec<Box<dyn Layer<Registry> + Send + Sync>>;

/// A [`RecordLayer`] with layers of others beside it, each with a filter of its own.
///
/// What is added to a registry beside a `RecordLayer` in any other way sees only what that one's filter
/// takes: a filter that is set to warnings would keep spans from whatever exports traces. Here
/// each layer is asked for itself.
///
/// A layer that is a filter for all others, as `EnvFilter` and `LevelFilter` are when they are given as
/// layers, would be so here, too: give it as the filter of a layer.
///
/// ```
/// use obs::record::{Filter, RecordLayer};
/// use tracing_subscriber::layer::SubscriberExt;
/// # #[derive(Default)] struct TraceLayer;
/// # impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for TraceLayer {}
///
/// let logs = RecordLayer::builder().filter("warn".parse::<Filter>()?).build();
/// let layers = logs.with_unredacted_layer(TraceLayer::default(), "info".parse::<Filter>()?);
/// let handle = layers.handle();
/// let subscriber = tracing_subscriber::registry().with(layers.into_layers());
/// # drop((handle, subscriber)); Ok::<(), obs::record::FilterError>(())
/// ```
#[must_use]
pub struct RecordLayers {
    core: Arc<Core>,
    layers: Layers,
}

impl RecordLayer {
    /// Puts a layer of somebody else's beside this one. It sees fields and messages as they were
    /// written, secrets among them: nothing is redacted for it.
    pub fn with_unredacted_layer(
        self,
        layer: impl Layer<Registry> + Send + Sync,
        filter: impl LayerFilter<Registry> + Send + Sync + 'static,
    ) -> RecordLayers {
        let core = self.handle().0;
        let layers = self.beside(Layers::new());
        RecordLayers { core, layers }.with_unredacted_layer(layer, filter)
    }

    /// Puts layers beside this one, each of which has a filter of its own already.
    pub(crate) fn beside(self, others: Layers) -> Layers {
        let core = self.handle().0;
        std::iter::once(self.with_filter(OfCore(core)).boxed()).chain(others).collect()
    }
}

impl RecordLayers {
    /// Puts another one beside them.
    pub fn with_unredacted_layer(
        mut self,
        layer: impl Layer<Registry> + Send + Sync,
        filter: impl LayerFilter<Registry> + Send + Sync + 'static,
    ) -> Self {
        self.layers.push(layer.with_filter(filter).boxed());
        self
    }

    /// The handle of the [`RecordLayer`].
    #[must_use]
    pub fn handle(&self) -> RecordHandle {
        RecordHandle(Arc::clone(&self.core))
    }

    /// The layers, for [`tracing_subscriber::registry()`].
    #[must_use]
    pub fn into_layers(self) -> Layers {
        self.layers
    }
}

/// The filter of a [`RecordLayer`], which changes while it is used.
struct OfCore(Arc<Core>);

impl<S> LayerFilter<S> for OfCore {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.0.filter.load().takes(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        interest(&self.0.filter.load(), metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.filter.load().most())
    }
}

impl<S> LayerFilter<S> for Filter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.takes(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        interest(self, metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.most())
    }
}

/// A filter that several layers have, and that changes while it is used. Whoever changes it has the places that log
/// asked again.
#[derive(Debug, Clone)]
pub(crate) struct SharedFilter(Arc<ArcSwap<Filter>>);

impl SharedFilter {
    pub(crate) fn new(filter: Filter) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(filter)))
    }

    pub(crate) fn load(&self) -> Arc<Filter> {
        self.0.load_full()
    }

    pub(crate) fn store(&self, filter: Filter) {
        self.0.store(Arc::new(filter));
    }
}

impl<S> LayerFilter<S> for SharedFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.0.load().takes(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        interest(&self.0.load(), metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.load().most())
    }
}

fn interest(filter: &Filter, metadata: &Metadata<'_>) -> Interest {
    if filter.takes(metadata) { Interest::always() } else { Interest::never() }
}

impl fmt::Debug for RecordLayers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = self.layers.len().saturating_sub(1);
        f.debug_struct("RecordLayers").field("core", &self.core).field("others", &others).finish()
    }
}
