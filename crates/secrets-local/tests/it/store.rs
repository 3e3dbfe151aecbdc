//! The encrypted file store.

mod basics;
mod support;
