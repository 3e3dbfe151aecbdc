#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod decode;
mod decode_error;
mod explain;
mod key;
mod loader;
mod nearest;
mod node;
mod problem;
mod read;
mod redact;
mod reload;
mod secret;
mod stand_in;

pub use explain::{Explained, Explanation};
pub use loader::{Layers, Loaded, Rules};
pub use node::Origin;
pub use problem::{Problem, ProblemKind, Problems};
pub use read::Format;
pub use reload::Reloading;
pub use secret::SecretSetting;
