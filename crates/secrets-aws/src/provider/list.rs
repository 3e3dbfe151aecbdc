use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, SecretListEntry};
use secrets_core::{
    DeletedSecrets, Effect, Error, ErrorKind, Operation, Page, PageRequest, PageToken, Result,
    SecretFilter, SecretInfo, SecretRef, VersionId,
};
use sha2::{Digest, Sha256};

use crate::error::{Call, send};
use crate::provider::SecretsManagerProvider;
use crate::provider::delete::deletion;
use crate::provider::labels;
use crate::provider::metadata::tags_of;
use crate::provider::names::listed;
use crate::provider::session::{time, version_id};
use crate::wire::Route;

/// A page has so many entries at most (API reference, `MaxResults`).
const MAX_PAGE: u32 = 100;
/// A request takes so many filters (API reference, `ListSecrets`).
const MAX_FILTERS: usize = 10;

/// Which list a page token belongs to. AWS's tokens are wrapped, so that one of another list, or of
/// somebody else, is refused here and not taken for the first page.
#[derive(Debug)]
pub(super) struct ListId(String);

impl ListId {
    pub(super) fn new(kind: &str, arguments: &str) -> Self {
        let digest = Sha256::digest(format!("{kind}\n{arguments}"));
        Self(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }

    /// AWS's token for the asked page; `None` for the first one.
    pub(super) fn start(&self, page: &PageRequest) -> Result<Option<String>> {
        let Some(token) = &page.token else { return Ok(None) };
        match token.as_str().split_once('.') {
            Some((list, aws)) if list == self.0 && !aws.is_empty() => Ok(Some(aws.to_owned())),
            _ => {
                let message = "the page token is not one of this list";
                Err(Error::new(ErrorKind::InvalidValue, message))
            }
        }
    }

    /// Where the next page starts; an empty token of AWS's means none.
    ///
    /// # Errors
    /// `Internal`: there, where the asked page starts. Whoever went on would go on for ever, and
    /// whoever stopped would not have all.
    pub(super) fn next(&self, page: &PageRequest, aws: Option<&str>) -> Result<Option<PageToken>> {
        let Some(aws) = aws.filter(|token| !token.is_empty()) else { return Ok(None) };
        let next = PageToken::new(format!("{}.{aws}", self.0));
        match page.token.as_ref() == Some(&next) {
            true => Err(Error::new(ErrorKind::Internal, "the list goes on where it came from")
                .with_effect(Effect::NotApplied)),
            false => Ok(Some(next)),
        }
    }

    /// `MaxResults` for a page.
    pub(super) fn limit(page: &PageRequest) -> Option<i32> {
        i32::try_from(page.limit?.get().min(MAX_PAGE)).ok()
    }
}

impl SecretsManagerProvider {
    pub(super) async fn list(
        &self,
        filter: &SecretFilter,
        page: &PageRequest,
    ) -> Result<Page<SecretInfo>> {
        let named = |error: Error| error.with_operation(Operation::ListSecrets);
        let list = ListId::new("secrets", &format!("{filter:?}"));
        let start = list.start(page).map_err(named)?;
        let client = self.clients().secrets_manager(Route::default()).map_err(named)?;
        let filters = filters(filter);
        let request = client
            .list_secrets()
            .include_planned_deletion(filter.deleted != DeletedSecrets::Exclude)
            .set_max_results(ListId::limit(page))
            .set_next_token(start)
            .set_filters((!filters.is_empty()).then_some(filters));
        let call = Call::read(Operation::ListSecrets, "ListSecrets");
        let output = send!(call, request)?;
        let mut items = Vec::new();
        for entry in output.secret_list.unwrap_or_default() {
            let info = summary(&entry).map_err(named)?;
            items.extend(info.filter(|info| passes(filter, info)));
        }
        Ok(Page::new(items, list.next(page, output.next_token.as_deref()).map_err(named)?))
    }
}

/// What AWS can leave out for us: its filters match the beginnings of names, tag names and tag
/// values, each by itself. The exact filter is ours.
fn filters(filter: &SecretFilter) -> Vec<Filter> {
    let one = |key, value: &str| Filter::builder().key(key).values(value).build();
    let mut filters = Vec::new();
    if is_filter(&filter.prefix) {
        filters.push(one(FilterNameStringType::Name, &filter.prefix));
    }
    for (name, value) in &filter.tags {
        if is_filter(name) {
            filters.push(one(FilterNameStringType::TagKey, name));
        }
        if is_filter(value) {
            filters.push(one(FilterNameStringType::TagValue, value));
        }
    }
    filters.truncate(MAX_FILTERS);
    filters
}

/// Whether AWS takes a text as a filter for itself: letters, digits, ` :_@/+=.-`, no `!` at its
/// beginning, which would turn it round (API reference, `Filter`).
fn is_filter(text: &str) -> bool {
    (1..=512).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b" :_@/+=.-".contains(&b))
}

fn passes(filter: &SecretFilter, info: &SecretInfo) -> bool {
    let name = match &info.reference {
        SecretRef::Name(name) => name.as_str(),
        SecretRef::Native(id) => id.as_str(),
        _ => return false,
    };
    let wanted = match filter.deleted {
        DeletedSecrets::Exclude => info.deletion.is_none(),
        DeletedSecrets::Include => true,
        DeletedSecrets::Only => info.deletion.is_some(),
    };
    wanted
        && name.starts_with(&filter.prefix)
        && filter.tags.iter().all(|(tag, value)| info.tags.get(tag) == Some(value))
}

fn summary(entry: &SecretListEntry) -> Result<Option<SecretInfo>> {
    let Some(reference) = entry.name().and_then(listed) else { return Ok(None) };
    let mut info = SecretInfo::new(reference);
    info.created = time(entry.created_date());
    info.updated = time(entry.last_changed_date());
    info.deletion = deletion(entry.deleted_date(), entry.last_changed_date());
    info.tags = tags_of(entry.tags());
    info.description = entry.description.clone().filter(|text| !text.is_empty());
    info.current = holder(entry, labels::CURRENT)?;
    info.previous = holder(entry, labels::PREVIOUS)?;
    info.pending = holder(entry, labels::PENDING)?.filter(|id| Some(id) != info.current.as_ref());
    Ok(Some(info))
}

fn holder(entry: &SecretListEntry, label: &str) -> Result<Option<VersionId>> {
    let Some(versions) = entry.secret_versions_to_stages() else { return Ok(None) };
    let carries = |labels: &Vec<String>| labels.iter().any(|one| one == label);
    let holder = versions.iter().find(|(_, labels)| carries(labels));
    holder.map(|(id, _)| version_id(Some(id))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_list() {
        let (one, other) = (ListId::new("secrets", "a"), ListId::new("secrets", "b"));
        let (first, token) = (PageRequest::first(), Some("aws-token.with=signs"));
        let page = PageRequest::after(one.next(&first, token).unwrap().unwrap());
        assert_eq!(one.next(&page, token).unwrap_err().kind(), ErrorKind::Internal);
        assert!(one.next(&page, Some("another")).unwrap().is_some());
        assert_eq!(one.start(&page).unwrap().as_deref(), Some("aws-token.with=signs"));
        assert_eq!(other.start(&page).unwrap_err().kind(), ErrorKind::InvalidValue);
        for foreign in ["", ".", "aws-token", "\u{202e}"] {
            let page = PageRequest::after(PageToken::new(foreign));
            assert_eq!(one.start(&page).unwrap_err().kind(), ErrorKind::InvalidValue);
        }
        assert_eq!(one.start(&PageRequest::first()).unwrap(), None);
        for end in [None, Some("")] {
            assert_eq!(one.next(&first, end).unwrap(), None);
        }
    }

    #[test]
    fn what_aws_would_read_otherwise_is_filtered_here_alone() {
        let filter = SecretFilter::prefix("!db").with_tag("team", "!blue").with_tag("", "");
        let sent = filters(&filter);
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].values(), ["team"]);
        let many =
            (0..20).fold(SecretFilter::prefix("a"), |f, at| f.with_tag(format!("{at}"), "x"));
        assert_eq!(filters(&many).len(), MAX_FILTERS);
    }
}
