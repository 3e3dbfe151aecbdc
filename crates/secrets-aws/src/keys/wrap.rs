use std::collections::HashMap;

use aws_sdk_kms::primitives::Blob;
use secrets_core::{
    DataKey, Error, ErrorKind, KeyCapabilities, KeyLen, KeyProvider, KeyRef, Operation, ProviderId,
    Result, VersionId, WrapContext, WrappedKey, WrappingVersion, async_trait,
};
use zeroize::Zeroizing;

use super::provider::{KmsProvider, MOST_PLAINTEXT};
use crate::error::{Call, send};

/// The longest ciphertext that KMS takes, in bytes (API reference, `CiphertextBlob`).
const MOST_CIPHERTEXT: usize = 6144;

#[async_trait]
impl KeyProvider for KmsProvider {
    fn key_provider_id(&self) -> &ProviderId {
        self.id()
    }

    fn key_capabilities(&self) -> &KeyCapabilities {
        self.capabilities()
    }

    async fn generate_data_key(
        &self,
        key: &KeyRef,
        len: KeyLen,
        context: &WrapContext,
    ) -> Result<(DataKey, WrappedKey)> {
        let call = Call::read(Operation::GenerateDataKey, "GenerateDataKey");
        let (client, target) = self.at(key, Operation::GenerateDataKey)?;
        let request = client
            .generate_data_key()
            .key_id(target.id())
            .number_of_bytes(i32::try_from(len.bytes()).unwrap_or(i32::MAX))
            .set_encryption_context(facts(context))
            .set_grant_tokens(self.tokens());
        let told = send!(call, request)?;
        let data_key = told.plaintext.map(plain).ok_or_else(|| incomplete(&call))?;
        if data_key.expose_secret().len() != len.bytes() {
            return Err(incomplete(&call));
        }
        let material = told.key_material_id.as_deref();
        Ok((data_key, wrapped(&call, told.key_id, material, told.ciphertext_blob)?))
    }

    async fn wrap_key(
        &self,
        key: &KeyRef,
        data_key: &DataKey,
        context: &WrapContext,
    ) -> Result<WrappedKey> {
        let call = Call::read_secret(Operation::WrapKey, "Encrypt");
        let plaintext = data_key.expose_secret();
        match plaintext.len() {
            0 => return Err(call.own(ErrorKind::InvalidValue, "a key of no bytes")),
            1..=MOST_PLAINTEXT => {}
            _ => return Err(call.own(ErrorKind::TooLarge, "KMS wraps up to 4096 bytes")),
        }
        let (client, target) = self.at(key, Operation::WrapKey)?;
        let request = client
            .encrypt()
            .key_id(target.id())
            .plaintext(Blob::new(plaintext))
            .set_encryption_context(facts(context))
            .set_grant_tokens(self.tokens());
        let told = send!(call, request)?;
        wrapped(&call, told.key_id, None, told.ciphertext_blob)
    }

    async fn unwrap_key(&self, wrapped: &WrappedKey, context: &WrapContext) -> Result<DataKey> {
        let call = Call::read(Operation::UnwrapKey, "Decrypt");
        let ciphertext = sound(&call, wrapped)?;
        let (client, target) = self.at(&wrapped.key, Operation::UnwrapKey)?;
        // With the key always named, a ciphertext of another key is refused, also one that this
        // identity may decrypt.
        let request = client
            .decrypt()
            .key_id(target.id())
            .ciphertext_blob(ciphertext)
            .set_encryption_context(facts(context))
            .set_grant_tokens(self.tokens());
        let told = send!(call, request)?;
        told.plaintext.map(plain).ok_or_else(|| incomplete(&call))
    }

    async fn rewrap_key(
        &self,
        old: &WrappedKey,
        to: &KeyRef,
        context: &WrapContext,
    ) -> Result<WrappedKey> {
        let call = Call::read(Operation::RewrapKey, "ReEncrypt");
        let ciphertext = sound(&call, old)?;
        let (_, from) = self.at(&old.key, Operation::RewrapKey)?;
        let (client, target) = self.at(to, Operation::RewrapKey)?;
        if !from.is_beside(&target, self.region()) {
            return self.rewrap_across(old, to, context).await;
        }
        let request = client
            .re_encrypt()
            .source_key_id(from.id())
            .destination_key_id(target.id())
            .ciphertext_blob(ciphertext)
            .set_source_encryption_context(facts(context))
            .set_destination_encryption_context(facts(context))
            .set_grant_tokens(self.tokens());
        let told = send!(call, request)?;
        let material = told.destination_key_material_id.as_deref();
        wrapped(&call, told.key_id, material, told.ciphertext_blob)
    }

    async fn wrapping_version(&self, wrapped: &WrappedKey) -> Result<WrappingVersion> {
        let Some(version) = &wrapped.version else {
            return Ok(WrappingVersion::Unknown);
        };
        let call = Call::read(Operation::WrappingVersion, "DescribeKey");
        let (client, target) = self.at(&wrapped.key, Operation::WrappingVersion)?;
        let request = client.describe_key().key_id(target.id()).set_grant_tokens(self.tokens());
        let told = send!(call, request)?;
        let current = told.key_metadata.and_then(|key| key.current_key_material_id);
        Ok(match current {
            None => WrappingVersion::Unknown,
            Some(current) if current == version.as_str() => WrappingVersion::Current,
            Some(_) => WrappingVersion::Superseded,
        })
    }
}

impl KmsProvider {
    /// `ReEncrypt` knows one region and one identity, so the key passes through this process.
    async fn rewrap_across(
        &self,
        old: &WrappedKey,
        to: &KeyRef,
        context: &WrapContext,
    ) -> Result<WrappedKey> {
        let data_key = self.unwrap_key(old, context).await?;
        self.wrap_key(to, &data_key, context).await
    }
}

/// The facts as KMS takes them: `None` when there are none.
fn facts(context: &WrapContext) -> Option<HashMap<String, String>> {
    let facts: HashMap<_, _> =
        context.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    (!facts.is_empty()).then_some(facts)
}

/// Copies what the SDK decoded into a buffer of its exact size, and wipes the one it came in.
fn plain(blob: Blob) -> DataKey {
    let bytes = Zeroizing::new(blob.into_inner());
    DataKey::from_boxed(bytes.as_slice().into())
}

/// A ciphertext of a length that KMS can have made: others it refuses as a parameter, without a word
/// of what they are.
fn sound(call: &Call, wrapped: &WrappedKey) -> Result<Blob> {
    match wrapped.ciphertext.len() {
        1..=MOST_CIPHERTEXT => Ok(Blob::new(wrapped.ciphertext.as_slice())),
        _ => Err(call.own(ErrorKind::Integrity, "not a ciphertext of KMS: its length")),
    }
}

fn wrapped(
    call: &Call,
    key: Option<String>,
    material: Option<&str>,
    ciphertext: Option<Blob>,
) -> Result<WrappedKey> {
    let key = answered(call, key)?;
    let version = material.map(VersionId::new).transpose().map_err(|_| incomplete(call))?;
    let ciphertext = ciphertext.ok_or_else(|| incomplete(call))?;
    Ok(WrappedKey::new(key, version, ciphertext.into_inner()))
}

/// The key that an answer names.
pub(super) fn answered(call: &Call, key: Option<String>) -> Result<KeyRef> {
    key.and_then(|key| KeyRef::new(&key).ok()).ok_or_else(|| incomplete(call))
}

/// AWS says yes and leaves out what was asked for.
pub(super) fn incomplete(call: &Call) -> Error {
    call.own(ErrorKind::Internal, "the answer lacks a part that AWS documents")
}

/// A key's list has so many pages at most: a hundred entries each are far more than quotas let a key have.
pub(super) const MOST_PAGES: usize = 100;

pub(super) fn endless(call: &Call) -> Error {
    call.own(ErrorKind::Internal, "the list does not end")
}
