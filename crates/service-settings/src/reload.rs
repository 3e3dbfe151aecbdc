use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use live_value::{Live, Publisher};
use serde::de::DeserializeOwned;

use crate::loader::{Layers, Loaded, Rules};
use crate::problem::{Problem, Problems};
use crate::read::Contents;

/// The files are not looked at more often.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);

/// Settings that follow their files: the last good ones, and what is wrong with the newest.
#[derive(Debug)]
pub struct Reloading<T> {
    settings: Live<Arc<Loaded<T>>>,
    rejected: Live<Option<Arc<Problems>>>,
}

impl<T> Clone for Reloading<T> {
    fn clone(&self) -> Self {
        Self { settings: self.settings.clone(), rejected: self.rejected.clone() }
    }
}

impl<T> Reloading<T> {
    /// The last settings that were sound.
    #[must_use]
    pub fn settings(&self) -> &Live<Arc<Loaded<T>>> {
        &self.settings
    }

    /// What is wrong with what the files hold now; `None` while they are sound.
    #[must_use]
    pub fn rejected(&self) -> &Live<Option<Arc<Problems>>> {
        &self.rejected
    }
}

impl<T: DeserializeOwned + Rules + Send + Sync + 'static> Layers<T> {
    /// Reads everything, and gives a future, for the application to spawn, that does so again when a
    /// file holds something else: written in place, replaced by an editor, or swapped below by
    /// links, as Kubernetes does. It looks every `interval`, 10 milliseconds at least, and takes what it
    /// sees twice the same, so that a file that is half written is not taken, unless its writer pauses for longer. Settings that are not sound change nothing, and
    /// show in [`Reloading::rejected`]; so do [`Rules`] that panic.
    ///
    /// The future ends when nobody follows any more. Variables are those that were given.
    ///
    /// # Errors
    /// [`Problems`] of the first load.
    pub fn load_and_follow(
        self,
        interval: Duration,
    ) -> Result<(Reloading<T>, impl Future<Output = ()> + Send + 'static), Problems> {
        let contents = self.settled_files();
        let settings = Publisher::new(Arc::new(self.load_from(&contents)?));
        let rejected = Publisher::new(None);
        let reloading = Reloading { settings: settings.live(), rejected: rejected.live() };
        let follower =
            Follower { layers: Arc::new(self), contents: Arc::new(contents), settings, rejected };
        Ok((reloading, follow(follower, interval)))
    }
}

struct Follower<T> {
    layers: Arc<Layers<T>>,
    /// What the files held when they were last taken, or refused.
    contents: Arc<Vec<Contents>>,
    settings: Publisher<Arc<Loaded<T>>>,
    rejected: Publisher<Option<Arc<Problems>>>,
}

async fn follow<T>(mut follower: Follower<T>, interval: Duration)
where
    T: DeserializeOwned + Rules + Send + Sync + 'static,
{
    let (mut seen, interval) = (None, interval.max(LEAST_INTERVAL));
    while follower.settings.has_readers() || follower.rejected.has_readers() {
        tokio::time::sleep(interval).await;
        let layers = Arc::clone(&follower.layers);
        let Ok(contents) = tokio::task::spawn_blocking(move || layers.read_files()).await else {
            return;
        };
        if contents == *follower.contents {
            seen = None;
        } else if seen.as_ref() == Some(&contents) {
            seen = None;
            if !follower.take(contents).await {
                return;
            }
        } else {
            // It may be half written: what is still the same the next time is whole.
            seen = Some(contents);
        }
    }
}

impl<T: DeserializeOwned + Rules + Send + Sync + 'static> Follower<T> {
    /// False when the runtime ends.
    async fn take(&mut self, contents: Vec<Contents>) -> bool {
        let layers = Arc::clone(&self.layers);
        self.contents = Arc::new(contents);
        let contents = Arc::clone(&self.contents);
        let loaded = match tokio::task::spawn_blocking(move || layers.load_from(&contents)).await {
            Ok(loaded) => loaded,
            // What the panic says may quote a value.
            Err(error) if error.is_panic() => {
                Err(Problem::invalid("", "the rules of the settings panicked").into())
            }
            Err(_) => return false,
        };
        match loaded {
            Ok(loaded) => {
                self.settings.publish(Arc::new(loaded));
                if self.rejected.load().is_some() {
                    self.rejected.publish(None);
                }
            }
            Err(problems) => {
                self.rejected.publish(Some(Arc::new(problems)));
            }
        }
        true
    }
}
