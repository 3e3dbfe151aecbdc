//! Records as lines: layouts and where they are written.

mod json;
mod layout;
mod time;

pub use json::JsonFlat;
pub use layout::Layout;
