//! The encrypted file store.

mod basics;
mod disk;
mod power;
mod rollback;
mod slots;
mod support;
mod tamper;
mod wrapping;
