use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use audit_log::{Code, Product};
use service_settings::{Problem, Problems, Subtree, nearest};

use super::plan::ProviderPlan;

/// Makes providers of one type out of their options.
///
/// A closure `Fn(&Subtree) -> Result<ProviderPlan, Problems>` is one. `type`, `credentials_from` and
/// `timeout` are not among the options: they are the manager's.
pub trait ProviderFactory: Send + Sync + 'static {
    /// Reads the options, all of them, and touches nothing else: no file, no network. It is asked
    /// about providers that are never used as well, so that what is wrong with them is known.
    ///
    /// # Errors
    /// [`Problems`]: all that is wrong with the options. See [`Subtree::read_checked`] and
    /// [`Subtree::problem`].
    fn plan(&self, options: &Subtree) -> Result<ProviderPlan, Problems>;
}

impl<F> ProviderFactory for F
where
    F: Fn(&Subtree) -> Result<ProviderPlan, Problems> + Send + Sync + 'static,
{
    fn plan(&self, options: &Subtree) -> Result<ProviderPlan, Problems> {
        self(options)
    }
}

const OURSELVES: Product = Product::new(Code::new("mainstay"), Code::new("secrets-manager"));

/// What the program brings to its settings: the types of providers, those that are compiled in and
/// those of the application, and who it is.
///
/// ```
/// use secrets_manager::{ProviderPlan, Registry};
/// use secrets_core::memory::{MemoryProvider, Personality};
/// use service_settings::{Problems, Subtree};
///
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Options {
///     scope: String,
/// }
///
/// let registry = Registry::new().register("memory", |options: &Subtree| -> Result<_, Problems> {
///     let Options { scope } = options.read()?;
///     let provider = MemoryProvider::builder(Personality::Aws).scope(&scope).build();
///     let provider = provider.map_err(|error| options.problem("scope", error.to_string()))?;
///     Ok(ProviderPlan::ready(provider))
/// });
/// assert!(registry.types().any(|kind| kind == "memory"));
/// ```
#[derive(Clone)]
#[must_use]
pub struct Registry {
    factories: BTreeMap<String, Arc<dyn ProviderFactory>>,
    product: Product,
}

/// The types that this crate knows, and the features that turn them on.
const KNOWN: [(&str, &str); 5] = [
    ("aws", "aws"),
    ("directory", "local"),
    ("dotenv", "local"),
    ("env", "local"),
    ("file", "local"),
];

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// The types that are compiled in.
    pub fn new() -> Self {
        let registry = Self { factories: BTreeMap::new(), product: OURSELVES };
        #[cfg(feature = "local")]
        let registry = super::local::register(registry);
        #[cfg(feature = "aws")]
        let registry = super::aws::register(registry);
        registry
    }

    /// Adds a type, over one of this name.
    pub fn register(mut self, kind: impl Into<String>, factory: impl ProviderFactory) -> Self {
        self.factories.insert(kind.into(), Arc::new(factory));
        self
    }

    /// Who the service is, in the events of the audit trail that settings name; unless set it is
    /// this library.
    pub fn with_product(mut self, product: Product) -> Self {
        self.product = product;
        self
    }

    pub(super) fn product(&self) -> Product {
        self.product.clone()
    }

    /// The types that there are.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        self.factories.keys().map(String::as_str)
    }

    pub(super) fn factory(&self, kind: &str) -> Option<&dyn ProviderFactory> {
        self.factories.get(kind).map(|factory| &**factory)
    }

    /// What to say of a type that there is not, where it stands in the options.
    pub(super) fn unknown(&self, kind: &str, options: &Subtree) -> Problem {
        let feature = KNOWN.iter().find(|(known, _)| *known == kind).map(|(_, feature)| feature);
        let known = KNOWN.iter().map(|(known, _)| *known).chain(self.types());
        let message = match (feature, nearest(kind, known)) {
            (Some(feature), _) => format!(
                "providers of this type are not compiled in; turn on the feature `{feature}` of secrets-manager"
            ),
            (None, Some(near)) => format!("there is no such type of provider; is `{near}` meant?"),
            (None, None) => {
                let types: Vec<_> = self.types().map(|kind| format!("`{kind}`")).collect();
                format!("there is no such type of provider; there are {}", types.join(", "))
            }
        };
        options.problem("type", message)
    }
}

/// Shows the types.
impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.factories.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who is told to turn on a feature has to find it.
    #[test]
    fn the_features_that_are_named_are_there() {
        let manifest = include_str!("../../Cargo.toml");
        let features = manifest.split("[features]").nth(1).unwrap_or_default();
        let features = features.split("\n[").next().unwrap_or_default();
        for (kind, feature) in KNOWN {
            let begin = format!("{feature} = ");
            assert!(features.lines().any(|line| line.starts_with(&begin)), "{kind}: {feature}");
        }
    }
}
