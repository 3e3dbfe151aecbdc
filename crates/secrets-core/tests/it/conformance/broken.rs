//! A provider over a sound one with one planted defect.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{
    Capabilities, ChangeStream, DeleteMode, Deleted, GetOptions, Health, IdempotencyKey,
    MetadataPatch, NameRules, Page, PageRequest, Precondition, Promoted, ProviderId, Result,
    Secret, SecretFilter, SecretInfo, SecretProvider, SecretRef, SecretValue, SetOptions,
    VersionId, VersionInfo, VersionState, async_trait,
};

pub(crate) type Inner = Arc<dyn SecretProvider>;
pub(crate) type Fut<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

type Get = dyn for<'a> Fn(&'a Inner, &'a SecretRef, GetOptions) -> Fut<'a, Secret> + Send + Sync;
type Batch = dyn for<'a> Fn(&'a Inner, &'a [(SecretRef, GetOptions)]) -> Fut<'a, Vec<Result<Secret>>>
    + Send
    + Sync;
type Set = dyn for<'a> Fn(&'a Inner, &'a SecretRef, SecretValue, SetOptions) -> Fut<'a, VersionInfo>
    + Send
    + Sync;
type Promote = dyn for<'a> Fn(
        &'a Inner,
        &'a SecretRef,
        (&'a VersionId, &'a VersionId),
        &'a IdempotencyKey,
    ) -> Fut<'a, Promoted>
    + Send
    + Sync;
type OfVersion =
    dyn for<'a> Fn(&'a Inner, &'a SecretRef, &'a VersionId) -> Fut<'a, ()> + Send + Sync;
type Update = dyn for<'a> Fn(
        &'a Inner,
        &'a SecretRef,
        Option<&'a VersionId>,
        (MetadataPatch, Precondition),
    ) -> Fut<'a, ()>
    + Send
    + Sync;
type State = dyn for<'a> Fn(&'a Inner, &'a SecretRef, &'a VersionId, VersionState) -> Fut<'a, ()>
    + Send
    + Sync;
type Describe = dyn for<'a> Fn(&'a Inner, &'a SecretRef) -> Fut<'a, SecretInfo> + Send + Sync;
type Versions = dyn for<'a> Fn(&'a Inner, &'a SecretRef, PageRequest) -> Fut<'a, Page<VersionInfo>>
    + Send
    + Sync;
type List = dyn for<'a> Fn(&'a Inner, &'a SecretFilter, PageRequest) -> Fut<'a, Page<SecretInfo>>
    + Send
    + Sync;
type Delete =
    dyn for<'a> Fn(&'a Inner, &'a SecretRef, DeleteMode) -> Fut<'a, Deleted> + Send + Sync;
type OfSecret = dyn for<'a> Fn(&'a Inner, &'a SecretRef) -> Fut<'a, ()> + Send + Sync;

/// What is done instead of forwarding a call.
#[derive(Default)]
struct Hooks {
    get: Option<Box<Get>>,
    batch: Option<Box<Batch>>,
    set: Option<Box<Set>>,
    promote: Option<Box<Promote>>,
    discard: Option<Box<OfVersion>>,
    update: Option<Box<Update>>,
    state: Option<Box<State>>,
    describe: Option<Box<Describe>>,
    versions: Option<Box<Versions>>,
    list: Option<Box<List>>,
    delete: Option<Box<Delete>>,
    restore: Option<Box<OfSecret>>,
    purge: Option<Box<OfSecret>>,
    health: Option<fn() -> Result<Health>>,
    changes: Option<fn() -> Option<ChangeStream>>,
    /// Set when the only stream that speaks was given out.
    one_listener: Option<AtomicBool>,
    declare: Option<fn(&mut Capabilities)>,
    rules: Option<NameRules>,
    ids: Vec<ProviderId>,
    shown: Option<Arc<Mutex<String>>>,
}

/// A planted defect, and the checks that have to find it.
pub(crate) struct Defect {
    pub(crate) name: &'static str,
    pub(crate) fails: &'static [&'static str],
    personality: Personality,
    is_announcing: bool,
    hooks: Hooks,
}

/// A defect of a provider like AWS.
pub(crate) fn defect(name: &'static str, fails: &'static [&'static str]) -> Defect {
    let hooks = Hooks::default();
    Defect { name, fails, personality: Personality::Aws, is_announcing: false, hooks }
}

macro_rules! hook {
    ($($name:ident: $($argument:ty),+ => $result:ty;)+) => {$(
        pub(crate) fn $name<F>(mut self, hook: F) -> Self
        where
            F: for<'a> Fn(&'a Inner, $($argument),+) -> Fut<'a, $result> + Send + Sync + 'static,
        {
            self.hooks.$name = Some(Box::new(hook));
            self
        }
    )+};
}

impl Defect {
    hook! {
        get: &'a SecretRef, GetOptions => Secret;
        batch: &'a [(SecretRef, GetOptions)] => Vec<Result<Secret>>;
        set: &'a SecretRef, SecretValue, SetOptions => VersionInfo;
        promote: &'a SecretRef, (&'a VersionId, &'a VersionId), &'a IdempotencyKey => Promoted;
        discard: &'a SecretRef, &'a VersionId => ();
        update: &'a SecretRef, Option<&'a VersionId>, (MetadataPatch, Precondition) => ();
        state: &'a SecretRef, &'a VersionId, VersionState => ();
        describe: &'a SecretRef => SecretInfo;
        versions: &'a SecretRef, PageRequest => Page<VersionInfo>;
        list: &'a SecretFilter, PageRequest => Page<SecretInfo>;
        delete: &'a SecretRef, DeleteMode => Deleted;
        restore: &'a SecretRef => ();
        purge: &'a SecretRef => ();
    }

    pub(crate) fn like(mut self, personality: Personality) -> Self {
        self.personality = personality;
        self
    }

    pub(crate) fn announcing(mut self) -> Self {
        self.is_announcing = true;
        self
    }

    pub(crate) fn declare(mut self, change: fn(&mut Capabilities)) -> Self {
        self.hooks.declare = Some(change);
        self
    }

    pub(crate) fn rules(mut self, rules: NameRules) -> Self {
        self.hooks.rules = Some(rules);
        self
    }

    pub(crate) fn ids<const N: usize>(mut self, ids: [ProviderId; N]) -> Self {
        self.hooks.ids = ids.into();
        self
    }

    pub(crate) fn health(mut self, health: fn() -> Result<Health>) -> Self {
        self.hooks.health = Some(health);
        self
    }

    pub(crate) fn changes(mut self, changes: fn() -> Option<ChangeStream>) -> Self {
        self.hooks.changes = Some(changes);
        self
    }

    /// Gives out one stream that speaks; all others stay silent.
    pub(crate) fn one_listener(mut self) -> Self {
        self.hooks.one_listener = Some(AtomicBool::new(false));
        self
    }

    /// Shows this text in the provider's debug form.
    pub(crate) fn shows(mut self, text: Arc<Mutex<String>>) -> Self {
        self.hooks.shown = Some(text);
        self
    }

    /// The store that the defect is planted over.
    pub(crate) fn builder(&self) -> secrets_core::memory::MemoryBuilder {
        let builder = MemoryProvider::builder(self.personality);
        if self.is_announcing { builder.announce_changes() } else { builder }
    }

    /// The broken provider.
    pub(crate) fn plant(self, inner: Inner) -> Arc<dyn SecretProvider> {
        let mut capabilities = inner.capabilities().clone();
        if let Some(declare) = self.hooks.declare {
            declare(&mut capabilities);
        }
        Arc::new(Broken { inner, capabilities, hooks: self.hooks, asked: AtomicUsize::new(0) })
    }
}

struct Broken {
    inner: Inner,
    capabilities: Capabilities,
    hooks: Hooks,
    asked: AtomicUsize,
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.hooks.shown.as_ref().map(|shown| shown.lock().unwrap().clone());
        f.debug_struct("Broken").field("shown", &shown).finish_non_exhaustive()
    }
}

macro_rules! call {
    ($self:ident, $hook:ident($($argument:expr),*), $method:ident($($forwarded:expr),*)) => {
        match &$self.hooks.$hook {
            Some(hook) => hook(&$self.inner, $($argument),*).await,
            None => $self.inner.$method($($forwarded),*).await,
        }
    };
}

#[async_trait]
impl SecretProvider for Broken {
    fn id(&self) -> &ProviderId {
        let count = self.asked.fetch_add(1, Ordering::Relaxed);
        match self.hooks.ids.len() {
            0 => self.inner.id(),
            ids => &self.hooks.ids[count % ids],
        }
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn name_rules(&self) -> &NameRules {
        self.hooks.rules.as_ref().unwrap_or_else(|| self.inner.name_rules())
    }

    async fn get_secret(&self, r: &SecretRef, o: GetOptions) -> Result<Secret> {
        call!(self, get(r, o), get_secret(r, o))
    }

    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        call!(self, batch(wanted), get_secrets(wanted))
    }

    async fn set_secret(
        &self,
        r: &SecretRef,
        v: SecretValue,
        o: SetOptions,
    ) -> Result<VersionInfo> {
        call!(self, set(r, v, o), set_secret(r, v, o))
    }

    async fn promote(
        &self,
        r: &SecretRef,
        pending: &VersionId,
        base: &VersionId,
        token: &IdempotencyKey,
    ) -> Result<Promoted> {
        call!(self, promote(r, (pending, base), token), promote(r, pending, base, token))
    }

    async fn discard_pending(&self, r: &SecretRef, v: &VersionId) -> Result<()> {
        call!(self, discard(r, v), discard_pending(r, v))
    }

    async fn update_metadata(
        &self,
        r: &SecretRef,
        v: Option<&VersionId>,
        patch: MetadataPatch,
        guard: Precondition,
    ) -> Result<()> {
        call!(self, update(r, v, (patch, guard)), update_metadata(r, v, patch, guard))
    }

    async fn set_version_state(
        &self,
        r: &SecretRef,
        v: &VersionId,
        state: VersionState,
    ) -> Result<()> {
        call!(self, state(r, v, state), set_version_state(r, v, state))
    }

    async fn describe_secret(&self, r: &SecretRef) -> Result<SecretInfo> {
        call!(self, describe(r), describe_secret(r))
    }

    async fn list_versions(&self, r: &SecretRef, page: PageRequest) -> Result<Page<VersionInfo>> {
        call!(self, versions(r, page), list_versions(r, page))
    }

    async fn list_secrets(
        &self,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        call!(self, list(filter, page), list_secrets(filter, page))
    }

    async fn delete_secret(&self, r: &SecretRef, mode: DeleteMode) -> Result<Deleted> {
        call!(self, delete(r, mode), delete_secret(r, mode))
    }

    async fn restore_secret(&self, r: &SecretRef) -> Result<()> {
        call!(self, restore(r), restore_secret(r))
    }

    async fn purge_secret(&self, r: &SecretRef) -> Result<()> {
        call!(self, purge(r), purge_secret(r))
    }

    fn changes(&self) -> Option<ChangeStream> {
        if let Some(is_given) = &self.hooks.one_listener
            && is_given.swap(true, Ordering::Relaxed)
        {
            return Some(Box::pin(futures_util::stream::pending()));
        }
        self.hooks.changes.map_or_else(|| self.inner.changes(), |changes| changes())
    }

    async fn health(&self) -> Result<Health> {
        match self.hooks.health {
            Some(health) => health(),
            None => self.inner.health().await,
        }
    }
}
