//! Spans and contexts in other tasks and threads.

use std::cell::RefCell;

use obs::record::Carried;
use request_context::{Context, Id};
use tracing::dispatcher;

use crate::support::logged;

thread_local! {
    static GUARD: RefCell<Option<dispatcher::DefaultGuard>> = const { RefCell::new(None) };
}

fn context() -> Context {
    Context::new().with_request_id(Id::new("r-1").unwrap())
}

#[test]
fn tasks_and_threads_go_on_in_the_span_and_the_context() {
    let lines = logged(|| {
        // The subscriber of this test is that of this thread only.
        let here = dispatcher::get_default(Clone::clone);
        let on_thread = here.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .on_thread_start(move || GUARD.set(Some(dispatcher::set_default(&here))))
            .build()
            .unwrap();
        let all = async {
            let span = tracing::info_span!("request");
            let entered = span.enter();
            let task = tokio::spawn(Carried::here().scope(async {
                tracing::info!("task");
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                tracing::info!("task again");
            }));
            let blocking =
                tokio::task::spawn_blocking(Carried::here().wrap(|| tracing::info!("blocking")));
            let thread = std::thread::spawn(move || {
                let _default = dispatcher::set_default(&on_thread);
                tracing::info!("nowhere");
                tracing::info!("nowhere, after what was carried");
            });
            let inner = dispatcher::get_default(Clone::clone);
            let carried = Carried::here();
            let other = std::thread::spawn(move || {
                dispatcher::with_default(&inner, || {
                    carried.wrap(|| tracing::info!("thread"))();
                    tracing::info!("nowhere");
                });
            });
            let lost = tokio::spawn(async { tracing::info!("nowhere") });
            drop(entered);
            task.await.unwrap();
            blocking.await.unwrap();
            lost.await.unwrap();
            (thread, other)
        };
        let (thread, other) = runtime.block_on(context().scope(all));
        thread.join().unwrap();
        other.join().unwrap();
    });
    let all = lines.all();
    assert_eq!(all.len(), 8, "{}", lines.text());
    for line in all {
        let is_carried = !line["message"].as_str().unwrap().starts_with("nowhere");
        assert_eq!(line["request_id"] == "r-1", is_carried, "{line}");
        assert_eq!(line["span"] == "request", is_carried, "{line}");
    }
}

#[tokio::test]
async fn a_context_is_carried_where_there_is_no_span() {
    let id = || Context::current().and_then(|context| context.request_id).map(|id| id.to_string());
    let (task, blocking, outside) = context()
        .scope(async {
            let task = tokio::spawn(Carried::here().scope(async move {
                tokio::task::yield_now().await;
                id()
            }));
            (
                task,
                tokio::task::spawn_blocking(Carried::here().wrap(id)),
                tokio::spawn(async move { id() }),
            )
        })
        .await;
    assert_eq!(task.await.unwrap().as_deref(), Some("r-1"));
    assert_eq!(blocking.await.unwrap().as_deref(), Some("r-1"));
    assert_eq!(outside.await.unwrap(), None);
    assert_eq!(tokio::spawn(Carried::here().scope(async move { id() })).await.unwrap(), None);
}
