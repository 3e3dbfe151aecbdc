//! Pages over a list that is at hand as a whole.

use std::collections::BTreeMap;

use secrets_core::{
    DeletedSecrets, Error, ErrorKind, Page, PageRequest, PageToken, Result, SecretFilter,
    SecretInfo, SecretRef,
};

/// How many secrets a page has when the caller does not say.
const PAGE: usize = 1000;
/// What starts every token, so that those of other providers are told apart.
const TOKEN: &str = "after ";

/// The page that was asked for, in the order of the references.
pub(crate) fn page(
    entries: impl IntoIterator<Item = SecretInfo>,
    filter: &SecretFilter,
    request: &PageRequest,
) -> Result<Page<SecretInfo>> {
    let after = match &request.token {
        None => None,
        Some(token) => Some(token.as_str().strip_prefix(TOKEN).ok_or_else(foreign_token)?),
    };
    let sorted: BTreeMap<String, SecretInfo> = entries
        .into_iter()
        .filter(|info| passes(info, filter))
        .map(|info| (info.reference.to_string(), info))
        .filter(|(key, _)| after.is_none_or(|after| key.as_str() > after))
        .collect();
    let limit = request.limit.map_or(PAGE, |limit| limit.get() as usize);
    let more = sorted.len() > limit;
    let mut last = None;
    let mut items = Vec::with_capacity(limit.min(sorted.len()));
    for (key, info) in sorted.into_iter().take(limit) {
        items.push(info);
        last = Some(key);
    }
    let next = last.filter(|_| more).map(|key| PageToken::new(format!("{TOKEN}{key}")));
    Ok(Page::new(items, next))
}

/// Secrets of these providers have no tags, and none is both deleted and there.
fn passes(info: &SecretInfo, filter: &SecretFilter) -> bool {
    let text = match &info.reference {
        SecretRef::Name(name) => name.as_str(),
        SecretRef::Native(id) => id.as_str(),
        _ => return false,
    };
    text.starts_with(&filter.prefix)
        && filter.tags.is_empty()
        && filter.deleted != DeletedSecrets::Only
}

fn foreign_token() -> Error {
    Error::new(ErrorKind::InvalidValue, "the page token is not one of this provider")
}
