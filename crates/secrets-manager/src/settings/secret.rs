use secrets_core::{InvalidName, NativeId, SecretName, SecretRef, VersionId, VersionSelector};
use serde::de::{Deserialize, Deserializer, Error};
use service_settings::{Problem, Rules};

use crate::alias::Alias;
use crate::rules::SecretRules;

/// What the settings say of one secret, by the application's name for it: which secret that is, and
/// whether the service can do without.
///
/// ```
/// use secrets_manager::SecretConfig;
/// use service_settings::{Format, Subtree};
///
/// let text = "reference = 'billing/db'\nfield = 'password'\nrequired = true";
/// let config: SecretConfig = Subtree::parse(Format::Toml, "app.toml", text)?.read_checked()?;
/// assert_eq!(config.field.as_deref(), Some("password"));
///
/// let odd = Subtree::parse(Format::Toml, "app.toml", "field = 'password'")?;
/// assert!(odd.read_checked::<SecretConfig>().is_err()); // no name is a part of itself
/// # Ok::<(), service_settings::Problems>(())
/// ```
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SecretConfig {
    /// The secret's name where it is kept; that of the application unless set.
    #[serde(deserialize_with = "name")]
    pub reference: Option<SecretName>,
    /// What the backend itself calls it, instead.
    #[serde(deserialize_with = "native")]
    pub native: Option<NativeId>,
    /// One field of a JSON secret.
    pub field: Option<String>,
    /// `current`, `previous`, `pending`, or the id of a version.
    #[serde(deserialize_with = "version")]
    pub version: VersionSelector,
    /// Whether the service must not start without it.
    pub required: bool,
    /// What its value is held to when the service starts; [`SecretRules::new`] unless set.
    pub rules: Option<SecretRules>,
}

impl SecretConfig {
    /// The secret that the application's name stands for, if that is another one.
    #[must_use]
    pub fn target(&self) -> Option<SecretRef> {
        let native = || self.native.clone().map(SecretRef::Native);
        self.reference.clone().map(SecretRef::Name).or_else(native)
    }

    /// The same with the field and the version.
    #[must_use]
    pub fn alias(&self) -> Option<Alias> {
        let alias = Alias::new(self.target()?).with_version(self.version.clone());
        Some(match &self.field {
            Some(field) => alias.with_field(field.as_str()),
            None => alias,
        })
    }
}

impl Rules for SecretConfig {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut refuse = |path: &str, message: &str| problems.push(Problem::invalid(path, message));
        if self.reference.is_some() && self.native.is_some() {
            refuse("native", "there is a `reference` as well: a name stands for one secret");
        }
        let unnamed =
            "there is no `reference` and no `native`: a name cannot stand for a part of itself";
        if self.target().is_none() && self.field.is_some() {
            refuse("field", unnamed);
        }
        if self.target().is_none() && self.version != VersionSelector::Current {
            refuse("version", unnamed);
        }
        if self.field.as_ref().is_some_and(String::is_empty) {
            refuse("field", "is empty");
        }
        if self.rules.is_some() && !self.required {
            refuse("rules", "nobody looks at them unless the secret is `required`");
        }
        for problem in self.rules.iter().flat_map(SecretRules::problems) {
            refuse(&format!("rules.{}", problem.setting()), &problem.to_string());
        }
        problems
    }
}

/// The application's name for a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AppName(pub(super) SecretName);

impl<'de> Deserialize<'de> for AppName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        SecretName::new(&text).map(Self).map_err(told)
    }
}

fn told<E: Error>(reason: InvalidName) -> E {
    E::custom(format!("this cannot be the name of a secret: {reason}"))
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretName>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| SecretName::new(&text).map_err(told)).transpose()
}

fn native<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NativeId>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| NativeId::new(&text).map_err(told)).transpose()
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<VersionSelector, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(match text.as_str() {
        "current" => VersionSelector::Current,
        "previous" => VersionSelector::Previous,
        "pending" => VersionSelector::Pending,
        id => VersionSelector::Id(VersionId::new(id).map_err(|_| {
            D::Error::custom("this is not `current`, `previous`, `pending` or the id of a version")
        })?),
    })
}
