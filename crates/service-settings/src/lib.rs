#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod decode;
mod duration;
mod explain;
mod foreign;
mod loader;
mod nearest;
mod node;
mod placed;
mod problem;
mod read;
mod redact;
mod reload;
mod secret;
mod subtree;

pub use duration::{DurationSetting, InvalidDuration};
pub use explain::{Explained, Explanation};
pub use loader::{Layers, Loaded, Rules};
pub use nearest::nearest;
pub use node::Origin;
pub use placed::Placed;
pub use problem::{Problem, ProblemKind, Problems};
pub use read::Format;
pub use reload::Reloading;
pub use secret::SecretSetting;
pub use subtree::Subtree;
