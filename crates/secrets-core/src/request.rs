use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// More are counted and not kept: a call that needs so many is a batch or has gone wrong.
const MOST: usize = 64;

/// The ids of the requests that calls of a provider made of its backend, as the backend gave them:
/// what joins a call here with the backend's own trail (AWS CloudTrail, Azure and Google activity logs).
///
/// Whoever calls a provider watches the call; the provider notes each id as the answer comes, of answers
/// that are errors too, wherever it is within the call's own task.
///
/// ```
/// use secrets_core::RequestIds;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let ids = RequestIds::new();
/// ids.watch(async {
///     RequestIds::note("7c1b"); // in the provider
/// })
/// .await;
/// assert_eq!(ids.all(), ["7c1b".into()]);
/// RequestIds::note("lost"); // nobody watches
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct RequestIds(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    first: Vec<Box<str>>,
    left_off: u64,
}

thread_local! {
    /// Who watches what this thread polls at the moment.
    static WATCHING: RefCell<Option<RequestIds>> = const { RefCell::new(None) };
}

/// Puts back who watched before, also when the poll panics.
struct Before(Option<RequestIds>);

impl Drop for Before {
    fn drop(&mut self) {
        WATCHING.with(|watching| *watching.borrow_mut() = self.0.take());
    }
}

impl RequestIds {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a call, and keeps what is noted in it. What it spawns is not watched; of calls within
    /// each other the inner one is told.
    pub async fn watch<F: Future>(&self, call: F) -> F::Output {
        let mut call = pin!(call);
        poll_fn(|context| {
            let before = WATCHING.with(|watching| watching.borrow_mut().replace(self.clone()));
            let _before = Before(before);
            call.as_mut().poll(context)
        })
        .await
    }

    /// Notes the id of a request to whoever watches the running call, if anybody does. Of a call with
    /// more than 64 requests the first are kept, and the others [counted](Self::left_off).
    pub fn note(id: &str) {
        WATCHING.with(|watching| {
            if let Some(ids) = &*watching.borrow() {
                let mut noted = ids.noted();
                if noted.first.iter().any(|known| &**known == id) {
                    return;
                }
                match noted.first.len() {
                    MOST.. => noted.left_off = noted.left_off.saturating_add(1),
                    _ => noted.first.push(id.into()),
                }
            }
        });
    }

    /// The ids, in the order in which they came: 64 at most.
    #[must_use]
    pub fn all(&self) -> Vec<Box<str>> {
        self.noted().first.clone()
    }

    /// How many more were noted.
    #[must_use]
    pub fn left_off(&self) -> u64 {
        self.noted().left_off
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_call_keeps_its_own_whoever_is_polled_between() {
        let call = |name: &'static str| async move {
            let ids = RequestIds::new();
            ids.watch(async {
                for number in 0..3 {
                    tokio::task::yield_now().await;
                    RequestIds::note(&format!("{name}{number}"));
                }
            })
            .await;
            ids.all()
        };
        let (a, b) = futures_util::future::join(call("a"), call("b")).await;
        assert_eq!(a, ["a0".into(), "a1".into(), "a2".into()]);
        assert_eq!(b, ["b0".into(), "b1".into(), "b2".into()]);
    }

    #[tokio::test]
    async fn the_inner_call_is_told_and_then_the_outer_again() {
        let (outer, inner) = (RequestIds::new(), RequestIds::new());
        outer
            .watch(async {
                inner.watch(async { RequestIds::note("in") }).await;
                RequestIds::note("out");
                RequestIds::note("out");
            })
            .await;
        assert_eq!((inner.all(), outer.all()), (vec!["in".into()], vec!["out".into()]));
    }

    #[test]
    fn a_panic_leaves_nobody_watching() {
        let ids = RequestIds::new();
        let call = ids.watch(async { panic!("the provider") });
        let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            futures_util::FutureExt::now_or_never(call)
        }));
        assert!(polled.is_err());
        RequestIds::note("later");
        assert!(ids.all().is_empty());
    }

    #[test]
    fn there_is_an_end_to_it() {
        let ids = RequestIds::new();
        let noted = ids.watch(async { (0..1_000).for_each(|n| RequestIds::note(&n.to_string())) });
        futures_util::FutureExt::now_or_never(noted).unwrap();
        assert_eq!((ids.all().len(), ids.left_off()), (MOST, 1_000 - 64));
    }
}
