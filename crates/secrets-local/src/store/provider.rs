use std::collections::BTreeMap;
use std::time::SystemTime;

use secrets_core::{
    Capabilities, ChangeStream, DeleteMode, Deleted, DeletedSecrets, Error, ErrorKind, GetOptions,
    Health, IdempotencyKey, MetadataPatch, NameRules, Operation, Page, PageRequest, PageToken,
    Precondition, Promoted, ProviderId, Result, Secret, SecretFilter, SecretInfo, SecretName,
    SecretProvider, SecretRef, SecretValue, SetOptions, VersionId, VersionInfo, VersionState,
    async_trait,
};

use super::changes::Changes;
use super::engine::Engine;
use super::file_store::FileStore;
use super::index::Entry;
use super::snapshot::Snapshot;
use super::transaction::Transaction;

/// Items of a page where the request does not say.
const PAGE: usize = 100;
/// Items of a page at most.
const MAX_PAGE: usize = 1000;

/// The secret that is meant. The store has no names but neutral ones, so a native id must be one.
fn name_of(reference: &SecretRef) -> Result<SecretName> {
    match reference {
        SecretRef::Name(name) => Ok(name.clone()),
        SecretRef::Native(id) => Ok(SecretName::new(id.as_str())?),
        _ => Err(Error::new(ErrorKind::InvalidName, "this kind of reference is not known here")),
    }
}

impl FileStore {
    async fn reading<T: Send + 'static>(
        &self,
        operation: Operation,
        read: impl Fn(&Snapshot, SystemTime) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        let read = move |engine: &Engine| {
            let snapshot = engine.snapshot().map_err(Error::from)?;
            read(&snapshot, engine.environment().clock.now())
        };
        self.run(read).await.map_err(|error: Error| error.with_operation(operation))
    }

    async fn writing<T: Send + 'static>(
        &self,
        operation: Operation,
        write: impl Fn(&mut Transaction<'_>) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        self.change(write).await.map_err(|error: Error| error.with_operation(operation))
    }
}

#[async_trait]
impl SecretProvider for FileStore {
    fn id(&self) -> &ProviderId {
        self.provider_id()
    }

    fn capabilities(&self) -> &Capabilities {
        self.all_capabilities()
    }

    fn name_rules(&self) -> &NameRules {
        self.rules()
    }

    async fn get_secret(&self, reference: &SecretRef, options: GetOptions) -> Result<Secret> {
        let operation = Operation::GetSecret;
        let name = name_of(reference).map_err(|error| error.with_operation(operation))?;
        self.reading(operation, move |snapshot, now| snapshot.get(&name, &options.version, now))
            .await
    }

    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        let wanted = wanted.to_vec();
        self.reading(Operation::GetSecrets, move |snapshot, now| {
            let read = |(reference, options): &(SecretRef, GetOptions)| {
                let read =
                    name_of(reference).and_then(|name| snapshot.get(&name, &options.version, now));
                read.map_err(|error| error.with_operation(Operation::GetSecrets))
            };
            Ok(wanted.iter().map(read).collect())
        })
        .await
    }

    async fn set_secret(
        &self,
        reference: &SecretRef,
        value: SecretValue,
        options: SetOptions,
    ) -> Result<VersionInfo> {
        let operation = Operation::SetSecret;
        let name = name_of(reference).map_err(|error| error.with_operation(operation))?;
        let policy = self.settings().policy;
        self.writing(operation, move |transaction| {
            transaction.set(&name, &value, &options, &policy)
        })
        .await
    }

    /// Moving labels is repeatable by itself, so the token has nothing to do.
    async fn promote(
        &self,
        reference: &SecretRef,
        pending: &VersionId,
        base: &VersionId,
        _token: &IdempotencyKey,
    ) -> Result<Promoted> {
        let operation = Operation::Promote;
        let name = name_of(reference).map_err(|error| error.with_operation(operation))?;
        let (pending, base) = (pending.clone(), base.clone());
        self.writing(operation, move |transaction| transaction.promote(&name, &pending, &base))
            .await
    }

    async fn discard_pending(&self, reference: &SecretRef, pending: &VersionId) -> Result<()> {
        let operation = Operation::DiscardPending;
        let name = name_of(reference).map_err(|error| error.with_operation(operation))?;
        let pending = pending.clone();
        self.writing(operation, move |transaction| transaction.discard_pending(&name, &pending))
            .await
    }

    async fn update_metadata(
        &self,
        reference: &SecretRef,
        version: Option<&VersionId>,
        patch: MetadataPatch,
        precondition: Precondition,
    ) -> Result<()> {
        let operation = Operation::UpdateMetadata;
        let name = name_of(reference).map_err(|error| error.with_operation(operation))?;
        let version = version.cloned();
        self.writing(operation, move |transaction| {
            transaction.update_metadata(&name, version.as_ref(), &patch, &precondition)
        })
        .await
    }

    async fn set_version_state(
        &self,
        reference: &SecretRef,
        version: &VersionId,
        state: VersionState,
    ) -> Result<()> {
        let operation = Operation::SetVersionState;
        let name = name_of(reference).map_err(|error| error.with_operation(operation))?;
        let version = version.clone();
        self.writing(operation, move |transaction| {
            transaction.set_version_state(&name, &version, state)
        })
        .await
    }

    async fn describe_secret(&self, reference: &SecretRef) -> Result<SecretInfo> {
        let operation = Operation::DescribeSecret;
        let name = name_of(reference).map_err(|error| error.with_operation(operation))?;
        self.reading(operation, move |snapshot, now| snapshot.describe(&name, now)).await
    }

    async fn list_versions(
        &self,
        reference: &SecretRef,
        page: PageRequest,
    ) -> Result<Page<VersionInfo>> {
        let operation = Operation::ListVersions;
        let name = name_of(reference).map_err(|error| error.with_operation(operation))?;
        self.reading(operation, move |snapshot, now| {
            versions_page(snapshot.entry(&name, now)?, &page)
        })
        .await
    }

    async fn list_secrets(
        &self,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        let filter = filter.clone();
        self.reading(Operation::ListSecrets, move |snapshot, now| {
            secrets_page(snapshot, &filter, &page, now)
        })
        .await
    }

    async fn delete_secret(&self, reference: &SecretRef, mode: DeleteMode) -> Result<Deleted> {
        let operation = Operation::DeleteSecret;
        let name = name_of(reference).map_err(|error| error.with_operation(operation))?;
        let policy = self.settings().policy;
        self.writing(operation, move |transaction| transaction.delete(&name, mode, &policy)).await
    }

    async fn restore_secret(&self, reference: &SecretRef) -> Result<()> {
        let operation = Operation::RestoreSecret;
        let name = name_of(reference).map_err(|error| error.with_operation(operation))?;
        self.writing(operation, move |transaction| transaction.restore(&name)).await
    }

    async fn purge_secret(&self, reference: &SecretRef) -> Result<()> {
        let operation = Operation::PurgeSecret;
        let name = name_of(reference).map_err(|error| error.with_operation(operation))?;
        self.writing(operation, move |transaction| transaction.purge(&name)).await
    }

    fn changes(&self) -> Option<ChangeStream> {
        Some(Box::pin(Changes::new(self.clone())))
    }

    /// Looks at the file, and reads its index where it changed.
    async fn health(&self) -> Result<Health> {
        let operation = Operation::Health;
        let warnings = self.warnings();
        self.reading(operation, move |_, _| {
            let findings = warnings.iter().map(|warning| warning.to_string().into());
            let mut health = Health::healthy();
            health.findings = findings.collect();
            if !health.findings.is_empty() {
                health.status = secrets_core::HealthStatus::Degraded;
            }
            Ok(health)
        })
        .await
    }
}

fn page_len(page: &PageRequest) -> usize {
    let asked = page.limit.map(|limit| usize::try_from(limit.get()).unwrap_or(MAX_PAGE));
    asked.unwrap_or(PAGE).min(MAX_PAGE)
}

fn foreign_token() -> Error {
    Error::new(ErrorKind::InvalidValue, "the page token is not of this store")
}

/// Versions in the order of their writing. The token is the last id given.
fn versions_page(entry: &Entry, page: &PageRequest) -> Result<Page<VersionInfo>> {
    let begin = match &page.token {
        None => 0,
        Some(token) => {
            let id = VersionId::new(token.as_str().strip_prefix("after:").unwrap_or_default())
                .ok()
                .and_then(|id| super::VersionKey::from_id(&id))
                .ok_or_else(foreign_token)?;
            // A version that was dropped meanwhile: begin again, rather than miss one.
            entry.versions.iter().position(|version| version.id == id).map_or(0, |at| at + 1)
        }
    };
    let rest = entry.versions.get(begin..).unwrap_or_default();
    let taken = rest.get(..page_len(page)).unwrap_or(rest);
    let items: Vec<_> =
        taken.iter().map(|version| version.info(&entry.labels)).collect::<Result<_>>()?;
    let next = (taken.len() < rest.len()).then(|| taken.last()).flatten();
    Ok(Page::new(items, next.map(|last| PageToken::new(format!("after:{}", last.id)))))
}

/// Secrets in the order of their names. The token is the last name looked at.
fn secrets_page(
    snapshot: &Snapshot,
    filter: &SecretFilter,
    page: &PageRequest,
    now: SystemTime,
) -> Result<Page<SecretInfo>> {
    let after = match &page.token {
        None => None,
        Some(token) => {
            let name = token.as_str().strip_prefix("after:").ok_or_else(foreign_token)?;
            Some(SecretName::new(name).map_err(|_| foreign_token())?)
        }
    };
    let limit = page_len(page);
    let mut items: Vec<SecretInfo> = Vec::new();
    let mut last: Option<&SecretName> = None;
    for (name, entry) in names_from(&snapshot.index.secrets, &filter.prefix, after.as_ref()) {
        if !matches(entry, filter, now) {
            continue;
        }
        if items.len() == limit {
            let next = last.map(|name| PageToken::new(format!("after:{name}")));
            return Ok(Page::new(items, next));
        }
        items.push(entry.describe(name)?);
        last = Some(name);
    }
    Ok(Page::new(items, None))
}

/// The names that begin with `prefix`, behind `after`. They stand together, since names are sorted.
fn names_from<'a, T>(
    names: &'a BTreeMap<SecretName, T>,
    prefix: &str,
    after: Option<&SecretName>,
) -> impl Iterator<Item = (&'a SecretName, &'a T)> {
    use std::ops::Bound::{Excluded, Included, Unbounded};

    let first = last_name_up_to(prefix);
    let begin = match (after, &first) {
        (Some(after), first) if first.as_ref().is_none_or(|first| first <= after) => {
            Excluded(after)
        }
        (_, Some(first)) => Included(first),
        (_, None) => Unbounded,
    };
    names
        .range((begin, Unbounded))
        .skip_while(move |(name, _)| name.as_str() < prefix)
        .take_while(move |(name, _)| name.as_str().starts_with(prefix))
}

/// The longest beginning of a prefix that is a name: no name with the prefix comes before it.
fn last_name_up_to(prefix: &str) -> Option<SecretName> {
    (1..=prefix.len()).rev().find_map(|end| SecretName::new(prefix.get(..end)?).ok())
}

/// Whether a secret with the prefix is one that was asked for.
fn matches(entry: &Entry, filter: &SecretFilter, now: SystemTime) -> bool {
    let deleted = match filter.deleted {
        DeletedSecrets::Exclude => entry.deletion.is_none(),
        DeletedSecrets::Only => entry.deletion.is_some(),
        DeletedSecrets::Include => true,
    };
    let has = |(name, value): (&String, &String)| entry.tags.get(name) == Some(value);
    deleted && !entry.is_past(now) && filter.tags.iter().all(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_looked_for_where_it_begins() {
        for (prefix, begins) in [
            ("", None),
            ("s", Some("s")),
            ("s/", Some("s")),
            ("s/a", Some("s/a")),
            ("s/.", Some("s")),
            ("A", None),
            ("sA", Some("s")),
            ("s\u{e9}", Some("s")),
        ] {
            let found = last_name_up_to(prefix);
            assert_eq!(found.as_ref().map(SecretName::as_str), begins, "{prefix}");
        }
        let names = ["a", "s", "s-", "s.x", "s/a", "s/b", "s/c/d", "s0", "sa", "z"];
        let names: BTreeMap<_, _> =
            names.iter().map(|name| (SecretName::new(name).expect("a name"), ())).collect();
        for prefix in ["", "s", "s/", "s/b", "s/c/", "t", "z", "zz", "A", "s.", "a/"] {
            for after in std::iter::once(None).chain(names.keys().map(Some)) {
                let found: Vec<_> =
                    names_from(&names, prefix, after).map(|(name, ())| name).collect();
                let expected: Vec<_> = names
                    .keys()
                    .filter(|name| name.as_str().starts_with(prefix))
                    .filter(|name| after.is_none_or(|after| *name > after))
                    .collect();
                assert_eq!(found, expected, "{prefix} after {after:?}");
            }
        }
    }
}
