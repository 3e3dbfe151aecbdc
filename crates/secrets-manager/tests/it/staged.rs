//! Versions that wait, and lists of secrets read right after a promotion.

use std::sync::Arc;

use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{
    Capabilities, ErrorKind, GetOptions, IdempotencyKey, MetadataPatch, NameRules, Operation,
    Promoted, ProviderId, Result, Secret, SecretProvider, SecretProviderExt, SecretRef,
    SecretValue, SetOptions, Support, VersionId, VersionInfo, VersionSelector, async_trait,
};
use secrets_manager::SecretManager;

use crate::support::{
    NAME, Running, Wall, build, memory, pass, reference, secs, settle, text, value,
};

fn pending() -> GetOptions {
    GetOptions::version(VersionSelector::Pending)
}

async fn staged(manager: &SecretManager) -> Result<String> {
    let read = manager.cached().get_secret(&reference(NAME), pending()).await;
    read.map(|secret| text(&secret))
}

/// What is current is not touched by what waits: no reader and no handle notices.
#[tokio::test(start_paused = true)]
async fn staging_leaves_what_is_current_alone() {
    for personality in Personality::ALL {
        let provider = memory(personality).await;
        let manager = build(provider.clone());
        let _running = Running::start(&manager).await;
        let (cached, name) = (manager.cached(), reference(NAME));
        let handle = manager.handle(NAME).await.unwrap();
        let waiting = cached.handle_of(&name, VersionSelector::Pending).await;
        assert_eq!(waiting.unwrap_err().kind(), ErrorKind::NotFound);
        let (calls, version) = (provider.calls(Operation::GetSecret), handle.version());

        let first = cached.set_secret(&name, value("two"), SetOptions::pending()).await.unwrap();
        assert!(manager.try_get(NAME).is_some() && handle.load().is_fresh(), "{personality:?}");
        assert_eq!((provider.calls(Operation::GetSecret), handle.version()), (calls, version));
        assert_eq!(staged(&manager).await.unwrap(), "two", "though it was not there before");
        let waiting = cached.handle_of(&name, VersionSelector::Pending).await.unwrap();

        let second = cached.set_secret(&name, value("three"), SetOptions::pending()).await.unwrap();
        settle().await;
        assert_eq!(text(waiting.load_checked().unwrap().secret().unwrap()), "three");
        assert_eq!(staged(&manager).await.unwrap(), "three");
        assert_ne!(first.id, second.id);

        cached.discard_pending(&name, &second.id).await.unwrap();
        settle().await;
        assert_eq!(waiting.load().as_str(), "gone");
        assert_eq!(staged(&manager).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(handle.version(), version, "nobody was told anything");
        assert!(manager.try_get(NAME).is_some());
    }
}

/// Metadata may be of the secret as a whole, its current version included.
#[tokio::test(start_paused = true)]
async fn metadata_that_comes_with_what_is_staged_is_asked_for() {
    let provider = memory(Personality::Aws).await;
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let calls = provider.calls(Operation::GetSecret);
    let options = SetOptions::pending().with_metadata(MetadataPatch::new().tag("tier", "one"));
    manager.cached().set_secret(&reference(NAME), value("two"), options).await.unwrap();
    settle().await;
    assert_eq!(provider.calls(Operation::GetSecret), calls + 1);
    assert!(handle.load().is_fresh());
}

/// Google's, with calls for many, as others have.
#[derive(Debug)]
struct Batched {
    inner: MemoryProvider,
    capabilities: Capabilities,
}

impl Batched {
    fn new(inner: MemoryProvider) -> Self {
        let mut capabilities = inner.capabilities().clone();
        (capabilities.batch, capabilities.limits) =
            (Support::Native, capabilities.limits.with_batch(20));
        Self { inner, capabilities }
    }
}

#[async_trait]
impl SecretProvider for Batched {
    fn id(&self) -> &ProviderId {
        self.inner.id()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn name_rules(&self) -> &NameRules {
        self.inner.name_rules()
    }

    async fn get_secret(&self, reference: &SecretRef, options: GetOptions) -> Result<Secret> {
        self.inner.get_secret(reference, options).await
    }

    async fn set_secret(
        &self,
        reference: &SecretRef,
        value: SecretValue,
        options: SetOptions,
    ) -> Result<VersionInfo> {
        self.inner.set_secret(reference, value, options).await
    }

    async fn promote(
        &self,
        reference: &SecretRef,
        pending: &VersionId,
        base: &VersionId,
        token: &IdempotencyKey,
    ) -> Result<Promoted> {
        self.inner.promote(reference, pending, base, token).await
    }
}

/// The answers that are from before the promotion are asked for by the promoted version's id.
#[tokio::test(start_paused = true)]
async fn a_list_read_on_a_lagging_backend_has_what_was_promoted() {
    let builder = MemoryProvider::builder(Personality::Google).clock(Arc::new(Wall::new()));
    let builder = builder.declared_delay(secs(60)).propagation(secs(30));
    let provider = builder.build().unwrap();
    for name in [NAME, "other"] {
        provider.put_text(name, "one").await.unwrap();
    }
    pass(secs(31)).await;
    let manager = build(Batched::new(provider.clone()));
    let (cached, name) = (manager.cached(), reference(NAME));
    let base = provider.get_secret(&name, GetOptions::default()).await.unwrap().version.id;
    let staged = cached.set_secret(&name, value("two"), SetOptions::pending()).await.unwrap();
    pass(secs(31)).await;
    let token = IdempotencyKey::from_random([7; 16]);
    let promoted = cached.promote(&name, &staged.id, &base, &token).await.unwrap();
    let stale = provider.get_secret(&name, GetOptions::default()).await.unwrap();
    assert_eq!(text(&stale), "one", "the backend still lags");

    let wanted = [NAME, "other"].map(|name| (reference(name), GetOptions::default()));
    let before = provider.calls(Operation::GetSecret);
    let answers = cached.get_secrets(&wanted).await.unwrap();
    let read: Vec<_> = answers.into_iter().map(|answer| answer.unwrap()).collect();
    assert_eq!(read.iter().map(text).collect::<Vec<_>>(), ["two", "one"]);
    assert_eq!(read[0].version.id, promoted.current);
    assert_eq!(provider.calls(Operation::GetSecret) - before, 3, "one more, by its id");
    assert_eq!(text(&cached.get(NAME).await.unwrap()), "two", "and kept");
    assert_eq!(provider.calls(Operation::GetSecret) - before, 3);
}
