//! The crates of this workspace themselves, held to the assertion of the kit.

use std::sync::Arc;
use std::time::Duration;

use audit_log::{AuditLog, ChainKey, Code, FanOut, FileTrail, Product, WriterName};
use secrets_manager::lint::{Environment, Linter};
use secrets_manager::{Format, SecretManager, SecretRules};
use service_test_kit::memory::{Fault, FaultRule, Faults, MemoryProvider, Personality};
use service_test_kit::secrets_core::{
    IdempotencyKey, SecretName, SecretProvider, SecretProviderExt, SecretRef, SetOptions,
};
use service_test_kit::{Canary, Capture, ErrorChain, Files, LogCapture, MemorySink, Shown};

fn name(name: &str) -> SecretName {
    SecretName::new(name).unwrap()
}

/// Everything that can fail, with the secret in hand; what it says of itself.
async fn use_and_fail(manager: &SecretManager, provider: &MemoryProvider) -> Vec<Box<dyn Capture>> {
    let mut captures: Vec<Box<dyn Capture>> = Vec::new();
    let handle = manager.handle("db").await.unwrap();
    let secret = manager.get("db").await.unwrap();
    let (db, value) = (SecretRef::from(name("db")), secret.value.clone());
    let pending =
        manager.cached().set_secret(&db, value.clone(), SetOptions::pending()).await.unwrap();
    let token = IdempotencyKey::from_random([7; 16]);
    manager.cached().promote(&db, &pending.id, &secret.version.id, &token).await.unwrap();

    let every = [Format::Text, Format::Pem, Format::Url, Format::Json];
    let rules = every.map(|format| SecretRules::new().with_min_length(999).with_format(format));
    let required: Vec<_> = rules.into_iter().map(|rules| (name("db"), rules)).collect();
    let report = manager.check_required(&required).await.unwrap_err();
    captures.push(Box::new(ErrorChain::of(&report)));
    for environment in [Environment::Development, Environment::Production] {
        let mut linter = Linter::new(environment);
        linter.check_provider(manager.cached()).await.unwrap();
        let report = linter.finish();
        captures.push(Box::new(format!("{report} {report:?}")));
    }

    for fault in [Fault::Unavailable, Fault::LostReply, Fault::LostRequest] {
        provider.inject(Faults::seeded(1).with(FaultRule::new(fault))).unwrap();
        manager.invalidate_all();
        let failed = manager.cached().set_secret(&db, value.clone(), SetOptions::new()).await;
        captures.push(Box::new(ErrorChain::of(&failed.unwrap_err())));
        let failed = manager.get("other").await;
        captures.push(Box::new(ErrorChain::of(&failed.unwrap_err())));
    }
    provider.inject(Faults::none()).unwrap();
    captures.push(Box::new(Shown::new("the manager", manager)));
    captures.push(Box::new(Shown::new("the handle", &handle)));
    captures.push(Box::new(Shown::new("the state", &*handle.load())));
    captures.push(Box::new(Shown::new("the provider", provider)));
    captures.push(Box::new(Shown::new("the log of the provider", &provider.log())));
    captures
}

#[tokio::test]
async fn no_crate_of_ours_lets_a_secret_out() {
    for personality in Personality::ALL {
        let canary = Canary::named(personality.as_str());
        let (logs, _guard) = LogCapture::start();
        let (events, folder) = (Arc::new(MemorySink::new()), tempfile::tempdir().unwrap());
        let product = Product::new(Code::new("kit"), Code::new("test"));
        let key = ChainKey::from_slice(&[7; 32]).unwrap();
        let writer = WriterName::new("test").unwrap();
        let trail = FileTrail::at(folder.path(), writer, product, key).open().await.unwrap();
        let running = tokio::spawn(trail.run(Duration::from_millis(10)));
        let audit = AuditLog::new(Arc::new(FanOut::new([
            events.clone() as _,
            Arc::new(trail.clone()) as _,
        ])));

        let provider = MemoryProvider::new(personality);
        provider.put_text("db", canary.text()).await.unwrap();
        provider.put_text("db-copy", canary.text()).await.unwrap();
        let builder = SecretManager::builder(provider.clone()).audit(audit.clone());
        let manager = builder.build().unwrap();
        let said = use_and_fail(&manager, &provider).await;
        audit.sink().flush().await.unwrap();
        running.abort();

        assert!(!events.events().is_empty() && said.len() > 10);
        let files = Files::under(folder.path()).unwrap();
        let mut captures: Vec<&dyn Capture> = said.iter().map(|capture| &**capture).collect();
        captures.extend([&logs as &dyn Capture, &*events, &files]);
        canary.assert_absent_from(&captures);
    }
}
