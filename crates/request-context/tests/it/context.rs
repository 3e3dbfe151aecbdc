//! How a context goes along with the work.

use std::pin::pin;
use std::task::{self, Poll, Waker};
use std::time::Duration;

use request_context::{Actor, Context, Id, Origin, Provenance, Scoped, SharedContext, UserKind};

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

/// Says where it was dropped.
struct Dropped<'a>(&'a mut Option<String>);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        *self.0 = current();
    }
}

#[test]
fn what_runs_in_one_is_made_and_dropped_in_it() {
    let [mut at_end, mut before, mut dropped] = [None, None, None];
    let scope = |told| {
        let made = Scoped::make(named("a").into(), (), |()| {
            assert_eq!(current().as_deref(), Some("a"));
            Dropped(told)
        });
        assert!(made.get().is_some());
        assert_eq!(current().as_deref(), Some("outer"));
        made
    };
    named("outer").sync_scope(|| {
        let mut ended = pin!(scope(&mut at_end));
        let goes_on = ended.as_mut().run(|_| current(), |_, _| false);
        assert_eq!(goes_on.flatten().as_deref(), Some("a"));
        assert!(ended.get().is_some());
        let ends = ended.as_mut().run(|_| current(), |_, _| true);
        assert_eq!(ends.flatten().as_deref(), Some("a"));
        assert!(ended.get().is_none());
        assert_eq!(
            ended.as_mut().run(|_| panic!("nothing runs after the end"), |(), _| true),
            None
        );
        assert_eq!(ended.as_mut().end(), Some(named("a").into()));
        assert_eq!(ended.as_mut().end(), None);

        assert_eq!(pin!(scope(&mut before)).end(), Some(named("a").into()));
        drop(scope(&mut dropped));
        assert_eq!(current().as_deref(), Some("outer"));
    });
    for dropped_in in [at_end, before, dropped] {
        assert_eq!(dropped_in.as_deref(), Some("a"));
    }
}

#[test]
fn what_panics_leaves_it_and_is_dropped_in_it() {
    let mut dropped = None;
    let told = Dropped(&mut dropped);
    let mut future = Box::pin(named("a").scope(async move {
        let _told = &told;
        panic!("ends")
    }));
    let mut task = task::Context::from_waker(Waker::noop());
    let polled = std::panic::AssertUnwindSafe(|| future.as_mut().poll(&mut task).is_ready());
    assert!(std::panic::catch_unwind(polled).is_err());
    assert_eq!(current(), None);
    drop(future);
    assert_eq!(dropped.as_deref(), Some("a"));
    let made = || Scoped::make(named("a").into(), (), |()| -> u8 { panic!("ends") });
    assert!(std::panic::catch_unwind(made).is_err());
    assert_eq!(current(), None);
}

#[test]
fn a_future_ends_once() {
    let mut future = pin!(named("a").scope(std::future::ready(1)));
    let mut task = task::Context::from_waker(Waker::noop());
    assert_eq!(future.as_mut().poll(&mut task), Poll::Ready(1));
    assert_eq!(future.as_mut().poll(&mut task), Poll::Pending);
}

#[test]
fn equals_are_not_the_very_same() {
    let one = SharedContext::new(named("a"));
    let other = SharedContext::new(named("a"));
    assert_eq!(one, other);
    assert!(!one.is_current());
    one.clone().sync_scope(|| assert!(one.is_current() && !other.is_current()));
}

#[test]
fn it_can_be_asked_for_while_a_thread_ends() {
    struct Late(std::sync::mpsc::Sender<Option<String>>);
    impl Drop for Late {
        fn drop(&mut self) {
            self.0.send(current()).unwrap();
            named("late").sync_scope(|| self.0.send(current()).unwrap());
        }
    }
    thread_local!(static LATE: std::cell::RefCell<Option<Late>> = const { std::cell::RefCell::new(None) });
    let (sender, said) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        LATE.set(Some(Late(sender)));
        named("a").sync_scope(current)
    });
    assert_eq!(thread.join().unwrap().as_deref(), Some("a"));
    assert_eq!(said.iter().collect::<Vec<_>>(), [None, Some("late".to_owned())]);
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
