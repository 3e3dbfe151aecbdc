//! References in settings.

use secrets_core::memory::Personality;
use secrets_core::{
    ErrorKind, Operation, SecretProviderExt, SecretReference, SecretResolver, SecretValue,
};

use crate::support::{NAME, build, memory};

fn to(reference: &str) -> SecretReference {
    reference.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn references_are_read_through_the_cache() {
    let provider = memory(Personality::Google).await;
    let json = r#"{"user":"app","password":"s3cret"}"#;
    provider.put_text("billing/json", json).await.unwrap();
    let manager = build(provider.clone());
    let resolver: &dyn SecretResolver = &manager;
    let text = |value: SecretValue| value.expose_secret_text().unwrap().to_owned();
    for _ in 0..3 {
        let whole = resolver.resolve(&to("secret://billing/db")).await.unwrap();
        assert_eq!(text(whole), "one");
        let field = resolver.resolve(&to("secret://billing/json#password")).await.unwrap();
        assert_eq!(text(field), "s3cret");
    }
    assert_eq!(provider.calls(Operation::GetSecret), 2);
    let kind = async |reference| resolver.resolve(&to(reference)).await.unwrap_err().kind();
    assert_eq!(kind("secret://billing/json#token").await, ErrorKind::NotFound);
    assert_eq!(kind("secret://billing/db#password").await, ErrorKind::InvalidValue);
    assert_eq!(kind("secret://not/there").await, ErrorKind::NotFound);
    assert_eq!(manager.get(NAME).await.unwrap().value.len(), 3);
}
