//! What is not shown, decided by the name of a thing.

mod keys;
mod text;

pub use keys::RedactedKeys;
