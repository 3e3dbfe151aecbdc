//! AWS KMS.

mod alias;
mod describe;
mod lifecycle;
mod named;
mod provider;
mod rotation;
mod sign;
mod window;
mod wrap;

pub use alias::{Alias, KeyAlias};
pub use describe::{KeyInfo, KeyState, KeyUsage};
pub use provider::{GrantToken, KmsProvider};
pub use rotation::{KeyRotation, RotationPeriod, RotationRecord};
pub use window::DeletionWindow;
