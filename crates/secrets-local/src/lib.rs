//! To come.
#[cfg(feature = "store")]
pub mod store;
