use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use secrets_core::{Secret, SecretProvider, SecretState};
use secrets_manager::{CachePolicy, Live, SecretHandle, SecretManager};
use tokio::runtime::{Builder, Runtime};

use super::HOUR;
use super::draws::{Draws, glimpse};
use super::shelf::Shelf;
use crate::harness::Case;

/// A manager that has read all of them by name, and that somebody runs.
pub(super) struct Kept(Arc<SecretManager>);

/// Handles on all of them.
pub(super) struct Held(Arc<[SecretHandle]>);

/// As large as a handle.
struct Uncounted(Live<SecretState>, #[expect(dead_code, reason = "only takes room")] Rest);

type Rest = [u8; size_of::<SecretHandle>() - size_of::<Live<SecretState>>()];
const REST: Rest = [0; size_of::<SecretHandle>() - size_of::<Live<SecretState>>()];

impl Kept {
    pub(super) fn new(names: &[String]) -> Self {
        let manager = manager(Shelf::new(names), names.len());
        look_after(&manager);
        runtime().block_on(read_all(&manager, names));
        // What came before the manager was looked after is not served until that is so.
        while names.iter().any(|name| manager.try_get(name).is_none()) {
            thread::sleep(Duration::from_millis(1));
        }
        Self(Arc::new(manager))
    }

    /// A secret as it is given out.
    pub(super) fn secret(&self, name: &str) -> Secret {
        self.0.try_get(name).unwrap().secret().clone()
    }

    pub(super) fn case(&self, draws: &Draws) -> Case {
        let manager = Arc::clone(&self.0);
        draws.case(move |draw| glimpse(manager.try_get(draw.name).unwrap().value().expose_secret()))
    }
}

impl Held {
    pub(super) fn new(names: &[String]) -> Self {
        let manager = manager(Shelf::new(names), names.len());
        look_after(&manager);
        let handles = runtime().block_on(async {
            let mut handles = Vec::with_capacity(names.len());
            for name in names {
                handles.push(manager.handle(name).await.unwrap());
            }
            handles
        });
        while handles.iter().any(|handle| !handle.load().is_fresh()) {
            thread::sleep(Duration::from_millis(1));
        }
        Self(handles.into())
    }

    /// What the handles show, loaded without being counted, from where a handle would lie.
    pub(super) fn uncounted(&self, draws: &Draws) -> Case {
        let lives: Vec<_> = self.0.iter().map(|handle| Uncounted(handle.live(), REST)).collect();
        draws.case(move |draw| {
            let state = lives[draw.number].0.load();
            glimpse(state.secret().unwrap().value.expose_secret())
        })
    }

    /// What the handle with this number shows.
    pub(super) fn state(&self, number: usize) -> SecretState {
        SecretState::clone(&self.0[number].load())
    }

    pub(super) fn case(&self, draws: &Draws) -> Case {
        let handles = Arc::clone(&self.0);
        draws.case(move |draw| {
            let state = handles[draw.number].load();
            glimpse(state.secret().unwrap().value.expose_secret())
        })
    }
}

pub(super) fn manager(provider: impl SecretProvider, room: usize) -> SecretManager {
    let room = NonZeroUsize::new(room).unwrap();
    let policy = CachePolicy::new().with_ttl(HOUR).with_max_entries(room);
    SecretManager::builder(provider).policy(policy).build().unwrap()
}

/// Runs the manager in a thread of its own, until nobody has it any more.
fn look_after(manager: &SecretManager) {
    let running = manager.run();
    thread::spawn(move || runtime().block_on(running));
}

pub(super) async fn read_all(manager: &SecretManager, names: &[String]) {
    for name in names {
        manager.get(name).await.unwrap();
    }
}

pub(super) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}
