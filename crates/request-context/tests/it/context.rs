//! How a context goes along with the work.

use std::time::Duration;

use request_context::{Actor, Context, Id, Origin, Provenance, UserKind};

fn named(id: &str) -> Context {
    Context::new().with_request_id(Id::new(id).unwrap())
}

fn current() -> Option<String> {
    Context::current().and_then(|context| context.request_id).map(|id| id.to_string())
}

#[tokio::test]
async fn tasks_that_interleave_keep_their_own() {
    let work = |id: &'static str| {
        named(id).scope(async move {
            for _ in 0..20 {
                assert_eq!(current().as_deref(), Some(id));
                tokio::task::yield_now().await;
            }
        })
    };
    tokio::join!(work("a"), work("b"), work("c"));
    assert_eq!(current(), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_spawned_does_not_inherit_it_unless_it_is_taken_along() {
    named("a")
        .scope(async {
            let context = Context::current().unwrap();
            let alone = tokio::spawn(async { current() });
            let along = tokio::spawn(context.scope(async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                current()
            }));
            assert_eq!(alone.await.unwrap(), None);
            assert_eq!(along.await.unwrap().as_deref(), Some("a"));
        })
        .await;
}

#[test]
fn an_inner_one_ends_with_its_work() {
    named("outer").sync_scope(|| {
        named("inner").sync_scope(|| assert_eq!(current().as_deref(), Some("inner")));
        let panicked = std::panic::catch_unwind(|| named("inner").sync_scope(|| panic!("ends")));
        assert!(panicked.is_err());
        assert_eq!(current().as_deref(), Some("outer"));
    });
    assert_eq!(current(), None);
}

#[test]
fn a_peer_is_the_client_until_a_proxy_is_believed() {
    let origin = Origin::of_peer("127.0.0.1:4000".parse().unwrap());
    assert_eq!(origin.client.from, Provenance::Connection);
    let told = origin.clone().with_client("127.0.0.9".parse().unwrap(), Provenance::Forwarded);
    assert_eq!((told.peer, told.client.from), (origin.peer, Provenance::Forwarded));
    let actor = Actor::service(Id::new("billing").unwrap());
    assert_eq!((actor.kind, actor.session), (UserKind::Service, None));
}
