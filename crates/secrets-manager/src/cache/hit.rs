use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::Guard;
use secrets_core::{Secret, SecretValue};

use crate::cache::index::Listed;

/// A value that was found in the cache. It keeps the value alive as long as it lives, so hold it
/// for the length of its use and read again afterwards.
pub struct Hit {
    listed: Guard<Arc<Listed>>,
}

impl Hit {
    pub(crate) fn new(listed: Guard<Arc<Listed>>) -> Self {
        Self { listed }
    }

    /// The value with its version.
    #[inline]
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.listed.secret
    }

    /// The value.
    #[inline]
    #[must_use]
    pub fn value(&self) -> &SecretValue {
        &self.listed.value
    }

    /// Since when it has been past its time to live; `None` while it is fresh.
    #[must_use]
    pub fn stale_since(&self) -> Option<SystemTime> {
        self.listed.stale_since
    }
}

/// Shows the version, never the value.
impl fmt::Debug for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hit")
            .field("version", &self.secret().version.id)
            .field("stale_since", &self.stale_since())
            .finish_non_exhaustive()
    }
}
