use std::sync::Arc;

use secrets_core::{
    DataKey, Error, KeyCapabilities, KeyLen, KeyProvider, KeyRef, Operation, ProviderId, Result,
    VersionId, VersionInfo, VersionState, WrapContext, WrappedKey, WrappingVersion, async_trait,
};
use zeroize::Zeroizing;

use super::engine::Engine;
use super::file_store::FileStore;

/// Wrapping keys: envelope encryption without a cloud.
///
/// A wrapping key never leaves the store. It is a record of its own, random, with versions: the
/// newest wraps, the older ones open what they wrapped. `rekey` of the store keeps them.
impl FileStore {
    /// Makes a wrapping key. Its name takes 256 bytes at most.
    ///
    /// # Errors
    /// `AlreadyExists`, `InvalidName`, and what writing the file answers.
    pub async fn create_wrapping_key(&self, key: &KeyRef) -> Result<VersionId> {
        let key = key.clone();
        self.change(move |transaction| transaction.create_key(&key)).await
    }

    /// Makes a new version of a wrapping key, which wraps from now on.
    ///
    /// # Errors
    /// `NotFound` for an unknown key, and what writing the file answers.
    pub async fn rotate_wrapping_key(&self, key: &KeyRef) -> Result<VersionId> {
        let key = key.clone();
        self.change(move |transaction| transaction.rotate_key(&key)).await
    }

    /// Enables, disables or destroys a version of a wrapping key. What a destroyed version wrapped
    /// is lost: rewrap it first.
    ///
    /// # Errors
    /// `NotFound`; `Destroyed` when it is destroyed already and another state is asked for.
    pub async fn set_wrapping_key_state(
        &self,
        key: &KeyRef,
        version: &VersionId,
        state: VersionState,
    ) -> Result<()> {
        let (key, version) = (key.clone(), version.clone());
        self.change(move |transaction| transaction.set_key_version_state(&key, &version, state))
            .await
    }

    /// The versions of a wrapping key, oldest first.
    ///
    /// # Errors
    /// `NotFound` for an unknown key.
    pub async fn wrapping_key_versions(&self, key: &KeyRef) -> Result<Vec<VersionInfo>> {
        let key = key.clone();
        self.run(move |engine| engine.snapshot()?.key_versions(&key)).await
    }

    /// The names of the wrapping keys, sorted.
    ///
    /// # Errors
    /// What reading the file answers.
    pub async fn wrapping_keys(&self) -> Result<Vec<KeyRef>> {
        self.run(|engine| Ok(engine.snapshot()?.index.keys.keys().cloned().collect())).await
    }

    async fn with_keys<T: Send + 'static>(
        &self,
        operation: Operation,
        work: impl Fn(&Engine) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        self.run(work).await.map_err(|error: Error| error.with_operation(operation))
    }
}

#[async_trait]
impl KeyProvider for FileStore {
    fn key_provider_id(&self) -> &ProviderId {
        self.provider_id()
    }

    fn key_capabilities(&self) -> &KeyCapabilities {
        self.wrapping_capabilities()
    }

    async fn generate_data_key(
        &self,
        key: &KeyRef,
        len: KeyLen,
        context: &WrapContext,
    ) -> Result<(DataKey, WrappedKey)> {
        let (key, context) = (key.clone(), context.clone());
        self.with_keys(Operation::GenerateDataKey, move |engine| {
            let entropy = &*engine.environment().entropy;
            let mut bytes = Zeroizing::new(vec![0; len.bytes()].into_boxed_slice());
            super::crypto::fill(entropy, &mut bytes)?;
            let wrapped = engine.snapshot()?.wrap(entropy, &key, &bytes, &context)?;
            Ok((DataKey::from_boxed(std::mem::take(&mut *bytes)), wrapped))
        })
        .await
    }

    async fn wrap_key(
        &self,
        key: &KeyRef,
        data_key: &DataKey,
        context: &WrapContext,
    ) -> Result<WrappedKey> {
        let (key, context) = (key.clone(), context.clone());
        let plain = Arc::new(data_key.to_value());
        self.with_keys(Operation::WrapKey, move |engine| {
            let entropy = &*engine.environment().entropy;
            engine.snapshot()?.wrap(entropy, &key, plain.expose_secret(), &context)
        })
        .await
    }

    async fn unwrap_key(&self, wrapped: &WrappedKey, context: &WrapContext) -> Result<DataKey> {
        let (wrapped, context) = (wrapped.clone(), context.clone());
        self.with_keys(Operation::UnwrapKey, move |engine| {
            engine.snapshot()?.unwrap(&wrapped, &context)
        })
        .await
    }

    async fn rewrap_key(
        &self,
        wrapped: &WrappedKey,
        to: &KeyRef,
        context: &WrapContext,
    ) -> Result<WrappedKey> {
        let (wrapped, to, context) = (wrapped.clone(), to.clone(), context.clone());
        self.with_keys(Operation::RewrapKey, move |engine| {
            let snapshot = engine.snapshot()?;
            let data_key = snapshot.unwrap(&wrapped, &context)?;
            let entropy = &*engine.environment().entropy;
            snapshot.wrap(entropy, &to, data_key.expose_secret(), &context)
        })
        .await
    }

    async fn wrapping_version(&self, wrapped: &WrappedKey) -> Result<WrappingVersion> {
        let wrapped = wrapped.clone();
        self.with_keys(Operation::WrappingVersion, move |engine| {
            engine.snapshot()?.wrapping_version(&wrapped)
        })
        .await
    }
}
