//! Expiring credentials at their resource: another one is issued where one is refused, and no account is
//! locked out by it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use secrets_core::{Error, ErrorKind, Result, async_trait};
use secrets_manager::expiring::{
    CredentialSource, ExpiringCredential, Issued, RenewalPolicy, with_credential,
};
use secrets_manager::{FailureClass, Jitter, UseErrorKind, UsePolicy, repeatable};
use tokio::time::{Instant, timeout};

use crate::support::{Wall, millis, pass, secs, settle};

/// Issues 1, 2, and so on.
#[derive(Debug, Clone, Default)]
struct Mint(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    issued: u64,
    calls: u64,
    fails: bool,
    hangs: bool,
}

impl Mint {
    fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        work(&mut self.0.lock().unwrap())
    }
}

#[async_trait]
impl CredentialSource for Mint {
    type Credential = u64;

    async fn issue(&self) -> Result<Issued<u64>> {
        let hangs = self.with(|state| {
            state.calls += 1;
            state.hangs
        });
        if hangs {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(millis(100)).await;
        self.with(|state| {
            if state.fails {
                return Err(Error::new(ErrorKind::Unavailable, "down"));
            }
            state.issued += 1;
            Ok(Issued::for_span(state.issued, secs(90)))
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Refused,
    Busy,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Answer {}

fn classifier(answer: &Answer) -> FailureClass {
    match answer {
        Answer::Refused => FailureClass::Authentication,
        Answer::Busy => FailureClass::Other,
    }
}

/// Accepts what is not below a number, after half a second, and counts what it is sent.
#[derive(Debug, Clone, Default)]
struct Gatekeeper {
    least: Arc<Mutex<u64>>,
    sent: Arc<Mutex<BTreeMap<u64, usize>>>,
}

impl Gatekeeper {
    fn wants(&self, least: u64) {
        *self.least.lock().unwrap() = least;
    }

    async fn login(&self, credential: u64) -> Result<u64, Answer> {
        *self.sent.lock().unwrap().entry(credential).or_default() += 1;
        tokio::time::sleep(millis(500)).await;
        if credential >= *self.least.lock().unwrap() {
            Ok(credential)
        } else {
            Err(Answer::Refused)
        }
    }

    /// How often each credential was sent since this was last asked.
    fn sent(&self) -> Vec<(u64, usize)> {
        std::mem::take(&mut *self.sent.lock().unwrap()).into_iter().collect()
    }

    async fn serve(
        &self,
        credential: &ExpiringCredential<u64>,
    ) -> Result<u64, secrets_manager::UseError<Answer>> {
        let work = repeatable(|credential: Arc<u64>| self.login(*credential));
        with_credential(credential, classifier, work).await
    }
}

async fn obtain(mint: &Mint) -> ExpiringCredential<u64> {
    let policy = RenewalPolicy::new().with_renewal_at(2.0 / 3.0, 0.0).with_call_timeout(secs(5));
    let builder = ExpiringCredential::builder(mint.clone()).clock(Arc::new(Wall::new()));
    builder.policy(policy).jitter(Jitter::seeded(3)).obtain().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_that_was_revoked_is_sent_once_and_replaced_once_for_all() {
    let (mint, gate) = (Mint::default(), Gatekeeper::default());
    let credential = obtain(&mint).await;
    assert_eq!(gate.serve(&credential).await.unwrap(), 1);
    pass(secs(20)).await; // longer than it is trusted
    gate.wants(2);
    gate.sent();
    let users = join_all((0..50).map(|_| gate.serve(&credential))).await;
    assert!(users.iter().all(|user| *user.as_ref().unwrap() == 2));
    assert_eq!(gate.sent(), [(1, 1), (2, 50)]);
    assert_eq!(mint.with(|state| state.calls), 2);
    // While it is trusted nobody waits for anybody.
    let begun = Instant::now();
    join_all((0..50).map(|_| gate.serve(&credential))).await;
    assert_eq!(begun.elapsed(), millis(500));
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_refuses_everything_is_sent_little() {
    let (mint, gate) = (Mint::default(), Gatekeeper::default());
    let credential = obtain(&mint).await;
    let _running = tokio::spawn(credential.run());
    gate.wants(u64::MAX);
    let first = gate.serve(&credential).await.unwrap_err();
    assert_eq!((first.kind(), first.work_error()), (UseErrorKind::Refused, Some(&Answer::Refused)));
    for _ in 0..600 {
        pass(secs(1)).await;
        let users = join_all((0..5).map(|_| gate.serve(&credential))).await;
        assert!(users.iter().all(|user| {
            let kind = user.as_ref().unwrap_err().kind();
            matches!(kind, UseErrorKind::Barred | UseErrorKind::Refused)
        }));
    }
    let sent = gate.sent();
    assert!(sent.iter().all(|(_, times)| *times == 1), "nothing twice: {sent:?}");
    assert!((4..=5).contains(&sent.len()), "at 0, 0, 60, 180 and 420 seconds: {sent:?}");
    gate.wants(0);
    pass(secs(20 * 60)).await;
    assert!(gate.serve(&credential).await.is_ok(), "in the end it is tried again");
    assert!(gate.serve(&credential).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_the_source_does_not_replace_is_not_sent_again() {
    let (mint, gate) = (Mint::default(), Gatekeeper::default());
    let credential = obtain(&mint).await;
    gate.wants(2);
    mint.with(|state| state.fails = true);
    let ended = gate.serve(&credential).await.unwrap_err();
    assert_eq!(ended.kind(), UseErrorKind::Refused);
    assert_eq!(ended.secret_error().unwrap().kind(), ErrorKind::Unavailable);
    for _ in 0..20 {
        let ended = gate.serve(&credential).await.unwrap_err();
        assert_eq!(ended.kind(), UseErrorKind::Barred);
        assert_eq!(ended.secret_error().unwrap().kind(), ErrorKind::Unavailable);
    }
    assert_eq!(
        (gate.sent(), mint.with(|state| state.calls)),
        (vec![(1, 1)], 2),
        "its pause is kept"
    );
    mint.with(|state| state.fails = false);
    pass(secs(3)).await;
    assert_eq!(gate.serve(&credential).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn other_errors_are_passed_on_and_replace_nothing() {
    let mint = Mint::default();
    let credential = obtain(&mint).await;
    let busy = repeatable(|_: Arc<u64>| std::future::ready(Err::<(), _>(Answer::Busy)));
    let ended = with_credential(&credential, classifier, busy).await.unwrap_err();
    assert_eq!((ended.kind(), ended.work_error()), (UseErrorKind::Work, Some(&Answer::Busy)));
    assert_eq!(mint.with(|state| state.calls), 1);
    // Nor does it keep the next one from trying.
    let gate = Gatekeeper::default();
    assert_eq!(timeout(secs(1), gate.serve(&credential)).await.unwrap().unwrap(), 1);
}

/// Each of them may have been sent, so the next one waits as for one who is still at it.
#[tokio::test(start_paused = true)]
async fn attempts_that_are_dropped_are_no_storm() {
    let (mint, gate) = (Mint::default(), Gatekeeper::default());
    let credential = obtain(&mint).await;
    for _ in 0..300 {
        let _ = timeout(millis(100), gate.serve(&credential)).await;
    }
    let sent = gate.sent();
    assert!(matches!(sent.as_slice(), [(1, 5..=7)]), "one in five seconds: {sent:?}");
}

#[tokio::test(start_paused = true)]
async fn the_budget_ends_the_wait() {
    let (mint, gate) = (Mint::default(), Gatekeeper::default());
    let credential = obtain(&mint).await;
    gate.wants(2);
    mint.with(|state| state.hangs = true);
    let policy = UsePolicy::new().with_budget(secs(2));
    let begun = Instant::now();
    let work = repeatable(|credential: Arc<u64>| gate.login(*credential));
    let ended = policy.with_credential(&credential, classifier, work).await.unwrap_err();
    assert_eq!((ended.kind(), ended.work_error()), (UseErrorKind::Budget, Some(&Answer::Refused)));
    assert!(begun.elapsed() < secs(3), "{:?}", begun.elapsed());
}

/// Who asks and leaves must not have the source asked by each who comes after.
#[tokio::test(start_paused = true)]
async fn readers_that_leave_do_not_have_the_source_asked_again_and_again() {
    let mint = Mint::default();
    let credential = obtain(&mint).await;
    pass(secs(91)).await;
    mint.with(|state| (state.hangs, state.calls) = (true, 0));
    for _ in 0..100 {
        assert!(timeout(millis(50), credential.get()).await.is_err());
        settle().await;
    }
    let calls = mint.with(|state| state.calls);
    assert!((2..=6).contains(&calls), "{calls} calls in five seconds");
    mint.with(|state| state.hangs = false);
    assert_eq!(*credential.get().await.unwrap().credential(), 2, "who stays has one");
}

/// What the resource refuses slower than callers wait would never be told: it may count all the same.
#[tokio::test(start_paused = true)]
async fn attempts_that_are_always_dropped_grow_rare() {
    let (mint, gate) = (Mint::default(), Gatekeeper::default());
    let credential = obtain(&mint).await;
    let _running = tokio::spawn(credential.run());
    gate.wants(u64::MAX);
    for _ in 0..6_000 {
        let _ = timeout(millis(100), gate.serve(&credential)).await;
    }
    let sent: usize = gate.sent().into_iter().map(|(_, times)| times).sum();
    assert!((8..=20).contains(&sent), "{sent} in ten minutes");
    gate.wants(0);
    pass(secs(70)).await;
    assert!(gate.serve(&credential).await.is_ok(), "who stays is served");
    assert!(timeout(millis(600), gate.serve(&credential)).await.unwrap().is_ok());
}

/// A longer piece of work with the one before, whose end is told late, says nothing of the one that
/// came after.
#[tokio::test(start_paused = true)]
async fn work_that_ends_late_does_not_have_the_next_one_tried_again() {
    let (mint, gate) = (Mint::default(), Gatekeeper::default());
    let credential = obtain(&mint).await;
    let _running = tokio::spawn(credential.run());
    let late = tokio::spawn({
        let credential = credential.clone();
        async move {
            let work = repeatable(|_: Arc<u64>| async {
                tokio::time::sleep(secs(65)).await;
                Ok::<(), Answer>(())
            });
            with_credential(&credential, classifier, work).await.is_ok()
        }
    });
    pass(secs(64)).await;
    assert_eq!(gate.serve(&credential).await.unwrap(), 2);
    assert!(late.await.unwrap());
    let begun = Instant::now();
    join_all((0..5).map(|_| gate.serve(&credential))).await;
    assert_eq!(begun.elapsed(), millis(500), "nobody waits for anybody");
}
