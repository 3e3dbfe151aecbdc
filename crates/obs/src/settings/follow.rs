use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use service_settings::{Problems, Reloading};

use super::ObservabilitySettings;
use crate::setup::Observability;

/// Settings that are followed.
impl Observability {
    /// Takes every new version of settings that follow their files, as [`reload`](Self::reload) does, and logs those
    /// that are refused. Nothing happens unless the future is polled; it ends when the settings are not followed any more.
    ///
    /// ```
    /// # use obs::settings::ObservabilitySettings;
    /// # use obs::setup::Observability;
    /// # use service_settings::{Layers, Problem, Rules};
    /// # #[derive(serde::Deserialize)]
    /// # struct Settings {
    /// #     #[serde(default)]
    /// #     observability: ObservabilitySettings,
    /// # }
    /// # impl Rules for Settings {
    /// #     fn problems(&self) -> Vec<Problem> { self.observability.problems() }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let file = folder.path().join("app.toml");
    /// # std::fs::write(&file, "")?;
    /// let layers = Layers::<Settings>::new().file(&file);
    /// let (settings, reading) = layers.load_and_follow(std::time::Duration::from_secs(5))?;
    /// let first = settings.settings().load().settings.observability.clone();
    /// let guard = Observability::builder().settings(&first)?.install()?;
    ///
    /// tokio::spawn(reading);
    /// tokio::spawn(guard.observability().follow(&settings, |settings| &settings.observability));
    /// # drop(guard);
    /// # Ok(()) }
    /// ```
    pub fn follow<T: Send + Sync + 'static>(
        &self,
        settings: &Reloading<T>,
        part: impl Fn(&T) -> &ObservabilitySettings + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let own = self.clone();
        let (mut settings, mut rejected) =
            (settings.settings().watch(), settings.rejected().watch());
        let mut told: Option<Arc<Problems>> = None;
        async move {
            loop {
                {
                    // What is wrong with it is logged and counted there.
                    let _ = own.reload(part(&settings.load().settings));
                }
                let refused = Option::clone(&rejected.load());
                if let Some(problems) = &refused
                    && !told.as_ref().is_some_and(|told| Arc::ptr_eq(told, problems))
                {
                    own.say_refused(Some(problems));
                    Self::count_refused();
                }
                told = refused;
                let is_closed = {
                    let (mut one, mut other) = (pin!(settings.changed()), pin!(rejected.changed()));
                    poll_fn(move |context| {
                        let one = one.as_mut().poll(context).map(|changed| changed.is_err());
                        match one {
                            Poll::Pending => {
                                other.as_mut().poll(context).map(|changed| changed.is_err())
                            }
                            ready => ready,
                        }
                    })
                    .await
                };
                if is_closed {
                    return;
                }
            }
        }
    }
}
