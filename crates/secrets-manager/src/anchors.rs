//! The ends of audit trails, kept in a secret provider.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use audit_log::{Anchor, AnchorStore, Error, ErrorKind, Result, WriterName};
use secrets_core::{
    Cas, Effect, ErrorKind as Kind, GetOptions, IdempotencyKey, PageRequest, Precondition, Secret,
    SecretFilter, SecretName, SecretProvider, SecretRef, SecretValue, SetOptions, VersionId,
    VersionInfo, VersionSelector, VersionState,
};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// How often a write is tried that another one came in between of, or whose outcome is unknown.
const TRIES: usize = 8;

/// How many of the newest versions are looked at for an anchor that was overwritten.
const LOOKED_BACK: usize = 16;

/// Pages of versions that are swept when a writer's anchor is first kept.
const SWEPT_PAGES: usize = 20;

/// Keeps the anchors of audit trails as secrets of a provider, one secret a writer: where the host
/// whose trail it is cannot take them back.
///
/// ```
/// use std::sync::Arc;
/// use secrets_core::{SecretName, memory::{MemoryProvider, Personality}};
/// use secrets_manager::ProviderAnchors;
/// use secrets_manager::audit_log::{ChainKey, Code, FileTrail, Product, WriterName};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let provider = MemoryProvider::new(Personality::Aws);
/// let anchors = Arc::new(ProviderAnchors::new(provider, SecretName::new("audit/anchors")?));
///
/// let (name, key) = (WriterName::new("billing-1")?, ChainKey::from_slice(&[7; 32])?);
/// let product = Product::new(Code::new("example"), Code::new("billing"));
/// let trail = FileTrail::at(folder.path(), name, product, key).anchors(anchors).open().await?;
/// # drop(trail);
/// # Ok(()) }
/// ```
///
/// An anchor is never replaced by an earlier one, or by another of the same record: both are refused, and
/// so is a value that is no anchor. Where the provider has preconditions they guard each write; where
/// it only detects that another write came in between, an anchor that was further is put back.
///
/// # How many versions
///
/// Each anchor that is kept is a version. A trail keeps one a batch, so give an
/// [interval](Self::with_interval) where versions cost: AWS advises against more than one in ten
/// minutes for long, and removes those above 100 once they are a day old. Where a provider
/// [destroys](secrets_core::Capabilities::destroy) versions (Google) the one before is destroyed
/// with each write, so two are left. Azure keeps all of them.
///
/// # What it is not for
///
/// Give it a provider, not one behind a manager that records what it does in the same trail: keeping
/// an anchor would itself be recorded, and anchored.
pub struct ProviderAnchors {
    provider: Arc<dyn SecretProvider>,
    prefix: SecretName,
    interval: Duration,
    timeout: Duration,
    writers: Mutex<HashMap<WriterName, Arc<tokio::sync::Mutex<Known>>>>,
}

/// What is known of one writer's anchor.
#[derive(Default)]
struct Known {
    /// The current version, once it was read or written; `None` inside when there is none.
    base: Option<Option<VersionId>>,
    /// The furthest anchor: kept, or to be kept when the interval is over.
    latest: Option<Anchor>,
    kept_at: Option<Instant>,
    is_pending: bool,
    is_swept: bool,
}

impl ProviderAnchors {
    /// Anchors under names that begin with this prefix, each kept before it is acknowledged. A call of
    /// the provider takes ten seconds at most.
    pub fn new(provider: impl SecretProvider, prefix: SecretName) -> Self {
        Self {
            provider: Arc::new(provider),
            prefix,
            interval: Duration::ZERO,
            timeout: Duration::from_secs(10),
            writers: Mutex::default(),
        }
    }

    /// Keeps one anchor of each writer in this time at most; zero, which is every one, unless set.
    /// What a trail proves then reaches back to the last one that was kept, up to this long ago:
    /// records are acknowledged before theirs is. Call [`settle`](Self::settle) when the trail ends.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How long one call of the provider may take; ten seconds unless set.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Keeps what an interval has held back: at the end of a trail, or from time to time.
    ///
    /// # Errors
    /// `Anchor` when one of them cannot be kept; the others are.
    pub async fn settle(&self) -> Result<()> {
        let cells: Vec<_> = {
            let writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
            writers.iter().map(|(writer, cell)| (writer.clone(), Arc::clone(cell))).collect()
        };
        let mut result = Ok(());
        for (_, cell) in cells {
            let mut known = cell.lock().await;
            if let Some(anchor) = known.latest.clone().filter(|_| known.is_pending) {
                result = result.and(self.write(&mut known, &anchor).await);
            }
        }
        result
    }

    /// The anchors of all writers, for a verifier.
    ///
    /// # Errors
    /// `Anchor` when the provider cannot list or read, or something under the prefix is no anchor.
    pub async fn read_all(&self) -> Result<Vec<Anchor>> {
        let (mut anchors, mut page) = (Vec::new(), PageRequest::first());
        let begin = format!("{}/", self.prefix);
        let filter = SecretFilter::prefix(begin.as_str());
        loop {
            let listed = self.limited(self.provider.list_secrets(&filter, page)).await?;
            let names = listed.items.iter().filter_map(|info| info.reference.name());
            for name in names.filter_map(|name| name.as_str().strip_prefix(&begin)) {
                let Ok(writer) = WriterName::new(name) else { continue };
                anchors.extend(self.read(&writer).await?.map(|(_, anchor)| anchor));
            }
            match listed.next {
                Some(token) => page = PageRequest::after(token),
                None => return Ok(anchors),
            }
        }
    }

    fn cell(&self, writer: &WriterName) -> Arc<tokio::sync::Mutex<Known>> {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(writers.entry(writer.clone()).or_default())
    }

    fn reference(&self, writer: &WriterName) -> Result<SecretRef> {
        let name = SecretName::new(&format!("{}/{writer}", self.prefix));
        let name =
            name.map_err(|error| fail(format!("there is no name for an anchor: {error}")))?;
        Ok(name.into())
    }

    async fn limited<T>(&self, call: impl Future<Output = secrets_core::Result<T>>) -> Result<T> {
        match self.call(call).await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(fail(format!("the provider of anchors failed: {error}"))),
        }
    }

    /// A call that ends in time.
    async fn call<T>(
        &self,
        call: impl Future<Output = secrets_core::Result<T>>,
    ) -> secrets_core::Result<T> {
        let late = || secrets_core::Error::new(Kind::Timeout, "no answer in time");
        tokio::time::timeout(self.timeout, call).await.unwrap_or_else(|_| Err(late()))
    }

    /// The current version and the anchor in it.
    async fn read(&self, writer: &WriterName) -> Result<Option<(VersionId, Anchor)>> {
        let reference = self.reference(writer)?;
        let options = GetOptions::default().ignore_validity();
        match self.call(self.provider.get_secret(&reference, options)).await {
            Ok(secret) => Ok(Some((secret.version.id.clone(), anchor_in(&secret, writer)?))),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(fail(format!("the provider of anchors failed: {error}"))),
        }
    }

    /// Reads what is kept, and holds the anchor to it: true when it is kept already.
    async fn compare(&self, known: &mut Known, anchor: &Anchor) -> Result<bool> {
        let read = self.read(&anchor.writer).await?;
        let (base, kept) = read.map_or((None, None), |(id, kept)| (Some(id), Some(kept)));
        known.base = Some(base);
        match kept {
            Some(kept) if kept == *anchor => Ok(true),
            Some(kept) if kept.sequence >= anchor.sequence => {
                (known.latest, known.is_pending) = (Some(kept), false);
                Err(backwards())
            }
            _ => Ok(false),
        }
    }

    async fn write(&self, known: &mut Known, anchor: &Anchor) -> Result<()> {
        let reference = self.reference(&anchor.writer)?;
        // Without preconditions only looking first keeps from going backwards.
        let is_unguarded = self.provider.capabilities().cas.set == Cas::No;
        let is_unseen = known.base.is_none() || is_unguarded;
        let mut is_kept = is_unseen && self.compare(known, anchor).await?;
        let mut failure = None;
        for _ in 0..TRIES {
            if is_kept {
                break;
            }
            let before = known.base.clone().flatten();
            let value = SecretValue::from_string(anchor.to_json());
            let options = self.options(before.clone(), anchor);
            match self.call(self.provider.set_secret(&reference, value, options)).await {
                Ok(version) => {
                    self.sweep(known, &reference, &version).await;
                    known.base = Some(Some(version.id));
                    is_kept = true;
                }
                Err(error) => {
                    let is_written = error.effect() == Effect::Partial;
                    let is_unclear = is_written || error.effect() == Effect::Unknown;
                    let is_crossed = matches!(error.kind(), Kind::Conflict | Kind::AlreadyExists);
                    if is_written && is_crossed {
                        self.put_back(&reference, &anchor.writer).await?;
                    }
                    if !is_unclear && !is_crossed {
                        return Err(fail(format!("the provider of anchors failed: {error}")));
                    }
                    failure = Some(fail(format!("the provider of anchors failed: {error}")));
                    is_kept = self.compare(known, anchor).await?;
                }
            }
            // The same anchor, written again with the same token, is the same version.
            let is_replaced = before.is_some() && known.base != Some(before.clone());
            if is_kept
                && is_replaced
                && let Some(before) = before
            {
                self.destroy(&reference, before).await;
            }
        }
        if !is_kept {
            return Err(failure.unwrap_or_else(backwards));
        }
        known.latest = Some(anchor.clone());
        known.kept_at = Some(Instant::now());
        known.is_pending = false;
        Ok(())
    }

    /// With what guards a write the provider has. The same anchor has the same token, so that
    /// writing it again is harmless.
    fn options(&self, before: Option<VersionId>, anchor: &Anchor) -> SetOptions {
        let capabilities = self.provider.capabilities();
        let mut options = SetOptions::new();
        if capabilities.cas.set != Cas::No {
            options = options.when(before.map_or(Precondition::Absent, Precondition::CurrentIs));
        }
        if capabilities.idempotency.is_available() {
            let digest = Sha256::digest(anchor.to_json());
            let mut token = [0; 16];
            token.iter_mut().zip(digest).for_each(|(place, byte)| *place = byte);
            options = options.with_token(IdempotencyKey::from_random(token));
        }
        options
    }

    /// Ours was written though another came in between: the furthest of them goes on top, until it
    /// is there though others do the same.
    async fn put_back(&self, reference: &SecretRef, writer: &WriterName) -> Result<()> {
        for _ in 0..TRIES {
            let Some((current, top)) = self.read(writer).await? else { return Ok(()) };
            let furthest = self.furthest(reference, writer).await?;
            let Some(further) = furthest.filter(|found| found.sequence > top.sequence) else {
                return Ok(());
            };
            let value = SecretValue::from_string(further.to_json());
            let options = SetOptions::new().when(Precondition::CurrentIs(current));
            // Whether it was written, and stayed on top, is seen next.
            let _ = self.call(self.provider.set_secret(reference, value, options)).await;
        }
        Err(fail("other writers come in between all the time".to_owned()))
    }

    /// The furthest anchor among the newest versions.
    async fn furthest(&self, reference: &SecretRef, writer: &WriterName) -> Result<Option<Anchor>> {
        let mut versions = self.versions(reference, SWEPT_PAGES).await?;
        versions.sort_by_key(|version| std::cmp::Reverse(version.created));
        let mut furthest: Option<Anchor> = None;
        for version in versions.into_iter().take(LOOKED_BACK) {
            let options = GetOptions::version(VersionSelector::Id(version.id)).ignore_validity();
            let Ok(secret) = self.call(self.provider.get_secret(reference, options)).await else {
                continue;
            };
            let Ok(found) = anchor_in(&secret, writer) else { continue };
            if furthest.as_ref().is_none_or(|most| found.sequence > most.sequence) {
                furthest = Some(found);
            }
        }
        Ok(furthest)
    }

    /// Destroys what processes before this one have left: what is older than what was just written.
    /// What is newer may be another process's, and further.
    async fn sweep(&self, known: &mut Known, reference: &SecretRef, written: &VersionInfo) {
        if known.is_swept || !self.provider.capabilities().destroy.is_available() {
            return;
        }
        let Ok(versions) = self.versions(reference, SWEPT_PAGES).await else { return };
        known.is_swept = true;
        for version in versions.into_iter().filter(|version| version.created < written.created) {
            self.destroy(reference, version.id).await;
        }
    }

    /// Destroys what was replaced, where versions can be destroyed. Failing to is no failure of the
    /// anchor's; the next process sweeps what is left.
    async fn destroy(&self, reference: &SecretRef, version: VersionId) {
        if !self.provider.capabilities().destroy.is_available() {
            return;
        }
        let destroyed = VersionState::Destroyed;
        let _ = self.call(self.provider.set_version_state(reference, &version, destroyed)).await;
    }

    /// Those that hold a value.
    async fn versions(&self, reference: &SecretRef, pages: usize) -> Result<Vec<VersionInfo>> {
        let (mut versions, mut page) = (Vec::new(), PageRequest::first());
        for _ in 0..pages {
            let listed = self.limited(self.provider.list_versions(reference, page)).await?;
            let is_whole = |version: &VersionInfo| {
                matches!(version.state, VersionState::Enabled | VersionState::Disabled)
            };
            versions.extend(listed.items.into_iter().filter(is_whole));
            match listed.next {
                Some(token) => page = PageRequest::after(token),
                None => break,
            }
        }
        Ok(versions)
    }
}

fn anchor_in(secret: &Secret, writer: &WriterName) -> Result<Anchor> {
    let text = secret.value.expose_secret_text().unwrap_or_default();
    let anchor = Anchor::from_json(text)?;
    match anchor.writer == *writer {
        true => Ok(anchor),
        false => Err(fail("what is kept is the anchor of another writer".to_owned())),
    }
}

fn fail(message: String) -> Error {
    Error::new(ErrorKind::Anchor, message)
}

fn backwards() -> Error {
    fail("the chain was anchored further, or with another record, before".to_owned())
}

#[async_trait]
impl AnchorStore for ProviderAnchors {
    async fn keep(&self, anchor: &Anchor) -> Result<()> {
        let cell = self.cell(&anchor.writer);
        let mut known = cell.lock().await;
        match &known.latest {
            Some(latest) if latest == anchor && !known.is_pending => return Ok(()),
            Some(latest) if latest != anchor && latest.sequence >= anchor.sequence => {
                return Err(backwards());
            }
            _ => {}
        }
        if known.kept_at.is_some_and(|at| at.elapsed() < self.interval) {
            known.latest = Some(anchor.clone());
            known.is_pending = true;
            return Ok(());
        }
        self.write(&mut known, anchor).await
    }

    async fn last(&self, writer: &WriterName) -> Result<Option<Anchor>> {
        let cell = self.cell(writer);
        let mut known = cell.lock().await;
        let read = self.read(writer).await?;
        known.base = Some(read.as_ref().map(|(id, _)| id.clone()));
        let kept = read.map(|(_, anchor)| anchor);
        if !known.is_pending {
            known.latest.clone_from(&kept);
        }
        Ok(kept)
    }
}

/// Shows where the anchors are kept.
impl fmt::Debug for ProviderAnchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderAnchors")
            .field("provider", self.provider.id())
            .field("prefix", &self.prefix)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
