//! Any sequence of events against what is promised of states, ages and calls.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use secrets_core::{ErrorKind, Secret, SecretState};
use secrets_manager::{SecretHandle, SecretManager, UnusableKind};
use tokio::time::Instant;

use crate::support::{
    NAME, Running, Scripted, absent, build, pass, reference, secs, settle, text, unavailable,
    version,
};

/// As in `support::policy`.
const TTL: u64 = 100;
const REVALIDATE: u64 = 20;
const IF_ERROR: u64 = 1_000;

#[derive(Debug, Clone, Copy)]
enum Event {
    Pass(u64),
    Rotate,
    Fail,
    TakeAway,
    Mend,
    Get,
    TryGet,
    TakeHandle,
    DropHandle,
    Invalidate,
    StartRun,
    StopRun,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        6 => prop_oneof![1_u64..30, 60_u64..140, 900_u64..1_200].prop_map(Event::Pass),
        3 => Just(Event::Rotate),
        2 => Just(Event::Fail),
        1 => Just(Event::TakeAway),
        3 => Just(Event::Mend),
        5 => Just(Event::Get),
        4 => Just(Event::TryGet),
        3 => Just(Event::TakeHandle),
        1 => Just(Event::DropHandle),
        1 => Just(Event::Invalidate),
        2 => Just(Event::StartRun),
        1 => Just(Event::StopRun),
    ];
    proptest::collection::vec(event, 1..60)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Version(u64),
    Failed,
    Absent,
}

/// The provider's side of the story: what it would say, and what it said when.
#[derive(Debug)]
struct Backend {
    current: u64,
    mood: Mood,
    said: Vec<(Instant, Answer)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Failing,
    Empty,
}

struct World {
    backend: Arc<Mutex<Backend>>,
    manager: SecretManager,
    running: Option<Running>,
    handle: Option<SecretHandle>,
    /// Calls before this do not bound those after it: somebody asked for them.
    forced: Instant,
    newest_seen: u64,
}

impl World {
    fn new() -> Self {
        let backend = Backend { current: 1, mood: Mood::Well, said: Vec::new() };
        let backend = Arc::new(Mutex::new(backend));
        let book = Arc::clone(&backend);
        let provider = Scripted::new(move |_, _| {
            let mut backend = book.lock().unwrap();
            let (answer, result) = match backend.mood {
                Mood::Well => {
                    let current = backend.current;
                    (Answer::Version(current), Ok(version(&current.to_string())))
                }
                Mood::Failing => (Answer::Failed, Err(unavailable())),
                Mood::Empty => (Answer::Absent, Err(absent())),
            };
            backend.said.push((Instant::now(), answer));
            async move { result }
        });
        let manager = build(provider);
        let forced = Instant::now();
        Self { backend, manager, running: None, handle: None, forced, newest_seen: 0 }
    }

    async fn apply(&mut self, event: Event) {
        match event {
            Event::Pass(seconds) => pass(secs(seconds)).await,
            Event::Rotate => self.backend.lock().unwrap().current += 1,
            Event::Fail => self.set(Mood::Failing),
            Event::TakeAway => self.set(Mood::Empty),
            Event::Mend => self.set(Mood::Well),
            Event::Get => self.get().await,
            Event::TryGet => self.try_get(),
            Event::TakeHandle => self.take_handle().await,
            Event::DropHandle => self.handle = None,
            Event::Invalidate => {
                self.forced = Instant::now();
                self.manager.invalidate(&reference(NAME));
            }
            Event::StartRun if self.running.is_none() => {
                self.forced = Instant::now();
                self.running = Some(Running::start(&self.manager).await);
            }
            Event::StopRun => {
                if let Some(running) = self.running.take() {
                    running.stop().await;
                }
            }
            Event::StartRun => {}
        }
        settle().await;
    }

    fn set(&self, mood: Mood) {
        self.backend.lock().unwrap().mood = mood;
    }

    fn said(&self) -> Vec<(Instant, Answer)> {
        self.backend.lock().unwrap().said.clone()
    }

    /// How long ago the provider last gave this version.
    fn age(&self, secret: &Secret) -> Duration {
        let number: u64 = text(secret).parse().unwrap();
        let said = self.said();
        let confirmed = said.iter().rfind(|(_, answer)| *answer == Answer::Version(number));
        confirmed.expect("a value that the provider never gave").0.elapsed()
    }

    fn last_said(&self) -> Option<Answer> {
        self.said().last().map(|(_, answer)| *answer)
    }

    /// Whether the last word of the provider, failures apart, was that there is nothing.
    fn is_gone(&self) -> bool {
        let said = self.said();
        let word = said.iter().rfind(|(_, answer)| *answer != Answer::Failed);
        word.is_some_and(|(_, answer)| *answer == Answer::Absent)
    }

    /// Versions never go back, and what is served is not older than the policy allows.
    fn check_served(&mut self, secret: &Secret) {
        let number: u64 = text(secret).parse().unwrap();
        assert!(number >= self.newest_seen, "{number} after {}", self.newest_seen);
        self.newest_seen = number;
        assert!(!self.is_gone(), "served though it is gone");
        assert!(self.age(secret) <= secs(TTL + IF_ERROR), "{:?}", self.age(secret));
        if self.age(secret) > secs(TTL + REVALIDATE) {
            assert_eq!(self.last_said(), Some(Answer::Failed), "stale without need");
        }
    }

    async fn get(&mut self) {
        let calls = self.said().len();
        match self.manager.get(NAME).await {
            Ok(secret) => self.check_served(&secret),
            Err(error) => match error.kind() {
                ErrorKind::NotFound => assert!(self.is_gone()),
                ErrorKind::Unavailable => assert_eq!(self.last_said(), Some(Answer::Failed)),
                kind => panic!("{kind:?}"),
            },
        }
        assert!(self.said().len() <= calls + 1, "one read is at most one call");
    }

    fn try_get(&mut self) {
        let calls = self.said().len();
        if let Some(hit) = self.manager.try_get(NAME) {
            assert!(self.running.is_some(), "nobody watches over it");
            let age = self.age(hit.secret());
            assert!(hit.stale_since().is_some() || age <= secs(TTL));
            self.check_served(&hit.secret().clone());
        }
        assert_eq!(self.said().len(), calls, "a hit calls nobody");
    }

    async fn take_handle(&mut self) {
        if let Ok(handle) = self.manager.handle(NAME).await {
            self.check_served(&handle.load().secret().unwrap().clone());
            self.handle = Some(handle);
        }
    }

    /// What must hold at every time.
    fn check(&self) {
        let usage = self.manager.usage();
        assert!(usage.entries <= 1 && usage.absent <= 1 && usage.pinned <= usage.entries);
        assert_eq!(usage.pinned, usize::from(self.handle.is_some()));
        self.check_pauses();
        let Some(handle) = &self.handle else { return };
        let state = handle.load();
        let age = self.age(state.secret().unwrap());
        let is_running = self.running.is_some();
        match &*state {
            SecretState::Fresh(_) => assert!(is_running && age <= secs(TTL), "{age:?}"),
            SecretState::Stale { .. } => {
                let is_invalidated = self.forced.elapsed() <= secs(TTL);
                assert!(is_running && (age >= secs(TTL) || is_invalidated), "{age:?}");
                assert_eq!(self.last_said(), Some(Answer::Failed), "it would be asked for");
            }
            SecretState::Gone { .. } => assert!(self.is_gone()),
            SecretState::Orphaned { .. } => assert!(!is_running),
            state => panic!("{state:?}"),
        }
        let is_gone = matches!(*state, SecretState::Gone { .. });
        match handle.load_checked() {
            Ok(_) => assert!(!is_gone && age <= secs(TTL + IF_ERROR), "{age:?}"),
            Err(unusable) => match unusable.kind() {
                UnusableKind::Gone => assert!(is_gone),
                UnusableKind::TooStale | UnusableKind::Orphaned => {
                    let forced = self.forced.elapsed();
                    assert!(age.max(forced) > secs(IF_ERROR), "{age:?}, {forced:?}");
                }
                kind => panic!("{kind:?}"),
            },
        }
    }

    /// A provider that fails is left alone for half a second at least, one that has nothing for ten.
    fn check_pauses(&self) {
        let said = self.said();
        for pair in said.windows(2) {
            let [(at, answer), (then, _)] = pair else { unreachable!() };
            let pause = match answer {
                Answer::Version(_) => Duration::ZERO,
                Answer::Failed => Duration::from_millis(500),
                Answer::Absent => secs(10),
            };
            assert!(*then - *at >= pause || *at <= self.forced, "{answer:?}: {:?}", *then - *at);
        }
    }
}

/// Set by `cargo xtask test --long`.
fn cases() -> u32 {
    if std::env::var_os("MAINSTAY_LONG").is_some() { 3_000 } else { 48 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn states_ages_and_calls_are_as_promised(events in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            for event in events {
                world.apply(event).await;
                world.check();
            }
        });
    }
}
