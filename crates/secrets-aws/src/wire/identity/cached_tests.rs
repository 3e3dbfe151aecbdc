use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use secrets_core::ManualClock;
use tokio::sync::Notify;
use tokio::time::{advance, sleep};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

/// What a source does when it is asked the next time; the last step is repeated.
#[derive(Debug, Clone)]
enum Step {
    /// Credentials that live so long from now.
    Give(Duration),
    /// Credentials that never end.
    Forever,
    Fail,
    /// Waits to be let on, then gives an hour.
    Wait(Arc<Notify>),
    Hang,
    Panic,
}

#[derive(Debug, Clone)]
struct Scripted {
    steps: Arc<Mutex<VecDeque<Step>>>,
    asked: Arc<AtomicUsize>,
    clock: ManualClock,
}

impl Scripted {
    async fn answer(&self) -> aws_credential_types::provider::Result {
        let count = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let step = {
            let mut steps = self.steps.lock().unwrap();
            if steps.len() > 1 { steps.pop_front().unwrap() } else { steps[0].clone() }
        };
        let life = match step {
            Step::Give(life) => Some(life),
            Step::Forever => None,
            Step::Fail => return Err(CredentialsError::provider_error("no: canary-5a1e")),
            Step::Wait(gate) => {
                gate.notified().await;
                Some(HOUR)
            }
            Step::Hang => std::future::pending().await,
            Step::Panic => panic!("a source that panics"),
        };
        let expires = life.map(|life| self.clock.now() + life);
        Ok(Credentials::new(format!("AKID{count}"), "secret", None, expires, "test"))
    }
}

impl ProvideCredentials for Scripted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.answer())
    }
}

struct Bench {
    cached: Cached,
    source: Scripted,
    clock: ManualClock,
}

impl Bench {
    fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let clock = ManualClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let source = Scripted {
            steps: Arc::new(Mutex::new(steps.into_iter().collect())),
            asked: Arc::default(),
            clock: clock.clone(),
        };
        let provider = SharedCredentialsProvider::new(source.clone());
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let times = Times { fetch: Duration::from_secs(30), wait: Duration::from_secs(9) };
        let cached = Cached::new("the test".into(), provider, shared, times);
        Self { cached, source, clock }
    }

    fn asked(&self) -> usize {
        self.source.asked.load(Ordering::SeqCst)
    }

    async fn get(&self) -> Result<String, String> {
        let got = self.cached.get(Patience::OnlyIfNone).await;
        got.map(|found| found.access_key_id().to_owned()).map_err(|error| error.to_string())
    }

    /// Lets time pass on both clocks, and tasks run.
    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        advance(time).await;
        settle().await;
    }
}

async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_make_one_fetch() {
    let gate = Arc::new(Notify::new());
    let bench = Bench::new([Step::Wait(Arc::clone(&gate))]);
    let callers: Vec<_> = (0..1000)
        .map(|_| {
            let cached = bench.cached.clone();
            tokio::spawn(async move { cached.get(Patience::OnlyIfNone).await.is_ok() })
        })
        .collect();
    settle().await;
    gate.notify_one();
    for caller in callers {
        assert!(caller.await.unwrap());
    }
    assert_eq!(bench.asked(), 1);
    bench.pass(MINUTE * 50).await;
    assert_eq!(bench.get().await.unwrap(), "AKID1");
    assert_eq!(bench.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_reader_waits_for_a_refresh() {
    let gate = Arc::new(Notify::new());
    let bench = Bench::new([Step::Give(HOUR), Step::Wait(Arc::clone(&gate))]);
    assert_eq!(bench.get().await.unwrap(), "AKID1");
    bench.pass(MINUTE * 56).await;
    for _ in 0..100 {
        // Polled once: whoever would wait is not ready.
        let future = bench.cached.provide_credentials();
        let polled = futures_util::FutureExt::now_or_never(future).expect("ready at once").unwrap();
        assert_eq!(polled.access_key_id(), "AKID1");
    }
    settle().await;
    assert_eq!(bench.asked(), 2);
    gate.notify_one();
    settle().await;
    assert_eq!(bench.get().await.unwrap(), "AKID2");
    assert_eq!(bench.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_does_not_end_the_fetch() {
    let gate = Arc::new(Notify::new());
    let bench = Bench::new([Step::Wait(Arc::clone(&gate))]);
    let given_up = tokio::time::timeout(Duration::from_millis(1), bench.get()).await;
    assert!(given_up.is_err());
    gate.notify_one();
    settle().await;
    assert_eq!(bench.get().await.unwrap(), "AKID1");
    assert_eq!(bench.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failing_refresh_keeps_what_is_good_and_pauses_longer_each_time() {
    let bench = Bench::new([Step::Give(HOUR), Step::Fail]);
    bench.get().await.unwrap();
    bench.pass(MINUTE * 54 + Duration::from_secs(1)).await;
    let mut asked_at = Vec::new();
    let mut seen = 1;
    for second in 0..300 {
        assert_eq!(bench.get().await.unwrap(), "AKID1");
        settle().await;
        if bench.asked() > seen {
            seen = bench.asked();
            asked_at.push(second);
        }
        bench.pass(Duration::from_secs(1)).await;
    }
    // Half a second doubled to a minute, each cut by up to half: 12 to 15 tries in five minutes.
    assert!((9..=20).contains(&asked_at.len()), "{asked_at:?}");
    let last: Vec<_> = asked_at.windows(2).map(|pair| pair[1] - pair[0]).rev().take(2).collect();
    assert!(last.iter().all(|pause| *pause >= 30), "{asked_at:?}");
    // They end all the same.
    bench.pass(MINUTE * 6).await;
    let error = bench.get().await.unwrap_err();
    assert!(error.contains("the test: it failed") && !error.contains("canary"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn without_credentials_failures_are_answered_from_memory_for_seconds() {
    let bench =
        Bench::new([Step::Fail, Step::Fail, Step::Fail, Step::Fail, Step::Fail, Step::Give(HOUR)]);
    let mut calls = 0;
    // A service whose source comes back has credentials within the longest pause, five seconds.
    for _ in 0..300 {
        calls += 1;
        if bench.get().await.is_ok() {
            break;
        }
        bench.pass(Duration::from_millis(100)).await;
    }
    assert_eq!(bench.asked(), 6);
    assert!((30..=160).contains(&calls), "{calls}");
}

#[tokio::test(start_paused = true)]
async fn credentials_that_have_ended_are_refused() {
    let bench = Bench::new([Step::Give(Duration::ZERO)]);
    let error = bench.cached.get(Patience::OnlyIfNone).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.to_string().contains("have expired; is the clock right?"), "{error}");
    assert_eq!(bench.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_is_given_up_and_asked_again() {
    let bench = Bench::new([Step::Hang, Step::Give(HOUR)]);
    for _ in 0..3 {
        let error = bench.cached.get(Patience::OnlyIfNone).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.to_string().contains("the test: no answer yet"), "{error}");
    }
    assert_eq!(bench.asked(), 1);
    // The fetch is given up, and after the pause there is another.
    bench.pass(MINUTE).await;
    assert!(bench.get().await.unwrap_err().contains("no answer in time"));
    bench.pass(Duration::from_secs(1)).await;
    assert_eq!(bench.get().await.unwrap(), "AKID2");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_leaves_no_one_waiting_and_is_not_asked_by_every_caller() {
    let bench = Bench::new([Step::Panic, Step::Panic, Step::Give(HOUR), Step::Panic]);
    for _ in 0..100 {
        let error = bench.cached.get(Patience::OnlyIfNone).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.to_string().contains("the test: the fetch was broken off"), "{error}");
    }
    assert_eq!(bench.asked(), 1);
    bench.pass(Duration::from_secs(1)).await;
    bench.get().await.unwrap_err();
    bench.pass(Duration::from_secs(1)).await;
    assert_eq!(bench.get().await.unwrap(), "AKID3");
    // While there are good ones no reader sees it, and it is not begun for each of them.
    bench.pass(MINUTE * 56).await;
    for _ in 0..100 {
        assert_eq!(bench.get().await.unwrap(), "AKID3");
        settle().await;
    }
    assert_eq!(bench.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_on_a_runtime_that_stands_still_does_not_hold_up_the_others_for_ever() {
    let gate = Arc::new(Notify::new());
    let bench = Bench::new([Step::Wait(Arc::clone(&gate)), Step::Give(HOUR * 2)]);
    let cached = bench.cached.clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let (began, begun) = tokio::sync::oneshot::channel();
    // A runtime that somebody blocked on once, and keeps.
    let idle = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let wait = Duration::from_millis(10);
            let _ = tokio::time::timeout(wait, cached.get(Patience::OnlyIfNone)).await;
        });
        began.send(()).unwrap();
        stopped.recv().unwrap();
        // Somebody blocks on it again, long after.
        runtime.block_on(settle());
    });
    begun.await.unwrap();
    assert_eq!(bench.asked(), 1);
    let error = bench.cached.get(Patience::OnlyIfNone).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    bench.pass(MINUTE).await;
    assert_eq!(bench.get().await.unwrap(), "AKID2");
    // What the first one brings after all does not replace what lives longer.
    gate.notify_one();
    stop.send(()).unwrap();
    idle.join().unwrap();
    assert_eq!(bench.get().await.unwrap(), "AKID2");
    assert_eq!(bench.asked(), 2);
}

/// A listener that asks for credentials itself, as one that sends logs to AWS does.
struct Shipping(Cached);

impl tracing::Subscriber for Shipping {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == "secrets_aws::identity"
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        assert!(self.0.0.state.try_lock().is_ok(), "it would wait for ever");
        drop(self.0.provide_credentials());
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn a_listener_may_need_the_credentials_whose_failure_it_is_told() {
    let bench = Bench::new([Step::Fail]);
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let _guard = tracing::subscriber::set_default(Shipping(bench.cached.clone()));
    let error = bench.get().await.unwrap_err();
    assert!(error.contains("it failed"), "{error}");
}

#[test]
fn a_runtime_that_ends_takes_only_its_own_callers_along() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bench = Bench::new([Step::Hang, Step::Give(HOUR)]);
    let first = runtime();
    let cached = bench.cached.clone();
    first.block_on(async {
        let _ =
            tokio::time::timeout(Duration::from_millis(10), cached.get(Patience::OnlyIfNone)).await;
    });
    drop(first);
    assert_eq!(runtime().block_on(bench.get()).unwrap(), "AKID2");
}

#[tokio::test(start_paused = true)]
async fn an_outer_link_takes_what_the_inner_one_was_refreshed_to() {
    let bench = Bench::new([Step::Give(HOUR), Step::Give(HOUR)]);
    bench.get().await.unwrap();
    bench.pass(MINUTE * 56).await;
    let settled = bench.cached.settled();
    let taken = settled.provide_credentials().await.unwrap();
    assert_eq!(taken.access_key_id(), "AKID2");
}

#[tokio::test(start_paused = true)]
async fn an_outer_link_goes_on_with_what_is_still_good() {
    let bench = Bench::new([Step::Give(HOUR), Step::Fail]);
    bench.get().await.unwrap();
    bench.pass(MINUTE * 56).await;
    let settled = bench.cached.settled();
    assert_eq!(settled.provide_credentials().await.unwrap().access_key_id(), "AKID1");
}

#[tokio::test(start_paused = true)]
async fn the_wall_clock_may_be_set_back() {
    let bench = Bench::new([Step::Give(HOUR)]);
    bench.get().await.unwrap();
    bench.clock.set(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    advance(HOUR).await;
    assert_eq!(bench.get().await.unwrap(), "AKID2");
}

#[tokio::test(start_paused = true)]
async fn doubted_credentials_are_fetched_anew_but_not_in_a_circle() {
    let bench = Bench::new([Step::Give(HOUR)]);
    bench.get().await.unwrap();
    // They just came: whatever a service says, asking again gives no others.
    assert!(!bench.cached.doubt(Some("AKID1")));
    bench.get().await.unwrap();
    settle().await;
    assert_eq!(bench.asked(), 1);
    bench.pass(MINUTE).await;
    assert!(bench.cached.doubt(Some("AKID1")));
    assert_eq!(bench.get().await.unwrap(), "AKID1", "who was not told waits for nothing");
    settle().await;
    assert_eq!(bench.get().await.unwrap(), "AKID2");
    // Who was told late finds others there; they are not doubted for that.
    assert!(bench.cached.doubt(Some("AKID1")));
    bench.pass(MINUTE).await;
    assert!(bench.cached.doubt(Some("AKID1")));
    settle().await;
    assert_eq!((bench.get().await.unwrap().as_str(), bench.asked()), ("AKID2", 2));
}

#[tokio::test(start_paused = true)]
async fn keys_without_an_end_are_asked_for_again_and_stay_good() {
    let bench = Bench::new([Step::Forever, Step::Fail]);
    bench.get().await.unwrap();
    bench.pass(HOUR * 48).await;
    assert_eq!(bench.get().await.unwrap(), "AKID1");
    settle().await;
    assert_eq!(bench.asked(), 2);
    sleep(MINUTE).await;
    assert_eq!(bench.get().await.unwrap(), "AKID1");
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let bench = Bench::new([Step::Give(HOUR)]);
    let future = bench.cached.provide_credentials();
    let error = futures_util::FutureExt::now_or_never(future).expect("ready").unwrap_err();
    let error = std::error::Error::source(&error).unwrap().to_string();
    assert!(error.contains("no tokio runtime"), "{error}");
}

#[tokio::test]
async fn debug_shows_the_link_alone() {
    let bench = Bench::new([Step::Give(HOUR)]);
    bench.get().await.unwrap();
    assert_eq!(format!("{:?}", bench.cached), "Cached { link: \"the test\", .. }");
}
