//! What a provider does that implements reading alone.

use std::sync::Arc;
use std::time::SystemTime;

use secrets_core::{
    Capabilities, Consistency, DeleteMode, ErrorKind, GetOptions, HealthStatus, IdempotencyKey,
    KeyRef, Limits, MetadataPatch, NameRules, NativeId, Operation, PageRequest, Precondition,
    ProviderId, PublicKey, Result, Secret, SecretFilter, SecretName, SecretProvider,
    SecretProviderExt, SecretRef, SecretValue, SetOptions, Signature, SignatureAlgorithm, Signer,
    SignerCapabilities, Support, ToSign, VersionId, VersionInfo, VersionSelector, VersionState,
    async_trait,
};

#[derive(Debug)]
struct ReadOnly {
    id: ProviderId,
    capabilities: Capabilities,
    rules: NameRules,
}

impl ReadOnly {
    fn new() -> Self {
        let consistency = Consistency::Strong;
        Self {
            id: ProviderId::new("fixed", "here", "me"),
            capabilities: Capabilities::read_only(consistency, Limits::new(10).with_batch(3)),
            rules: NameRules::new(|b| b.is_ascii_graphic(), b'~', 255),
        }
    }
}

#[async_trait]
impl SecretProvider for ReadOnly {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn name_rules(&self) -> &NameRules {
        &self.rules
    }

    async fn get_secret(&self, reference: &SecretRef, _: GetOptions) -> Result<Secret> {
        let version = VersionInfo::new(VersionId::new("1")?, SystemTime::UNIX_EPOCH);
        Ok(Secret::new(SecretValue::from_string(reference.to_string()), version))
    }
}

#[tokio::test]
async fn everything_else_is_unsupported_behind_a_shared_pointer_too() {
    let provider: Arc<dyn SecretProvider> = Arc::new(ReadOnly::new());
    let provider = Arc::new(provider);
    let db = SecretRef::from(SecretName::new("db").unwrap());
    let id = VersionId::new("1").unwrap();
    let token = IdempotencyKey::from_random([0; 16]);
    let value = SecretValue::copy_from_slice(b"x");
    let patch = MetadataPatch::new();
    let errors = [
        provider.set_secret(&db, value, SetOptions::new()).await.err(),
        provider.promote(&db, &id, &id, &token).await.err(),
        provider.discard_pending(&db, &id).await.err(),
        provider.update_metadata(&db, None, patch, Precondition::Any).await.err(),
        provider.set_version_state(&db, &id, VersionState::Disabled).await.err(),
        provider.describe_secret(&db).await.err(),
        provider.list_versions(&db, PageRequest::first()).await.err(),
        provider.list_secrets(&SecretFilter::all(), PageRequest::first()).await.err(),
        provider.delete_secret(&db, DeleteMode::Immediate).await.err(),
        provider.restore_secret(&db).await.err(),
        provider.purge_secret(&db).await.err(),
    ];
    let operations = [
        Operation::SetSecret,
        Operation::Promote,
        Operation::DiscardPending,
        Operation::UpdateMetadata,
        Operation::SetVersionState,
        Operation::DescribeSecret,
        Operation::ListVersions,
        Operation::ListSecrets,
        Operation::DeleteSecret,
        Operation::RestoreSecret,
        Operation::PurgeSecret,
    ];
    for (error, operation) in errors.into_iter().zip(operations) {
        let error = error.unwrap();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Unsupported, Some(operation)));
    }
    assert!(provider.changes().is_none());
    assert_eq!(provider.health().await.unwrap().status, HealthStatus::Unknown);
}

#[tokio::test]
async fn many_are_read_one_by_one_and_short_calls_name_them() {
    let provider = ReadOnly::new();
    let db = SecretRef::from(SecretName::new("db").unwrap());
    let native = SecretRef::from(NativeId::new("Db").unwrap());
    let wanted =
        [(native, GetOptions::default()), (db, GetOptions::version(VersionSelector::Previous))];
    let answers = provider.get_secrets(&wanted).await.unwrap();
    let texts = answers.iter().map(|answer| answer.as_ref().unwrap().value.expose_secret());
    assert_eq!(texts.collect::<Vec<_>>(), [&b"native:Db"[..], b"db"]);
    assert_eq!(provider.read("db").await.unwrap().value.expose_secret(), b"db");
    assert_eq!(provider.read("../db").await.unwrap_err().kind(), ErrorKind::InvalidName);
    assert_eq!(provider.put_text("D", "v").await.unwrap_err().kind(), ErrorKind::InvalidName);
    assert_eq!(provider.put_text("d", "v").await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn an_id_tells_backend_place_and_identity() {
    let id = |kind, scope, identity| ProviderId::new(kind, scope, identity);
    let full = id("aws", "123456789012", "role/app");
    assert_eq!((full.kind(), full.scope(), full.identity()), ("aws", "123456789012", "role/app"));
    assert_eq!(full.to_string(), "aws:123456789012 as role/app");
    assert_eq!(id("file", "/x", "").to_string(), "file:/x");
    let others = [
        id("aws", "123456789012", ""),
        id("aws", "1", "role/app"),
        id("b", "123456789012", "role/app"),
    ];
    assert!(others.iter().all(|other| *other != full));
    assert_eq!(full.clone(), full);
}

#[test]
fn support_is_available_unless_it_is_not() {
    assert!(Support::Native.is_available() && Support::Emulated.is_available());
    assert!(!Support::No.is_available());
    let limits = Limits::new(5).with_tags(7);
    assert_eq!((limits.value_len, limits.tags, limits.batch), (5, 7, 1));
}

/// A signer that does what it must.
#[derive(Debug)]
struct Pen(ProviderId, SignerCapabilities);

#[async_trait]
impl Signer for Pen {
    fn signer_id(&self) -> &ProviderId {
        &self.0
    }

    fn signer_capabilities(&self) -> &SignerCapabilities {
        &self.1
    }

    async fn sign(
        &self,
        key: &KeyRef,
        algorithm: SignatureAlgorithm,
        _: ToSign<'_>,
    ) -> Result<Signature> {
        Ok(Signature::new(key.clone(), algorithm, vec![7]))
    }

    async fn public_key(&self, key: &KeyRef) -> Result<PublicKey> {
        Ok(PublicKey::new(key.clone(), vec![7], Vec::new()))
    }
}

#[tokio::test]
async fn a_signer_that_does_not_verify_says_so() {
    let pen = Pen(ProviderId::new("pen", "here", ""), SignerCapabilities::new(Support::No));
    let (key, input) = (KeyRef::new("k").unwrap(), ToSign::Message(b"m"));
    let signature = pen.sign(&key, SignatureAlgorithm::Es256, input).await.unwrap();
    let error = pen.verify(input, &signature).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.operation()),
        (ErrorKind::Unsupported, Some(Operation::Verify))
    );
}
