//! Any sequence of events against what is promised of states, ages and calls.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use proptest::prelude::*;
use secrets_core::{
    Capabilities, ChangeHint, ChangeStream, ErrorKind, GetOptions, NameRules, ProviderId, Result,
    Secret, SecretName, SecretProvider, SecretRef, SecretState, SecretValue, SetOptions, Stage,
    Support, VersionInfo, async_trait,
};
use secrets_manager::{Alias, SecretHandle, SecretManager, UnusableKind};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::{
    NAME, Running, Scripted, absent, builder, pass, reference, secs, settle, text, unavailable,
    value, version,
};

/// As in `support::policy`.
const TTL: u64 = 100;
const REVALIDATE: u64 = 20;
const IF_ERROR: u64 = 1_000;

/// So long a slow answer takes.
const SLOW: u64 = 3;

/// Read along with `NAME`, to make a call for many of it.
const OTHER: &str = "billing/other";

/// By which name the secret is meant: its own, an alias of all of it, or one of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Own,
    Whole,
    Field,
}

impl Way {
    const ALL: [Self; 3] = [Self::Own, Self::Whole, Self::Field];

    fn name(self) -> &'static str {
        match self {
            Self::Own => NAME,
            Self::Whole => "db",
            Self::Field => "db-number",
        }
    }
}

fn way() -> impl Strategy<Value = Way> {
    proptest::sample::select(Way::ALL.to_vec())
}

/// A version by its number; a spoilt one does not have the field.
fn made(number: u64, is_spoilt: bool) -> Secret {
    let mut secret = version(&number.to_string());
    let json = format!(r#"{{"number":"{number}"}}"#);
    secret.value = value(if is_spoilt { "no object" } else { &json });
    secret
}

fn number(secret: &Secret) -> u64 {
    secret.version.id.as_str().parse().unwrap()
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Pass(u64),
    Rotate,
    /// A version without the field.
    Spoil,
    Fail,
    TakeAway,
    Mend,
    Get(Way),
    TryGet(Way),
    TakeHandle(Way),
    DropHandle(Way),
    Invalidate(Way),
    /// The next call is answered late, by what holds when it is made.
    SlowDown,
    /// A read that others overtake.
    GetMeanwhile(Way),
    /// A call for many secrets.
    GetMany,
    GetManyMeanwhile,
    /// A write through the manager.
    Write(Way, bool),
    Hint,
    HintAtAnything,
    StartRun,
    StopRun,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        6 => prop_oneof![1_u64..30, 60_u64..140, 900_u64..1_200].prop_map(Event::Pass),
        3 => Just(Event::Rotate),
        1 => Just(Event::Spoil),
        2 => Just(Event::Fail),
        1 => Just(Event::TakeAway),
        3 => Just(Event::Mend),
        5 => way().prop_map(Event::Get),
        4 => way().prop_map(Event::TryGet),
        4 => way().prop_map(Event::TakeHandle),
        2 => way().prop_map(Event::DropHandle),
        1 => way().prop_map(Event::Invalidate),
        3 => Just(Event::SlowDown),
        2 => way().prop_map(Event::GetMeanwhile),
        2 => Just(Event::GetMany),
        2 => Just(Event::GetManyMeanwhile),
        2 => (way(), proptest::bool::weighted(0.2)).prop_map(|(way, is_spoilt)| Event::Write(way, is_spoilt)),
        1 => Just(Event::Hint),
        1 => Just(Event::HintAtAnything),
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
    spoilt: BTreeSet<u64>,
    mood: Mood,
    /// By when it was asked; not what was overtaken.
    said: Vec<(Instant, Answer)>,
    /// Versions, by when the answer was there; not those that were overtaken.
    came: Vec<(Instant, u64)>,
    /// How often earlier answers were.
    overtaken: u64,
    is_slow: bool,
    /// Calls that were not answered yet.
    in_air: usize,
    hints: Option<mpsc::UnboundedSender<ChangeHint>>,
}

impl Backend {
    fn say(&mut self) -> (Result<Secret>, Duration) {
        let (answer, result) = match self.mood {
            Mood::Well => (Answer::Version(self.current), Ok(self.version())),
            Mood::Failing => (Answer::Failed, Err(unavailable())),
            Mood::Empty => (Answer::Absent, Err(absent())),
        };
        self.said.push((Instant::now(), answer));
        let is_slow = self.mood == Mood::Well && std::mem::take(&mut self.is_slow);
        (result, if is_slow { secs(SLOW) } else { Duration::ZERO })
    }

    fn version(&self) -> Secret {
        made(self.current, self.spoilt.contains(&self.current))
    }

    fn rotate(&mut self, is_spoilt: bool) {
        self.current += 1;
        if is_spoilt {
            self.spoilt.insert(self.current);
        }
    }

    fn came(&mut self, secret: &Secret, overtaken: u64) {
        let number = number(secret);
        if self.overtaken == overtaken {
            self.came.push((Instant::now(), number));
        } else {
            self.unsay(number);
        }
    }

    /// What is not taken counts as if it had not been said.
    fn unsay(&mut self, number: u64) {
        let said = |(_, answer): &(Instant, Answer)| *answer == Answer::Version(number);
        if let Some(at) = self.said.iter().rposition(said) {
            self.said.remove(at);
        }
    }
}

/// The backend as a provider; what it is beside that it has from another.
#[derive(Clone)]
struct Modelled {
    plain: Scripted,
    capabilities: Capabilities,
    backend: Arc<Mutex<Backend>>,
}

/// Counts a call as long as it is under way; dropped, it has said nothing.
struct InAir<'a> {
    backend: &'a Mutex<Backend>,
    says: Option<u64>,
}

impl Drop for InAir<'_> {
    fn drop(&mut self) {
        let mut backend = self.backend.lock().unwrap();
        backend.in_air -= 1;
        self.says.into_iter().for_each(|number| backend.unsay(number));
    }
}

impl Modelled {
    fn new(backend: Arc<Mutex<Backend>>) -> Self {
        let plain = Scripted::new(|_, _| async { Err(absent()) });
        let mut capabilities = plain.capabilities().clone();
        capabilities.batch = Support::Native;
        capabilities.changes = Support::Native;
        Self { plain, capabilities, backend }
    }

    async fn answer(&self) -> Result<Secret> {
        let (overtaken, (answer, delay)) = {
            let mut backend = self.backend.lock().unwrap();
            (backend.overtaken, backend.say())
        };
        if !delay.is_zero() {
            self.backend.lock().unwrap().in_air += 1;
            let says = answer.as_ref().ok().map(number);
            let mut in_air = InAir { backend: &self.backend, says };
            tokio::time::sleep(delay).await;
            in_air.says = None;
        }
        if let Ok(secret) = &answer {
            self.backend.lock().unwrap().came(secret, overtaken);
        }
        answer
    }
}

impl fmt::Debug for Modelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Modelled")
    }
}

#[async_trait]
impl SecretProvider for Modelled {
    fn id(&self) -> &ProviderId {
        self.plain.id()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn name_rules(&self) -> &NameRules {
        self.plain.name_rules()
    }

    async fn get_secret(&self, asked: &SecretRef, _: GetOptions) -> Result<Secret> {
        assert!([NAME, OTHER].map(reference).contains(asked), "not an alias");
        if *asked == reference(NAME) { self.answer().await } else { Ok(version("1")) }
    }

    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        let mut answers = Vec::new();
        for (asked, options) in wanted {
            answers.push(self.get_secret(asked, options.clone()).await);
        }
        Ok(answers)
    }

    async fn set_secret(
        &self,
        _: &SecretRef,
        value: SecretValue,
        _: SetOptions,
    ) -> Result<VersionInfo> {
        let mut backend = self.backend.lock().unwrap();
        backend.rotate(value.json_field("number").is_err());
        let current = backend.current;
        assert!(backend.version().value.ct_eq(&value));
        backend.said.push((Instant::now(), Answer::Version(current)));
        backend.came.push((Instant::now(), current));
        backend.overtaken += 1;
        let mut written = backend.version().version;
        written.stages = written.stages.with(Stage::Current);
        Ok(written)
    }

    fn changes(&self) -> Option<ChangeStream> {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        self.backend.lock().unwrap().hints = Some(sender);
        Some(futures_util::stream::poll_fn(move |context| receiver.poll_recv(context)).boxed())
    }
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
    /// In the order of [`Way::ALL`].
    handles: [Option<SecretHandle>; 3],
    /// Calls before this do not bound those after it: somebody asked for them.
    forced: Instant,
    newest_seen: u64,
    /// What the manager wrote last: every read that begins later gives it, or something newer.
    written: u64,
    meanwhile: JoinSet<()>,
}

impl World {
    fn new() -> Self {
        let backend = Backend {
            current: 1,
            spoilt: BTreeSet::new(),
            mood: Mood::Well,
            said: Vec::new(),
            came: Vec::new(),
            overtaken: 0,
            is_slow: false,
            in_air: 0,
            hints: None,
        };
        let backend = Arc::new(Mutex::new(backend));
        let secret = || Alias::new(reference(NAME));
        let manager = builder(Modelled::new(Arc::clone(&backend)))
            .alias(alias(Way::Whole), secret())
            .alias(alias(Way::Field), secret().with_field("number"))
            .build()
            .unwrap();
        let forced = Instant::now();
        let meanwhile = JoinSet::new();
        let (running, handles) = (None, [None, None, None]);
        Self { backend, manager, running, handles, forced, newest_seen: 0, written: 0, meanwhile }
    }

    async fn apply(&mut self, event: Event) {
        match event {
            Event::Pass(seconds) => pass(secs(seconds)).await,
            Event::Rotate => self.backend.lock().unwrap().rotate(false),
            Event::Spoil => self.backend.lock().unwrap().rotate(true),
            Event::Fail => self.set(Mood::Failing),
            Event::TakeAway => self.set(Mood::Empty),
            Event::Mend => self.set(Mood::Well),
            Event::Get(way) => self.get(way).await,
            Event::TryGet(way) => self.try_get(way),
            Event::TakeHandle(way) => self.take_handle(way).await,
            Event::DropHandle(way) => self.handles[way as usize] = None,
            Event::Invalidate(way) => {
                self.forced = Instant::now();
                self.backend.lock().unwrap().overtaken += 1;
                self.manager.invalidate(&reference(way.name()));
            }
            Event::SlowDown => self.backend.lock().unwrap().is_slow = true,
            Event::GetMeanwhile(way) => {
                let manager = self.manager.clone();
                self.meanwhile.spawn(async move { drop(manager.get(way.name()).await) });
            }
            Event::GetMany => self.get_many().await,
            Event::GetManyMeanwhile => {
                let cached = self.manager.cached().clone();
                self.meanwhile.spawn(async move { drop(cached.get_secrets(&all()).await) });
            }
            Event::Write(way, is_spoilt) => self.write(way, is_spoilt).await,
            Event::Hint => self.hint(ChangeHint::secret(reference(NAME))),
            Event::HintAtAnything => self.hint(ChangeHint::any()),
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

    fn hint(&mut self, hint: ChangeHint) {
        self.forced = Instant::now();
        if let Some(hints) = &self.backend.lock().unwrap().hints {
            let _ = hints.send(hint);
        }
    }

    async fn write(&mut self, way: Way, is_spoilt: bool) {
        let number = {
            let backend = self.backend.lock().unwrap();
            if backend.mood != Mood::Well {
                return;
            }
            backend.current + 1
        };
        let (name, new) = (reference(way.name()), made(number, is_spoilt).value);
        let written = self.manager.cached().set_secret(&name, new, SetOptions::new()).await;
        if way == Way::Field {
            assert_eq!(written.unwrap_err().kind(), ErrorKind::Unsupported);
            return;
        }
        written.unwrap();
        self.forced = Instant::now();
        self.written = number;
        for way in Way::ALL {
            if let Some(handle) = &self.handles[way as usize] {
                let shown = handle.load();
                let is_it = shown.secret().unwrap().version.id.as_str() == number.to_string();
                assert!(is_it != (is_spoilt && way == Way::Field), "{way:?}");
            }
        }
        for way in Way::ALL {
            self.get(way).await;
        }
    }

    /// By all ways at once; one that fails does not fail the others.
    async fn get_many(&mut self) {
        let answers = self.manager.cached().get_secrets(&all()).await;
        let Ok(answers) = answers else { return };
        for (way, answer) in Way::ALL.into_iter().zip(&answers) {
            match answer {
                Ok(secret) => self.check_served(way, secret),
                Err(error) if error.kind() == ErrorKind::InvalidValue => {
                    assert_eq!(way, Way::Field);
                    let Ok(whole) = &answers[0] else { panic!("it was read for the field") };
                    assert!(self.is_spoilt(number(whole)));
                }
                Err(_) => assert!(answers[0].is_err(), "one call for all of them"),
            }
        }
    }

    fn is_spoilt(&self, number: u64) -> bool {
        self.backend.lock().unwrap().spoilt.contains(&number)
    }

    fn is_awaited(&self) -> bool {
        self.backend.lock().unwrap().in_air > 0
    }

    fn said(&self) -> Vec<(Instant, Answer)> {
        self.backend.lock().unwrap().said.clone()
    }

    /// How long ago the provider last gave this version.
    fn age(&self, secret: &Secret) -> Duration {
        let number = number(secret);
        let backend = self.backend.lock().unwrap();
        let confirmed = backend.came.iter().rfind(|(_, version)| *version == number);
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
    fn check_served(&mut self, way: Way, secret: &Secret) {
        let number = number(secret);
        self.check_value(way, secret);
        assert!(number >= self.newest_seen, "{number} after {}", self.newest_seen);
        assert!(number >= self.written, "{number} after {} was written", self.written);
        self.newest_seen = number;
        assert!(!self.is_gone(), "served though it is gone");
        assert!(self.age(secret) <= secs(TTL + IF_ERROR), "{:?}", self.age(secret));
        if self.age(secret) > secs(TTL + REVALIDATE) && !self.is_awaited() {
            assert_eq!(self.last_said(), Some(Answer::Failed), "stale without need");
        }
    }

    /// Each name gives its part of the version.
    fn check_value(&self, way: Way, secret: &Secret) {
        let number = number(secret);
        let is_spoilt = self.is_spoilt(number);
        let want = match way {
            Way::Field => number.to_string(),
            _ => text(&made(number, is_spoilt)),
        };
        assert!(text(secret) == want && !(is_spoilt && way == Way::Field), "{way:?}: {number}");
    }

    async fn get(&mut self, way: Way) {
        let (calls, is_awaited) = (self.said().len(), self.is_awaited());
        match self.manager.get(way.name()).await {
            Ok(secret) => self.check_served(way, &secret),
            Err(error) => match error.kind() {
                ErrorKind::NotFound => assert!(self.is_gone() || self.is_awaited()),
                ErrorKind::Unavailable => assert_eq!(self.last_said(), Some(Answer::Failed)),
                ErrorKind::InvalidValue => self.check_spoilt(way),
                kind => panic!("{kind:?}"),
            },
        }
        let most = calls + 1;
        assert!(is_awaited || self.said().len() <= most, "one read is at most one call");
    }

    /// That the field is not there is said of no other version than the one that is served.
    fn check_spoilt(&self, way: Way) {
        assert_eq!(way, Way::Field);
        assert!(self.manager.try_get(way.name()).is_none());
        match self.manager.try_get(NAME) {
            Some(hit) => assert!(self.is_spoilt(number(hit.secret()))),
            None => assert!(!self.backend.lock().unwrap().spoilt.is_empty()),
        }
    }

    fn try_get(&mut self, way: Way) {
        let calls = self.said().len();
        let whole = self.manager.try_get(NAME).map(|hit| number(hit.secret()));
        let hit = self.manager.try_get(way.name());
        let has_it = whole.filter(|number| way != Way::Field || !self.is_spoilt(*number));
        let got = hit.as_ref().map(|hit| number(hit.secret()));
        assert_eq!(got, has_it, "{way:?}: whatever there is of the secret");
        if let Some(hit) = hit {
            assert!(self.running.is_some(), "nobody watches over it");
            let age = self.age(hit.secret());
            assert!(hit.stale_since().is_some() || age <= secs(TTL));
            assert!(hit.value().ct_eq(&hit.secret().value));
            self.check_served(way, &hit.secret().clone());
        }
        assert_eq!(self.said().len(), calls, "a hit calls nobody");
    }

    async fn take_handle(&mut self, way: Way) {
        match self.manager.handle(way.name()).await {
            Ok(handle) => {
                self.check_served(way, &handle.load().secret().unwrap().clone());
                self.handles[way as usize] = Some(handle);
            }
            Err(error) if error.kind() == ErrorKind::InvalidValue => self.check_spoilt(way),
            Err(_) => {}
        }
    }

    /// What must hold at every time.
    fn check(&self) {
        let usage = self.manager.usage();
        assert!(usage.entries <= 2 && usage.absent <= 1 && usage.pinned <= usage.entries);
        assert_eq!(usage.pinned, usize::from(self.handles.iter().any(Option::is_some)));
        self.check_pauses();
        for way in Way::ALL {
            if let Some(handle) = &self.handles[way as usize] {
                self.check_handle(way, handle);
            }
        }
        self.check_in_step();
    }

    /// Handles on one secret say the same, but for a field that the newest version does not have.
    fn check_in_step(&self) {
        let told = |way: Way| {
            let state = self.handles[way as usize].as_ref()?.load();
            Some((state.as_str(), number(state.secret().unwrap())))
        };
        let own = told(Way::Own).or(told(Way::Whole));
        assert!(own == told(Way::Whole) || told(Way::Whole).is_none());
        let (Some(own), Some(field)) = (own, told(Way::Field)) else { return };
        if self.is_spoilt(own.1) {
            assert!(field.1 < own.1 && (field.0 == own.0 || field.0 == "stale"), "{field:?}");
        } else {
            assert_eq!(field, own);
        }
    }

    fn check_handle(&self, way: Way, handle: &SecretHandle) {
        let state = handle.load();
        self.check_value(way, state.secret().unwrap());
        let age = self.age(state.secret().unwrap());
        let is_running = self.running.is_some();
        // A later version does not have the field.
        let came = self.backend.lock().unwrap().came.clone();
        let is_older = came.iter().any(|(_, came)| *came > number(state.secret().unwrap()));
        let is_left_behind = way == Way::Field && is_older;
        // An answer that was overtaken is not kept.
        let late = secs(SLOW);
        match &*state {
            SecretState::Fresh(_) => assert!(is_running && age <= secs(TTL), "{age:?}"),
            SecretState::Stale { .. } if is_left_behind => assert!(is_running),
            SecretState::Stale { .. } => {
                let is_invalidated = self.forced.elapsed() <= secs(TTL);
                assert!(is_running && (age + late >= secs(TTL) || is_invalidated), "{age:?}");
                let is_asked_for = self.is_awaited() || self.last_said() == Some(Answer::Failed);
                assert!(is_asked_for, "it would be asked for");
            }
            SecretState::Gone { .. } => assert!(self.is_gone() || self.is_awaited()),
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
                    assert!(age.max(forced) + late > secs(IF_ERROR), "{age:?}, {forced:?}");
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

/// The secret by all its names, and another one.
fn all() -> Vec<(SecretRef, GetOptions)> {
    let names = Way::ALL.map(Way::name).into_iter().chain([OTHER]);
    names.map(|name| (reference(name), GetOptions::default())).collect()
}

fn alias(way: Way) -> SecretName {
    SecretName::new(way.name()).unwrap()
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
