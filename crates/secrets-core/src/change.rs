use std::pin::Pin;

use futures_core::Stream;

use crate::reference::SecretRef;
use crate::version::VersionId;

/// A stream of hints. It ends when the provider can give no more of them.
pub type ChangeStream = Pin<Box<dyn Stream<Item = ChangeHint> + Send>>;

/// Word that something may have changed. Hints may be lost, doubled or late: a reader reads again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangeHint {
    /// Which secret; `None` when any may have changed.
    pub reference: Option<SecretRef>,
    /// The version that is current now, where the source tells.
    pub version: Option<VersionId>,
}

impl ChangeHint {
    /// Any secret may have changed.
    pub fn any() -> Self {
        Self { reference: None, version: None }
    }

    /// This secret may have changed.
    pub fn secret(reference: SecretRef) -> Self {
        Self { reference: Some(reference), version: None }
    }
}
