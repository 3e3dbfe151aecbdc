//! Credentials that are issued for a time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use secrets_core::{Clock, Error, ErrorKind, ManualClock, Result, Retry, SecretValue, async_trait};
use secrets_manager::Jitter;
use secrets_manager::expiring::{CredentialSource, ExpiringCredential, Issued, RenewalPolicy};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::{Wall, millis, noon, pass, secs, settle, unavailable};

const LIFE: u64 = 90;

#[derive(Debug, Clone)]
enum Mood {
    Issue(Duration),
    Until(u64),
    Fail(Error),
    Hang,
    Panic,
}

/// Issues `t1`, `t2`, and so on, and notes when it was asked.
#[derive(Debug, Clone)]
struct Desk {
    mood: Arc<Mutex<Mood>>,
    calls: Arc<AtomicU64>,
    asked: Arc<Mutex<Vec<u64>>>,
    origin: Instant,
}

impl Desk {
    fn new() -> Self {
        Self {
            mood: Arc::new(Mutex::new(Mood::Issue(secs(LIFE)))),
            calls: Arc::default(),
            asked: Arc::default(),
            origin: Instant::now(),
        }
    }

    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// At which second it was asked.
    fn asked(&self) -> Vec<u64> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl CredentialSource for Desk {
    type Credential = SecretValue;

    async fn issue(&self) -> Result<Issued<SecretValue>> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        self.asked.lock().unwrap().push(self.origin.elapsed().as_secs());
        tokio::task::yield_now().await;
        let mood = self.mood.lock().unwrap().clone();
        let token = || SecretValue::from_string(format!("t{call}"));
        match mood {
            Mood::Issue(life) => Ok(Issued::for_span(token(), life)),
            Mood::Until(seconds) => Ok(Issued::until(token(), noon() + secs(seconds))),
            Mood::Fail(error) => Err(error),
            Mood::Hang => std::future::pending().await,
            Mood::Panic => panic!("as told"),
        }
    }
}

struct Service {
    desk: Desk,
    hand: ManualClock,
    token: ExpiringCredential<SecretValue>,
}

/// Without chance.
fn policy() -> RenewalPolicy {
    RenewalPolicy::new().with_renewal_at(2.0 / 3.0, 0.0).with_call_timeout(secs(5))
}

impl Service {
    async fn start() -> Self {
        Self::with(Desk::new(), policy()).await
    }

    async fn with(desk: Desk, policy: RenewalPolicy) -> Self {
        let wall = Wall::new();
        let hand = wall.hand();
        let builder = ExpiringCredential::builder(desk.clone()).clock(Arc::new(wall));
        let token = builder.policy(policy).jitter(Jitter::seeded(3)).obtain().await.unwrap();
        Self { desk, hand, token }
    }

    fn run(&self) -> JoinHandle<()> {
        let run = self.token.run();
        tokio::spawn(async { run.await.unwrap() })
    }

    fn shown(&self) -> String {
        self.token.load().credential().expose_secret_text().unwrap().to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_renewed_at_two_thirds_of_its_life() {
    let service = Service::start().await;
    let _running = service.run();
    assert_eq!(service.shown(), "t1");
    assert_eq!(service.token.load().expires(), noon() + secs(LIFE));
    pass(millis(60_500)).await;
    assert_eq!(service.shown(), "t2");
    assert!(service.token.load_checked().unwrap().trouble().is_none());
    pass(secs(600)).await;
    assert_eq!(service.desk.asked(), (0..=11).map(|n| n * 60).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn while_renewing_fails_the_old_one_is_kept_until_it_expires() {
    let service = Service::start().await;
    let _running = service.run();
    service.desk.is(Mood::Fail(unavailable()));
    pass(secs(62)).await;
    let lease = service.token.load_checked().unwrap();
    assert_eq!(lease.trouble().unwrap().kind(), ErrorKind::Unavailable, "and says so");
    assert_eq!(service.shown(), "t1");
    pass(secs(27)).await;
    assert!(service.token.load_checked().is_ok());
    pass(secs(2)).await;
    let expired = service.token.load_checked().unwrap_err();
    assert_eq!(expired.trouble().unwrap().kind(), ErrorKind::Unavailable);
    assert_eq!(service.shown(), "t1", "the last one is there to be seen");
    assert_eq!(service.token.get().await.unwrap_err().kind(), ErrorKind::Unavailable);

    // Pauses of 30 seconds to a minute once they have grown.
    pass(secs(3_600)).await;
    let calls = service.desk.calls();
    assert!((60..=140).contains(&calls), "{calls} calls");
    service.desk.is(Mood::Issue(secs(LIFE)));
    pass(secs(61)).await;
    assert!(service.token.load_checked().unwrap().trouble().is_none());
}

/// A pool that is built anew for each credential must not be whenever renewing fails.
#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_is_no_other_credential() {
    let service = Service::start().await;
    let _running = service.run();
    let (mut lease, mut credential) =
        (service.token.live().watch(), service.token.credentials().watch());
    service.desk.is(Mood::Fail(unavailable()));
    pass(secs(62)).await;
    assert!(lease.changed().now_or_never().is_some(), "who wants to know is told");
    assert!(credential.changed().now_or_never().is_none());
    service.desk.is(Mood::Issue(secs(LIFE)));
    pass(secs(61)).await;
    let renewed = credential.changed().now_or_never().unwrap().unwrap();
    assert!(Arc::strong_count(&renewed) >= 2, "one credential, shared");
    assert_eq!(renewed.expose_secret_text().unwrap(), service.shown());
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_asked_for_is_kept() {
    let service = Service::start().await;
    let _running = service.run();
    let later = Error::new(ErrorKind::Throttled, "later").with_retry(Retry::After(secs(600)));
    service.desk.is(Mood::Fail(later));
    pass(secs(650)).await;
    assert_eq!(service.desk.asked(), [0, 60]);
    for _ in 0..10 {
        assert_eq!(service.token.get().await.unwrap_err().kind(), ErrorKind::Throttled);
    }
    assert_eq!(service.desk.calls(), 2);
    pass(secs(15)).await;
    assert_eq!(service.desk.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_or_panics_fails_in_time() {
    for (mood, kind) in [(Mood::Hang, ErrorKind::Timeout), (Mood::Panic, ErrorKind::Internal)] {
        let service = Service::start().await;
        let _running = service.run();
        service.desk.is(mood.clone());
        pass(secs(66)).await;
        assert_eq!(service.token.load().trouble().unwrap().kind(), kind);
        service.desk.is(Mood::Issue(secs(LIFE)));
        pass(secs(10)).await;
        assert!(service.token.load_checked().unwrap().trouble().is_none());
        let desk = Desk::new();
        desk.is(mood);
        let builder = ExpiringCredential::builder(desk).policy(policy());
        assert_eq!(builder.obtain().await.unwrap_err().kind(), kind);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_run_future_readers_ask_once_for_all() {
    let service = Service::start().await;
    assert!(service.token.get().await.is_ok());
    assert_eq!(service.desk.calls(), 1);
    pass(secs(LIFE)).await;
    assert!(service.token.load_checked().is_err());
    let tokens = join_all((0..1_000).map(|_| service.token.get())).await;
    assert!(tokens.iter().all(Result::is_ok));
    assert_eq!((service.desk.calls(), service.shown()), (2, "t2".to_owned()));

    // One who gives up in the middle holds nobody up.
    pass(secs(LIFE)).await;
    service.desk.is(Mood::Hang);
    let first = tokio::time::timeout(secs(1), service.token.get());
    let others = async {
        tokio::time::sleep(millis(500)).await;
        service.desk.is(Mood::Issue(secs(LIFE)));
        join_all((0..100).map(|_| service.token.get())).await
    };
    let (first, others) = tokio::join!(first, others);
    assert!(first.is_err() && others.iter().all(Result::is_ok));
    assert_eq!(service.desk.calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn failures_are_not_asked_for_by_every_reader() {
    let service = Service::start().await;
    pass(secs(LIFE)).await;
    service.desk.is(Mood::Fail(unavailable()));
    for _ in 0..3 {
        let tokens = join_all((0..1_000).map(|_| service.token.get())).await;
        assert!(tokens.iter().all(Result::is_err));
    }
    assert_eq!(service.desk.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn clocks_that_jump_end_a_life_no_later() {
    // Ahead, or the machine slept.
    let service = Service::start().await;
    let running = service.run();
    service.hand.advance(secs(LIFE + 1));
    assert!(service.token.load_checked().is_err());
    pass(secs(2)).await;
    assert_eq!(service.shown(), "t2");
    assert!(service.token.load_checked().is_ok());
    // Not so far that it is time.
    service.hand.advance(secs(30));
    pass(secs(2)).await;
    assert_eq!(service.desk.calls(), 2);
    // To where it is.
    service.hand.advance(secs(40));
    pass(secs(2)).await;
    assert_eq!(service.desk.calls(), 3);

    // Back: it lives no longer for that.
    service.hand.set(noon() - secs(100_000));
    running.abort();
    pass(secs(LIFE - 5)).await;
    assert!(service.token.load_checked().is_ok());
    pass(secs(5)).await;
    assert!(service.token.load_checked().is_err());
}

#[tokio::test(start_paused = true)]
async fn an_end_by_the_clock_on_the_wall_is_kept() {
    let desk = Desk::new();
    desk.is(Mood::Until(300));
    let service = Service::with(desk, policy()).await;
    let _running = service.run();
    assert_eq!(service.token.load().expires(), noon() + secs(300));
    pass(secs(199)).await;
    assert_eq!(service.desk.calls(), 1);
    service.desk.is(Mood::Until(600));
    pass(secs(2)).await;
    assert_eq!(service.desk.asked(), [0, 200]);
    assert_eq!(service.token.load().expires(), noon() + secs(600));
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_when_it_comes_is_a_failure() {
    for mood in [Mood::Issue(Duration::ZERO), Mood::Until(0)] {
        let desk = Desk::new();
        desk.is(mood.clone());
        let builder = ExpiringCredential::builder(desk).clock(Arc::new(Wall::new()));
        assert_eq!(builder.obtain().await.unwrap_err().kind(), ErrorKind::Expired);
        let service = Service::start().await;
        let _running = service.run();
        service.desk.is(mood);
        pass(secs(62)).await;
        assert_eq!(service.token.load().trouble().unwrap().kind(), ErrorKind::Expired);
        assert_eq!(service.shown(), "t1");
    }
}

#[tokio::test(start_paused = true)]
async fn short_lives_are_no_storm() {
    let desk = Desk::new();
    desk.is(Mood::Issue(millis(1)));
    let service = Service::with(desk, policy()).await;
    let _running = service.run();
    for _ in 0..1_000 {
        let _ = service.token.get().await;
        pass(millis(10)).await;
    }
    assert!(service.desk.calls() <= 12, "{} calls", service.desk.calls());
}

#[tokio::test(start_paused = true)]
async fn long_lives_do_not_overflow() {
    let desk = Desk::new();
    desk.is(Mood::Issue(Duration::MAX));
    let service = Service::with(desk, policy()).await;
    let _running = service.run();
    pass(secs(1_000)).await;
    assert!(service.token.load_checked().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_fleet_does_not_renew_in_step() {
    let mut times = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let desk = Desk::new();
        desk.is(Mood::Issue(secs(9_000)));
        let builder = ExpiringCredential::builder(desk.clone()).clock(Arc::new(Wall::new()));
        let token = builder.jitter(Jitter::seeded(seed)).obtain().await.unwrap();
        let run = token.run();
        let running = tokio::spawn(run);
        pass(secs(6_001)).await;
        let asked = desk.asked()[1];
        assert!((5_399..=6_000).contains(&asked), "at {asked}");
        times.insert(asked);
        running.abort();
    }
    assert!(times.len() > 15, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn one_runs_and_ends_with_the_last_reader() {
    let service = Service::start().await;
    let running = service.run();
    settle().await;
    assert!(service.token.run().await.is_err(), "another one is alive");
    let derived = service.token.live().map(|lease| lease.credential().len());
    let Service { desk, token, .. } = service;
    drop(token);
    pass(secs(61)).await;
    assert_eq!((desk.calls(), *derived.load()), (2, 2), "somebody still reads it");
    drop(derived);
    pass(secs(2)).await;
    assert!(running.is_finished());

    // One that was dropped may be followed by another.
    let service = Service::start().await;
    let running = service.run();
    settle().await;
    running.abort();
    settle().await;
    let _running = service.run();
    pass(secs(61)).await;
    assert_eq!(service.desk.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn credentials_are_wiped_and_not_shown() {
    const CANARY: &[u8] = b"canary-issued-33d0";

    #[derive(Debug)]
    struct Canaries;

    #[async_trait]
    impl CredentialSource for Canaries {
        type Credential = SecretValue;

        async fn issue(&self) -> Result<Issued<SecretValue>> {
            Ok(Issued::for_span(SecretValue::copy_from_slice(CANARY), secs(LIFE)))
        }
    }

    let scan = crate::PROBE.scan_for(CANARY);
    let wall = Wall::new();
    assert_eq!(wall.now(), noon());
    let builder = ExpiringCredential::builder(Canaries).clock(Arc::new(wall));
    let token = builder.obtain().await.unwrap();
    let run = token.run();
    let running = tokio::spawn(run);
    let shown = format!("{token:?} {:?}", *token.load());
    assert!(!shown.contains("canary"), "{shown}");
    pass(secs(500)).await;
    drop(token);
    pass(secs(2)).await;
    assert!(running.is_finished());
    assert!(scan.finish().is_clean());
}

/// What goes off when it is dropped: a credential, or a call that is given up.
#[derive(Debug)]
struct Bomb(Arc<Mutex<bool>>);

impl Drop for Bomb {
    fn drop(&mut self) {
        if *self.0.lock().unwrap() && !std::thread::panicking() {
            panic!("a destructor that panics");
        }
    }
}

#[derive(Debug)]
struct Arsenal {
    is_live: Arc<Mutex<bool>>,
    hangs: Arc<Mutex<bool>>,
    calls: Arc<AtomicU64>,
}

#[async_trait]
impl CredentialSource for Arsenal {
    type Credential = Bomb;

    async fn issue(&self) -> Result<Issued<Bomb>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if *self.hangs.lock().unwrap() {
            let _bomb = Bomb(Arc::clone(&self.is_live));
            std::future::pending::<()>().await;
        }
        Ok(Issued::for_span(Bomb(Arc::clone(&self.is_live)), secs(LIFE)))
    }
}

#[tokio::test(start_paused = true)]
async fn destructors_that_panic_do_not_end_the_renewals() {
    let (is_live, hangs, calls) = (Arc::default(), Arc::default(), Arc::<AtomicU64>::default());
    let source = Arsenal {
        is_live: Arc::clone(&is_live),
        hangs: Arc::clone(&hangs),
        calls: Arc::clone(&calls),
    };
    let builder = ExpiringCredential::builder(source).policy(policy()).clock(Arc::new(Wall::new()));
    let credential = builder.jitter(Jitter::seeded(3)).obtain().await.unwrap();
    let running = tokio::spawn(credential.run());
    *is_live.lock().unwrap() = true;
    pass(secs(3 * LIFE)).await;
    assert!(!running.is_finished(), "a credential that was replaced");
    assert!(calls.load(Ordering::SeqCst) >= 4);
    assert!(credential.load_checked().is_ok());

    *hangs.lock().unwrap() = true;
    pass(secs(3 * LIFE)).await;
    assert!(!running.is_finished(), "a call that was given up");
    assert_eq!(credential.load().trouble().unwrap().kind(), ErrorKind::Internal);
    *hangs.lock().unwrap() = false;
    pass(secs(2 * LIFE)).await;
    assert!(credential.load_checked().is_ok());
    *is_live.lock().unwrap() = false;
}
