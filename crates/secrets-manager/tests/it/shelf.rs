//! A store in memory that reads what it was given, can be told what it cannot do, and counts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::StreamExt;
use secrets_core::{
    Capabilities, ChangeHint, ChangeStream, Consistency, Error, ErrorKind, GetOptions, Health,
    Limits, NameRules, Operation, Page, PageRequest, PageToken, ProviderId, Result, Secret,
    SecretFilter, SecretInfo, SecretProvider, SecretRef, Staging, Support, VersionId, VersionInfo,
    VersionSelector, async_trait,
};
use tokio::sync::mpsc;

use crate::support::{noon, value};

/// What there is of a secret: the ids of its versions, which are their values too.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Entry {
    pub(crate) current: Option<&'static str>,
    pub(crate) previous: Option<&'static str>,
    pub(crate) pending: Option<&'static str>,
}

impl Entry {
    pub(crate) fn current(id: &'static str) -> Self {
        Self { current: Some(id), ..Self::default() }
    }

    pub(crate) fn find(&self, version: &VersionSelector) -> Option<&'static str> {
        let all = [self.current, self.previous, self.pending];
        match version {
            VersionSelector::Current => self.current,
            VersionSelector::Previous => self.previous,
            VersionSelector::Pending => self.pending,
            VersionSelector::Id(id) => all.into_iter().flatten().find(|have| *have == id.as_str()),
            _ => None,
        }
    }
}

#[derive(Debug, Default)]
struct Inside {
    entries: BTreeMap<String, Entry>,
    /// What every call answers.
    mood: Option<ErrorKind>,
    /// What a call about one secret answers.
    moods: BTreeMap<String, ErrorKind>,
    /// What calls of one operation answer.
    moods_on: Vec<(Operation, ErrorKind)>,
    calls: Vec<(Operation, Vec<String>)>,
    hints: Vec<mpsc::UnboundedSender<ChangeHint>>,
    health: Option<Health>,
}

/// Reads everything there is to read unless it is told otherwise; writes nothing.
#[derive(Clone)]
pub(crate) struct Shelf {
    id: ProviderId,
    capabilities: Capabilities,
    rules: NameRules,
    page: usize,
    inside: Arc<Mutex<Inside>>,
}

impl Shelf {
    pub(crate) fn new(scope: &str) -> Self {
        let mut capabilities = Capabilities::read_only(Consistency::Strong, Limits::new(1 << 20));
        capabilities.versions = Support::Native;
        capabilities.previous = Support::Native;
        capabilities.describe = Support::Native;
        capabilities.list = Support::Native;
        // Not that it could be written to; but so it answers reads of pending versions.
        capabilities.staging = Staging::Labels;
        Self {
            id: ProviderId::new("shelf", scope, ""),
            capabilities,
            rules: NameRules::new(|b| b.is_ascii_graphic(), b'%', 512),
            page: 2,
            inside: Arc::default(),
        }
    }

    /// Only current values, as an environment has them.
    pub(crate) fn plain(scope: &str) -> Self {
        let capabilities = Capabilities::read_only(Consistency::Strong, Limits::new(1 << 20));
        Self { capabilities, ..Self::new(scope) }
    }

    pub(crate) fn able(mut self, change: impl FnOnce(&mut Capabilities)) -> Self {
        change(&mut self.capabilities);
        self
    }

    pub(crate) fn named_by(mut self, rules: NameRules) -> Self {
        self.rules = rules;
        self
    }

    pub(crate) fn with(self, name: &str, entry: Entry) -> Self {
        self.put(name, entry);
        self
    }

    pub(crate) fn put(&self, name: &str, entry: Entry) {
        self.inside().entries.insert(name.to_owned(), entry);
    }

    pub(crate) fn mood(&self, mood: impl Into<Option<ErrorKind>>) {
        self.inside().mood = mood.into();
    }

    pub(crate) fn mood_of(&self, name: &str, mood: ErrorKind) {
        self.inside().moods.insert(name.to_owned(), mood);
    }

    pub(crate) fn mood_on(&self, operation: Operation, mood: ErrorKind) {
        self.inside().moods_on.push((operation, mood));
    }

    pub(crate) fn feels(&self, health: Health) {
        self.inside().health = Some(health);
    }

    pub(crate) fn hint(&self, hint: &ChangeHint) {
        self.inside().hints.retain(|listener| listener.send(hint.clone()).is_ok());
    }

    pub(crate) fn end_hints(&self) {
        self.inside().hints.clear();
    }

    /// What was asked since this was last asked.
    pub(crate) fn calls(&self) -> Vec<(Operation, Vec<String>)> {
        std::mem::take(&mut self.inside().calls)
    }

    pub(crate) fn count(&self) -> usize {
        self.calls().len()
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    fn call(&self, operation: Operation, about: &[&SecretRef]) -> Result<MutexGuard<'_, Inside>> {
        let mut inside = self.inside();
        let names: Vec<_> = about.iter().map(|reference| key(reference)).collect();
        let mood = inside.mood.or_else(|| match names.as_slice() {
            [name] => inside.moods.get(name).copied(),
            _ => None,
        });
        let on = inside.moods_on.iter().find(|(on, _)| *on == operation);
        let mood = mood.or_else(|| on.map(|(_, kind)| *kind));
        inside.calls.push((operation, names));
        match mood {
            Some(kind) => Err(Error::new(kind, "the mood is such").with_operation(operation)),
            None => Ok(inside),
        }
    }

    fn no(operation: Operation) -> Error {
        Error::unsupported(operation, "the shelf does not have it")
    }

    fn find(inside: &Inside, reference: &SecretRef, version: &VersionSelector) -> Result<Secret> {
        if let Some(kind) = inside.moods.get(&key(reference)) {
            return Err(Error::new(*kind, "so it is").with_operation(Operation::GetSecret));
        }
        let found = inside.entries.get(&key(reference)).and_then(|entry| entry.find(version));
        let absent =
            || Error::new(ErrorKind::NotFound, "not here").with_operation(Operation::GetSecret);
        found.map(secret).ok_or_else(absent)
    }

    fn allows(&self, version: &VersionSelector) -> Result<()> {
        let has = match version {
            VersionSelector::Previous => self.capabilities.previous.is_available(),
            VersionSelector::Pending => self.capabilities.staging != Staging::No,
            VersionSelector::Id(_) => self.capabilities.versions.is_available(),
            _ => true,
        };
        if has { Ok(()) } else { Err(Self::no(Operation::GetSecret)) }
    }
}

fn key(reference: &SecretRef) -> String {
    reference.to_string()
}

pub(crate) fn secret(id: &str) -> Secret {
    Secret::new(value(id), info(id))
}

fn info(id: &str) -> VersionInfo {
    VersionInfo::new(VersionId::new(id).unwrap(), noon())
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shelf({})", self.id)
    }
}

#[async_trait]
impl SecretProvider for Shelf {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn name_rules(&self) -> &NameRules {
        &self.rules
    }

    async fn get_secret(&self, reference: &SecretRef, options: GetOptions) -> Result<Secret> {
        if let Some(name) = reference.name() {
            let form = self.rules.encode(name).map_err(Error::from);
            form.map_err(|error| error.with_operation(Operation::GetSecret))?;
        }
        self.allows(&options.version)?;
        let inside = self.call(Operation::GetSecret, &[reference])?;
        Self::find(&inside, reference, &options.version)
    }

    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        assert!(self.capabilities.batch.is_available(), "it would ask one after the other");
        let about: Vec<_> = wanted.iter().map(|(reference, _)| reference).collect();
        let inside = self.call(Operation::GetSecrets, &about)?;
        let find = |(reference, options): &(SecretRef, GetOptions)| {
            self.allows(&options.version)?;
            Self::find(&inside, reference, &options.version)
        };
        Ok(wanted.iter().map(find).collect())
    }

    async fn describe_secret(&self, reference: &SecretRef) -> Result<SecretInfo> {
        if !self.capabilities.describe.is_available() {
            return Err(Self::no(Operation::DescribeSecret));
        }
        let inside = self.call(Operation::DescribeSecret, &[reference])?;
        if !inside.entries.contains_key(&key(reference)) {
            let absent = Error::new(ErrorKind::NotFound, "not here");
            return Err(absent.with_operation(Operation::DescribeSecret));
        }
        Ok(SecretInfo::new(reference.clone()))
    }

    async fn list_versions(
        &self,
        reference: &SecretRef,
        page: PageRequest,
    ) -> Result<Page<VersionInfo>> {
        if !self.capabilities.versions.is_available() {
            return Err(Self::no(Operation::ListVersions));
        }
        let inside = self.call(Operation::ListVersions, &[reference])?;
        let Some(entry) = inside.entries.get(&key(reference)) else {
            let absent = Error::new(ErrorKind::NotFound, "not here");
            return Err(absent.with_operation(Operation::ListVersions));
        };
        let all = [entry.current, entry.previous, entry.pending];
        // One a page.
        let at: usize = page.token.map_or(0, |token| token.as_str().parse().unwrap());
        let ids: Vec<_> = all.into_iter().flatten().collect();
        let next = (at + 1 < ids.len()).then(|| PageToken::new((at + 1).to_string()));
        Ok(Page::new(ids.get(at).map(|id| info(id)).into_iter().collect(), next))
    }

    async fn list_secrets(
        &self,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        let operation = Operation::ListSecrets;
        if !self.capabilities.list.is_available() {
            return Err(Self::no(operation));
        }
        let inside = self.call(operation, &[])?;
        let foreign =
            || Error::new(ErrorKind::InvalidValue, "not a token").with_operation(operation);
        let at: usize = match &page.token {
            Some(token) => token.as_str().parse().map_err(|_| foreign())?,
            None => 0,
        };
        let names: Vec<_> =
            inside.entries.keys().filter(|n| n.starts_with(&filter.prefix)).collect();
        let most = page.limit.map_or(self.page, |limit| (limit.get() as usize).min(self.page));
        let items = names
            .iter()
            .skip(at)
            .take(most)
            .map(|name| SecretInfo::new(secrets_core::SecretName::new(name).unwrap().into()));
        let next = (at + most < names.len()).then(|| PageToken::new((at + most).to_string()));
        Ok(Page::new(items.collect(), next))
    }

    fn changes(&self) -> Option<ChangeStream> {
        if !self.capabilities.changes.is_available() {
            return None;
        }
        let (sender, mut receiver) = mpsc::unbounded_channel();
        self.inside().hints.push(sender);
        Some(futures_util::stream::poll_fn(move |context| receiver.poll_recv(context)).boxed())
    }

    async fn health(&self) -> Result<Health> {
        let inside = self.call(Operation::Health, &[])?;
        Ok(inside.health.clone().unwrap_or_else(Health::healthy))
    }
}
