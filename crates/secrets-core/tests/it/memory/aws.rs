//! AWS Secrets Manager: one test for each rule of its interface (reference: the API's own pages).

use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{SecretProvider, VersionSelector};

use super::support::{get, name, set, set_pending, text, token};

#[tokio::test]
async fn pending_stands_beside_current_and_promotion_moves_labels() {
    let provider = MemoryProvider::new(Personality::Aws);
    let db = name("billing/db");
    let first = set(&provider, &db, "one").await;
    let second = set_pending(&provider, &db, "two").await;

    assert_eq!(text(&get(&provider, &db, VersionSelector::Current).await.unwrap()), "one");
    assert_eq!(text(&get(&provider, &db, VersionSelector::Pending).await.unwrap()), "two");
    assert_eq!(text(&provider.outside().read(&db).unwrap()), "one");

    let promoted = provider.promote(&db, &second, &first, &token(1)).await.unwrap();
    assert_eq!((&promoted.current, promoted.previous.as_ref()), (&second, Some(&first)));
    assert_eq!(text(&get(&provider, &db, VersionSelector::Current).await.unwrap()), "two");
    assert_eq!(text(&get(&provider, &db, VersionSelector::Previous).await.unwrap()), "one");
    assert!(get(&provider, &db, VersionSelector::Pending).await.is_err());
    assert_eq!(text(&provider.outside().read(&db).unwrap()), "two");
}
