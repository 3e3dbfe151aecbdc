use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrets_core::Error;
use tokio::time::Instant;

/// Longer lives than this are taken for as long: the clocks would overflow.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A credential as its source issued it.
pub struct Issued<T> {
    pub(crate) credential: T,
    pub(crate) life: Life,
}

/// How long a credential is good for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Life {
    Span(Duration),
    Until(SystemTime),
}

impl<T> Issued<T> {
    /// Good for so long, counted from when it was asked for.
    pub fn for_span(credential: T, life: Duration) -> Self {
        Self { credential, life: Life::Span(life) }
    }

    /// Good until then.
    pub fn until(credential: T, expires: SystemTime) -> Self {
        Self { credential, life: Life::Until(expires) }
    }
}

impl<T> fmt::Debug for Issued<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("life", &self.life).finish_non_exhaustive()
    }
}

/// A credential with what is known of it.
pub struct Lease<T> {
    credential: Arc<T>,
    expires: SystemTime,
    pub(crate) expires_at: Instant,
    trouble: Option<Error>,
    /// Counts what was issued.
    pub(crate) serial: u64,
}

impl<T> Lease<T> {
    /// What was issued, asked for at these times; `None` when it has expired already.
    pub(crate) fn new(
        issued: Issued<T>,
        serial: u64,
        (now, wall): (Instant, SystemTime),
    ) -> Option<Self> {
        let life = match issued.life {
            Life::Span(life) => life,
            Life::Until(expires) => expires.duration_since(wall).unwrap_or_default(),
        };
        let life = life.min(LONGEST);
        let lease = Self {
            credential: Arc::new(issued.credential),
            expires: wall + life,
            expires_at: now + life,
            trouble: None,
            serial,
        };
        (!life.is_zero()).then_some(lease)
    }

    /// The credential.
    #[must_use]
    pub fn credential(&self) -> &T {
        &self.credential
    }

    /// The same, for who keeps it.
    pub(crate) fn shared(&self) -> Arc<T> {
        Arc::clone(&self.credential)
    }

    /// When it expires, by the clock on the wall.
    #[must_use]
    pub fn expires(&self) -> SystemTime {
        self.expires
    }

    /// Why the last renewal failed; `None` while none has.
    #[must_use]
    pub fn trouble(&self) -> Option<&Error> {
        self.trouble.as_ref()
    }

    /// The same credential, whose renewal fails.
    pub(crate) fn in_trouble(&self, error: Error) -> Self {
        Self {
            credential: Arc::clone(&self.credential),
            expires: self.expires,
            expires_at: self.expires_at,
            trouble: Some(error),
            serial: self.serial,
        }
    }

    /// Whether it has expired by either clock.
    pub(crate) fn is_expired(&self, now: Instant, wall: SystemTime) -> bool {
        now >= self.expires_at || wall >= self.expires
    }
}

/// Shows what is known of the credential, not the credential.
impl<T> fmt::Debug for Lease<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("expires", &self.expires)
            .field("trouble", &self.trouble)
            .finish_non_exhaustive()
    }
}
