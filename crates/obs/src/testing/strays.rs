use std::fmt;
use std::sync::{Arc, OnceLock};

use tracing_core::dispatcher;
use tracing_core::{Dispatch, LevelFilter};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::record::{Filter, RecordLayer};
use crate::testing::CapturedRecord;
use crate::testing::capture::Store;

static STRAYS: OnceLock<Result<Arc<Store>, StraysError>> = OnceLock::new();

/// The process has a subscriber of somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StraysError;

impl fmt::Display for StraysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another subscriber is installed already: what it takes cannot be watched")
    }
}

impl std::error::Error for StraysError {}

/// Watches what is logged where no capture is, for the life of the process: threads and tasks that were started
/// without [`Carried`](crate::record::Carried), and tests without a capture. Assertions that fail tell of it, and
/// so does [`Capture::strays`](super::Capture::strays). To be called by each test that wants it; once counts.
///
/// It becomes the subscriber of the process, so no other one can be installed, and takes records from `info` on.
///
/// # Errors
/// [`StraysError`]: there is a subscriber already.
pub fn watch_strays() -> Result<(), StraysError> {
    let strays = STRAYS.get_or_init(|| {
        let store = Arc::new(Store::default());
        let layer = RecordLayer::builder()
            .filter(Filter::up_to(LevelFilter::INFO))
            .sink(Arc::<Store>::clone(&store))
            .build();
        let subscriber = Dispatch::new(tracing_subscriber::registry().with(layer));
        dispatcher::set_global_default(subscriber).map(|()| store).map_err(|_| StraysError)
    });
    strays.as_ref().map(|_| ()).map_err(|error| *error)
}

fn strays() -> Option<&'static Store> {
    STRAYS.get()?.as_deref().ok()
}

/// How many there are.
pub(super) fn count() -> usize {
    strays().map_or(0, |store| store.kept().0.len())
}

/// All but the first ones.
pub(super) fn since(first: usize) -> Option<Vec<CapturedRecord>> {
    let (strays, _) = strays()?.kept();
    Some(strays.iter().skip(first).map(|stray| CapturedRecord::clone(stray)).collect())
}
