use std::fmt;

use aws_sdk_kms::types::AliasListEntry;
use secrets_core::{Error, ErrorKind, KeyRef, Result};

use super::provider::KmsProvider;
use super::wrap::{MOST_PAGES, endless};
use crate::error::{Call, send};
use crate::wire::Route;

/// The name of an alias: `alias/` and up to 250 characters of letters, digits, `/`, `_` and `-` (API
/// reference, `CreateAlias`). Those that start with `alias/aws/` are AWS's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Alias(Box<str>);

impl Alias {
    /// Takes a name, with `alias/` in front of it.
    ///
    /// # Errors
    /// `InvalidName` for what cannot be the name of an alias of your own.
    pub fn new(name: &str) -> Result<Self> {
        let is_sound = name.strip_prefix("alias/").is_some_and(|rest| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte);
            (1..=250).contains(&rest.len())
                && rest.bytes().all(allowed)
                && !rest.starts_with("aws/")
        });
        is_sound
            .then(|| Self(name.into()))
            .ok_or_else(|| Error::new(ErrorKind::InvalidName, "not the name of an alias"))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An alias, and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyAlias {
    /// Its name; AWS's own ones are among them.
    pub name: Box<str>,
    /// Its ARN, by which it can be used from other accounts and regions.
    pub arn: Option<KeyRef>,
    /// The id of its key; `None` for one of AWS's own that is not used yet.
    pub key_id: Option<Box<str>>,
}

/// Names for keys, in the service's own account and region. What an alias wrapped names its key, so
/// moving an alias changes what is wrapped from then on, and nothing that was.
impl KmsProvider {
    /// Gives a key a name more.
    ///
    /// # Errors
    /// `AlreadyExists`, `NotFound` for an unknown key, `PendingDeletion`, `QuotaExceeded`,
    /// `PermissionDenied`, or that it cannot be reached.
    pub async fn create_alias(&self, alias: &Alias, key: &KeyRef) -> Result<()> {
        let call = Call::write(None, "CreateAlias");
        let (client, target) = self.at(key, None)?;
        let request = client.create_alias().alias_name(alias.as_str()).target_key_id(target.id());
        send!(call, request)?;
        Ok(())
    }

    /// Has a name stand for another key, of the same sort.
    ///
    /// # Errors
    /// `NotFound` for an unknown alias or key; otherwise as [`create_alias`](Self::create_alias).
    pub async fn move_alias(&self, alias: &Alias, key: &KeyRef) -> Result<()> {
        let call = Call::write(None, "UpdateAlias");
        let (client, target) = self.at(key, None)?;
        let request = client.update_alias().alias_name(alias.as_str()).target_key_id(target.id());
        send!(call, request)?;
        Ok(())
    }

    /// Takes a name away. The key stays.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied`, or that it cannot be reached.
    pub async fn delete_alias(&self, alias: &Alias) -> Result<()> {
        let call = Call::write(None, "DeleteAlias");
        let client = self.client(Route::default())?;
        send!(call, client.delete_alias().alias_name(alias.as_str()))?;
        Ok(())
    }

    /// The names of a key.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied`, or that it cannot be reached.
    pub async fn aliases_of(&self, key: &KeyRef) -> Result<Vec<KeyAlias>> {
        let call = Call::read(None, "ListAliases");
        let (client, target) = self.at(key, None)?;
        let (mut aliases, mut marker) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let request = client.list_aliases().key_id(target.id()).set_marker(marker);
            let told = send!(call, request)?;
            aliases.extend(told.aliases.unwrap_or_default().into_iter().filter_map(alias));
            marker = told.next_marker.filter(|_| told.truncated);
            if marker.is_none() {
                return Ok(aliases);
            }
        }
        Err(endless(&call))
    }
}

fn alias(told: AliasListEntry) -> Option<KeyAlias> {
    Some(KeyAlias {
        name: told.alias_name?.into(),
        arn: told.alias_arn.and_then(|arn| KeyRef::new(&arn).ok()),
        key_id: told.target_key_id.map(Into::into),
    })
}
