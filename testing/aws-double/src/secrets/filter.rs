//! Filters of lists.

use serde_json::Value;

use super::{Op, model::Secret};
use crate::service::Refusal;

/// Conditions that a secret must meet, all of them.
#[derive(Debug)]
pub(super) struct Filters(Vec<Filter>);

#[derive(Debug)]
struct Filter {
    key: Attribute,
    /// One of them must match; with an exclamation mark, none.
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attribute {
    Description,
    Name,
    TagKey,
    TagValue,
    PrimaryRegion,
    OwningService,
    All,
}

impl Filters {
    /// # Errors
    ///
    /// `InvalidParameterException` for an unknown key; `ValidationException` for too many filters or values.
    pub(super) fn read(op: &Op<'_>) -> Result<Self, Refusal> {
        let items = op.input.items("Filters")?.map(Vec::as_slice).unwrap_or_default();
        if items.len() > 10 {
            return Err(super::input::constraint(
                "Filters",
                "Member must have length less than or equal to 10",
            ));
        }
        items.iter().map(Filter::read).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn match_all(&self, secret: &Secret) -> bool {
        self.0.iter().all(|f| f.matches(secret))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Filter {
    fn read(item: &Value) -> Result<Self, Refusal> {
        let name = item.get("Key").and_then(Value::as_str).unwrap_or_default();
        let key = match name {
            "description" => Attribute::Description,
            "name" => Attribute::Name,
            "tag-key" => Attribute::TagKey,
            "tag-value" => Attribute::TagValue,
            "primary-region" => Attribute::PrimaryRegion,
            "owning-service" => Attribute::OwningService,
            "all" => Attribute::All,
            _ => {
                return Err(super::input::constraint(
                    "filters.1.member.key",
                    "Member must satisfy enum value set: [all, name, tag-key, description, \
                     primary-region, owning-service, tag-value]",
                ));
            }
        };
        let values = item.get("Values").and_then(Value::as_array).into_iter().flatten();
        let values: Vec<String> = values.filter_map(Value::as_str).map(str::to_owned).collect();
        if values.is_empty() || values.len() > 10 {
            return Err(Refusal::new(
                "InvalidParameterException",
                "Invalid filter values for key: ".to_owned() + name,
            ));
        }
        Ok(Self { key, values })
    }

    fn matches(&self, secret: &Secret) -> bool {
        let negated = |v: &&String| v.starts_with('!');
        let wanted: Vec<&String> = self.values.iter().filter(|v| !negated(v)).collect();
        let hit = |v: &str| self.key.hits(secret, v);
        (wanted.is_empty() || wanted.iter().any(|v| hit(v)))
            && self.values.iter().filter_map(|v| v.strip_prefix('!')).all(|v| !hit(v))
    }
}

impl Attribute {
    fn hits(self, secret: &Secret, value: &str) -> bool {
        let starts = |text: &str| text.starts_with(value);
        match self {
            Self::Name => starts(&secret.place.name),
            Self::Description => {
                let text = secret.description.as_deref().unwrap_or_default();
                text.to_lowercase().starts_with(&value.to_lowercase())
            }
            Self::TagKey => secret.tags.iter().flatten().any(|(k, _)| starts(k)),
            Self::TagValue => secret.tags.iter().flatten().any(|(_, v)| starts(v)),
            Self::PrimaryRegion => secret.primary.as_deref().is_some_and(starts),
            // No service of the double's makes secrets of its own.
            Self::OwningService => false,
            Self::All => {
                let words = value.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
                let texts = everything(secret);
                words.map(str::to_lowercase).any(|word| texts.iter().any(|t| t.contains(&word)))
            }
        }
    }
}

fn everything(secret: &Secret) -> Vec<String> {
    let tags = secret.tags.iter().flatten().flat_map(|(k, v)| [k.as_str(), v.as_str()]);
    let own = [
        secret.place.name.as_str(),
        secret.description.as_deref().unwrap_or_default(),
        secret.primary.as_deref().unwrap_or_default(),
    ];
    own.into_iter().chain(tags).map(str::to_lowercase).collect()
}
