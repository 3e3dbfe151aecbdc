//! An application's own names for secrets.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use secrets_core::{Operation, Result, Secret, SecretName, SecretRef, VersionSelector};

use crate::builder::BuildError;
use crate::cache::line::Key;

/// What an application's name for a secret stands for: a secret of the main provider, or another
/// alias; of it all, or one field of its JSON object; its current version, or another one.
///
/// Aliases are given to [`SecretManagerBuilder::alias`](crate::SecretManagerBuilder::alias). However
/// many of them stand for one secret, it is one entry of the cache and one call of the provider, and
/// they change together with it.
///
/// ```
/// use secrets_core::memory::{MemoryProvider, Personality};
/// use secrets_core::{SecretName, SecretProviderExt, SecretRef};
/// use secrets_manager::{Alias, SecretManager};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let provider = MemoryProvider::new(Personality::Aws);
/// provider.put_text("prod/billing/db", r#"{"user":"app","password":"correct horse"}"#).await?;
///
/// let target = SecretRef::from(SecretName::new("prod/billing/db")?);
/// let manager = SecretManager::builder(provider)
///     .alias(SecretName::new("db-user")?, Alias::new(&target).with_field("user"))
///     .alias(SecretName::new("db-password")?, Alias::new(&target).with_field("password"))
///     .build()?;
///
/// assert_eq!(manager.get("db-password").await?.value.expose_secret(), b"correct horse");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    reference: SecretRef,
    field: Option<Box<str>>,
    version: VersionSelector,
}

impl Alias {
    /// All of the current version of a secret.
    pub fn new(reference: impl Into<SecretRef>) -> Self {
        Self { reference: reference.into(), field: None, version: VersionSelector::Current }
    }

    /// One field of it: see [`SecretValue::json_field`](secrets_core::SecretValue::json_field).
    #[must_use]
    pub fn with_field(mut self, field: impl Into<Box<str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Another version of it.
    #[must_use]
    pub fn with_version(mut self, version: VersionSelector) -> Self {
        self.version = version;
        self
    }

    /// The secret, or the alias, that this stands for.
    #[must_use]
    pub fn reference(&self) -> &SecretRef {
        &self.reference
    }

    /// Which field, if not all of it.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Which version.
    #[must_use]
    pub fn version(&self) -> &VersionSelector {
        &self.version
    }
}

/// What an alias comes to in the end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) alias: SecretName,
    pub(crate) key: Key,
    /// One within the other, the outermost first.
    pub(crate) fields: Vec<Box<str>>,
    /// Its place among the outlets of the line; all of a value is given out by the line's own.
    pub(crate) outlet: usize,
}

impl Target {
    /// Whether it is all of the value.
    pub(crate) fn is_whole(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether it is another name for the secret itself, and no more than that.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_whole() && self.key.selector == VersionSelector::Current
    }

    /// Its part of a value.
    pub(crate) fn extract(&self, secret: &Secret) -> Result<Secret> {
        let mut value = secret.value.clone();
        for field in &self.fields {
            let part = value.json_field(field);
            value = part.map_err(|error| error.with_operation(Operation::GetSecret))?;
        }
        Ok(Secret::new(value, secret.version.clone()))
    }
}

/// All aliases of a manager. They are of its main provider.
#[derive(Debug, Default)]
pub(crate) struct Aliases {
    by_name: HashMap<SecretName, Arc<Target>>,
    by_key: HashMap<Key, Vec<Arc<Target>>>,
}

impl Aliases {
    /// The number of the provider whose they are.
    pub(crate) const SOURCE: usize = 0;

    pub(crate) fn new(declared: &[(SecretName, Alias)]) -> Result<Self, BuildError> {
        let mut names = HashMap::new();
        for (name, alias) in declared {
            if names.insert(name, alias).is_some() {
                return Err(BuildError::SameAlias { name: name.clone() });
            }
        }
        let mut all = Self::default();
        for (name, alias) in declared {
            let (key, fields) = follow(&names, name, alias)?;
            let page = all.by_key.entry(key.clone()).or_default();
            let outlet = page.len() + 1;
            let target = Arc::new(Target { alias: name.clone(), key, fields, outlet });
            page.push(Arc::clone(&target));
            all.by_name.insert(name.clone(), target);
        }
        Ok(all)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// What a reference stands for, if it is an alias.
    pub(crate) fn find(&self, source: usize, reference: &SecretRef) -> Option<&Arc<Target>> {
        if source != Self::SOURCE || self.by_name.is_empty() {
            return None;
        }
        self.by_name.get(reference.name()?)
    }

    /// Those that stand for this.
    pub(crate) fn of(&self, key: &Key) -> &[Arc<Target>] {
        if self.by_key.is_empty() {
            return &[];
        }
        self.by_key.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.by_name.values()
    }
}

/// Follows an alias to the secret that it stands for in the end.
fn follow(
    names: &HashMap<&SecretName, &Alias>,
    name: &SecretName,
    alias: &Alias,
) -> Result<(Key, Vec<Box<str>>), BuildError> {
    let (mut path, mut seen) = (vec![name.clone()], HashSet::from([name]));
    let (mut fields, mut version) = (Vec::new(), VersionSelector::Current);
    let mut at = alias;
    loop {
        fields.extend(at.field.clone());
        if at.version != VersionSelector::Current {
            if version != VersionSelector::Current && version != at.version {
                return Err(BuildError::AliasVersions { name: name.clone() });
            }
            version = at.version.clone();
        }
        let next = at.reference.name().and_then(|name| names.get_key_value(name));
        let Some((next, alias)) = next else { break };
        path.push(SecretName::clone(next));
        if !seen.insert(next) {
            return Err(BuildError::AliasCycle { names: path });
        }
        at = alias;
    }
    fields.reverse();
    let reference = at.reference.clone();
    Ok((Key { source: Aliases::SOURCE, reference, selector: version }, fields))
}

/// Names in the order in which one leads to the other.
pub(crate) struct Path<'a>(pub(crate) &'a [SecretName]);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            let arrow = if at == 0 { "" } else { ", then " };
            write!(f, "{arrow}`{name}`")?;
        }
        Ok(())
    }
}
